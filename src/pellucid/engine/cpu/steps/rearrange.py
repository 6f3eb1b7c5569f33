"""The steps that only move numbers: other shapes, orders of axes, parts of axes, shuffles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....kernels import rearrangement
from ....nn import Layer, Permute, PixelShuffle, PixelUnshuffle, Reshape, Slice
from ....typing import Array, Shape
from ...step import Step
from ..launch import launch
from .base import serves

__all__ = ["PermuteStep", "ReshapeStep", "ShuffleStep", "SliceStep"]

GRAIN = 2**16  # numbers that a task moves: some 20 µs
# (N, H, W, C) as images with channels last is (N, C, H, W) with channels first, in memory.
TO_END, FROM_END = (0, 2, 3, 1), (0, 3, 1, 2)
SHUFFLED = (0, 2, 1, 3, 4)  # (N, groups, channels, H, W)


@serves(Reshape)
class ReshapeStep(Step):
    """A view; or with a permutation after it, and another view, one copy: as in a channel shuffle.

    Channels that are permuted and nothing else (Zhang et al. 2017, "ShuffleNet", section 3.1) stay
    in their pixels, in the layout that convolutions prefer.
    """

    channels_last: bool | None = False
    cheap = True
    reads_input = reads_output = False
    kernel = "view"

    def __init__(
        self,
        name: str,
        layer: Reshape,
        input_shape: Shape,
        batch: int,
        permute: Permute | None = None,
        after: Reshape | None = None,
    ) -> None:
        inside = layer.output_shape(input_shape)
        shape = inside if permute is None else permute.output_shape(inside)
        super().__init__(name, shape if after is None else after.output_shape(shape))
        self._inside, self._permuted = inside, shape
        self._order = None if permute is None else permute.dims
        self._sources: Array | None = None
        if permute is None:
            return
        self._y = self.output((batch, *self.output_shape))
        self._dx = self.input_gradient((batch, *input_shape))
        self.kernel = "permute"
        images = len(input_shape) == len(self.output_shape) == 3
        if images and permute.dims == SHUFFLED and inside[2:] == input_shape[1:]:
            if self.output_shape[1:] != input_shape[1:]:
                return
            self.kernel, self.channels_last = "channel shuffle", True
            c, h, w = input_shape
            self._y = self.output((batch, h, w, c))
            self._dx = self.input_gradient((batch, h, w, c))
            self._sources = np.arange(c).reshape(inside[:2]).T.ravel()
            self._targets = np.argsort(self._sources)

    @classmethod
    def absorbs(
        cls, layer: Any, follower: Layer, shape: Shape, absorbed: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Absorb a permutation, unless it is a view, and the reshaping after it."""
        if not absorbed and type(follower) is Permute and follower.dims != FROM_END:
            return {"permute": follower}
        if absorbed.keys() == {"permute"} and type(follower) is Reshape:
            return {"after": follower}
        return None

    def forward(self, x: Array) -> Array:
        """Return ``x`` in the output's shape."""
        self._shape = x.shape
        if self._order is None:
            return x.reshape(len(x), *self.output_shape)
        y = self._y[: len(x)]
        if self._sources is not None:
            return _reordered(x, y, self._sources)
        y.reshape(len(x), *self._permuted)[...] = x.reshape(len(x), *self._inside).transpose(
            self._order
        )
        return y

    def repeats(self, images: int) -> bool:
        """Return whether it is a view, or a kernel."""
        return self._order is None or self._sources is not None

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy`` in the input's shape."""
        if self._order is None or not need_dx:
            return dy.reshape(self._shape) if need_dx else None
        dx = self._dx[: len(dy)]
        if self._sources is not None:
            return _reordered(dy, dx, self._targets)
        dx.reshape(len(dx), *self._inside).transpose(self._order)[...] = dy.reshape(
            len(dx), *self._permuted
        )
        return dx

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernel of channel shuffles."""
        return () if self._sources is None else (rearrangement.reorder,)


@serves(Permute)
class PermuteStep(Step):
    """Another order of axes: a copy, or a view between the two layouts of images."""

    cheap = True
    reads_input = reads_output = False

    def __init__(self, name: str, layer: Permute, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        self.layer = layer
        to_end, from_end = layer.dims == TO_END, layer.dims == FROM_END
        self.channels_last, self.makes_channels_last = to_end, from_end
        self._view = to_end or from_end
        self.kernel = "view" if self._view else "permute"
        self._y = self.output(0 if self._view else (batch, *self.output_shape))
        self._dx = self.input_gradient(0 if self._view else (batch, *input_shape))

    def forward(self, x: Array) -> Array:
        """Return the numbers in the new order."""
        if self._view:
            return x
        y = self._y[: len(x)]
        y[...] = x.transpose(self.layer.dims)
        return y

    def repeats(self, images: int) -> bool:
        """Return whether it is a view."""
        return self._view

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy`` in the old order."""
        if self._view or not need_dx:
            return dy if need_dx else None
        dx = self._dx[: len(dy)]
        dx.transpose(self.layer.dims)[...] = dy
        return dx


