"""Stand-ins for the functions that a pickle of arrays names; each checks its arguments.

The functions that the file names are never looked up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..typing import Array
from .pickle_scan import Allowed, shown

__all__ = ["CALLS", "NAMES", "DType", "Name", "Unfilled", "array", "set_byte_order", "text"]

LONGEST_AXIS = 2**31

# As written by NumPy 1 and 2, in Python 2 and 3.
NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",  # how Python 3 writes bytes in protocol 2
    ("__builtin__", "bytes"): "no_bytes",  # and empty bytes
    ("numpy.core.numeric", "_frombuffer"): "frombuffer",  # protocol 5
    ("numpy._core.numeric", "_frombuffer"): "frombuffer",
    ("numpy.core.multiarray", "scalar"): "scalar",
    ("numpy._core.multiarray", "scalar"): "scalar",
}


class Name:
    """A key of `NAMES` on the stack, with its meaning."""

    def __init__(self, meaning: str) -> None:
        self.meaning = meaning


class DType:
    """A dtype; ``ordered`` once its byte order is known."""

    def __init__(self, code: str) -> None:
        self.dtype, self.ordered = np.dtype(code), False


class Unfilled:
    """An array on the stack; ``array`` is None until its shape and bytes are known."""

    def __init__(self, array: Array | None = None) -> None:
        self.array = array


def _reconstruct(_: Allowed, kind: Any, shape: Any, code: Any) -> Unfilled:
    right = isinstance(kind, Name) and kind.meaning == "ndarray"
    if not right or type(shape) is not tuple or shape != (0,) or text(code) != "b":
        raise ValueError(f"it creates an array with the arguments {shown(shape)} and {shown(code)}")
    return Unfilled()


def _dtype(allowed: Allowed, code: Any, align: Any, copy: Any) -> DType:
    if text(code) not in allowed.dtypes or not _is_flag(align) or not _is_flag(copy):
        known = ", ".join(sorted(allowed.dtypes))
        raise ValueError(f"its dtype is {shown(code)}; known are {known}")
    return DType(text(code))


def set_byte_order(thing: DType, state: tuple[Any, ...]) -> None:
    """Set the byte order of a dtype from its state.

    Raises
    ------
    ValueError
        If the state holds anything else: fields, objects, sub-arrays.
    """
    version, order, *rest = state
    if thing.ordered or version != 3 or rest != [None, None, None, -1, -1, 0]:
        raise ValueError(f"its dtype has the state {shown(state)}")
    if text(order) not in ("<", ">", "|"):
        raise ValueError(f"its byte order is {shown(order)}")
    thing.dtype, thing.ordered = np.dtype(text(order) + thing.dtype.str[1:]), True


def _encode(_: Allowed, characters: Any, encoding: Any) -> bytes:
    if type(characters) is not str or type(encoding) is not str or encoding != "latin1":
        raise ValueError(f"it encodes text as {shown(encoding)}")
    return characters.encode("latin-1")


def array(allowed: Allowed, version: Any, shape: Any, kind: Any, fortran: Any, data: Any) -> Array:
    """Return the array that a state describes, as protocols 2 to 4 write it.

    Raises
    ------
    ValueError
        If the number of bytes is not that of its shape and dtype.
    """
    if type(version) is not int or version != 1 or not _is_flag(fortran):
        raise ValueError("the state of an array has an unknown version")
    return _checked_array(allowed, data, kind, shape, "F" if fortran else "C")


def _frombuffer(
    allowed: Allowed, data: Any, kind: Any, shape: Any, order: Any, axes: Any = None
) -> Unfilled:
    return Unfilled(_checked_array(allowed, data, kind, shape, order, axes))


def _scalar(allowed: Allowed, kind: Any, data: Any) -> Unfilled:
    return Unfilled(_checked_array(allowed, data, kind, (), "C"))


def _checked_array(
    allowed: Allowed, data: Any, kind: Any, shape: Any, order: Any, axes: Any = None
) -> Array:
    if not isinstance(kind, DType) or type(data) is not bytes:
        raise ValueError("an array lacks its dtype or its bytes")
    good = type(shape) is tuple and all(type(n) is int and 0 <= n < LONGEST_AXIS for n in shape)
    if not good or len(shape) not in allowed.axes:
        raise ValueError(f"an array has the shape {shown(shape)}")
    if math.prod(shape) * kind.dtype.itemsize != len(data):
        raise ValueError(f"an array {shown(shape)} of {kind.dtype} has {len(data):,} bytes")
    order = text(order)
    if order == "K" and type(axes) is tuple and all(type(a) is int for a in axes):
        if sorted(axes) != list(range(len(shape))):
            raise ValueError(
                f"the axes {shown(axes)} are not a permutation of those of {shown(shape)}"
            )
        return np.frombuffer(data, kind.dtype).reshape(shape).transpose(axes)
    if order not in ("C", "F") or axes is not None:
        raise ValueError(f"an array has the memory order {shown(order)}")
    return np.frombuffer(data, kind.dtype).reshape(shape, order="F" if order == "F" else "C")


def _is_flag(value: Any) -> bool:
    return type(value) in (bool, int) and value in (0, 1)


CALLS: dict[str, tuple[Callable[..., Any], int, int]] = {  # function, fewest and most arguments
    "reconstruct": (_reconstruct, 3, 3),
    "dtype": (_dtype, 3, 3),
    "encode": (_encode, 2, 2),
    "no_bytes": (lambda _: b"", 0, 0),
    "frombuffer": (_frombuffer, 4, 5),
    "scalar": (_scalar, 2, 2),
}


def text(key: Any) -> str:
    """Return a string that Python 2 or 3 wrote.

    Raises
    ------
    ValueError
        If it is not a string.
    """
    if type(key) is bytes:
        return key.decode("latin-1")
    if type(key) is not str:
        raise ValueError(f"{shown(key)} is used as a string")
    return key
