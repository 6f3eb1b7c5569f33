"""Winograd's convolution of many channels, and its gradients: see `pellucid.kernels.convolution`.

The patches of several images are transformed at a time, as many as fit in the cache that all cores
share.
"""

from __future__ import annotations

from ....distributed import Share
from ....kernels.convolution import winograd_wide, winograd_wide_gradient
from ....kernels.convolution.activation import RELU, Activation
from ....kernels.convolution.arguments import NO_SUM, Output, PartialSums
from ....kernels.convolution.geometry import Sliding
from ....kernels.convolution.layout import LINE, GatedGradient
from ....kernels.convolution.panels import (
    HEIGHT,
    PART,
    WIDTH,
    Panels,
    pack_panels,
    transform_images,
)
from ....kernels.convolution.patches import patch_count, patches
from ....kernels.convolution.winograd_transforms import PATCH, PLACES
from ....kernels.jit import LANES
from ....kernels.tree import write_total
from ....memory import aligned_zeros
from ....shapes import Windows
from ....typing import Array
from ..launch import launch
from ..steps.base import flat
from .algorithms import round_up
from .filter_gradients import partial_sums

__all__ = ["WideWinograd", "WideWinogradGradient"]

MOST_PATCHES = 64  # of a task: their sums stay in a core's own cache
CUT = 16  # patches that are transformed by a task
SHARED = 2**24  # bytes of transformed patches that stay in the cache of all cores


