"""The algorithms that compute a convolution's output, and its gradient for the input.

A `Windows` says how the filter moves. Each class here is one algorithm, with its filters packed and
its tables made; they take channels-last arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....kernels.convolution import (
    col2im,
    direct,
    few_channels,
    filters,
    pooled_input_gradient,
    winograd,
    winograd_filters,
)
from ....kernels.convolution.activation import CLIP, NO_ACTIVATION, RELU, Activation
from ....kernels.convolution.arguments import NO_SUM, Epilogue, Output, Split, Tiling
from ....kernels.convolution.geometry import Sliding, runs, sliding, through
from ....kernels.convolution.layout import NO_BYTES, GatedGradient
from ....kernels.convolution.patches import patch_count, patches
from ....kernels.convolution.phases import (
    adjoint_phases,
    cut_into_tiles,
    forward_phase,
    packed_rows,
    taps_side_by_side,
)
from ....kernels.convolution.tiles import pixel_tile, tile_shape, whole_vectors
from ....kernels.convolution.winograd_transforms import PATCH, PLACES
from ....kernels.jit import LANES
from ....kernels.pool.threads import get_num_threads, run_python
from ....memory import aligned_zeros
from ....shapes import Windows
from ....typing import Array
from ..launch import launch
from ..steps.base import flat

__all__ = [
    "Col2im",
    "Direct",
    "FewChannels",
    "PooledCol2im",
    "Winograd",
    "evenly",
    "patches_per_block",
    "round_up",
    "strips_pay",
]

MOST_PATCHES, LEAST_PATCHES = 48, 24  # that share one pass over the transformed filters
NEAR = 2**20  # bytes of patches, before and after the products, that stay in a core's own cache
BAND = 2**18  # bytes of the image that a band sees, while the filters pass over it
CORES, UNEVEN = 16, 1.15  # that share patches, and may take this many times the least time
TASKS, LEAST = 32, 8  # that a batch should have, if its images are large, and if it costs more
COPIED = 2**9  # products for each number of an image that are worth a copy of it


class Direct:
    """Sums over the window's runs, whatever the stride, the dilation and the groups."""

    name = "convolution"
    can_emit_channels_first, activates, adds = True, True, True
    scratch: tuple[str, ...] = ("filters",)

    def __init__(
        self, windows: Windows, channels: int, count: int, groups: int, pool: int = 1,
        *, back: bool = False, precision: str = "float32",
    ) -> None:  # fmt: skip
        self.precision = precision
        self.back, self.channels_first, self.per_vector = back, False, 1
        if back:
            self.s, self.phases = adjoint_phases(windows, channels, count, groups)
        else:
            self.s = sliding(windows, channels, count, groups, pool)
            # Few filters leave lanes empty, which take those of the next windows.
            self.per_vector = _windows_per_vector(self.s, windows)
            self.phases = forward_phase(windows, self.s, self.per_vector)
        s, per_group = self.s, self.s.f // groups
        self.pool_offset = runs(windows, s, pool)[:, 0]
        columns = self.per_vector * per_group
        pixels = max(1, s.oh * s.ow // self.per_vector // len(self.phases))
        height, vectors = pixel_tile(pixels, columns, pool * pool)
        # A tile of one vector is bound by its loads, one of the table for each of the image.
        single = vectors > 1 or precision != "float32"
        run = 1 if single else taps_side_by_side(self.phases, s)
        self.tile, width = (height, vectors, pool * pool, run), vectors * LANES
        tiles, taps = -(-columns // width), s.c // groups * sum(len(p.cells) for p in self.phases)
        self.filters = aligned_zeros((groups, tiles, taps, width))
        rows = packed_rows(windows, s, self.phases, self.per_vector, back=back)
        self.place = np.zeros((self.per_vector, round_up(rows.shape[1], LANES)), np.int32)
        self.place[:, : rows.shape[1]] = rows * width
        self.padded = columns < tiles * width or self.per_vector > 1
        self.row = aligned_zeros((groups, tiles * width))
        self.bias = self.row[:, :columns].reshape(groups, self.per_vector, per_group)
        self.uses: tuple[Any, ...] = (filters.pack, self.kernel_for(NO_ACTIVATION))
        self.work = s.oh * s.ow * s.f * pool * pool * taps // len(self.phases)
        self._tilings: dict[int, Tiling] = {}

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, FH, FW)."""
        groups, tiles, *_ = self.filters.shape
        launch(
            filters.pack, groups * tiles, w.size, w.reshape(*w.shape[:2], -1), groups, self.back,
            self.place, self.filters,
        )  # fmt: skip

    def __call__(
        self, source: GatedGradient, n: int, y: Array, argmax: Array, activation: Activation,
        keep: bool = True, plus: Array | None = None,
    ) -> None:  # fmt: skip
        """Write the output ``y`` of ``n`` images, and the pooling's ``argmax`` if it is kept.

        Without a pooling, add ``plus`` before the activation.
        """
        s = self.s
        bands, parts = self._shares(n)
        if bands not in self._tilings:
            self._tilings[bands] = cut_into_tiles(
                self.phases, s, self.pool_offset, self.tile[0], bands
            )
        # A gate is applied on the way into the padded image.
        in_place = s.in_place and not source.gated
        added = NO_SUM if plus is None else flat(plus)
        out = Output(flat(y), flat(argmax) if keep else NO_BYTES, added)
        launch(
            self.kernel_for(activation), n * bands * parts, n * self.work, source,
            flat(self.filters), flat(self.row), out, s, self._tilings[bands],
            Split(n, in_place, parts, self.per_vector),
            Epilogue(activation, keep, self.channels_first),
        )  # fmt: skip

    def kernel_for(self, activation: Activation) -> Any:
        """Return the kernel that also applies this activation."""
        return direct.forward(*self.tile, activation.kind != CLIP, self.precision)

    def _shares(self, n: int) -> tuple[int, int]:
        """Return how many bands, and how many parts of the filters, the tasks of an image are.

        Every band reads all filters, and every part copies the whole image: the larger ones are
        cut. Copies may take a fiftieth of the products, or more for a single image.
        """
        s = self.s
        rows, columns = (
            max(len(p.first_row) for p in self.phases),
            self.row.size // (self.tile[1] * LANES),
        )
        image = s.h * s.w * s.c
        wanted, least = -(-TASKS // n), -(-LEAST // n)
        if get_num_threads() == 1:  # which has nobody to share tasks with
            wanted = least = 1
        near = min(rows, max(1, 4 * s.padded_size // BAND))
        if self.filters.size > image and not self.channels_first:
            parts = min(columns, max(least, min(wanted, 1 + self.work // (COPIED * image))))
            return max(near, min(rows, -(-least // parts))), parts
        return max(near, min(rows, wanted)), 1


def _windows_per_vector(s: Sliding, windows: Windows) -> int:
    """Return how many neighbouring windows share a vector: they read what lies between.

    What they read of each other counts 0, but 0 times infinity is NaN: a cell that is not finite
    is seen by its neighbours' windows too, and missed by none.
    """
    whole = s.groups == windows.dilation[1] == 1
    gains = s.step_w < windows.window[1]
    return max(1, min(LANES // s.f, s.ow)) if whole and gains else 1


class Winograd:
    """36 products instead of 144, for 3x3 windows with stride 1; of 100, for 5x5."""

    name = "Winograd convolution"
    can_emit_channels_first, activates, adds = False, False, True
    scratch = ("filters",)

    def __init__(self, s: Sliding, windows: Windows, pool: int, *, flip: bool) -> None:
        self.flip, side = flip, windows.window[0]
        self.s = patches(
            s, windows.dilation, PATCH + 1 - side, pool, whole_vectors(s.c // s.groups)
        )
        self.patches, per_group = patch_count(self.s), s.f // s.groups
        of_filters = 4 * PLACES * (s.c // s.groups) * per_group
        self.near = of_filters < NEAR
        room = NEAR - of_filters if self.near else NEAR
        self.per_block = patches_per_block((s.c + s.f) // s.groups, room)
        tile = tile_shape(self.per_block, per_group)
        self.height = tile[0]
        self.kernel = winograd.forward(*tile, PATCH + 1 - side, pool)
        width = round_up(per_group, tile[1] * LANES)
        self.filters = aligned_zeros((s.groups, PLACES, self.s.depth + 1, width))
        self.padded = self.s.depth > s.c // s.groups
        self.row = aligned_zeros((s.groups, width))
        self.bias = self.row[:, :per_group].reshape(s.groups, 1, per_group)
        self.transform = winograd_filters.transform(side)
        self.uses = (self.transform, self.kernel)
        self.work = PLACES * self.patches * s.c * per_group

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, side, side), transformed."""
        launch(self.transform, self.s.c, 9 * w.size, w, self.flip, self.filters)

    def __call__(
        self, source: GatedGradient, n: int, y: Array, argmax: Array, activation: Activation,
        keep: bool = True, plus: Array | None = None,
    ) -> None:  # fmt: skip
        """Write the output ``y`` of ``n`` images, and the pooling's ``argmax``.

        Without a pooling, add ``plus`` before the activation.
        """
        count = n * self.patches
        per_block = evenly(count, self.per_block, self.height, near=self.near)
        out = Output(flat(y), flat(argmax), NO_SUM if plus is None else flat(plus))
        launch(
            self.kernel, self.s.groups * -(-count // per_block), n * self.work, source,
            flat(self.filters), flat(self.row), out, self.s, per_block, activation == RELU,
        )  # fmt: skip


class Col2im:
    """dx as the textbook's col2im: each window adds its share to the image, a run at a time."""

    adds, scratch = False, ("filters",)

    def __init__(self, windows: Windows, channels: int, count: int, groups: int) -> None:
        self.s, self.d = sliding(windows, channels, count, groups), through(windows, count)
        self.run_offset = runs(windows, self.s).ravel()
        fh, per_group, depth = windows.window[0], count // groups, channels // groups
        self.length = math.prod(windows.window) * depth // self.run_offset.size
        tile = tile_shape(self.d.pitch, self.length)
        self.kernel = col2im.backward_images(*tile)
        width = round_up(self.length, tile[1] * LANES)
        self.filters = aligned_zeros((groups, fh, self.run_offset.size // fh, per_group, width))
        self.padded = self.length < width
        self.uses = (filters.pack_rows, self.kernel)
        self.work = self.filters.size * self.d.rows * self.d.pitch

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, FH, FW)."""
        run_python(filters.pack_rows, w, self.s.groups, self.filters)

    def __call__(
        self, source: GatedGradient, n: int, y: Array, argmax: Array, activation: Activation
    ) -> None:
        """Write the gradient ``y`` of ``n`` images."""
        launch(
            self.kernel, n, n * self.work, source, flat(self.filters), flat(y), self.run_offset,
            self.s, self.d, self.length,
        )  # fmt: skip


class FewChannels:
    """The same with vectors along the windows: channels would leave them empty."""

    adds, scratch, padded = False, ("filters",), True

    def __init__(self, windows: Windows, channels: int, count: int) -> None:
        self.s, self.d = sliding(windows, channels, count), through(windows, count)
        self.planes = few_channels.planes(windows, self.s)
        cells = self.planes.cell_offset.size
        self.kernel = few_channels.backward_images(
            few_channels.tile_height(math.prod(windows.window) * channels)
        )
        self.filters = aligned_zeros((count, cells))
        self.uses = (self.kernel,)
        self.work = self.filters.size * self.d.rows * self.planes.pitch

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C, FH, FW)."""
        run_python(self._arrange, w)

    def _arrange(self, w: Array) -> None:
        self.filters[:, : w[0].size] = w.transpose(0, 3, 1, 2).reshape(len(w), -1)

    def __call__(
        self, source: GatedGradient, n: int, y: Array, argmax: Array, activation: Activation
    ) -> None:
        """Write the gradient ``y`` of ``n`` images."""
        launch(
            self.kernel, n, n * self.work, source, flat(self.filters), flat(y), self.s, self.d,
            self.planes,
        )  # fmt: skip


class PooledCol2im:
    """dx after a pooling: each window at the argmax adds its share to the image."""

    adds, scratch = False, ("filters",)

    def __init__(self, windows: Windows, channels: int, count: int, groups: int, pool: int) -> None:
        self.s = sliding(windows, channels, count, groups, pool)
        self.offsets = pooled_input_gradient.window_offsets(windows, self.s)
        (fh, _), (_, per_row), length = windows.window, self.offsets.run.shape, self.offsets[-1]
        tile = pooled_input_gradient.tile_shape(per_row, length)
        self.kernel = pooled_input_gradient.backward_images(*tile)
        width, runs_a_row = round_up(length, tile[1] * LANES), self.offsets.run.size // fh
        self.filters = aligned_zeros((groups, fh, runs_a_row, count // groups, width))
        self.padded = length < width
        self.uses = (filters.pack_rows, self.kernel)
        self.work = self.filters.size * self.s.oh * self.s.ow

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C/groups, FH, FW)."""
        run_python(filters.pack_rows, w, self.s.groups, self.filters)

    def __call__(
        self, source: GatedGradient, n: int, y: Array, argmax: Array, activation: Activation
    ) -> None:
        """Write the gradient ``y`` of ``n`` images."""
        launch(
            self.kernel, n, n * self.work, source, flat(self.filters), flat(y), self.offsets, self.s
        )


def strips_pay(windows: Windows, s: Sliding) -> bool:
    """Return whether a window is fewer vectors in one piece than in runs."""
    taps, pieces = math.prod(windows.window) * s.c // s.groups, runs(windows, s).size
    return -(-taps // LANES) < pieces * -(-taps // pieces // LANES)


def patches_per_block(numbers: int, room: int = NEAR) -> int:
    """Return how many patches go through the products together, of ``numbers`` at each place.

    They have ``room`` for this many bytes in a core's own cache.
    """
    return max(LEAST_PATCHES, min(MOST_PATCHES, room // (4 * PLACES * numbers)))


def evenly(n: int, most: int, height: int, *, near: bool) -> int:
    """Return how many of ``n`` patches a task takes: whole tiles, of about ``most`` at most.

    Where the filters are ``near``, as many as make 16 cores take about the least time; otherwise 4,
    8, 12, ... tasks share the patches, since each reads all filters from a cache further away.
    """
    if not near:
        return round_up(-(-n // round_up(-(-n // most), 4)), height)
    sizes = range(height, max(most, height) + 1, height)
    longest = {size: -(-n // (CORES * size)) * size for size in sizes}
    least = min(longest.values())
    return max(size for size in sizes if longest[size] <= UNEVEN * least)


def round_up(n: int, k: int) -> int:
    """Return ``n`` rounded up to a multiple of ``k``."""
    return -(-n // k) * k
