"""The algorithms of convolutions with few channels a group: depthwise ones, ResNeXt's, and others.

See `pellucid.kernels.convolution.grouped`.
"""

from __future__ import annotations

import math
from typing import Any

from ....distributed import Share
from ....kernels.convolution import grouped, grouped_gradient
from ....kernels.convolution.activation import CLIP, NO_ACTIVATION, Activation
from ....kernels.convolution.grouped import Packed, groups_per_vector
from ....kernels.convolution.layout import GatedGradient
from ....kernels.convolution.rectangles import cut, reading
from ....kernels.jit import LANES, REGISTERS
from ....kernels.pool.threads import get_num_threads, run_python
from ....kernels.tree import chunk_count
from ....memory import aligned_zeros
from ....shapes import Windows
from ....typing import Array
from ..launch import launch
from ..steps.base import flat
from .filter_gradients import partial_sums

__all__ = ["Grouped", "GroupedGradient", "is_narrow"]

TASKS = 8  # that a batch should have at least,
NEAR = 2**12  # unless one thread does it, and no more numbers of filters stay in its L1 cache
# Pixels of a tile: every number is a kernel to compile. 7 divides the rows of networks for 224x224
# pixels, 4 and 8 those for 32x32.
WIDTHS = (1, 2, 4, 7, 8)
HEIGHTS = (1, 2, 3, 4, 5)  # rows of a window in a tile of the filters' gradient, likewise
RUNS = (3, 5, 7)  # taps of a row that are added together; with several channels a group, 3


def is_narrow(channels: int, filters: int, groups: int) -> bool:
    """Return whether at least two of several groups share a vector: of channels, and of filters."""
    return groups > 1 and 2 * max(channels, filters) <= LANES * groups