def _panels(channels: int) -> int:
    return -(-channels // WIDTH)


def _parts(channels: int) -> int:
    return -(-channels // PART)


def _in_equal_parts(n: int, most: int) -> int:
    """Return the size of the fewest equal parts of up to ``most`` that make ``n``."""
    return -(-n // -(-n // most))


class WideWinograd:
    """36 products instead of 144, with filters transformed where they are used."""

    name = "Winograd convolution"
    can_emit_channels_first, activates, adds = False, False, True
    scratch = ("filters", "numbers")

    def __init__(self, s: Sliding, windows: Windows, pool: int, batch: int, *, flip: bool) -> None:
        side, self.flip = windows.window[0], flip
        outputs = PATCH + 1 - side
        self.s = patches(s, windows.dilation, outputs, pool, WIDTH)
        self.filters = aligned_zeros((_panels(s.f), s.c, side * side, WIDTH))
        self.row = aligned_zeros(_panels(s.f) * WIDTH)
        self.bias = self.row[: s.f].reshape(1, 1, s.f)
        self.padded = self.row.size > s.f
        of_image = PLACES * patch_count(self.s) * _panels(s.c) * WIDTH
        self.images = min(batch, max(1, SHARED // (4 * of_image)))  # transformed at a time
        gaps = PLACES * _panels(s.c) * LINE + HEIGHT * WIDTH
        self.numbers = aligned_zeros(self.images * of_image + gaps)
        self.transform = transform_images(outputs)
        self.kernel = winograd_wide.forward(outputs, pool)
        self.uses = (pack_panels, self.transform, self.kernel)
        self.work = PLACES * patch_count(self.s) * s.c * s.f

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C, side, side)."""
        tasks = self.s.c if self.flip else -(-self.s.f // LANES)
        launch(pack_panels, tasks, w.size, w, self.flip, self.filters)

    def __call__(
        self, source: GatedGradient, n: int, y: Array, argmax: Array, activation: Activation,
        keep: bool = True, plus: Array | None = None,
    ) -> None:  # fmt: skip
        """Write the output ``y`` of ``n`` images, and the pooling's ``argmax``.

        Without a pooling, add ``plus`` before the activation.
        """
        s, v, of_image = self.s, self.numbers, patch_count(self.s)
        at_once = _in_equal_parts(n, self.images)
        for first in range(0, n, at_once):
            images = slice(first, min(n, first + at_once))
            count = (images.stop - first) * of_image
            panels = Panels.of(count, round_up(_in_equal_parts(count, MOST_PATCHES), HEIGHT))
            work = (images.stop - first) * self.work
            part = source.part(first, images.stop, n)
            launch(
                self.transform, -(-count // CUT) * _parts(s.c), work, part, s,
                panels._replace(per_task=CUT), v,
            )  # fmt: skip
            out = Output(
                flat(y[images]),
                flat(argmax[images]) if argmax.ndim > 1 else argmax,
                NO_SUM if plus is None else flat(plus[images]),
            )
            tasks = _panels(s.f) * -(-count // panels.per_task)
            launch(
                self.kernel, tasks, work, v, flat(self.filters), self.row, out, s, panels,
                activation == RELU,
            )  # fmt: skip


class WideWinogradGradient:
    """Filter gradients, whose sums over a chunk of images are transformed back at once."""

    scratch = ("sums", "nodes", "numbers")

    def __init__(self, s: Sliding, d: Sliding, windows: Windows, share: Share, batch: int) -> None:
        side, step = windows.window[0], windows.dilation
        outputs = PATCH + 1 - side
        self.s, self.d = (patches(k, step, outputs, 1, WIDTH) for k in (s, d))
        self.share, self.chunks = share, share.enough(share.chunks, batch)
        own, self.of_image = share.count(self.chunks), patch_count(self.s)
        depth = _panels(s.c) + _panels(d.c)
        of_image = self.of_image * PLACES * depth * WIDTH
        numbers = share.largest(batch) * of_image
        # Each part of the batch is a node of the tree.
        self.parts = min(own, 1 << max(0, -(-4 * numbers // (2 * SHARED)) - 1).bit_length())
        nodes = self.parts if self.parts > 1 else 0  # a single one is the gradient itself
        self.nodes = aligned_zeros((nodes, s.c * d.c * side * side))
        images = -(-batch * (own // self.parts) // self.chunks)  # of a part at most
        self.numbers = aligned_zeros(images * of_image + depth * PLACES * LINE)
        self.sums = partial_sums(own, 0, _panels(d.c) * WIDTH)
        self.transform = winograd_wide_gradient.transform_both(outputs)
        self.kernel = winograd_wide_gradient.backward_weights(outputs)
        joins = (winograd_wide_gradient.add_nodes,) if self.parts > 1 else ()
        self.uses = (self.transform, self.kernel, write_total, *joins)
        self.work = PLACES * self.of_image * s.c * d.c

    def __call__(self, x: Array, dy: GatedGradient, dw: Array, db: Array) -> None:
        """Write the gradients of the filters (F, C, side, side) and of the bias (F,)."""
        bounds, bias = self.share.bounds(self.chunks), self.sums.bias
        per_part = len(bias) // self.parts
        for part in range(self.parts):
            chunks = slice(part * per_part, (part + 1) * per_part)
            first, last = bounds[chunks.start], bounds[chunks.stop]
            sums = PartialSums(
                self.sums.weights[chunks], bias[chunks],
                bounds[chunks.start : chunks.stop + 1] - first,
            )  # fmt: skip
            node = self.nodes[part].reshape(dw.shape) if self.parts > 1 else dw
            self._add_up(x[first:last], dy.part(first, last, len(x)), sums, node)
        if self.parts > 1:
            tasks = -(-dw.size // winograd_wide_gradient.NUMBERS)
            launch(winograd_wide_gradient.add_nodes, tasks, self.nodes.size, self.nodes, flat(dw))
        launch(write_total, 1, bias.size, bias, 1, db)

    def _add_up(self, x: Array, dy: GatedGradient, sums: PartialSums, node: Array) -> None:
        """Write the sums over some images, and those of the bias for each chunk."""
        s, d, work = self.s, self.d, len(x) * self.work
        panels = Panels.of(len(x) * self.of_image, WIDTH)
        of_images, of_gradient = (_panels(k) * PLACES * panels.plane for k in (s.c, d.c))
        if self.numbers.size < of_images + of_gradient:  # more images than it was made for
            self.numbers = aligned_zeros(of_images + of_gradient)
        v, m = self.numbers[:of_images], self.numbers[of_images:]
        launch(
            self.transform, len(sums.bias) * (_parts(s.c) + _parts(d.c)), work,
            GatedGradient.of(x), dy, v, m, sums, s, d, panels,
        )  # fmt: skip
        tasks = _panels(s.c) * _panels(d.c)
        launch(self.kernel, tasks, work, v, m, sums.bounds, s, panels, node)
