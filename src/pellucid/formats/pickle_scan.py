"""Check the instructions of a pickle without executing them, and refuse all that is not data.

A pickle is a program for a small stack machine. It is scanned from end to end: every instruction
must build plain values, every name must be allowed, every length must agree with the bytes that
follow. Only then does `pickle_machine` build anything.
"""

from __future__ import annotations

import mmap
import pickletools
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..errors import FileFormatError

__all__ = [
    "Allowed",
    "Content",
    "instructions",
    "names",
    "require_allowed",
    "require_name",
    "shown",
]

Content = bytes | mmap.mmap
LATEST = 5  # the protocol of Python 3.8 and later
PROTO = b"\x80"  # begins every pickle of protocol 2 and later
LONGEST_NAMES = 200  # bytes of a module and a name, on their two lines

INSTRUCTIONS = {
    *("PROTO", "FRAME", "STOP", "MARK"),
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "NONE", "NEWTRUE", "NEWFALSE"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "BINSTRING", "SHORT_BINSTRING"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
}
ELSEWHERE = {"NEXT_BUFFER", "READONLY_BUFFER"}

_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_LENGTHS = {  # bytes of the field that holds the length of an argument
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}


@dataclass(frozen=True)
class Allowed:
    """What one kind of file may hold.

    Attributes
    ----------
    what : str
        The name of such a file in errors: "batch of CIFAR".
    names : frozenset of (module, name)
        Those that it may name.
    dtypes : frozenset of str
        NumPy's codes: "u1", "f8".
    axes : range
        The number of axes that an array may have.
    instructions : int
        The most it may have: each builds an object, which takes memory.
    further : frozenset of str
        Instructions that it needs besides `INSTRUCTIONS`.
    advice : str
        What to do where a name is not allowed.
    """

    what: str
    names: frozenset[tuple[str, str]]
    dtypes: frozenset[str]
    axes: range
    instructions: int
    further: frozenset[str] = frozenset()
    advice: str = ""


def instructions(
    content: Content,
    known: Collection[str] = INSTRUCTIONS,
    place: int = 0,
    *,
    alone: bool = True,
) -> Iterator[tuple[str, int, int]]:
    """Yield each instruction's name, and where its argument begins and ends.

    Parameters
    ----------
    content : bytes or mmap
    known : collection of str
        An instruction that is not among them is yielded last.
    place : int
        Where the pickle begins.
    alone : bool
        Whether the content must end with it; otherwise another pickle may follow.

    Raises
    ------
    ValueError
        If a length exceeds the file, a frame is malformed, or bytes follow the end.
    """
    frame_end = 0
    while True:
        if place >= len(content):
            raise ValueError("it is truncated")
        opcode = _OPCODES.get(content[place])
        if opcode is None or opcode.name not in known:
            yield opcode.name if opcode else f"{content[place]:#04x}", place, place
            return
        start, stop = _argument(content, place + 1, opcode)
        if stop > len(content):
            raise ValueError(
                f"{opcode.name} at byte {place} needs {stop - start:,} bytes, and "
                f"{max(len(content) - start, 0):,} follow"
            )
        if place < frame_end < stop or (place < frame_end and opcode.name == "FRAME"):
            raise ValueError(f"the frame that ends at byte {frame_end} ends within an instruction")
        if opcode.name == "FRAME":
            frame_end = stop + int.from_bytes(content[start:stop], "little")
            if frame_end > len(content):
                raise ValueError(f"a frame reaches to byte {frame_end} of {len(content)}")
        yield opcode.name, start, stop
        if opcode.name == "STOP":
            if (alone and stop != len(content)) or stop < frame_end:
                raise ValueError(f"{len(content) - stop:,} bytes follow its end")
            return
        place = stop


