"""The step of batch normalisation, over channels-last images or plain rows (N, C)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....kernels import batch_norm_rows, normalization, normalized_sums
from ....kernels.pool.threads import get_num_threads, run_python
from ....kernels.tree import add_chunks
from ....nn import BatchNorm2d, Layer
from ....typing import Array, Shape
from ...step import Step
from ..launch import launch
from ..moments import batch_moments
from .base import CLIPPING, flat, serves
from .conv import ConvStep
from .pixel_blocks import ChunkBlocks
from .standardizing import FUNCTIONS, StandardizingStep

__all__ = ["BatchNormStep"]

PIECE = 2**19  # bytes of images that stay in a core's own cache from pass to pass
FEWEST = 8  # images of a piece: for fewer, a convolution would read its filters too often


@serves(BatchNorm2d)
class BatchNormStep(StandardizingStep):
    """Batch normalisation, and a ReLU, ReLU6, SiLU or hardswish that follows.

    After a convolution whose weights are frozen, inference skips this step: it is folded into the
    filters and the bias. In training the convolution writes a few images at a time, and their
    statistics are computed while they are in the caches. Before a residual sum the step computes
    the statistics only, and those of the gradient: the sum normalises what it reads (`AddStep`).
    """

    layer: BatchNorm2d
    followers = (*CLIPPING, *FUNCTIONS)

    def __init__(
        self, name: str, layer: BatchNorm2d, input_shape: Shape, batch: int, *,
        follower: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            name, layer, input_shape, batch,
            block=normalization.BATCH_BLOCK, sets=1, follower=follower,
        )  # fmt: skip
        self._kept = np.zeros((3, self.channels))  # see `batch_norm_rows`
        self._numbers = 0  # of a channel, in the last batch of a training
        self._rows_stay = False  # those of the running statistics, once the step is frozen
        self.source: ConvStep | None = None  # the convolution that it can be folded into
        self.deferred = False  # whether the sum that follows normalises; see `defer`
        self._measured = False  # whether the statistics of the input's blocks are there already
        self._summed = False  # whether the sums of the gradient are

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
        return ready and self.source is not None and self.source.applies(self.activation)

    @property
    def skipped(self) -> bool:
        """Whether forward returns its input, which is normalised already, or by the next step."""
        return self.folded or self.deferred

    def defer(self) -> bool:
        """Leave it to the next step, the only reader, to normalise; returns whether that can be."""
        self.deferred = self.follower is None
        return self.deferred

    @property
    def measures(self) -> bool:
        """Whether forward computes statistics of its input."""
        return self.layer.training

    def measure(self, x: Array, write: Callable[[slice], None]) -> None:
        """Compute the statistics of the next input's blocks, after ``write`` has made some images.

        ``x`` is where it makes them.
        """
        blocks, first = self._cut(x), 0
        for images in self._pieces(x):
            write(images)
            made = images.stop * x[0].size
            last = int(np.searchsorted(blocks.bounds, made, side="right")) - 1
            self._block_statistics(x, blocks, first, last)
            first = last
        self._measured = True

    def _pieces(self, x: Array) -> list[slice]:
        """Return images in equal parts that stay in the caches, or all in one.

        Several threads wait for each other at the end of each part, so theirs are twice as large.
        Processes that share a batch have Python between the kernels, which takes too long.
        """
        n, threads = len(x), get_num_threads()
        most = PIECE * threads * min(2, threads) // x[0].nbytes if self.share.alone else 0
        each = -(-n // -(-n // most)) if most >= FEWEST else n
        return [slice(k, min(k + each, n)) for k in range(0, n, each)]

    def add(self, a: Array, b: Array, y: Array, *, other: BatchNormStep | None, relu: bool) -> None:
        """Write the normalised ``a`` plus ``b``, which an ``other`` deferred norm normalises."""
        args = self._rows, (other or self)._rows, other is not None, relu, self._per
        self._run(normalized_sums.add_normalized, 1, (a, b, y), *args)

    @property
    def sums(self) -> bool:
        """Whether backward needs sums over the gradient."""
        return self.learns or self._trained or self.applies_function

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
        layer = self.layer
        self._x, self._trained, self._summed = x, layer.training, False
        measured, self._measured = self._measured, False
        if layer.training or not self._rows_stay:
            self._make_rows(x, measured=measured)
        if self.deferred:
            return x
        return self.again(x)

    def freeze(self) -> None:
        """Compute the rows of the running statistics once more, and then rely on them."""
        super().freeze()
        self._rows_stay = False

    def _make_rows(self, x: Array, *, measured: bool) -> None:
        """Write the rows of the batch's statistics, and track these; or of the running ones."""
        layer = self.layer
        if layer.training:
            pixels = math.prod(x.shape[1:-1])  # of an image
            self._numbers = self.share.images * pixels
            if self._numbers < 2:
                layer(np.moveaxis(x, -1, 1))  # which raises the error
            blocks = self._cut(x)
            if not measured:
                self._block_statistics(x, blocks)
            sums = self._sums[: len(blocks)]
            run_python(self._make_rows_of_batch, sums, blocks, pixels, self._numbers)
        else:
            run_python(self._make_rows_of_running)
        self._rows_stay = self.frozen and not layer.training

    def _make_rows_of_batch(
        self, sums: Array, blocks: ChunkBlocks, pixels: int, count: int
    ) -> None:
        """Write the rows of a batch of ``count`` numbers a channel, and track its statistics."""
        numbers = blocks.sizes / self.channels
        mean, var = batch_moments(self.share, pixels, sums, numbers, blocks.firsts)
        self.layer.track(mean, var, count)
        self._write_rows(mean, var)

    def _make_rows_of_running(self) -> None:
        self._write_rows(*self._of_channels(self.layer.running_mean, self.layer.running_var))

    def _write_rows(self, mean: Array, var: Array) -> None:
        scale_and_shift = self._of_channels(self.layer.weight, self.layer.bias)
        batch_norm_rows.rows_of_moments(
            mean, var, *scale_and_shift, float(self.layer.eps), self._kept, self._rows[0]
        )

    def repeats(self, images: int) -> bool:
        """Return True: it is kernels, and what `run_python` calls."""
        return True

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels of both directions."""
        made = batch_norm_rows
        more = (made.chunk_gradients, made.rows_of_gradients, add_chunks) if training else ()
        return (*super().uses(training=training), made.rows_of_moments, *more)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Write the gradients of scale and shift; return that of the input."""
        if self.sums:
            self._sum_gradients(dy)
        if not need_dx:
            return None
        return self._write_dx(dy, fixed=not self._trained)

    def sum_behind_relu(self, dy: Array, y: Array, dz: Array) -> None:
        """Write dz, which is ``dy`` where y > 0, and sum what the backward with ``dz`` needs."""
        blocks = self._cut(dy)
        self._room(blocks)
        launch(
            normalized_sums.gradient_sums, len(blocks), dy.size, flat(dy), flat(y), flat(dz),
            flat(self._x), self._rows, self._scratch, self._sums, blocks.bounds,
        )  # fmt: skip
        self._summed = True

    def _buffers(self) -> list[Array]:
        """Return scale, shift, running mean and running variance, in float64."""
        layer = self.layer
        return self._of_channels(layer.weight, layer.bias, layer.running_mean, layer.running_var)

    def _sum_gradients(self, dy: Array) -> None:
        """Write the gradients of scale and shift, and the rows from which dx is computed."""
        if not self._summed:
            self._gradient_sums(dy)
        self._summed = False
        run_python(self._add_up, self._sums, self._cut(dy), self._trained, self._numbers)

    def _add_up(self, sums: Array, cut: ChunkBlocks, trained: bool, count: int) -> None:
        parts = np.empty((len(cut.full), 2, self.channels))
        batch_norm_rows.chunk_gradients(sums, cut.firsts, self._kept, parts)
        if trained:  # the statistics are the batch's, of ``count`` numbers a channel
            total = self.share.total(parts)
            batch_norm_rows.rows_of_gradients(total, count, self._kept, self._rows[0])
        if self.learns:
            rounded = parts.astype(np.float32).reshape(len(parts), -1)  # before they are added
            add_chunks(rounded, 0, rounded.shape[1])
            self.gradient(self.layer.weight)[:], self.gradient(self.layer.bias)[:] = rounded[
                0
            ].reshape(2, -1)
