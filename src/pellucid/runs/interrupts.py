"""Ctrl-C and a request to terminate, held back while files are written."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Interrupts"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
DELAY = 0.01  # seconds


class Interrupts:
    """Within a ``with`` block, SIGINT and SIGTERM raise KeyboardInterrupt, but not inside `held`.

    After that nothing more is raised until `listen`: an impatient second Ctrl-C, or one that was
    sent to the whole group of processes and then forwarded, cannot disturb the tidying up. What
    the program was told to ignore (``nohup``) stays ignored. Python drops an exception that is
    raised within a ``__del__``, as those of LLVM's objects while kernels are compiled: then it is
    raised again.

    Attributes
    ----------
    exit_code : int
        128 and the number of the signal, as shells report it: 143 if there was a request to
        terminate, or else 130 for Ctrl-C. 0 without one.
    """

    def __init__(self) -> None:
        self.exit_code = 0
        self._holding = self._waiting = False
        self._ending = False  # whether a request to terminate came while Ctrl-C was served

    def __enter__(self) -> Interrupts:
        self._previous = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._previous.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._arrived)
        self._hook, sys.unraisablehook = sys.unraisablehook, self._dropped
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._hook

    @property
    def terminated(self) -> bool:
        """Whether there was a request to terminate: there is little time left."""
        return self.exit_code == 128 + signal.SIGTERM

    @contextmanager
    def held(self) -> Iterator[None]:
        """Finish the block first: what arrives meanwhile is raised at its end."""
        before, self._holding = self._holding, True
        try:
            yield
        finally:
            self._holding = before
        if self._waiting and not self._holding:
            self._raise()

    def listen(self) -> None:
        """Raise the next signal again; a request to terminate that came meanwhile, at once."""
        self._holding = self._waiting = False
        if self._ending:
            self._ending = False
            self._raise()

    def _arrived(self, number: int, _frame: Any) -> None:
        if number == signal.SIGTERM:  # also after Ctrl-C: there is little time left
            self._ending = not self.terminated and self._holding
            self.exit_code = 128 + number
        self.exit_code = self.exit_code or 128 + number
        if self._holding:
            self._waiting = True
        else:
            self._raise()

    def _dropped(self, dropped: sys.UnraisableHookArgs) -> None:
        if not self.exit_code or not isinstance(dropped.exc_value, KeyboardInterrupt):
            self._hook(dropped)
            return
        self.listen()
        # Not here, within the hook, which is as deaf.
        threading.Timer(DELAY, _signal, [self.exit_code - 128]).start()

    def _raise(self) -> None:
        self._holding, self._waiting = True, False
        raise KeyboardInterrupt


def _signal(number: int) -> None:
    """Send a signal to the main thread, and wake it."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)
