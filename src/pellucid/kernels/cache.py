"""Where compiled kernels are kept on disk, so that a machine compiles each of them only once.

Numba's own cache refuses to work where no folder can be written to, fails on a damaged file, does
not see that a module changed from which a kernel takes a function or a constant, and may mix up two
kernels that two processes store at the same moment. Here every compiled kernel is one file, named
after what decides it, whole or absent, and with a checksum.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
import re
import tempfile
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Any

import llvmlite.binding
from numba.core import caching, config
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher
from numba.core.runtime import _nrt_python  # type: ignore[attr-defined]
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

from . import compiling, shipped
from .ahead import crew
from .processors import Processor
from .shipped import MAKERS

__all__ = ["USED", "KernelCache", "folder", "folders"]

SETTINGS: Any = config
ROOT = Path(__file__).parent.parent
USED: dict[Path, None] = {}  # the files of this process's kernels
WRITING = threading.Lock()  # a process that must end at once ends before or after
IMPORT = re.compile(r"^ *from (\.*)([\w.]*) import ([^\n(]+|\([^)]*\))", re.MULTILINE)


def folders(source: str) -> list[Path]:
    """Return where to look for kernels of the file ``source``: up to the first writable folder.

    As for Numba these are the one that ``NUMBA_CACHE_DIR`` names, ``__pycache__``, and one among
    the user's caches.
    """
    below = caching._CacheLocator.get_suitable_cache_subpath(source)
    of_user = Path(AppDirs("numba", appauthor=False).user_cache_dir)
    places = [Path(source).parent / "__pycache__"]
    if of_user.is_absolute():  # a user without a home has it in a folder that is called "~"
        places.append(of_user / below)
    if SETTINGS.CACHE_DIR:
        places.insert(0, Path(SETTINGS.CACHE_DIR) / below)
    ours = next((k for k, place in enumerate(places) if _writable(place)), len(places))
    return places[: ours + 1]


def folder(source: str = __file__) -> Path | None:
    """Return the folder for new kernels of ``source``; None where nothing can be written."""
    last = folders(source)[-1]
    return last if _writable(last) else None


@functools.cache
def _writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()
    except OSError:
        return False
    return True


class KernelCache(caching._Cache):
    """The compiled versions of one kernel on disk, in the place of Numba's.

    A kernel is also loaded from a folder that may only be read, and stored in the first one that
    can be written to. Where there is none, every process compiles it again.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        self._source = function.__code__.co_filename
        with suppress(OSError):
            _stamp(self._source)  # now: what is imported here is what is in the file
        self._name = f"{Path(self._source).stem}.{function.__qualname__}".replace("<locals>.", "")

    @property
    def cache_path(self) -> str:
        """The folder for new kernels; empty where there is none."""
        return str(folder(self._source) or "")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the kernel for this signature, or None where it must be compiled."""
        with suppress(OSError):
            name, key = self._identity(sig, shipped.processor())
            made_elsewhere = crew.claim(name)
            found = self._load(name, key, target_context, sig)
            if found is None:
                crew.missing(name)
            elif made_elsewhere:
                compiling.tell(self._function.__name__)
            return found
        return None

    def _load(self, name: str, key: Any, target_context: Any, sig: Any) -> Any:
        for place in folders(self._source):
            # Whatever is wrong with a file, a new one will take its place.
            if found := _read_kernel(place / name, key, target_context):
                return found
        for place, target in shipped.folders():
            name, key = self._identity(sig, target)
            if (place / name).exists():
                if found := _read_kernel(place / name, key, target_context):
                    return found
                shipped.other_source(place)
        return None

    def missing_file(self, sig: Any) -> str | None:
        """Return the name of the file to come for a signature; None if it is there, or cannot be.

        A file of an older version counts as there.
        """
        with suppress(OSError):
            name, _ = self._identity(sig, shipped.processor())
            there = [place / name for place in folders(self._source)]
            for place, target in shipped.folders():
                there.append(place / self._identity(sig, target)[0])
            there_is = any(path.exists() for path in there)
            return None if there_is or folder(self._source) is None else name
        return None

    def save_overload(self, sig: Any, result: Any) -> None:
        """Store the compiled kernel for this signature, if there is a place for it."""
        if result.lifted or result.library.has_dynamic_globals:
            return
        with suppress(OSError):
            name, key = self._identity(sig, shipped.processor())
            data = dumps((key, dumps(result._reduce())))
            place = folder(self._source)
            if place is not None:
                _write(place / name, _sum(data) + data)
                USED[place / name] = None

    def enable(self) -> None:
        """Numba asks for it."""

    def disable(self) -> None:
        """Numba asks for it."""

    def flush(self) -> None:
        """Numba asks for it. A file that is out of date is replaced when its kernel is compiled."""

    def _identity(self, sig: Any, target: Processor) -> tuple[str, Any]:
        """Return the file's name, and all that decides what must be in it."""
        kind = (*MAKERS.values(), tuple(target), sig, _fingerprint(self._function, stamp=False))
        which = _sum(str(kind).encode()).hex()[:16]
        return f"{self._name}.{which}.nbc", (kind, _fingerprint(self._function, stamp=True))


