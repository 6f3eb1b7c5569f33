"""Atomic changes of state, despite errors and Ctrl-C.

Python runs signal handlers between any two bytecodes of the main thread, and the default one of
SIGINT raises KeyboardInterrupt there. A `Guard` replaces all handlers temporarily. At first it
calls them as signals arrive, and undoes the work if one raises; once the work cannot be undone, it
defers them until the work is done.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

from ..data import Loader
from ..nn import Buffer, Layer, Parameter
from ..typing import Array

__all__ = ["Guard", "Moment", "running_statistics"]

T = TypeVar("T")


class Guard:
    """Replaces the signal handlers temporarily; outside the main thread it does nothing."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: list[int] = []
        self._handlers: dict[int, Any] = {}  # the replaced ones
        self._numbers: set[int] = set()

    def look(self) -> None:
        """Find the signals that have handlers, which is too slow to do before every batch."""
        handled = {n for n in signal.valid_signals() if callable(signal.getsignal(n))}
        self._numbers = handled | {signal.SIGINT}

    def run(self, work: Callable[[], T], undo: Callable[[], None]) -> T:
        """Call ``work`` and return its result; if it fails, call ``undo`` with handlers deferred.

        Any line here may be interrupted, except while `_held` is set. It is set before a handler
        that may raise is called.
        """
        finished = False
        try:
            try:
                self._replace_handlers()
                result = work()
                finished = True
            finally:
                self._held = True
        finally:
            try:
                if not finished:
                    undo()
            finally:
                self._restore_handlers()
        return result

    def hold(self) -> None:
        """Defer the handlers from here to the end of `run`."""
        self._held = True

    def uninterrupted(self, work: Callable[[], None]) -> None:
        """Run ``work`` with the handlers deferred."""

        def held() -> None:
            self.hold()
            work()

        self.run(held, _nothing)

    def _replace_handlers(self, *, held: bool = False) -> None:
        self._held, self._waiting = held, []
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self._numbers or {signal.SIGINT}:
            handler = signal.getsignal(number)
            if callable(handler) and handler != self._arrived:
                self._handlers[number] = handler
                signal.signal(number, self._arrived)

    def _restore_handlers(self) -> None:
        try:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._handlers = {}
        finally:
            if self._handlers:  # a restored handler raised: restore the others too
                self._restore_handlers()
            else:
                self._held = False
                self._deliver()

    def _deliver(self) -> None:
        if self._waiting:
            try:
                signal.raise_signal(self._waiting.pop(0))
            finally:
                self._deliver()

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            if number not in self._waiting:
                self._waiting.append(number)
            return
        self._held = True  # if it raises, no second signal interrupts `undo`
        self._handlers[number](number, frame)
        self._held = False
        while self._waiting:
            self._arrived(self._waiting.pop(0), frame)


class Moment:
    """A snapshot, before a batch, of what it changes except weights and optimizer memory.

    Attributes
    ----------
    order, position, epoch
        As in `Loader.state`.
    buffers : dict of key to array
        Copies of the running statistics.
    """

    def __init__(
        self,
        loader: Loader,
        buffers: dict[str, Buffer],
    ) -> None:
        self._loader = loader
        self._buffers = [(buffer, buffer.data) for buffer in buffers.values()]
        self.order, self.position, self.epoch = loader.order, loader.position, loader.epoch
        self.buffers: dict[str, Array] = {key: b.data.copy() for key, b in buffers.items()}

    def restore(self) -> None:
        """Restore the snapshot."""
        loader = self._loader
        loader.order, loader.position, loader.epoch = self.order, self.position, self.epoch
        for (buffer, array), kept in zip(self._buffers, self.buffers.values(), strict=True):
            array[...] = kept
            buffer.data = array


def running_statistics(model: Layer) -> dict[str, Buffer]:
    """Return the model's buffers that are not parameters, by key."""
    return {key: b for key, b in model.buffers().items() if not isinstance(b, Parameter)}


def _nothing() -> None:
    pass