def _argument(content: Content, start: int, opcode: pickletools.OpcodeInfo) -> tuple[int, int]:
    """Return where the argument begins and ends; the end may exceed the content."""
    if opcode.arg is None:
        return start, start
    if opcode.name == "GLOBAL":
        end = content.find(b"\n", start, start + LONGEST_NAMES)
        end = content.find(b"\n", end + 1, start + LONGEST_NAMES) if end >= 0 else end
        if end < 0:
            raise ValueError(f"the name at byte {start} has no end")
        return start, end + 1
    if opcode.arg.n >= 0:
        return start, start + opcode.arg.n
    length = content[start : start + _LENGTHS[opcode.arg.n]]
    signed = opcode.name == "BINSTRING"
    count = int.from_bytes(length, "little", signed=signed)
    if count < 0:
        raise ValueError(f"{opcode.name} at byte {start - 1} has the length {count}")
    start += _LENGTHS[opcode.arg.n]
    return start, start + count


def require_allowed(
    content: Content, name: str, allowed: Allowed, place: int = 0, *, alone: bool = True
) -> None:
    """Refuse ``content`` unless each of its instructions is allowed in such a file.

    Parameters
    ----------
    content : bytes or mmap
    name : str
        The name of the file in errors.
    allowed : Allowed
    place, alone
        See `instructions`.

    Raises
    ------
    FileFormatError
        If an instruction or a name is not allowed, or there are too many instructions.
    ValueError
        As `instructions` raises it.
    """
    if not content:
        raise FileFormatError(f"{name} is empty.")
    known = INSTRUCTIONS | allowed.further
    steps = instructions(content, known, place, alone=alone)
    for number, (opcode, start, stop) in enumerate(steps):
        if opcode not in known:
            if number == 0:
                raise FileFormatError(
                    f"{name} is not a pickle of protocol 2 to {LATEST}: it begins with "
                    f"{shown(content[place : place + 8])}."
                )
            raise FileFormatError(
                f"{name} has the instruction {opcode}, which a {allowed.what} does not need."
                f"{_advice(content, opcode)} Nothing was executed."
            )
        if number >= allowed.instructions:
            raise FileFormatError(
                f"{name} has more than {allowed.instructions:,} instructions; a {allowed.what} "
                "needs fewer."
            )
        if opcode == "PROTO" and content[start] > LATEST:
            raise ValueError(f"its protocol is {content[start]}; 2 to {LATEST} are supported")
        if opcode == "GLOBAL":
            require_name(*names(content[start:stop]), name, allowed)


def _advice(content: Content, opcode: str) -> str:
    if content[:1] != PROTO:
        return (
            " If it is a pickle of protocol 0 or 1, load it where it was written, and dump it "
            "again with `protocol=2`."
        )
    if opcode in ELSEWHERE:
        return " Its numbers are in another file: dump it again without `buffer_callback`."
    return ""


def names(lines: bytes) -> tuple[str, str]:
    """Return the module and the name on two lines."""
    module, name, _ = lines.decode("latin-1").split("\n")
    return module, name


def require_name(module: str, attribute: str, name: str, allowed: Allowed) -> None:
    """Refuse a name that is not allowed.

    Raises
    ------
    FileFormatError
        If so; the message names it.
    ValueError
        If module and attribute are not strings.
    """
    if type(module) is not str or type(attribute) is not str:
        raise ValueError("a name is not a string")
    if (module, attribute) not in allowed.names:
        full = shown(f"{module}.{attribute}").strip("'\"")
        raise FileFormatError(
            f"{name} names {full}, which a {allowed.what} does not need. It may be an attempt to "
            f"run a program on your machine; nothing was executed.{allowed.advice}"
        )


def shown(value: object) -> str:
    r"""Return a value of the file in a form for errors: short, in ASCII, without nested values.

    Examples
    --------
    >>> shown((3, "a" * 1000)), shown("\x1b[31mred"), shown(10**99)
    ("(3, 'aaaaaaaaaaaa'...)", "'\\x1b[31mred'", 'an integer of 329 bits')
    """
    if isinstance(value, tuple):
        inner = ["a tuple" if isinstance(item, tuple) else shown(item) for item in value[:8]]
        return f"({', '.join(inner)}{', ...' * (len(value) > 8)})"
    if isinstance(value, str | bytes):
        cut = 12 if len(value) > 60 else 60
        return f"{value[:cut]!a}{'...' * (len(value) > cut)}"
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an integer of {value.bit_length()} bits"
    return ascii(value) if isinstance(value, int | float | None) else f"a {type(value).__name__}"