def _read_kernel(path: Path, key: Any, target_context: Any) -> Any:
    """Return the kernel in a file; None if it is not there, damaged, or another one."""
    with suppress(Exception):
        data = path.read_bytes()
        kept, reduced = pickle.loads(data[32:] if _sum(data[32:]) == data[:32] else b"")
        if kept == key:
            _name_the_runtime()
            kernel = CompileResult._rebuild(target_context, *pickle.loads(reduced))
            USED[path] = None
            return kernel
    return None


@functools.cache
def _name_the_runtime() -> None:
    """Tell LLVM where Numba's functions for memory are, which kernels from the disk call by name.

    Numba does so before it compiles, and there also prepares all that it could compile: modules for
    each thing a kernel may contain, and functions of its own, which are in these kernels already.
    To load them it is not needed; it would take 150 ms, and 30 MB.
    """
    for name, address in _nrt_python.c_helpers.items():
        llvmlite.binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def _fingerprint(function: FunctionType, *, stamp: bool) -> tuple[Any, ...]:
    """Return what tells ``function`` from the others of its name; with ``stamp``, from its past."""
    cells = []
    for cell in function.__closure__ or ():
        held = cell.cell_contents
        compiled = isinstance(held, Dispatcher)
        cells.append(_fingerprint(held.py_func, stamp=stamp) if compiled else dumps(held))
    past = (function.__code__.co_code, _stamp(function.__code__.co_filename)) if stamp else ()
    return (function.__module__, function.__qualname__, *cells, *past)


@functools.cache
def _stamp(source: str) -> bytes:
    """Return a sum over a file and all modules of this package that it imports, directly or not."""
    seen: dict[Path, bytes] = {}
    waiting = [Path(source)]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen[path], imported = _read(path)
            waiting += imported
    return _sum(b"".join(seen[path] for path in sorted(seen)))


@functools.cache
def _read(path: Path) -> tuple[bytes, list[Path]]:
    """Return a file's sum, and the files of this package that the module in it imports."""
    data = path.read_bytes()
    imported = []
    for dots, module, names in IMPORT.findall(data.decode("utf-8", "replace")):
        parts = module.split(".") if module else []
        if not dots and parts[0] != ROOT.name:
            continue
        base = path.parents[len(dots) - 1] if dots else ROOT.parent
        base = base.joinpath(*parts)
        targets = (base, base / "__init__", *(base / name for name in re.findall(r"\w+", names)))
        imported += [t.with_suffix(".py") for t in targets if t.with_suffix(".py").is_file()]
    return _sum(data), imported


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}.tmp")
    try:
        with WRITING:
            part.write_bytes(data)
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _sum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
