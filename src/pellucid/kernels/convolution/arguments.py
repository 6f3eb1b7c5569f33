"""Arguments of the convolution kernels that belong together; Numba passes each by value.

A kernel takes arrays out of such a tuple before its loops. To do so counts a reference, in one
atomic instruction, which within a loop would take longer than the products there.

See also `pellucid.kernels.convolution.geometry.Sliding` and
`pellucid.kernels.convolution.layout.GatedGradient`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...typing import Array
from .activation import Activation

__all__ = ["NO_SUM", "Epilogue", "Output", "PartialSums", "Split", "Tiling"]

NO_SUM = np.zeros(0, dtype=np.float32)


class Output(NamedTuple):
    """Where a convolution writes: ``y``, and which cell of its pooling window was the largest.

    Without a pooling, ``plus`` is added to the sums before the activation.
    """

    y: Array
    argmax: Array  # uint8; one element if it is not kept
    plus: Array = NO_SUM  # of the shape of y; empty if nothing is added


class Tiling(NamedTuple):
    """What the tiles of an image read and write: `pellucid.kernels.convolution.phases`."""

    tap_offset: Array  # of each number that a window reads, int32, phase by phase
    first_tap: Array  # of each phase, and the end of the last
    window_offset: Array  # of each row of each tile, for every cell of a pooling, int32
    place: Array  # of each row of each tile in y, int32
    first_tile: Array  # of each phase of each band, and the end of the last
    seen: Array  # (bands, 2): the rows of the padded image that each band sees, and their end


class Split(NamedTuple):
    """How the images are shared out among tasks."""

    images: int
    in_place: bool  # an image lies in memory as its padded copy would
    parts: int  # of filters, each of them tasks of their own
    per_vector: int  # windows side by side that share a vector


class Epilogue(NamedTuple):
    """What is done to the sums before they are written, and how they are."""

    activation: Activation
    keep_argmax: bool
    channels_first: bool


class PartialSums(NamedTuple):
    """A gradient's sums over each chunk of a batch, for `pellucid.kernels.tree.add_chunks`."""

    weights: Array  # (chunks, numbers), packed like the filters
    bias: Array  # (chunks, filters)
    bounds: Array  # the first image of each chunk, and the end of the last one
