"""Kernels that were compiled elsewhere: in a folder of the package, or one that the user names.

Such a folder has the files of `pellucid.kernels.cache`, and ``kernels.json``, which says what made
them and for which processor. A machine takes them if it has all of the instructions, its vector
registers are as wide, and Python, Numba and llvmlite have the same versions. Whether a kernel was
compiled from the source that is here, each file says itself. If something does not fit, a warning
says so once, and kernels are compiled as if the folder were not there.

The files hold machine code: name only folders whose makers you trust.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.registry import cpu_target

from ..errors import ArgumentError
from .processors import Processor, vector_unit

__all__ = ["MAKERS", "KernelWarning", "folders", "other_source", "processor", "ship"]

VARIABLE = "PELLUCID_KERNELS"
INSIDE = Path(__file__).parent / "shipped"  # which a wheel may have
MANIFEST = "kernels.json"
MAKERS = {
    "python": sys.implementation.cache_tag,
    "numba": numba.__version__,
    "llvmlite": llvmlite.__version__,
}


class KernelWarning(UserWarning):
    """Kernels from elsewhere are not those that this machine needs."""


def processor() -> Processor:
    """Return the processor that kernels are compiled for.

    It is this machine's, unless ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` say otherwise.
    """
    return Processor(*cpu_target.target_context.codegen().magic_tuple())


def folders() -> list[tuple[Path, Processor]]:
    """Return the folders whose kernels this machine can take, and what they were compiled for."""
    named = [Path(each) for each in os.environ.get(VARIABLE, "").split(os.pathsep) if each]
    found = [(place, _maker(place, named=place in named)) for place in (*named, INSIDE)]
    return [(place, maker) for place, maker in found if maker is not None]


@functools.cache
def _maker(place: Path, *, named: bool) -> Processor | None:
    """Return the processor that a folder's kernels were compiled for; None if they do not fit."""
    try:
        told = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        target = Processor(*map(str, told["processor"]))
        makers = {name: str(told[name]) for name in MAKERS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        if named:
            _warn(place, f"has no readable {MANIFEST} ({error})")
        return None
    for name, ours in MAKERS.items():
        if makers[name] != ours:
            _warn(place, f"has kernels of {name} {makers[name]}, and this is {ours}")
            return None
    here = processor()
    lacking = sorted(target.instructions - here.instructions)
    if target.triple != here.triple or vector_unit(target) != vector_unit(here) or lacking:
        reason = f", which has {', '.join(lacking[:6])}" if lacking else ""
        _warn(place, f"has kernels for {target.name} on {target.triple}{reason}; this is {here[1]}")
        return None
    return target


@functools.cache
def other_source(place: Path) -> None:
    """Say once that a folder's kernels are not those of the source that is here."""
    _warn(place, "has kernels of another version of Pellucid, or damaged ones")


def _warn(place: Path, what: str) -> None:
    warnings.warn(
        f"{place} {what}. Kernels are compiled here instead. `pellucid warmup --out FOLDER` writes "
        "a folder of kernels, with `--cpu` for all processors of a kind.",
        KernelWarning,
        stacklevel=2,
    )


def ship(files: Iterable[Path], place: Path) -> int:
    """Copy compiled kernels into a folder for other machines; return how many it then has.

    Raises
    ------
    ArgumentError
        If the folder has something else in it.
    OSError
        If it cannot be written.
    """
    manifest: dict[str, Any] = {**MAKERS, "processor": [*processor()]}
    place.mkdir(parents=True, exist_ok=True)
    if any(place.iterdir()):
        try:
            same = json.loads((place / MANIFEST).read_text(encoding="utf-8")) == manifest
        except (OSError, ValueError):
            same = False
        if not same:
            raise ArgumentError(
                "must be a new or empty folder, or one with kernels for the same processor by the "
                f"same versions; {place} has something else.",
                where="--out",
            )
    for file in files:
        part = place / f"{file.name}.tmp"
        shutil.copyfile(file, part)
        part.replace(place / file.name)
    part = place / f"{MANIFEST}.tmp"  # last: a folder without it is not used
    part.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    part.replace(place / MANIFEST)
    return len(list(place.glob("*.nbc")))
