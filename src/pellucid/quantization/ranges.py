"""The range of the numbers that a layer reads, seen on images, and the 256 codes for it.

The largest and the smallest number seen would do, but a few far ones make the steps between codes
coarse for all others. So each end is moved towards 0, and where the codes have the smallest mean
squared error, it stays: numbers beyond it are clipped. Source: Sung et al. 2015, "Resiliency of
deep neural networks under quantization", section 3.1 (L2 error minimisation).
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from ..ops import dequantize
from ..ops import quantize as codes_of
from ..typing import Array

__all__ = ["SeenRange"]

BINS = 4096
SHARES = np.linspace(1, 0.1, 91)  # of each end of the range; of equal ones the first counts
CODES = 255


class SeenRange:
    """The numbers of one value of a network: their ends in a first pass, then how often they occur.

    Examples
    --------
    >>> seen = SeenRange()
    >>> x = np.array([0.0, 1.0, 2.0, 2.55])
    >>> seen.extend(x)
    >>> seen.count(x)
    >>> scale, zero_point = seen.codes()
    >>> round(scale, 4), zero_point
    (0.01, 0)
    """

    def __init__(self) -> None:
        self.low = self.high = 0.0  # 0 has a code of its own: padding is exact
        self._counts = np.zeros(BINS, dtype=np.int64)

    def extend(self, x: Array) -> None:
        """Take in the ends of the numbers ``x``.

        Raises
        ------
        DataError
            If one is not finite.
        """
        low, high = float(x.min()), float(x.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise DataError(
                "the network computes NaN or infinity from these images, which no range can hold. "
                "Give images on the scale of its training images; if these are, the training "
                "diverged.",
                where="quantize",
            )
        self.low, self.high = min(self.low, low), max(self.high, high)

    def count(self, x: Array) -> None:
        """Count the numbers ``x``, whose ends have been taken in."""
        if self.low < self.high:
            places = (x.ravel() - np.float32(self.low)) * np.float32(BINS / (self.high - self.low))
            bins = np.clip(places, 0, BINS - 1).astype(np.int32)
            self._counts += np.bincount(bins, minlength=BINS)

    def codes(self) -> tuple[float, int]:
        """Return the scale and the zero point of the range with the smallest error."""
        if self.low == self.high:  # all are 0
            return 1.0, 0
        middles = self.low + (np.arange(BINS) + 0.5) * (self.high - self.low) / BINS
        seen = self._counts > 0
        x, counts = middles[seen], self._counts[seen]

        def error(low: float, high: float) -> float:
            codes = _codes_between(low, high)
            return float((counts * (dequantize(codes_of(x, *codes), *codes) - x) ** 2).sum())

        low, high = self.low, self.high
        high = min((high * share for share in SHARES), key=lambda end: error(low, end))
        low = min((low * share for share in SHARES), key=lambda end: error(end, high))
        return _codes_between(low, high)


def _codes_between(low: float, high: float) -> tuple[float, int]:
    scale = float(np.float32(max((high - low) / CODES, 1e-30)))
    return scale, round(-low / scale)
