"""How fast a training may go on: freely, a number of steps, or steps a second."""

from __future__ import annotations

import math
import time

__all__ = ["Pace"]


class Pace:
    """Says between two batches how long to wait.

    Attributes
    ----------
    steps : int or None
        That may still be taken; None: as many as there are.
    per_second : float or None
        None: as many as the engine does.

    Examples
    --------
    >>> pace = Pace()
    >>> pace.rest()
    0.0
    >>> pace.steps = 2
    >>> pace.took(), pace.rest(), pace.took(), pace.rest()
    (None, 0.0, None, inf)
    """

    def __init__(self, *, paused: bool = False) -> None:
        self.steps: int | None = 0 if paused else None
        self.per_second: float | None = None
        self._last = -math.inf  # when the last step ended

    def took(self) -> None:
        """Count a step."""
        if self.steps:
            self.steps -= 1
        self._last = time.perf_counter()

    def rest(self) -> float:
        """Return the seconds to wait before the next step; infinity: until the pace is changed."""
        if self.steps == 0:
            return math.inf
        if self.per_second is None:
            return 0.0
        return max(0.0, self._last + 1 / self.per_second - time.perf_counter())
