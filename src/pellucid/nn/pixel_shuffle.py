"""Layers that make blocks of cells from channels, and back."""

from __future__ import annotations

from fractions import Fraction

from .. import ops
from ..ops.checks import require_real, require_shape
from ..ops.pixel_shuffle import (
    ShuffleMode,
    require_shuffle_mode,
    shuffled_shape,
    unshuffled_shape,
)
from ..receptive import ReceptiveField
from ..shapes import slide
from ..typing import Array, Shape
from .checks import require_count
from .layer import Layer

__all__ = ["PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(Layer):
    """Make a block of R x R cells from each R² channels: upsampling without arithmetic.

    Input (N, C·R², H, W), output (N, C, H·R, W·R). Equations: `pellucid.ops.pixel_shuffle`.
    Source: Shi et al. 2016, section 3.2.

    Parameters
    ----------
    upscale_factor : int
        R.
    mode : {"CRD", "DCR"}
        Whether a block's channels are neighbours (PyTorch), or C apart; the names of ONNX's
        DepthToSpace.

    Examples
    --------
    >>> PixelShuffle(2).output_shape((12, 8, 8))
    (3, 16, 16)
    """

    short_name = "shuffle"

    def __init__(self, upscale_factor: int, mode: ShuffleMode = "CRD") -> None:
        self.upscale_factor = require_count(upscale_factor, "upscale_factor")
        require_shuffle_mode(mode)
        self.mode = mode

    def forward(self, x: Array) -> Array:
        """Return the blocks (N, C, H·R, W·R)."""
        y = ops.pixel_shuffle(x, self.upscale_factor, self.mode)
        self.remember(y.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` as channels."""
        (shape,) = self.recall()
        _require_gradient(dy, shape, "pixel_shuffle")
        return ops.pixel_unshuffle(dy, self.upscale_factor, self.mode)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C, H·R, W·R)."""
        return shuffled_shape(input_shape, self.upscale_factor)

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, its step divided by R."""
        r = self.upscale_factor
        _, *image = shuffled_shape(input_shape, r)
        rows, columns = ([(i // r, i // r) for i in range(size)] for size in image)
        return field.through_cells((rows, columns), (Fraction(1, r), Fraction(1, r)))


class PixelUnshuffle(Layer):
    """Make R² channels from each block of R x R cells: undo `PixelShuffle`.

    Input (N, C, H·R, W·R), output (N, C·R², H, W).

    Parameters
    ----------
    downscale_factor : int
        R.
    mode : {"CRD", "DCR"}
        As in `PixelShuffle`; ONNX's SpaceToDepth is "DCR".

    Examples
    --------
    >>> PixelUnshuffle(2).output_shape((3, 16, 16))
    (12, 8, 8)
    """

    short_name = "unshuffle"

    def __init__(self, downscale_factor: int, mode: ShuffleMode = "CRD") -> None:
        self.downscale_factor = require_count(downscale_factor, "downscale_factor")
        require_shuffle_mode(mode)
        self.mode = mode

    def forward(self, x: Array) -> Array:
        """Return the channels (N, C·R², H, W)."""
        y = ops.pixel_unshuffle(x, self.downscale_factor, self.mode)
        self.remember(y.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` as blocks."""
        (shape,) = self.recall()
        _require_gradient(dy, shape, "pixel_unshuffle")
        return ops.pixel_shuffle(dy, self.downscale_factor, self.mode)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C·R², H, W)."""
        return unshuffled_shape(input_shape, self.downscale_factor)

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field of a whole block."""
        r, (_, h, w) = self.downscale_factor, input_shape
        return field.through(slide((h, w), r, r))


def _require_gradient(dy: Array, shape: Shape, where: str) -> None:
    require_real(dy, where, "dy")
    require_shape(dy, shape, "an output gradient", "(N, C, H, W)", where)
