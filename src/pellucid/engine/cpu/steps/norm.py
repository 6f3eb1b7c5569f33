"""The steps of batch and group normalisation, over channels-last images or plain rows (N, C)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ....kernels import batch_norm_rows, normalization
from ....kernels.tree import add_chunks, tree_sum
from ....memory import aligned_zeros
from ....nn import BatchNorm2d, GroupNorm, InstanceNorm2d, Layer, ReLU
from ....typing import Array, Shape
from ...step import Step
from ..launch import launch
from ..moments import batch_moments
from .base import flat, numbers, serves
from .conv import ConvStep
from .pixel_blocks import ChunkBlocks, PixelBlockStep

__all__ = ["BatchNormStep", "GroupNormStep", "StandardizingStep"]


class StandardizingStep(PixelBlockStep):
    """Base class: mean 0 and variance 1, then scale and shift, and ReLU if one follows.

    The kernels compute y = (x - around) · scale + shift, where ``around`` is the mean as a float32;
    its rounding error ``off`` is added to the shift, so that a mean far from zero costs no digits.
    There are ``sets`` of rows for the channels: one for all blocks, or one for each block.
    """

    sums_by_share = True
    _x: Array  # the last input
    passes: ClassVar[tuple[Any, ...]] = (
        normalization.batch_norm,
        normalization.batch_statistics,
        normalization.combine,
        normalization.batch_gradient_sums,
        normalization.batch_gradient,
    )

    def __init__(
        self, name: str, layer: Any, input_shape: Shape, batch: int, *,
        block: int, sets: int, relu: bool,
    ) -> None:  # fmt: skip
        super().__init__(name, layer.output_shape(input_shape), batch, block)
        self.layer, self.relu = layer, relu
        self.kernel = layer.short_name + " + relu" * relu
        width = normalization.period(self.channels)
        self._rows = aligned_zeros((sets, 5, width))
        self._scratch = aligned_zeros((0, 3, width))  # of each block; grows to the largest batch
        self._sums = np.empty((0, 2, self.channels), dtype=np.float64)

    @classmethod
    def absorbs(
        cls, layer: Any, follower: Layer, shape: Shape, absorbed: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Absorb a ReLU."""
        return {"relu": True} if type(follower) is ReLU and not absorbed else None

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

    def _block_statistics(self, x: Array, blocks: ChunkBlocks) -> tuple[Array, Array]:
        """Return the mean of each channel over each block, and the sum of squared deviations."""
        self._room(blocks)
        launch(
            normalization.batch_statistics, len(blocks), x.size, flat(x), self._scratch, self._sums,
            blocks.bounds,
        )  # fmt: skip
        means, squares = self._sums[: len(blocks)].swapaxes(0, 1)
        return means, squares

    def _gradient_sums(self, dy: Array) -> tuple[Array, Array]:
        """Return ``Σ dz`` and ``Σ dz · (x - around)`` over each block, for each channel."""
        x, blocks = self._x, self._cut(dy)
        self._room(blocks)
        launch(
            normalization.batch_gradient_sums, len(blocks), x.size, flat(dy), flat(x), self._rows,
            self._scratch, self._sums, self.relu, blocks.bounds,
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


@serves(BatchNorm2d)
class BatchNormStep(StandardizingStep):
    """Batch normalisation, and ReLU if one follows.

    After a convolution whose weights are frozen, inference skips this step: it is folded into the
    filters and the bias.
    """

    layer: BatchNorm2d

    def __init__(
        self, name: str, layer: BatchNorm2d, input_shape: Shape, batch: int, *,
        relu: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            name, layer, input_shape, batch,
            block=normalization.BATCH_BLOCK, sets=1, relu=relu,
        )  # fmt: skip
        self._kept = np.zeros((3, self.channels))  # see `batch_norm_rows`
        self._rows_stay = False  # those of the running statistics, once the step is frozen
        self.source: ConvStep | None = None  # the convolution that it can be folded into

    def link(self, producer: Step) -> None:
        """Link a batch norm to the convolution before it, so that inference can fold it."""
        if isinstance(producer, ConvStep) and producer.folds:
            self.source, producer.norm = producer, self

    @property
    def communicates(self) -> bool:
        """Whether it normalises by the statistics of a batch that several processes share."""
        return self.layer.training and not self.share.alone

    @property
    def folded(self) -> bool:
        """Whether the step is folded into the convolution before it."""
        ready = self.frozen and not self.layer.training and not self.keeps
        return self.source is not None and ready

    @property
    def skipped(self) -> bool:
        """Whether forward returns its input, which is normalised already."""
        return self.folded

    def folded_into(self, w: Array, bias: Array) -> tuple[Array, Array]:
        """Return the filters and the bias of a convolution that also normalises its output.

        Computed in float64, because a mean and a bias that are both far from zero cancel.
        """
        gamma, beta, mean, var = self._buffers()
        with np.errstate(all="ignore"):  # NaN and infinity propagate
            scale = gamma * (var + self.layer.eps) ** -0.5
            shift = (bias - mean) * scale + beta
            filters = w * scale.reshape(-1, 1, 1, 1)
            return filters.astype(np.float32), shift.astype(np.float32)

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``; while training, keep the running averages."""
        if self.folded:
            return x
        layer, y = self.layer, self._y[: len(x)]
        self._x, self._trained = x, layer.training
        if layer.training or not self._rows_stay:
            self._make_rows(x)
        self._run(normalization.batch_norm, 1, (x, y), self._rows, self.relu, self._per)
        return y

    def freeze(self) -> None:
        """Compute the rows of the running statistics once more, and then rely on them."""
        super().freeze()
        self._rows_stay = False

    def _make_rows(self, x: Array) -> None:
        """Write the rows of the batch's statistics, and track these; or of the running ones."""
        layer = self.layer
        gamma, beta, mean, var = self._buffers()
        if layer.training:
            pixels = math.prod(x.shape[1:-1])  # of an image
            self._numbers = self.share.images * pixels
            if self._numbers < 2:
                layer(np.moveaxis(x, -1, 1))  # which raises the error
            blocks = self._cut(x)
            self._block_statistics(x, blocks)
            sums, numbers = self._sums[: len(blocks)], blocks.sizes / self.channels
            mean, var = batch_moments(self.share, pixels, sums, numbers, blocks.firsts)
            layer.track(mean, var, self._numbers)
        moments, eps = (mean, var, gamma, beta), float(layer.eps)
        batch_norm_rows.rows_of_moments(*moments, eps, self._kept, self._rows[0])
        self._rows_stay = self.frozen and not layer.training

    def repeats(self, images: int) -> bool:
        """Return whether the running statistics are used as they are."""
        return self.frozen and not self.layer.training

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        made = batch_norm_rows
        more = (made.chunk_gradients, made.rows_of_gradients, add_chunks) if training else ()
        return (*super().uses(training=training), made.rows_of_moments, *more)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Write the gradients of scale and shift; return that of the input."""
        x = self._x
        if self.learns or self._trained:
            self._sum_gradients(dy)
        if not need_dx:
            return None
        dx, fixed = self._dx[: len(dy)], not self._trained
        args = (self._rows, self.relu, fixed, self._per)
        self._run(normalization.batch_gradient, 2, (dy, x, dx), *args)
        return dx

    def _buffers(self) -> list[Array]:
        """Return scale, shift, running mean and running variance, in float64."""
        layer = self.layer
        return self._of_channels(layer.weight, layer.bias, layer.running_mean, layer.running_var)

    def _sum_gradients(self, dy: Array) -> None:
        """Write the gradients of scale and shift, and the rows from which dx is computed."""
        cut = self._cut(dy)
        self._gradient_sums(dy)
        parts = np.empty((len(cut.full), 2, self.channels))
        batch_norm_rows.chunk_gradients(self._sums, cut.firsts, self._kept, parts)
        if self._trained:  # the statistics are the batch's
            total = self.share.total(parts)
            batch_norm_rows.rows_of_gradients(total, self._numbers, self._kept, self._rows[0])
        if self.learns:
            rounded = parts.astype(np.float32).reshape(len(parts), -1)  # before they are added
            add_chunks(rounded, 0, rounded.shape[1])
            self.gradient(self.layer.weight)[:], self.gradient(self.layer.bias)[:] = rounded[
                0
            ].reshape(2, -1)


@serves(GroupNorm, InstanceNorm2d)
class GroupNormStep(StandardizingStep):
    """Group normalisation, and ReLU if one follows; a block is an image, with rows of its own.

    Instance normalisation is that of groups of one channel.
    """

    layer: GroupNorm | InstanceNorm2d

    def __init__(
        self, name: str, layer: GroupNorm | InstanceNorm2d, input_shape: Shape, batch: int, *,
        relu: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            name, layer, input_shape, batch,
            block=math.prod(input_shape), sets=batch, relu=relu,
        )  # fmt: skip

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        self._x, y, layer = x, self._y[: len(x)], self.layer
        gamma, beta = self._scale_and_shift()
        images = ChunkBlocks.of_one_chunk(len(x), self._per, self._per)
        means, squares = self._block_statistics(x, images)
        with np.errstate(all="ignore"):  # NaN and infinity propagate
            mean = self._over_groups(means)
            pixels = self._per // self.channels
            var = self._over_groups(squares / pixels + (means - mean) ** 2)
            around = mean.astype(np.float32)
            self._inverse, self._off = (var + layer.eps) ** -0.5, around - mean
            scale = gamma * self._inverse
            self._fill(0, around, scale, beta + self._off * scale)
        self._run(normalization.batch_norm, 1, (x, y), self._rows, self.relu, self._per)
        return y

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Write the gradients of scale and shift; return that of the input."""
        gamma, _ = self._scale_and_shift()
        inverse, off, cut = self._inverse, self._off, self._cut(dy)
        totals, moments = self._gradient_sums(dy)
        with np.errstate(all="ignore"):
            along = inverse * (moments + off * totals)
            self._write_gradients(cut.chunk_sums(along), cut.chunk_sums(totals))
            if not need_dx:
                return None
            # dx = inverse · (h - mean(h) - x̂ · mean(h · x̂)) with h = gamma · dz
            pixels = self._per // self.channels
            mean, slope = (self._over_groups(gamma * a / pixels) for a in (totals, along))
            slope = -slope * inverse**2
            self._fill(3, slope, slope * off - inverse * mean)
        dx = self._dx[: len(dy)]
        args = (self._rows, self.relu, False, self._per)
        self._run(normalization.batch_gradient, 2, (dy, self._x, dx), *args)
        return dx

    def _scale_and_shift(self) -> list[Array]:
        """Return γ and β, in float64."""
        weight, bias = self.layer.weight, self.layer.bias
        if weight is None or bias is None:
            return [np.ones(self.channels), np.zeros(self.channels)]
        return self._of_channels(weight, bias)

    def _over_groups(self, values: Array) -> Array:
        """Return the mean over the channels of each group, for every channel (N, C) of it."""
        groups = self.layer.num_groups
        mean = values.reshape(len(values), groups, -1).mean(axis=2)
        return np.repeat(mean, self.channels // groups, axis=1)
