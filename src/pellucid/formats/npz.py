"""Read and write NumPy's .npz archives; the sizes that a file claims are not trusted."""

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

MOST_EXPANSION = 100  # unpacked bytes per byte of file; weights compress far less
ALWAYS_READ = 2**20  # unpacked bytes, however small the file: zeros compress well
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
        If it has another format, which the message names; if it is damaged, holds anything but
        numbers, or expands more than 100 times.
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
            if total > max(MOST_EXPANSION * path.stat().st_size, ALWAYS_READ):
                raise FileFormatError(
                    f"'{path}' unpacks to {total:,} bytes, more than {MOST_EXPANSION} times its "
                    "size. It may be an attempt to fill the memory."
                )
            require_memory(total, path)
            arrays: dict[str, Array] = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise ValueError(f"it holds {shown_key(name)} twice")
                if not member.filename.endswith(".npy"):
                    raise ValueError(f"its member {shown_key(name)} is not an array (.npy)")
                arrays[name] = _array(archive, member, path)
            return arrays
    except FileFormatError:
        raise
    except MemoryError as error:
        raise FileFormatError(
            f"'{path}' unpacks to {total:,} bytes, and there is not enough memory."
        ) from error
    except Exception as error:  # zlib, struct, tokenize and zipfile raise their own
        why = str(error) or type(error).__name__
        raise FileFormatError(f"'{path}' is a damaged .npz file ({why}).") from error


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
                f"{name} in '{path}' holds Python objects, which are pickled, and a pickle can run "
                "a program. Save it as an array of numbers: numpy.array(..., dtype=float)."
            )
        if dtype.kind not in KINDS or dtype.names or dtype.itemsize > 8:
            raise FileFormatError(
                f"{name} in '{path}' holds {dtype}; only real numbers of 8 to 64 bits are read. "
                "Leave it out, or convert it to float64."
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
    """Write ``arrays`` atomically to a ``.npz`` file that `numpy.load` reads.

    Raises
    ------
    ArgumentError
        If a name leads out of the folder where the archive is unpacked, or is not a valid file
        name; if an array holds Python objects; if ``path`` cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_npz(f"{folder}/params.npz", {"b1": np.zeros(2)})
    ...     read_npz(f"{folder}/params.npz")
    {'b1': array([0., 0.])}
    """
    for name, array in arrays.items():
        _require_member_name(name)
        if np.asarray(array).dtype.hasobject:
            raise ArgumentError(
                f"{shown_key(name)} holds Python objects; only numbers are written.",
                where="write_npz",
            )
    with atomic_write(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)


def _require_member_name(name: str) -> None:
    """Refuse a name that, unpacked, is a file outside the folder or cannot be a file."""
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
