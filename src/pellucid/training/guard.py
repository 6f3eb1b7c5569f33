"""All or nothing: a change of state that neither an error nor Ctrl-C leaves half done.

Python runs the handlers of signals between any two steps of the main thread, and the usual one of
SIGINT raises KeyboardInterrupt right there. A `Guard` stands before all of them for a while. At
first it runs them as they come, and undoes the work if one raises; once the work cannot be undone
any more, it makes them wait to the end.
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
    """Stands before the handlers that Python runs for signals; in other threads there are none."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: list[int] = []
        self._handlers: dict[int, Any] = {}  # those that it stands before
        self._numbers: set[int] = set()

    def look(self) -> None:
        """Find the signals that have handlers: too many to ask for before every batch."""
        handled = {n for n in signal.valid_signals() if callable(signal.getsignal(n))}
        self._numbers = handled | {signal.SIGINT}

    def run(self, work: Callable[[], T], undo: Callable[[], None]) -> T:
        """Return what ``work`` returns; if it fails, call ``undo``, with the handlers waiting.

        Nothing here may rely on not being interrupted, but for what runs while `_held` is set. A
        handler that raises has set it before.
        """
        finished = False
        try:
            try:
                self._stand_before()
                result = work()
                finished = True
            finally:
                self._held = True
        finally:
            try:
                if not finished:
                    undo()
            finally:
                self._step_aside()
        return result

    def hold(self) -> None:
        """Make the handlers wait from here to the end of `run`."""
        self._held = True

    def uninterrupted(self, work: Callable[[], None]) -> None:
        """Run ``work`` with the handlers waiting."""

        def held() -> None:
            self.hold()
            work()

        self.run(held, _nothing)

    def _stand_before(self) -> None:
        self._held, self._waiting = False, []
        if threading.current_thread() is not threading.main_thread():
            return
        for number in self._numbers or {signal.SIGINT}:
            handler = signal.getsignal(number)
            if callable(handler) and handler != self._arrived:
                self._handlers[number] = handler
                signal.signal(number, self._arrived)

    def _step_aside(self) -> None:
        try:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._handlers = {}
        finally:
            if self._handlers:  # one that was restored raised: the others are restored all the same
                self._step_aside()
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
        self._held = True  # if it raises, no second one disturbs the undoing
        self._handlers[number](number, frame)
        self._held = False
        while self._waiting:
            self._arrived(self._waiting.pop(0), frame)


class Moment:
    """What a batch changes besides weights and the optimizer's memory, as it was before the batch.

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
        """Make all of it as it was."""
        loader = self._loader
        loader.order, loader.position, loader.epoch = self.order, self.position, self.epoch
        for (buffer, array), kept in zip(self._buffers, self.buffers.values(), strict=True):
            array[...] = kept
            buffer.data = array


def running_statistics(model: Layer) -> dict[str, Buffer]:
    """Return the state that no optimizer changes, by key."""
    return {key: b for key, b in model.buffers().items() if not isinstance(b, Parameter)}


def _nothing() -> None:
    pass
