"""Open a file of `torch.save`: what its pickle holds, and where the bytes of its storages are.

Since PyTorch 1.6 it is a zip archive: ``NAME/data.pkl``, and one member ``NAME/data/KEY`` for each
storage. Before, it was a row of pickles (a magic number, a version, facts on the machine, the
object, the keys of the storages), after which each storage follows as a count and its numbers.
Sources: torch/serialization.py, ``_save`` and ``_legacy_save``.
"""

from __future__ import annotations

import mmap
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import FileFormatError
from ..pickle_names import text
from ..pickle_scan import shown
from ..torch_files import is_legacy
from .machine import TorchMachine
from .values import DTYPES, Storage

__all__ = ["Opened", "opened"]

LARGEST_PICKLE = 2**27
MOST_EXPANSION = 100  # unpacked bytes per byte of file, where members are compressed
ALWAYS_READ = 2**20
_PICKLE = re.compile(r"([^/]+/)?data\.pkl")
_SCRIPT = "constants.pkl"


class Opened(NamedTuple):
    """An open file.

    Attributes
    ----------
    root : Any
        What was saved, as `TorchMachine` builds it.
    order : str
        "<" or ">", the byte order of the numbers.
    read : callable
        Takes a `Storage`, and returns all bytes under its key.
    """

    root: Any
    order: str
    read: Callable[[Storage], bytes]


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a file of `torch.save`, of either format, until the end of the block.

    Raises
    ------
    FileFormatError
        If it holds anything but plain values and tensors, or is damaged; also within the block.
    """
    try:
        with path.open("rb") as file:
            legacy = is_legacy(file.read(64))
        with _rows(path) if legacy else _archive(path) as found:
            yield found
    except FileFormatError:
        raise
    except MemoryError as error:
        raise FileFormatError(
            f"there is not enough memory for the tensors of '{path}'. Save only those needed."
        ) from error
    except Exception as error:  # struct, zlib, zipfile, an empty stack, a wrong type
        said = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise FileFormatError(
            f"'{path}' is not a valid PyTorch checkpoint ({said}). Copy or download it again."
        ) from error


@contextmanager
def _archive(path: Path) -> Iterator[Opened]:
    with zipfile.ZipFile(path) as archive:
        members = _members(archive, path)
        (home,) = (name.removesuffix("data.pkl") for name in members if _PICKLE.fullmatch(name))
        pickled = members[f"{home}data.pkl"]
        if pickled.file_size > LARGEST_PICKLE:
            raise ValueError(f"its data.pkl has {pickled.file_size:,} bytes")
        order = b"little"
        if f"{home}byteorder" in members:
            with archive.open(members[f"{home}byteorder"]) as member:
                order = member.read(20)
        if order not in (b"little", b"big"):
            raise ValueError(f"its byte order is {shown(order)}")

        def read(storage: Storage) -> bytes:
            member = members.get(f"{home}data/{storage.key}")
            label = shown(storage.key)
            needed = storage.whole * DTYPES[storage.dtype][0]
            if member is None:
                raise ValueError(f"it lacks the storage {label}")
            if member.file_size != needed:
                raise ValueError(
                    f"its storage {label} has {member.file_size:,} bytes, and {storage.whole:,} "
                    f"numbers of {storage.dtype} need {needed:,}"
                )
            return archive.read(member)

        root, _ = TorchMachine(f"'{path}'").run(archive.read(pickled))
        yield Opened(root, "<" if order == b"little" else ">", read)


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive by name; refuse what expands, and names that mislead."""
    listed = archive.infolist()
    members = {member.filename: member for member in listed}
    if len(members) != len(listed):
        seen: set[str] = set()
        twice = next(m.filename for m in listed if m.filename in seen or seen.add(m.filename))  # type: ignore[func-returns-value]
        raise ValueError(f"it holds the member {shown(twice)} twice")
    outside = [n for n in members if n.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", n)]
    if outside:
        raise ValueError(f"its member {shown(outside[0])} leads out of the archive's folder")
    if sum(_PICKLE.fullmatch(name) is not None for name in members) != 1:
        raise ValueError("it does not hold one data.pkl, in its first folder")
    total, size = sum(member.file_size for member in listed), path.stat().st_size
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in listed)
    if total > (size if stored else max(MOST_EXPANSION * size, ALWAYS_READ)):
        raise FileFormatError(
            f"'{path}' has {size:,} bytes and would unpack to {total:,}. It may be an attempt to "
            "fill the memory."
        )
    return members


@contextmanager
def _rows(path: Path) -> Iterator[Opened]:
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        storages: dict[str, Storage] = {}
        place, rows = 0, []
        for _ in range(5):
            row, place = TorchMachine(f"'{path}'", storages).run(content, place, alone=False)
            rows.append(row)
        _, version, machine, root, keys = rows
        if version != 1001:
            raise ValueError(f"its version is {shown(version)}, not 1001")
        if type(machine) is not dict or machine.get("little_endian") is not True:
            raise ValueError("a machine of another byte order wrote it")
        places = _places(content, place, keys, storages)

        def read(storage: Storage) -> bytes:
            if storage.key not in places:
                raise ValueError(f"it lacks the storage {shown(storage.key)}")
            start = places[storage.key]
            return content[start : start + storage.whole * DTYPES[storage.dtype][0]]

        yield Opened(root, "<", read)


def _places(
    content: mmap.mmap, place: int, keys: Any, storages: dict[str, Storage]
) -> dict[str, int]:
    """Return where the numbers of each storage begin, checked against the length of the file."""
    if type(keys) is not list:
        raise ValueError("the keys of its storages are not a list")
    places: dict[str, int] = {}
    for key in map(text, keys):
        if key in places:
            raise ValueError(f"it holds the storage {shown(key)} twice")
        if key not in storages:
            raise ValueError(f"no tensor says the dtype of the storage {shown(key)}")
        said, storage = int.from_bytes(content[place : place + 8], "little"), storages[key]
        if said != storage.whole:
            raise ValueError(
                f"its storage {shown(key)} has {said:,} numbers, and its tensors need "
                f"{storage.whole:,}"
            )
        places[key] = place + 8
        place += 8 + said * DTYPES[storage.dtype][0]
        if place > len(content):
            raise ValueError(f"it is truncated: it ends within the storage {shown(key)}")
    return places