@serves(Slice)
class SliceStep(Step):
    """A part of the channels, rows or columns: lines of memory, which NumPy copies."""

    kernel = "slice"
    channels_last = cheap = True
    reads_input = reads_output = False

    def __init__(self, name: str, layer: Slice, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        last = [(*shape[1:], shape[0]) for shape in (input_shape, self.output_shape)]
        axis = layer.dim % (len(input_shape) + 1)
        place = len(input_shape) if axis == 1 else axis - 1
        part = slice(layer.start, layer.stop, layer.step)
        self._part = *(slice(None),) * place, part
        self._y = self.output((batch, *last[1]))
        self._dx = self.input_gradient((batch, *last[0]))

    @classmethod
    def takes(cls, layer: Slice, input_shape: Shape) -> bool:
        """Return whether the channels are the last axis, in the layout of the step."""
        return len(input_shape) in (1, 3)

    def forward(self, x: Array) -> Array:
        """Return the part."""
        y = self._y[: len(x)]
        y[...] = x[self._part]
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy`` where the part was, and zeros."""
        if not need_dx:
            return None
        dx = self._dx[: len(dy)]
        dx[...] = 0
        dx[self._part] = dy
        return dx


@serves(PixelShuffle, PixelUnshuffle)
class ShuffleStep(Step):
    """Blocks of cells from channels, or channels from blocks."""

    channels_last = cheap = True
    reads_input = reads_output = False

    def __init__(
        self, name: str, layer: PixelShuffle | PixelUnshuffle, input_shape: Shape, batch: int
    ) -> None:
        super().__init__(name, layer.output_shape(input_shape))
        self.kernel = "pixel " + layer.short_name
        (c, *image), (depth, *whole) = self.output_shape, input_shape
        self._y = self.output((batch, *image, c))
        self._dx = self.input_gradient((batch, *whole, depth))
        both = rearrangement.shuffle, rearrangement.unshuffle
        self._forth, self._back = both if isinstance(layer, PixelShuffle) else both[::-1]
        cells, few = sorted((input_shape[0], self.output_shape[0]), reverse=True)
        self._steps = (cells // few, 1) if layer.mode == "CRD" else (1, few)

    def forward(self, x: Array) -> Array:
        """Return the images with their numbers moved."""
        return self._moved(self._forth, x, self._y[: len(x)])

    def repeats(self, images: int) -> bool:
        """Return True: it is a kernel."""
        return True

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy``, moved back."""
        return self._moved(self._back, dy, self._dx[: len(dy)]) if need_dx else None

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        return (self._forth, self._back) if training else (self._forth,)

    def _moved(self, kernel: Any, x: Array, y: Array) -> Array:
        rows = min(x.shape[1], y.shape[1])  # of blocks
        per = max(1, GRAIN * rows // max(1, x[0].size)) if len(x) else 1
        launch(kernel, -(-len(x) * rows // per), x.size, x, y, *self._steps, per)
        return y


def _reordered(x: Array, y: Array, sources: Array) -> Array:
    pixels = x.size // len(sources)
    per = max(1, GRAIN // len(sources))
    launch(rearrangement.reorder, -(-pixels // per), x.size, x, y, sources, per)
    return y
