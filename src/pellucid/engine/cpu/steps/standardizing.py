"""What the steps of normalisations share: statistics of blocks, and passes over them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ....kernels import normalization, normalized_activations
from ....kernels.convolution.activation import (
    HARDSWISH,
    NO_ACTIVATION,
    SILU,
    Activation,
    clipping,
)
from ....kernels.tree import tree_sum
from ....memory import aligned_zeros
from ....nn import Hardswish, Layer, SiLU
from ....typing import Array, Shape
from ...reserved import Use, reserved_in
from ...step import Step
from ..launch import launch
from .base import CLIPPING, bounds_of, flat, numbers
from .pixel_blocks import ChunkBlocks, PixelBlockStep

__all__ = ["FUNCTIONS", "StandardizingStep"]

# Activations with kernels of their own in `normalized_activations`.
FUNCTIONS: dict[type[Layer], int] = {SiLU: SILU, Hardswish: HARDSWISH}


class StandardizingStep(PixelBlockStep):
    """Base class: mean 0 and variance 1, then scale and shift, and an activation that follows.

    The kernels compute y = (x - around) · scale + shift, where ``around`` is the mean as a float32;
    its rounding error ``off`` is added to the shift, so that a mean far from zero costs no digits.
    There are ``sets`` of rows for the channels: one for all blocks, or one for each block.

    ReLU and ReLU6 are bounds in the usual kernels; SiLU and hardswish have kernels of their own.
    With these, `_gradient_sums` must run before `_write_dx`: it computes the gradient of the
    activation's input, dz, and stores it in the buffer of dx.
    """

    sums_by_share = True
    _x: Array  # the last input
    followers: ClassVar[tuple[type[Layer], ...]] = CLIPPING  # the activations that it absorbs
    passes: ClassVar[tuple[Any, ...]] = (
        normalization.batch_norm,
        normalization.batch_statistics,
        normalization.combine,
        normalization.batch_gradient_sums,
        normalization.batch_gradient,
    )

    def __init__(
        self, name: str, layer: Any, input_shape: Shape, batch: int, *,
        block: int, sets: int, follower: Layer | None,
    ) -> None:  # fmt: skip
        super().__init__(name, layer.output_shape(input_shape), batch, block)
        self.layer, self.follower = layer, follower
        self.kernel = layer.short_name
        if follower is not None:
            self.kernel += f" + {type(follower).__name__.lower()}"
        width = normalization.period(self.channels)
        self._rows = aligned_zeros((sets, 5, width))
        self._scratch = aligned_zeros((0, 3, width))  # of each block; grows to the largest batch
        self._sums = np.empty((0, 2, self.channels), dtype=np.float64)

    @classmethod
    def absorbs(
        cls, layer: Any, follower: Layer, shape: Shape, absorbed: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Absorb an activation."""
        return {"follower": follower} if type(follower) in cls.followers and not absorbed else None

    @property
    def activation(self) -> Activation:
        """The activation that is applied in the same pass."""
        if self.follower is None:
            return NO_ACTIVATION
        if self.applies_function:
            return Activation(FUNCTIONS[type(self.follower)])
        return clipping(*bounds_of(self.follower))

    @property
    def applies_function(self) -> bool:
        """Whether the activation is more than a pair of bounds."""
        return type(self.follower) in FUNCTIONS

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        if not self.applies_function:
            return super().uses(training=training)
        kind, own = self.activation.kind, normalized_activations
        instead = {
            normalization.batch_norm: own.normalize(kind),
            normalization.batch_gradient_sums: own.gradient_sums(kind),
        }
        return [instead.get(one, one) for one in super().uses(training=training)]

    def read_by(self, reader: Step) -> None:
        """Write dx in the place of dy from now on, if that is a buffer of the reader's alone.

        So the memory at dx need not be fetched before it is written.
        """
        buffers = (one for value in vars(reader).values() for one in reserved_in(value))
        if not reader.returns_gradient and any(one.use is Use.GRADIENT for one in buffers):
            self._dx = self.input_gradient(0)

    def again(self, x: Array) -> Array:
        """Return the output by the statistics of the last forward."""
        y = self._y[: len(x)]
        if self.applies_function:
            kernel = normalized_activations.normalize(self.activation.kind)
            self._run(kernel, 1, (x, y), self._rows, self._per)
        else:
            args = self._rows, self.activation, self._per
            self._run(normalization.batch_norm, 1, (x, y), *args)
        return y

    def _write_dx(self, dy: Array, *, fixed: bool) -> Array:
        """Return the gradient of the input; of the statistics too, unless they are ``fixed``."""
        dx, activation = self._input_gradient(dy), self.activation
        if self.applies_function:  # dz is there already
            dy, activation = dx, NO_ACTIVATION
        args = (self._rows, activation, fixed, self._per)
        self._run(normalization.batch_gradient, 2, (dy, self._x, dx), *args)
        return dx

    def _input_gradient(self, dy: Array) -> Array:
        """Return where to write dx."""
        return self._dx[: len(dy)] if self._dx.size else dy

    def _of_channels(self, *buffers: Any) -> list[Array]:
        """Return arrays of one number a channel, in float64."""
        return [numbers(b, (self.channels,), self.name).astype(np.float64) for b in buffers]

    def _cut(self, x: Array) -> ChunkBlocks:
        """Return the blocks of the chunks of a batch."""
        bounds = self.share.bounds(self.share.chunks)
        return ChunkBlocks.of(bounds, math.prod(x.shape[1:]), self._per)

    def _room(self, blocks: ChunkBlocks) -> None:
        """Make room for the sums of the blocks."""
        if len(self._sums) < len(blocks):
            self._scratch = aligned_zeros((len(blocks), *self._scratch.shape[1:]))
            self._sums = np.empty((len(blocks), *self._sums.shape[1:]))

    def _block_statistics(
        self, x: Array, blocks: ChunkBlocks, first: int = 0, last: int | None = None
    ) -> tuple[Array, Array]:
        """Return the mean of each channel over each block, and the sum of squared deviations.

        Of the blocks from the ``first`` to the ``last``, the end excluded.
        """
        self._room(blocks)
        some = slice(first, len(blocks) if last is None else last)
        bounds, sums = blocks.bounds[some.start : some.stop + 1], self._sums[some]
        launch(
            normalization.batch_statistics, len(sums), bounds[-1] - bounds[0], flat(x),
            self._scratch[some], sums, bounds,
        )  # fmt: skip
        means, squares = sums.swapaxes(0, 1)
        return means, squares

    def _gradient_sums(self, dy: Array) -> tuple[Array, Array]:
        """Return ``Σ dz`` and ``Σ dz · (x - around)`` over each block, for each channel."""
        x, blocks = self._x, self._cut(dy)
        self._room(blocks)
        if self.applies_function:
            launch(
                normalized_activations.gradient_sums(self.activation.kind), len(blocks), x.size,
                flat(dy), flat(self._input_gradient(dy)), flat(x), self._rows, self._scratch,
                self._sums, blocks.bounds,
            )  # fmt: skip
        else:
            launch(
                normalization.batch_gradient_sums, len(blocks), x.size, flat(dy), flat(x),
                self._rows, self._scratch, self._sums, self.activation, blocks.bounds,
            )  # fmt: skip
        totals, moments = self._sums[: len(blocks)].swapaxes(0, 1)
        return totals, moments

    def _write_gradients(self, dgammas: Array, dbetas: Array) -> None:
        """Write the gradients of scale and shift, given those of each chunk.

        They are rounded before they are added, as by several processes.
        """
        for parameter, parts in ((self.layer.weight, dgammas), (self.layer.bias, dbetas)):
            if parameter is None:  # a norm that neither scales nor shifts
                continue
            self.gradient(parameter)[:] = tree_sum(parts.astype(parameter.data.dtype))

    def _fill(self, first: int, *values: Array) -> None:
        """Write ``values`` into the rows from ``first`` on, repeated to the length of a row.

        Each of them is (C,) for one set of rows, or (N, C) for N sets.
        """
        for k, value in enumerate(values, first):
            each = np.atleast_2d(value)
            rows = self._rows[: len(each), k]
            rows.reshape(len(each), -1, self.channels)[:] = each[:, np.newaxis]
