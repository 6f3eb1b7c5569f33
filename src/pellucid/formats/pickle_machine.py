"""Build the arrays, lists and strings of a pickle, and nothing else.

Python's unpickler calls any function that the pickle names. This one calls only the functions of
`pickle_names`, which check their arguments. Memory stays in proportion to the file: an array takes
exactly its bytes in the file, and a list, dict or tuple cannot be used twice.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, ClassVar

from ..errors import FileFormatError
from .pickle_names import CALLS, NAMES, DType, Name, Unfilled, array, set_byte_order, text
from .pickle_scan import (
    INSTRUCTIONS,
    Allowed,
    Content,
    instructions,
    names,
    require_allowed,
    require_name,
    shown,
)

__all__ = ["Machine", "unpickled"]

_MARK = object()


def unpickled(content: bytes, name: str, allowed: Allowed) -> dict[str, Any]:
    """Return the dict that is pickled in ``content``.

    Parameters
    ----------
    content : bytes
        A pickle of protocol 2 to 5.
    name : str
        The name of the file in errors.
    allowed : Allowed
        What it may hold.

    Returns
    -------
    dict of str to array, list, tuple, dict, str, bytes, bool, int, float or None
        The arrays are read-only, and in the byte order and memory order of the file.

    Raises
    ------
    FileFormatError
        If it is anything but a dict of these; the message names what is not allowed.
    """
    try:
        result, _ = Machine(name, allowed).run(content)
        if type(result) is dict:
            result = {key: _filled(value) for key, value in result.items()}
    except FileFormatError:
        raise
    except Exception as error:  # an empty stack, a wrong type, bytes that end too early
        said = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise FileFormatError(
            f"{name} is not a valid pickle of a {allowed.what} ({said})."
        ) from error
    if type(result) is not dict:
        what = "an array" if isinstance(result, Unfilled) else shown(result)
        raise FileFormatError(f"{name} holds {what}, not a dict.")
    return result


def _filled(value: Any) -> Any:
    if isinstance(value, Unfilled):
        if value.array is None:
            raise ValueError("an array has no numbers")
        return value.array
    if isinstance(value, Name | DType) or value is _MARK:
        raise ValueError("a name is used as a value")
    return value


class Machine:
    """Run the instructions of one pickle.

    Parameters
    ----------
    name : str
        The name of the file in errors.
    allowed : Allowed
        What it may hold.
    """

    steps: ClassVar[
        dict[str, str]
    ]  # the methods by instruction; a machine for other files has more

    def __init__(self, name: str, allowed: Allowed) -> None:
        self.name, self.allowed = name, allowed
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: Content, place: int = 0, *, alone: bool = True) -> tuple[Any, int]:
        """Return what the pickle at ``place`` holds, and where it ends.

        Raises
        ------
        FileFormatError
            If it is not allowed.
        Exception
            Of any kind, if it is not valid.
        """
        require_allowed(content, self.name, self.allowed, place, alone=alone)
        end, known = place, INSTRUCTIONS | self.allowed.further
        for opcode, start, stop in instructions(content, known, place, alone=alone):
            self.step(opcode, content[start:stop])
            end = stop
        (result,) = self.stack
        return result, end

    def step(self, opcode: str, argument: bytes) -> None:
        """Execute one instruction."""
        if opcode in _VALUES:
            self.stack.append(_VALUES[opcode](argument))
        elif opcode in _TUPLES:
            n = _TUPLES[opcode]
            items = [self._pop() for _ in range(n)][::-1]
            self.stack.append(tuple(items))
        elif opcode not in _IGNORED:
            getattr(self, self.steps[opcode])(argument)

    def _memoize(self, _: bytes) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _put(self, place: bytes) -> None:
        self.memo[_unsigned(place)] = self.stack[-1]

    def _get(self, place: bytes) -> None:
        thing = self.memo[_unsigned(place)]
        if isinstance(thing, list | dict | tuple) or thing is _MARK:
            raise ValueError(f"it uses one {type(thing).__name__} twice")
        self.stack.append(thing)

    def _tuple(self, _: bytes) -> None:
        self.stack.append(tuple(self._items()))

    def _append(self, _: bytes) -> None:
        value = self._pop()
        self._top(list).append(value)

    def _appends(self, _: bytes) -> None:
        values = self._items()
        self._top(list).extend(values)

    def _setitem(self, _: bytes) -> None:
        value, key = self._pop(), self._pop()
        self._top(dict)[text(key)] = value

    def _setitems(self, _: bytes) -> None:
        values = self._items()
        pairs = zip(values[::2], values[1::2], strict=True)
        self._top(dict).update((text(key), value) for key, value in pairs)

    def _global(self, lines: bytes) -> None:
        self._push_name(*names(lines))

    def _stack_global(self, _: bytes) -> None:
        name, module = self._pop(), self._pop()
        self._push_name(module, name)

    def _push_name(self, module: str, name: str) -> None:
        require_name(module, name, self.name, self.allowed)
        self.stack.append(Name(NAMES[module, name]))

    def _reduce(self, _: bytes) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Name) or function.meaning not in CALLS:
            raise ValueError("it calls something that is not a function")
        if type(arguments) is not tuple:
            raise ValueError("the arguments of a call are not a tuple")
        call, least, most = CALLS[function.meaning]
        if not least <= len(arguments) <= most:
            raise ValueError(f"it calls {function.meaning} with {len(arguments)} arguments")
        self.stack.append(call(self.allowed, *arguments))

    def _build(self, _: bytes) -> None:
        state, thing = self._pop(), self.stack[-1]
        if type(state) is not tuple:
            raise ValueError("the state of BUILD is not a tuple")
        if isinstance(thing, DType):
            set_byte_order(thing, state)
        elif isinstance(thing, Unfilled) and thing.array is None and len(state) == 5:
            thing.array = array(self.allowed, *state)
        else:
            raise ValueError("BUILD is applied to something other than a new array or dtype")

    def _pop(self) -> Any:
        thing = self.stack.pop()
        if thing is _MARK:
            raise ValueError("a mark is used as a value")
        return thing

    def _items(self) -> list[Any]:
        """Pop everything above the last mark, and the mark."""
        last = next(k for k in range(len(self.stack) - 1, -1, -1) if self.stack[k] is _MARK)
        items = self.stack[last + 1 :]
        del self.stack[last:]
        return items

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"it adds items to something that is not a {kind.__name__}")
        return self.stack[-1]


def _unsigned(number: bytes) -> int:
    return int.from_bytes(number, "little")


def _signed(number: bytes) -> int:
    return int.from_bytes(number, "little", signed=True)


def _unicode(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


_IGNORED = {"PROTO", "FRAME", "STOP"}
_VALUES: dict[str, Callable[[bytes], Any]] = {
    **dict.fromkeys(("BININT1", "BININT2"), _unsigned),
    **dict.fromkeys(("BININT", "LONG1"), _signed),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _unicode),
    # bytes, bytearray and the str of Python 2 all become bytes.
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), bytes),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING"), bytes),
    "BINFLOAT": lambda number: struct.unpack(">d", number)[0],
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "MARK": lambda _: _MARK,
}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_STEPS = {
    "MEMOIZE": "_memoize",
    "BINPUT": "_put",
    "LONG_BINPUT": "_put",
    "BINGET": "_get",
    "LONG_BINGET": "_get",
    "TUPLE": "_tuple",
    "APPEND": "_append",
    "APPENDS": "_appends",
    "SETITEM": "_setitem",
    "SETITEMS": "_setitems",
    "GLOBAL": "_global",
    "STACK_GLOBAL": "_stack_global",
    "REDUCE": "_reduce",
    "BUILD": "_build",
}
Machine.steps = _STEPS
