"""How much time the page may take from a training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Budget"]

SHARE = 0.03  # of the training's time
MOST = 2.0  # times a second: the browser takes its time too


class Budget:
    """Space out a work so that it takes at most a share of the time, and is not done too often.

    After a work of t seconds the next is due t·(1/share - 1) seconds later, or later.

    Parameters
    ----------
    share : float
    most : float
        Times a second.
    clock : callable
        Returns seconds.

    Attributes
    ----------
    spent : float
        Seconds in all.

    Examples
    --------
    >>> now = 0.0
    >>> budget = Budget(share=0.1, most=4, clock=lambda: now)
    >>> budget.due()
    True
    >>> with budget.spending():
    ...     now = 2.0
    >>> now = 19.0
    >>> budget.due()
    False
    >>> now = 20.0
    >>> budget.due(), budget.spent
    (True, 2.0)
    """

    def __init__(
        self,
        share: float = SHARE,
        most: float = MOST,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.share, self.most, self.clock = share, most, clock
        self.spent = 0.0
        self._next = 0.0

    def due(self) -> bool:
        """Return whether the work may be done now."""
        return self.clock() >= self._next

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Measure the work in a ``with`` block."""
        begin = self.clock()
        try:
            yield
        finally:
            end = self.clock()
            self.spent += end - begin
            self._next = end + max(1 / self.most, (end - begin) * (1 / self.share - 1))
