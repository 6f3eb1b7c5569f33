"""Arguments of the convolution kernels that belong together; Numba passes each by value.

A kernel takes arrays out of such a tuple before its loops. To do so counts a reference, in one
atomic instruction, which within a loop would take longer than the products there.

See also `pellucid.kernels.convolution.geometry.Sliding` and
`pellucid.kernels.convolution.layout.GatedGradient`.
"""

from __future__ import annotations

from typing import NamedTuple

from ...typing import Array
from .activation import Activation

__all__ = ["Epilogue", "Output", "PartialSums", "Tiling"]


class Output(NamedTuple):
    """Where a convolution writes: ``y``, and which cell of its pooling window was the largest."""

    y: Array
    argmax: Array  # uint8; one element if it is not kept


class Tiling(NamedTuple):
    """How the windows of an image are shared out among tiles, and what these read."""

    tap_offset: Array  # of each number that a window reads
    row_offset: Array  # of each row of a tile: of its windows, for every cell of a pooling
    in_place: bool  # an image lies in memory as its padded copy would
    bands: int  # of rows: tasks of an image
    parts: int  # of filters: the tasks of a band
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
