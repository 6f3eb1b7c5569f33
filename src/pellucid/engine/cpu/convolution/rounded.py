"""Direct convolution of numbers that are rounded to bfloat16, two of which share a word."""

from __future__ import annotations

import math

from ....kernels.convolution import words
from ....kernels.convolution.activation import Activation
from ....kernels.convolution.layout import GatedGradient
from ....memory import aligned_zeros
from ....shapes import Windows
from ....typing import Array
from ..launch import launch
from ..steps.base import flat
from .algorithms import Direct

__all__ = ["RoundedDirect", "rounding_halves", "rows_pair"]

FEWEST = 32  # channels and filters: with fewer, writing the words takes longer than they save
PART = 2**14  # words of a task


def rounding_halves(channels: int, filters: int, groups: int) -> bool:
    """Return whether a direct convolution of words of two channels is faster, and possible."""
    even = channels % 2 == filters % 2 == 0
    return groups == 1 and even and min(channels, filters) >= FEWEST


def rows_pair(windows: Windows, channels: int, filters: int, groups: int) -> bool:
    """Return whether the gradient of filters has enough products to round its factors first.

    Two rows of windows share a word, of any number of channels.
    """
    taps = channels * math.prod(windows.window)
    return groups == 1 and windows.output[0] > 1 and min(taps, filters) >= FEWEST


class RoundedDirect(Direct):
    """`Direct` with half as many channels (``back``: filters), each a word of two bfloat16.

    The words of a batch are written first: each number is read by many windows.
    """

    name = "bf16 convolution"
    scratch = ("filters", "words", "paired")

    def __init__(
        self, windows: Windows, channels: int, count: int, pool: int, batch: int,
        *, back: bool = False,
    ) -> None:  # fmt: skip
        halved = (channels, count // 2) if back else (channels // 2, count)
        super().__init__(windows, *halved, 1, pool, back=back, precision="bf16")
        images = windows.output if back else windows.input
        self.numbers = math.prod(images) * (count if back else channels)  # of an image
        self.words = aligned_zeros(batch * self.numbers // 2)
        self.paired = aligned_zeros((*halved[::-1], math.prod(windows.window)))
        self.uses = (words.pair_rows, words.pair_numbers, *self.uses)

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C, FH, FW)."""
        cells = math.prod(w.shape[2:])
        length = w.shape[1] * cells if self.back else cells
        tasks = max(1, self.paired.size // PART)
        launch(words.pair_rows, tasks, w.size, flat(w), length, flat(self.paired), tasks)
        super().pack(self.paired)

    def __call__(
        self, source: GatedGradient, n: int, y: Array, argmax: Array, activation: Activation,
        keep: bool = True, plus: Array | None = None,
    ) -> None:  # fmt: skip
        """Write the output ``y`` of ``n`` images, and the pooling's ``argmax`` if it is kept."""
        count = n * self.numbers
        tasks = max(1, count // 2 // PART)
        launch(words.pair_numbers, tasks, count, source, count, self.words, tasks)
        rounded = GatedGradient.of(self.words[: count // 2])
        super().__call__(rounded, n, y, argmax, activation, keep, plus)
