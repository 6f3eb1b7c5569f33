"""NumPy's archives of arrays, read without trusting what they claim."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, DataNotFoundError, FileFormatError
from ..typing import Array, PathLike
from .files import atomic_write
from .safetensors_file import require_memory, shown_key
from .sniff import look_at, refusal

__all__ = ["read_npz", "write_npz"]

TIMES = 100  # what is unpacked may be so many times the file, as weights never are
SMALL = 2**20  # or so many bytes: zeros pack well
MOST_AXES = 32
KINDS = "biuf"


def read_npz(path: PathLike) -> dict[str, Array]:
    """Read the arrays of a ``.npz`` file.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    dict of str to array
        In C order and this machine's byte order.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is something else, which the message names; if it is damaged, holds something else
        than numbers, or unpacks to far more than it is.
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    if look_at(path).kind not in ("npz", "zip"):
        advice = "Give a .npz file, as numpy.savez writes it."
        raise FileFormatError(refusal(path, "a NumPy archive (.npz)", advice, tensors=True))
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > max(TIMES * path.stat().st_size, SMALL):
                raise FileFormatError(
                    f"'{path}' unpacks to {total:,} bytes, more than {TIMES} times its size. It "
                    "may be an attempt to fill the memory."
                )
            require_memory(total, path)
            arrays: dict[str, Array] = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise ValueError(f"it holds {shown_key(name)} twice")
                if not member.filename.endswith(".npy"):
                    raise ValueError(f"{shown_key(name)} in it is no array (.npy)")
                arrays[name] = _array(archive, member, path)
            return arrays
    except FileFormatError:
        raise
    except MemoryError as error:
        raise FileFormatError(
            f"there is not enough memory for the {total:,} bytes to which '{path}' unpacks."
        ) from error
    except Exception as error:  # zlib, struct, tokenize and zipfile each have their own
        why = str(error) or type(error).__name__
        raise FileFormatError(f"'{path}' is no whole .npz file ({why}).") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Array:
    name = shown_key(member.filename.removesuffix(".npy"))
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{name} is of version {version}")
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise FileFormatError(
                f"{name} in '{path}' holds object, and only numbers are read: Python objects are "
                "pickled, and a pickle can run a program. Save it as an array of numbers: "
                "numpy.array(..., dtype=float)."
            )
        if dtype.kind not in KINDS or dtype.names or dtype.itemsize > 8:
            raise FileFormatError(
                f"{name} in '{path}' holds {dtype}, and only numbers are read, real ones of 8 to "
                "64 bits. Leave it out, or turn it into float64."
            )
        if min(shape, default=0) < 0 or len(shape) > MOST_AXES:
            raise ValueError(f"{name} has the shape {shape}")
        expected = math.prod(shape) * dtype.itemsize
        if expected > member.file_size:
            raise ValueError(f"{name} claims {expected:,} bytes of numbers")
        content = file.read()
    if len(content) != expected:
        raise ValueError(f"{name} holds {len(content):,} bytes of {expected:,}")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return np.array(array, dtype.newbyteorder("="), order="C")


def write_npz(path: PathLike, arrays: Mapping[str, Array]) -> None:
    """Write ``arrays`` to a ``.npz`` file that `numpy.load` reads: all of it, or nothing.

    Raises
    ------
    ArgumentError
        If a name leads out of the folder into which an archive is unpacked, or cannot be the name
        of a file; if ``path`` cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_npz(f"{folder}/params.npz", {"b1": np.zeros(2)})
    ...     read_npz(f"{folder}/params.npz")
    {'b1': array([0., 0.])}
    """
    for name, array in arrays.items():
        _require_a_member(name)
        if np.asarray(array).dtype.hasobject:
            raise ArgumentError(
                f"{shown_key(name)} holds Python objects, and only numbers are written.",
                where="write_npz",
            )
    with atomic_write(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)


def _require_a_member(name: str) -> None:
    """Refuse a name under which an archive could write outside its folder, or lose an array."""
    parts = re.split(r"[/\\]", name)
    out = ".." in parts or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name)
    odd = any(ord(c) < 32 or "\ud800" <= c <= "\udfff" for c in name) or len(name) > 10_000
    if out or odd:
        why = "leads out of the folder where it is unpacked" if out else "cannot be a file's name"
        raise ArgumentError(
            f"{shown_key(name)} {why}: in a .npz each array is a file. Rename it, or write a .pkl "
            "or .safetensors file.",
            where="write_npz",
        )
