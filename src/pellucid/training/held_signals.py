"""Signals of a training on several ranks, which all of them must heed after the same batch.

A signal may reach one rank only, or all of them at different moments. If its handler raised at
once, the others would wait for this rank's messages for ever. So a rank notes signals from the
beginning of `Trainer.fit` to its end, and all call their handlers where they agree to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TypeVar

from .guard import Guard

__all__ = ["HeldSignals"]

T = TypeVar("T")


class HeldSignals(Guard):
    """A `Guard` that holds signals back during a whole `fit`.

    Attributes
    ----------
    fitting : bool
        Whether it is within `fit`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fitting = False
        self._served: set[int] = set()  # by handlers that raised: copies of them mean nothing new

    def fit(self, work: Callable[[], T]) -> T:
        """Call ``work``, and until its end only note signals."""
        self._served.clear()
        self.look()
        try:
            self._replace_handlers(held=True)
            self.fitting = True
            return work()
        finally:
            self.fitting = False
            self._restore_handlers()

    @property
    def noted(self) -> int:
        """The signals that wait: bit n-1 for number n."""
        waiting = set(self._waiting) - self._served
        return sum(1 << (number - 1) for number in waiting)

    def taken(self, noted: int) -> list[int]:
        """Return the numbers of ``noted`` signals of all ranks, which no longer wait here."""
        numbers = [number for number in range(1, 65) if noted >> (number - 1) & 1]
        self._waiting = [number for number in self._waiting if number not in numbers]
        return numbers

    def call(self, numbers: Sequence[int]) -> None:
        """Call this process's handlers, also for signals that other ranks received.

        If one raises, the signals after it wait again.
        """
        for k, number in enumerate(numbers, 1):
            handler = self._handlers.get(number)
            if handler is not None:
                try:
                    self._call(number, handler)
                except BaseException:
                    self._waiting += [after for after in numbers[k:] if after in self._handlers]
                    raise

    def _call(self, number: int, handler: Callable[[int, FrameType | None], object]) -> None:
        try:
            handler(number, sys._getframe())
        except BaseException:
            self._served.add(number)
            raise

    def run(self, work: Callable[[], T], undo: Callable[[], None]) -> T:
        """Call ``work``; within `fit`, where nothing interrupts it, undo it after an error."""
        if not self.fitting:
            return super().run(work, undo)
        try:
            return work()
        except BaseException:
            undo()
            raise

    def hold(self) -> None:
        """Hold the signals back, as `fit` does anyway."""
        self._held = True

    def _restore_handlers(self) -> None:
        self._waiting = [number for number in self._waiting if number not in self._served]
        super()._restore_handlers()
