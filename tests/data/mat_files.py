"""MATLAB 5 files, byte by byte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

# (class of the array, type of the numbers)
KINDS = {"u1": (9, 2), "i1": (8, 1), "f8": (6, 9), "f4": (7, 7), "i4": (12, 5), "u2": (11, 4)}


def element(kind: int, data: bytes, order: str = "<", *, small: bool = False) -> bytes:
    if small:
        return struct.pack(order + "I", len(data) << 16 | kind) + data.ljust(4, b"\0")
    return struct.pack(order + "II", kind, len(data)) + data + bytes(-len(data) % 8)


def variable(
    name: str,
    array: np.ndarray,
    order: str = "<",
    *,
    compress: bool = True,
    flags: int = 0,
    kind: int | None = None,
) -> bytes:
    array = np.asarray(array)
    array = array.astype("u1") if array.dtype == np.int64 else array
    cls, stored = KINDS[array.dtype.str[1:]]
    body = element(6, struct.pack(order + "II", (kind or cls) | flags, 0), order)
    body += element(5, np.array(array.shape, order + "i4").tobytes(), order)
    body += element(1, name.encode(), order, small=len(name) <= 4)
    data = array.astype(array.dtype.newbyteorder(order)).tobytes(order="F")
    body += element(stored, data, order, small=len(data) <= 4)
    whole = element(14, body, order)
    if not compress:
        return whole
    packed = zlib.compress(whole)
    return struct.pack(order + "II", 15, len(packed)) + packed  # without padding


def write_mat(path: Path, *variables: bytes, order: str = "<") -> Path:
    header = b"MATLAB 5.0 MAT-file, made by hand".ljust(124)
    header += struct.pack(order + "H", 0x0100) + (b"IM" if order == "<" else b"MI")
    path.write_bytes(header + b"".join(variables))
    return path
