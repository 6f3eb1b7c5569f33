"""What a person may choose for a whole run of a script; read whenever it matters.

Three choices are made by the code, and not by the script:

* ``strict``: where the book has a defect that changes results, compute the right ones. By default
  the script gets what it gets from the book.
* ``float64``: compute in float64, by the plain ops. By default layers compute in float32, except
  for small inputs that are float64 already, and while a numerical gradient is taken: a difference
  of two losses over 2·10⁻⁴ leaves nothing of float32's seven digits.
* ``velocity_first``: `Nesterov` updates its velocity before the parameters, as one of the two
  editions prints it; the other does it afterwards, which is the rule itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ..typing import Array

__all__ = ["Settings", "settings"]

SMALL = 4096  # numbers: so few take no longer in float64, and a check by hand wants its digits


class Settings:
    """The choices of a run.

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
        """Compute in float64 inside, as a numerical gradient needs it."""
        self._exactly += 1
        try:
            yield
        finally:
            self._exactly -= 1

    def in_double(self, x: Array) -> bool:
        """Return whether a layer shall compute in float64 for the input ``x``."""
        if self.float64 or self._exactly:
            return True
        return x.dtype == np.float64 and x.size <= SMALL


settings = Settings()
