"""Reading the Python version of CIFAR, a pickle, without executing it.

A pickle is a program for a small machine with a stack. The usual machine calls whatever function
the program names; this one knows only what builds a dict of arrays, lists and texts. It names three
functions of NumPy's and Python's, and each name stands here for a few lines that check their
arguments and do nothing else. Every other name and every other instruction is refused.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import FileFormatError
from ..typing import Array

__all__ = ["read_pickled_batch"]

# Who pickled: NumPy 1 or 2, in Python 2 or 3.
_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",  # how Python 3 writes bytes for Python 2
}
_DTYPES = {"u1": np.uint8, "i4": np.int32, "i8": np.int64}
_MARK = object()


class _Name:
    def __init__(self, meaning: str) -> None:
        self.meaning = meaning


class _DType:
    def __init__(self, code: str) -> None:
        self.dtype = np.dtype(_DTYPES[code])


class _Unfilled:
    """An array before its shape and bytes have come; `array` afterwards."""

    array: Array | None = None


def read_pickled_batch(content: bytes, name: str) -> dict[str, Any]:
    """Return the dict that is pickled in ``content``.

    Parameters
    ----------
    content : bytes
        A pickle of protocol 2 to 4.
    name : str
        What errors call it.

    Returns
    -------
    dict of str to array, list, str, bytes or int

    Raises
    ------
    FileFormatError
        If it is anything else than a dict of these; names what is not allowed.

    Examples
    --------
    >>> import pickle
    >>> read_pickled_batch(pickle.dumps({b"labels": [6, 9]}, protocol=2), "batch")
    {'labels': [6, 9]}
    >>> read_pickled_batch(pickle.dumps(print), "batch")
    Traceback (most recent call last):
    pellucid.errors.FileFormatError: batch names builtins.print, which no batch of CIFAR needs. It \
may be an attempt to run a program on your machine; nothing of it was executed.
    """
    machine = _Machine(name)
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                break
            machine.step(opcode.name, argument)
        (result,) = machine.stack
    except FileFormatError:
        raise
    except Exception as error:  # an empty stack, a wrong type, bytes that end too early
        raise FileFormatError(f"{name} is no whole pickle of a batch ({error}).") from error
    if not isinstance(result, dict):
        raise FileFormatError(f"{name} holds a {type(result).__name__}, not a dict.")
    return {k: v.array if isinstance(v, _Unfilled) else v for k, v in result.items()}


class _Machine:
    def __init__(self, name: str) -> None:
        self.name = name
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _IGNORED:
            return
        if opcode in _VALUES:
            make = _VALUES[opcode]
            self.stack.append(argument if make is None else make())
        elif opcode in _TUPLES:
            n = _TUPLES[opcode]
            items = [self.stack.pop() for _ in range(n)][::-1]
            self.stack.append(tuple(items))
        elif (do := getattr(self, f"_{opcode.lower()}", None)) and opcode in _STEPS:
            do(argument)
        else:
            raise FileFormatError(
                f"{self.name} has the instruction {opcode}, which no batch needs."
            )

    def _short_binstring(self, argument: str) -> None:
        self.stack.append(argument.encode("latin-1"))  # bytes, which Python 2 called str

    _binstring = _short_binstring

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _binput(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    _long_binput = _binput

    def _binget(self, place: int) -> None:
        self.stack.append(self.memo[place])

    _long_binget = _binget

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._items()))

    def _append(self, _: Any) -> None:
        value = self.stack.pop()
        self._top(list).append(value)

    def _appends(self, _: Any) -> None:
        values = self._items()
        self._top(list).extend(values)

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._top(dict)[_text(key)] = value

    def _setitems(self, _: Any) -> None:
        values = self._items()
        pairs = zip(values[::2], values[1::2], strict=True)
        self._top(dict).update((_text(key), value) for key, value in pairs)

    def _global(self, both: str) -> None:
        self._push_name(*both.split(" ", 1))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._push_name(module, name)

    def _reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise ValueError("it calls what is no function")
        self.stack.append(_CALLS[function.meaning](*arguments))

    def _build(self, _: Any) -> None:
        state, thing = self.stack.pop(), self.stack[-1]
        if isinstance(thing, _DType):
            if (
                state[0] != 3
                or _text(state[1]) not in "|<"
                or any(s is not None for s in state[2:5])
            ):
                raise ValueError(f"its dtype is {state}")
        elif isinstance(thing, _Unfilled) and thing.array is None:
            thing.array = _array(*state)
        else:
            raise ValueError("it fills in what is no array")

    def _push_name(self, module: str, name: str) -> None:
        if (module, name) not in _NAMES:
            raise FileFormatError(
                f"{self.name} names {module}.{name}, which no batch of CIFAR needs. It may be an "
                "attempt to run a program on your machine; nothing of it was executed."
            )
        self.stack.append(_Name(_NAMES[module, name]))

    def _items(self) -> list[Any]:
        """Take what lies above the last mark, and the mark."""
        last = next(k for k in range(len(self.stack) - 1, -1, -1) if self.stack[k] is _MARK)
        items = self.stack[last + 1 :]
        del self.stack[last:]
        return items

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"it adds to what is no {kind.__name__}")
        return self.stack[-1]


_IGNORED = {"PROTO", "FRAME"}
_VALUES: dict[str, Callable[[], Any] | None] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), None),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"), None),
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "MARK": lambda: _MARK,
}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_STEPS = {
    *("SHORT_BINSTRING", "BINSTRING", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    *("TUPLE", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "GLOBAL", "STACK_GLOBAL"),
    *("REDUCE", "BUILD"),
}


def _reconstruct(kind: _Name, shape: tuple[int, ...], code: bytes | str) -> _Unfilled:
    if kind.meaning != "ndarray" or shape != (0,) or _text(code) != "b":
        raise ValueError(f"it makes an array of {shape} and {code!r}")
    return _Unfilled()


def _dtype(code: bytes | str, align: int, copy: int) -> _DType:
    if _text(code) not in _DTYPES or align not in (0, 1) or copy not in (0, 1):
        raise ValueError(f"its dtype is {code!r}; {', '.join(_DTYPES)} are read here")
    return _DType(_text(code))


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"it encodes by {encoding!r}")
    return text.encode("latin-1")


_CALLS: dict[str, Callable[..., Any]] = {
    "reconstruct": _reconstruct,
    "dtype": _dtype,
    "encode": _encode,
}


def _array(version: int, shape: tuple[int, ...], kind: _DType, fortran: bool, data: bytes) -> Array:
    needed = math.prod(shape) * kind.dtype.itemsize
    good = version == 1 and 1 <= len(shape) <= 4 and min(shape) >= 0 and type(data) is bytes
    if not good or needed != len(data):
        raise ValueError(f"an array {shape} of {kind.dtype} comes with {len(data)} bytes")
    return np.frombuffer(data, kind.dtype).reshape(shape, order="F" if fortran else "C")


def _text(key: bytes | str) -> str:
    if type(key) is bytes:
        return key.decode("latin-1")
    if type(key) is not str:
        raise ValueError(f"{key!r} stands where a text must stand")
    return key
