"""The settings of a run of a script; they are read at each use.

Three settings change results without a change to the script:

* ``strict``: correct the defects of the book that change results. By default a script gets the same
  results as from the book.
* ``float64``: compute in float64, by the plain ops. By default layers compute in float32, except
  for small inputs that are float64 already, and while a numerical gradient is computed: a
  difference of two losses divided by 2·10⁻⁴ has no correct digit in float32.
* ``velocity_first``: `Nesterov` updates its velocity before the parameters, as one of the two
  editions prints it; in the other, and in the rule itself, it does so afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ..typing import Array

__all__ = ["Settings", "settings"]

SMALL = 4096  # numbers: fewer are as fast in float64, and checks by hand need its digits


class Settings:
    """The settings of a run.

    Attributes
    ----------
    strict, float64, velocity_first : bool

    Examples
    --------
    >>> settings = Settings()
    >>> settings.strict, settings.float64
    (False, False)
    >>> settings.in_double(np.zeros((100, 784), np.float32))
    False
    >>> with settings.exactly():
    ...     settings.in_double(np.zeros((100, 784), np.float32))
    True
    """

    def __init__(self) -> None:
        self.strict = False
        self.float64 = False
        self.velocity_first = False
        self._exactly = 0

    @contextmanager
    def exactly(self) -> Iterator[None]:
        """Compute in float64 inside the ``with`` block, as a numerical gradient needs it."""
        self._exactly += 1
        try:
            yield
        finally:
            self._exactly -= 1

    def in_double(self, x: Array) -> bool:
        """Return whether a layer computes in float64 for the input ``x``."""
        if self.float64 or self._exactly:
            return True
        return x.dtype == np.float64 and x.size <= SMALL


settings = Settings()
