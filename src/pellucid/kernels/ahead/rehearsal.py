"""Which kernels a computation calls, and with which types: found out without computing anything.

In a rehearsal, a call of a kernel is noted and does nothing. So a plan can go through its steps in
milliseconds, on arrays of zeros that no memory is ever taken for.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from numba import typeof
from numba.core.compiler_lock import global_compiler_lock

__all__ = ["Call", "attend", "being_compiled", "going_on", "here", "rehearsal"]


class Call(NamedTuple):
    """A kernel, and the types of the arguments that it was called with."""

    kernel: Any
    types: tuple[Any, ...]


_attending: weakref.WeakSet[Any] = weakref.WeakSet()
_thread = threading.local()
_going_on = _compiled = 0


def being_compiled() -> bool:
    """Return whether a call waits for its kernel: to be compiled, or loaded."""
    return _compiled > 0


def going_on() -> bool:
    """Return whether any thread rehearses: then no kernel is shared with other threads."""
    return _going_on > 0


def here() -> bool:
    """Return whether this thread rehearses."""
    return getattr(_thread, "noted", None) is not None


def attend(kernel: Any) -> None:
    """Have a kernel's calls noted in rehearsals."""
    compile_and_call = kernel._compile_for_args

    def note_or_compile(*args: Any, **named: Any) -> Any:
        noted = getattr(_thread, "noted", None)
        if noted is None:
            global _compiled
            _compiled += 1
            try:
                return compile_and_call(*args, **named)
            finally:
                _compiled -= 1
        noted[Call(kernel, tuple(map(typeof, args)))] = None
        return _do_nothing

    kernel._compile_for_args = note_or_compile
    _attending.add(kernel)


def _do_nothing(*args: Any) -> None:
    """Take the place of machine code."""


@contextmanager
def rehearsal() -> Iterator[dict[Call, None]]:
    """Within the block, note what kernels this thread calls; yield the calls, in order.

    Kernels that are ready seem not to be, for as long; another thread that calls one finds it again
    by way of Python.
    """
    global _going_on
    calls: dict[Call, None] = {}
    with global_compiler_lock:
        ready = [kernel for kernel in _attending if kernel.overloads]
        _going_on += 1
        _thread.noted = calls
        try:
            for kernel in ready:
                kernel._clear()
            yield calls
        finally:
            _thread.noted = None
            _going_on -= 1
            for kernel in ready:
                kernel._clear()
                for made in list(kernel.overloads.values()):
                    codes = [a._code for a in made.signature.args]
                    kernel._insert(codes, made.entry_point, made.objectmode)
