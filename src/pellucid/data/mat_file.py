"""Read numeric arrays from files in the MATLAB 5 format.

A file is a header of 128 bytes and then elements: a type, a length, and ``length`` bytes. An array
is an element made of four others (flags, lengths of the axes, name, numbers), often compressed by
zlib. The first axis is contiguous. Source: MathWorks, "MAT-File Format", chapter 1, level 5. Memory
is allocated only for bytes that are there, whatever a length declares.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import DataNotFoundError, FileFormatError
from ..typing import Array, PathLike

__all__ = ["read_mat"]

_MATRIX, _COMPRESSED = 14, 15
_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_NUMERIC = range(6, 14)  # classes of arrays: double, single, and the integers up to 32 bits
_COMPLEX = 0x800
_CHUNK = 1 << 20


def read_mat(path: PathLike, names: Collection[str], *, max_bytes: int = 2**31) -> dict[str, Array]:
    """Read arrays of real numbers from a MATLAB 5 file.

    Parameters
    ----------
    path : str or path
        The file.
    names : collection of str
        The variables to read; others are skipped.
    max_bytes : int
        The most bytes that an array may declare.

    Returns
    -------
    dict of name to array
        Those of ``names`` that the file holds, with axes in MATLAB's order.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is of another format, damaged, or a variable is not an array of real numbers.
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    if not path.is_file():
        raise FileFormatError(f"'{path}' is a folder or a device, not a MATLAB file.")
    found: dict[str, Array] = {}
    with path.open("rb") as file:
        length = path.stat().st_size
        order = _byte_order(file.read(128), path)
        while file.tell() + 8 <= length and set(names) - found.keys():
            kind, size = np.frombuffer(file.read(8), order + "u4").tolist()
            end = file.tell() + size
            if end > length:
                raise FileFormatError(
                    f"'{path}' is truncated: an element declares {size} bytes, "
                    f"{length - end + size} are there. Fetch or copy the file again."
                )
            if kind in (_MATRIX, _COMPRESSED):
                stream = _Inflated(file, size) if kind == _COMPRESSED else _Plain(file, size)
                reader = _Reader(stream, order, path, max_bytes)
                found |= reader.matrix(names, unwrap=kind == _COMPRESSED)
            file.seek(end)
    return found


class _Plain:
    """The next ``size`` bytes of a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.left = file, size

    def read(self, n: int) -> bytes:
        piece = self.file.read(min(n, self.left))
        self.left -= len(piece)
        return piece

    def is_whole(self) -> bool:
        """Return whether all bytes have been read."""
        return self.left == 0


class _Inflated(_Plain):
    """The next ``size`` bytes of a file inflated, never further than requested."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__(file, size)
        self._inflate = zlib.decompressobj()

    def read(self, n: int) -> bytes:
        out = bytearray()
        while len(out) < n and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or super().read(_CHUNK)
            piece = self._inflate.decompress(packed, n - len(out))
            if not packed and not piece:
                break
            out += piece
        return bytes(out)

    def is_whole(self) -> bool:
        """Return whether all bytes have been read and match the checksum at the end."""
        return not self.read(1) and self._inflate.eof


class _Reader:
    """Reads one matrix element."""

    def __init__(self, stream: _Plain, order: str, path: Path, max_bytes: int) -> None:
        self.stream, self.order, self.path, self.max_bytes = stream, order, path, max_bytes

    def matrix(self, names: Collection[str], *, unwrap: bool) -> dict[str, Array]:
        """Return the variable by its name; empty if it is not one of ``names``."""
        try:
            if unwrap:
                kind, _ = self._numbers(8, "u4")
                if kind != _MATRIX:
                    return {}
            flags, *_ = self._element(6, 8).tolist() or [0]
            axes = self._element(5, 64).tolist()
            name = self._element(1, 64).tobytes().decode("ascii", "replace")
            if name not in names:
                return {}
            if flags & 0xFF not in _NUMERIC or flags & _COMPLEX:
                raise FileFormatError(
                    f"{name!r} in '{self.path}' is not an array of real numbers (class "
                    f"{flags & 0xFF})."
                )
            if not 2 <= len(axes) <= 8 or min(axes) < 0:
                raise self._damaged(f"{name!r} has the axes {axes}")
            data = self._element(None, self.max_bytes)
            if data.size != math.prod(axes):
                raise self._damaged(f"{name!r} has the axes {axes} and {data.size} numbers")
            if not self.stream.is_whole():
                raise self._damaged(f"{name!r} does not end where it should")
            return {name: data.reshape(axes, order="F")}
        except zlib.error as error:
            raise self._damaged(f"its compression fails its own checks: {error}") from error

    def _element(self, wanted: int | None, limit: int) -> Array:
        """Return the numbers of the next element; up to 4 bytes are stored in its tag."""
        tag = self._numbers(8, "u4")
        small = tag[0] >> 16
        kind, size = (tag[0] & 0xFFFF, small) if small else tag
        if kind not in _DTYPES or (wanted is not None and kind != wanted) or small > 4:
            raise self._damaged(f"an element of type {kind} is out of place")
        if size > limit:
            raise FileFormatError(
                f"'{self.path}' declares {size} bytes, more than the limit of {limit}. It is "
                "damaged, or call `read_mat(path, names, max_bytes=...)`."
            )
        dtype = np.dtype(self.order + _DTYPES[kind])
        if size % dtype.itemsize:
            raise self._damaged(f"{size} bytes are not a multiple of {dtype.itemsize}")
        if small:
            value = np.array([tag[1]], self.order + "u4").tobytes()[:size]
            return np.frombuffer(value, dtype)
        data = self._exactly(size)
        self.stream.read(-size % 8)
        return np.frombuffer(data, dtype)

    def _numbers(self, size: int, dtype: str) -> list[int]:
        return np.frombuffer(self._exactly(size), self.order + dtype).tolist()

    def _exactly(self, size: int) -> bytearray:
        data = bytearray()
        try:
            while len(data) < size:
                piece = self.stream.read(min(size - len(data), _CHUNK))
                if not piece:
                    raise self._damaged(f"{size} bytes are declared, {len(data)} are there")
                data += piece
        except MemoryError as error:
            raise FileFormatError(
                f"'{self.path}' declares {size} bytes, for which there is not enough memory."
            ) from error
        return data

    def _damaged(self, why: str) -> FileFormatError:
        return FileFormatError(f"'{self.path}' is damaged ({why}). Fetch or copy the file again.")


def _byte_order(header: bytes, path: Path) -> str:
    if header.startswith(b"MATLAB 7.3"):
        raise FileFormatError(
            f"'{path}' is a MATLAB 7.3 file, which is HDF5. Save it in MATLAB with '-v7'."
        )
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None:
        from ..formats.sniff import describe_known  # here, as most files are what they should be

        known = describe_known(header, path)
        raise FileFormatError(
            f"'{path}' is not a MATLAB 5 file: it begins with {header[:16]!r}, and its header does "
            f"not end in IM or MI.{f' It is {known}.' if known else ''}"
        )
    return order