class Grouped:
    """The output; with ``back``, the input's gradient."""

    can_emit_channels_first, activates, adds = False, True, False
    scratch = ("filters",)

    def __init__(
        self, windows: Windows, channels: int, filters: int, groups: int, *, back: bool = False
    ) -> None:
        depths = (filters, channels) if back else (channels, filters)
        given, made = (depth // groups for depth in depths)
        self.name = f"{'depthwise' if given == made == 1 else 'grouped'} convolution"
        self.back, self.groups, self.depths = back, groups, (given, made)
        self.per, self.taps = groups_per_vector(given, made), math.prod(windows.window)
        run, step = _runs(windows, self.depths, back)
        s = self.s = reading(windows, depths, given, back=back, runs=run > 1)
        vectors = -(-groups // self.per)
        beyond = _reaches_beyond(vectors, self.per * given, depths[0])
        width = _width(s.ow // s.apart_w, run)
        self.plain, self.gated = (
            cut(s, width, gated=gated, beyond=beyond, vectors=vectors, frame=run // 2)
            for gated in (False, True)
        )
        self.tile = (width, run, step, given, made)
        self.filters = aligned_zeros((vectors, self.taps, given, LANES))
        self.row = aligned_zeros(vectors * self.per * made + LANES)
        self.bias = self.row[: depths[1]].reshape(groups, 1, made)
        self.uses = (self.kernel_for(NO_ACTIVATION),)
        self.work = s.oh * s.ow * depths[1] * given * self.taps

    def kernel_for(self, activation: Activation) -> Any:
        """Return the kernel that also applies this activation."""
        return grouped.forward(*self.tile, activation.kind != CLIP)

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, FH, FW)."""
        run_python(self._arrange, w)

    def _arrange(self, w: Array) -> None:
        given, made = self.depths
        if self.back:
            by_group = w.reshape(self.groups, given, made, -1).transpose(0, 3, 1, 2)[:, ::-1]
        else:
            by_group = w.reshape(self.groups, made, given, -1).transpose(0, 3, 2, 1)
        packed = self.filters[..., : self.per * made].reshape(-1, self.taps, given, self.per, made)
        whole, rest = divmod(self.groups, self.per)
        vectors = by_group[: whole * self.per].reshape(whole, self.per, *by_group.shape[1:])
        packed[:whole] = vectors.transpose(0, 2, 3, 1, 4)
        if rest:
            packed[whole, :, :, :rest] = by_group[whole * self.per :].transpose(1, 2, 0, 3)

    def __call__(
        self, source: GatedGradient, n: int, y: Array, argmax: Array, activation: Activation,
        keep: bool = True,
    ) -> None:  # fmt: skip
        """Write the output ``y`` of ``n`` images."""
        whole, vectors = self.gated if source.gated else self.plain, len(self.filters)
        alone = get_num_threads() == 1 and self.filters.size <= NEAR
        wanted = 1 if alone else TASKS  # a task of some channels reads a part of each pixel's line
        parts = min(vectors, -(-wanted // (n * len(whole.rectangles))))
        launch(
            self.kernel_for(activation), n * len(whole.rectangles) * parts, n * self.work, source,
            Packed(flat(self.filters), self.row, activation), flat(y), self.s,
            whole._replace(parts=parts),
        )  # fmt: skip


class GroupedGradient:
    """The gradients of filters and bias."""

    scratch = ("sums",)

    def __init__(
        self, windows: Windows, channels: int, filters: int, groups: int, share: Share, batch: int
    ) -> None:
        given, made = channels // groups, filters // groups
        per, taps = groups_per_vector(given, made), math.prod(windows.window)
        self.lanes, vectors = per * made, -(-groups // per)
        run, step = _runs(windows, (given, made), back=False)
        s = self.s = reading(windows, (channels, filters), given)
        width, height = _tile(s.ow, windows.window[0], run, given, step)
        beyond = any(
            _reaches_beyond(vectors, per * depth, depth * groups) for depth in (given, made)
        )
        self.plain, self.gated = (
            cut(s, width, gated=gated, beyond=beyond, vectors=vectors) for gated in (False, True)
        )
        self.window = (*windows.window, *windows.dilation)
        self.kernel = grouped_gradient.backward_weights(width, height, run, step, given, made)
        size = vectors * taps * given * LANES
        self.share, self.chunks = share, share.enough(chunk_count(size, share.chunks), batch)
        self.sums = partial_sums(share.count(self.chunks), size, vectors * LANES)
        self.uses = (self.kernel, grouped_gradient.unpack)
        self.work = s.oh * s.ow * filters * given * taps

    def __call__(self, x: Array, dy: GatedGradient, dw: Array, db: Array) -> None:
        """Write the gradients of the filters (F, C/groups, FH, FW) and of the bias (F,)."""
        sums, bias, _ = self.sums
        launch(
            self.kernel, len(sums), len(x) * self.work, GatedGradient.of(x), dy,
            self.sums._replace(bounds=self.share.bounds(self.chunks)), self.s,
            self.gated if dy.gated else self.plain, self.window,
        )  # fmt: skip
        filters = dw.reshape(*dw.shape[:2], -1)
        vectors = -(-len(dw) // self.lanes)
        launch(grouped_gradient.unpack, vectors, sums.size, sums, bias, self.lanes, filters, db)


def _runs(windows: Windows, depths: tuple[int, int], back: bool) -> tuple[int, int]:
    """Return how many taps are added together, and the distance of the pixels that see them.

    Single taps serve all other windows and strides: each pair of numbers is a kernel to compile.
    """
    (_, fw), (_, stride), (_, dilation) = windows.window, windows.stride, windows.dilation
    plain = dilation == 1 and stride <= (1 if back else 2)
    runs = RUNS if depths == (1, 1) else RUNS[:1]
    return (fw, stride) if plain and fw in runs else (1, 1)


def _reaches_beyond(vectors: int, per: int, channels: int) -> bool:
    """Return whether the last vector of a pixel reaches into the next one."""
    return (vectors - 1) * per + LANES > channels


def _width(columns: int, run: int) -> int:
    """Return how many of a phase's pixels in a row make a tile: those of the narrowest phase.

    The filters of a run in both rows stay in registers, too, if there is room for wide tiles.
    """
    others = max(8, min(2 * run + 4, REGISTERS // 2 + 2))
    fitting = [w for w in WIDTHS if w <= max(1, columns) and 2 * w <= REGISTERS - others]
    return min(fitting, key=lambda w: (-(-columns // w) * max(w, 4), -w))


def _tile(columns: int, rows: int, run: int, given: int, step: int) -> tuple[int, int]:
    """Return how many pixels of dz and how many of a window's ``rows`` a tile has.

    It takes a cycle for every two products and for every load, and never less than the four after
    which a sum is there for the next pixel.
    """

    def cycles(tile: tuple[int, int]) -> tuple[float, int]:
        width, height = tile
        loads = height * ((width - 1) * step + run) + width
        tiles = -(-columns // width) * -(-rows // height)
        return tiles * max(height * run * given * width / 2, loads, 4 * width), -width

    tiles = [
        (width, height)
        for width in WIDTHS
        for height in HEIGHTS
        if width <= max(1, columns)
        and height <= rows
        and (height * run * given + width + 4 <= REGISTERS or height == width == 1)
    ]
    return min(tiles, key=cycles)
