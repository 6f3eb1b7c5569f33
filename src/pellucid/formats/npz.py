"""NumPy's archives of arrays, read without trusting what they claim."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import FileFormatError
from ..typing import Array, PathLike
from .files import atomic_write

__all__ = ["read_npz", "write_npz"]

TIMES = 100  # what is unpacked may be so many times the file, as weights never are
SMALL = 2**20  # or so many bytes: zeros pack well
KINDS = "biuf"


def read_npz(path: PathLike) -> dict[str, Array]:
    """Read the arrays of a ``.npz`` file.

    Raises
    ------
    FileFormatError
        If it is no such file, is damaged, holds something else than numbers, or unpacks to far
        more than it is.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > max(TIMES * path.stat().st_size, SMALL):
                raise FileFormatError(
                    f"'{path}' unpacks to {total:,} bytes, more than {TIMES} times its size. It "
                    "may be an attempt to fill the memory."
                )
            return {m.filename.removesuffix(".npy"): _array(archive, m) for m in members}
    except FileFormatError:
        raise
    except Exception as error:  # zlib, struct, tokenize and zipfile each have their own
        raise FileFormatError(f"'{path}' is no whole .npz file ({error}).") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{member.filename!a} is of version {version}")
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
        expected = math.prod(shape) * dtype.itemsize
        if dtype.kind not in KINDS or dtype.hasobject or dtype.names or min(shape, default=0) < 0:
            raise ValueError(f"{member.filename!a} holds {dtype}, and only numbers are read")
        if expected > member.file_size:
            raise ValueError(f"{member.filename!a} claims {expected:,} bytes of numbers")
        content = file.read()
    if len(content) != expected:
        raise ValueError(f"{member.filename!a} holds {len(content):,} bytes of {expected:,}")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return np.array(array, dtype.newbyteorder("="), order="C")


def write_npz(path: PathLike, arrays: Mapping[str, Array]) -> None:
    """Write ``arrays`` to a ``.npz`` file that `numpy.load` reads: all of it, or nothing.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_npz(f"{folder}/params.npz", {"b1": np.zeros(2)})
    ...     read_npz(f"{folder}/params.npz")
    {'b1': array([0., 0.])}
    """
    with atomic_write(path) as part, zipfile.ZipFile(part, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
