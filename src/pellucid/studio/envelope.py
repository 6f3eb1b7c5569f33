"""The messages between a page and Python: JSON with arrays, in one block of bytes.

A message is the length of its header (uint32, little-endian), the header as JSON, zero bytes up to
a multiple of 8, and the bytes of the arrays, each at a multiple of 8. The header is
``{"value": ..., "arrays": [[dtype, shape, offset], ...]}``; within the value, ``{"$array": k}``
stands for the k-th array, and ``{"$number": "nan"}`` (``"inf"``, ``"-inf"``) for what JSON has no
number for. ``page/envelope.js`` is its twin.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..typing import Array

__all__ = ["pack", "unpack"]

# What JavaScript has typed arrays for; everything else is converted to one of them.
DTYPES = {"float32", "float64", "uint8", "int32", "uint32"}
WIDENED = {"b": np.uint8, "i": np.int32, "u": np.uint32, "f": np.float32}
STEP = 8  # bytes: the alignment of an array
MOST_ARRAYS = 1000


def pack(value: Any) -> bytes:
    """Return a message with ``value``: dicts, lists, text, numbers, and NumPy arrays in them.

    Booleans of arrays become uint8, and integers int32.

    Examples
    --------
    >>> message = pack({"scores": np.array([0.5, 2], np.float32), "loss": float("inf")})
    >>> unpack(message)
    {'scores': array([0.5, 2. ], dtype=float32), 'loss': inf}
    """
    arrays: list[Array] = []
    told = _told(value, arrays)
    listed, offset = [], 0
    for array in arrays:
        listed.append([array.dtype.name, list(array.shape), offset])
        offset += _padded(array.nbytes)
    header = json.dumps({"value": told, "arrays": listed}, allow_nan=False).encode()
    parts = [len(header).to_bytes(4, "little"), header]
    parts.append(bytes(_padded(4 + len(header)) - 4 - len(header)))
    for array in arrays:
        parts += [array.tobytes(), bytes(_padded(array.nbytes) - array.nbytes)]
    return b"".join(parts)


def unpack(message: bytes) -> Any:
    """Return what `pack` wrote; arrays are read-only views of the message.

    Raises
    ------
    ArgumentError
        If it is anything else: it may come from anywhere.
    """
    try:
        size = int.from_bytes(message[:4], "little")
        if not 0 < size <= len(message) - 4:
            raise ValueError("the header is longer than the message")
        header = json.loads(message[4 : 4 + size])
        first = _padded(4 + size)
        listed = header["arrays"]
        if len(listed) > MOST_ARRAYS:
            raise ValueError(f"{len(listed)} arrays")
        arrays = [_array(message, first, *entry) for entry in listed]
        return _revived(header["value"], arrays)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ArgumentError(
            f"is not a message of the studio's page ({error}).", where="message"
        ) from error


def _told(value: Any, arrays: list[Array]) -> Any:
    """Return ``value`` as JSON has it; its arrays are added to ``arrays``."""
    if isinstance(value, np.ndarray):
        if value.dtype.name not in DTYPES:
            value = value.astype(WIDENED[value.dtype.kind])
        arrays.append(np.ascontiguousarray(value))
        return {"$array": len(arrays) - 1}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": str(value)}
    if isinstance(value, dict):
        return {str(key): _told(each, arrays) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_told(each, arrays) for each in value]
    return value


def _array(message: bytes, first: int, dtype: Any, shape: Any, offset: Any) -> Array:
    if dtype not in DTYPES or not all(isinstance(n, int) and n >= 0 for n in [*shape, offset]):
        raise ValueError(f"an array of {dtype}, {shape}")
    count = math.prod(shape)
    return np.frombuffer(message, dtype, count, first + offset).reshape(shape)


def _revived(value: Any, arrays: list[Array]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"$array"}:
            return arrays[value["$array"]]
        if value.keys() == {"$number"}:
            return float(value["$number"])
        return {key: _revived(each, arrays) for key, each in value.items()}
    return [_revived(each, arrays) for each in value] if isinstance(value, list) else value


def _padded(size: int) -> int:
    return -(-size // STEP) * STEP
