"""The algorithms that compute the gradients of a convolution's filters and bias.

Each class here is one algorithm, with its tables made; they take channels-last arrays. A batch is
cut into chunks, whose sums are added as a pairwise tree: the bits depend neither on the number of
threads nor on the processes that ``share`` the batch, each of which computes the sum of its own
images (see `pellucid.kernels.tree`).
"""

from __future__ import annotations

import math

import numpy as np

from ....distributed import Share
from ....kernels.convolution import direct, pooled_weight_gradient, strips, winograd
from ....kernels.convolution.arguments import PartialSums
from ....kernels.convolution.filters import unpack
from ....kernels.convolution.geometry import Sliding, runs, sliding
from ....kernels.convolution.layout import GatedGradient
from ....kernels.convolution.patches import patch_count, patches
from ....kernels.convolution.tiles import pixel_tile, tile_shape, whole_vectors
from ....kernels.convolution.winograd_filters import transform_back
from ....kernels.convolution.winograd_transforms import PATCH, PLACES
from ....kernels.gemm.precision import PRECISIONS
from ....kernels.jit import LANES
from ....kernels.pool.threads import get_num_threads
from ....kernels.tree import chunk_count, write_total
from ....memory import aligned_zeros
from ....shapes import Windows
from ....typing import Array
from ..launch import launch
from .algorithms import patches_per_block, round_up, strips_pay

__all__ = ["DirectGradient", "PooledGradient", "WinogradGradient", "partial_sums"]

MOST_PATCHES = 128  # that go through Winograd's products together
MANY = 32  # products for each number of a patch at a place, of which three parts are worth it
IN_PARTS = 64  # patches that go through the products of a third of the places together
WORTH = 512  # sums a place for each of them, where they are more than the caches hold
POSITIONS = 192  # windows that are worth a pass of all the taps, near as a tile's columns of dz
TASKS = 64  # that a gradient should have, as long as its parts cost little
COPIED = 192  # products for each number that is copied
EACH = 2  # tasks for a thread, where a part reads the images once more
SEEN = 2**15  # bytes that the windows of a band see, which stay in the nearest cache


class DirectGradient:
    """Filter gradients, summed over the windows; both factors are rounded to a ``precision``."""

    scratch = ("sums",)

    def __init__(
        self, s: Sliding, windows: Windows, share: Share, batch: int, precision: str = "float32"
    ) -> None:
        self.s, per_word = s, PRECISIONS[precision].per_word
        run_offset, per_group = runs(windows, s), s.f // s.groups
        (fh, fw), depth = windows.window, s.c // s.groups
        length = fh * fw * depth // run_offset.size
        self.tap_offset = (run_offset.reshape(-1, 1) + np.arange(length)).ravel()
        taps = self.tap_offset.size
        tile = pixel_tile(taps, per_group)
        width = round_up(per_group, tile[1] * LANES)
        self.shape = (s.groups, depth, width)
        count = s.groups * taps * width
        self.share, self.chunks = share, share.enough(chunk_count(count, share.chunks), batch)
        self.sums = partial_sums(share.count(self.chunks), count, s.f)
        self.kernel = direct.backward_weights(*tile, precision)
        self.uses = (self.kernel, unpack, write_total)
        self.in_place = s.in_place and per_word == 1
        self.band = min(s.oh, per_word * max(1, round(POSITIONS / (per_word * s.ow))))
        self.work = s.groups * taps * per_group * s.oh * s.ow
        # A part of the filters reads, and perhaps copies, the whole images.
        columns, image = s.groups * width // (tile[1] * LANES), s.h * s.w * s.c
        affordable = columns if self.in_place else 1 + self.work // (COPIED * image)
        self.most_parts = min(columns, affordable)

    def __call__(self, x: Array, dy: GatedGradient, dw: Array, db: Array) -> None:
        """Write the gradients of the filters (F, C/groups, FH, FW) and of the bias (F,)."""
        s, (sums, bias, _) = self.s, self.sums
        # No sum depends on the parts: so there may be fewer for fewer threads.
        parts = min(self.most_parts, -(-min(TASKS, EACH * get_num_threads()) // len(sums)))
        launch(
            self.kernel, len(sums) * parts, len(x) * self.work, GatedGradient.of(x), dy,
            self.sums._replace(bounds=self.share.bounds(self.chunks)), self.tap_offset, s,
            self.in_place, self.band, parts,
        )  # fmt: skip
        launch(unpack, s.groups * self.shape[1], sums.size, sums, self.shape, dw)
        launch(write_total, 1, bias.size, bias, 1, db)


class PooledGradient:
    """Filter gradients after a pooling, summed over the windows at the argmax."""

    scratch = ("sums",)

    def __init__(
        self, windows: Windows, channels: int, filters: int, groups: int, pool: int, share: Share,
        batch: int,
    ) -> None:  # fmt: skip
        s = self.s = sliding(windows, channels, filters, groups, pool)
        (fh, fw), depth = windows.window, channels // groups
        taps, stripped = fh * fw * depth, strips_pay(windows, s)
        self.strips, self.offsets = strips.place_windows(windows, s, stripped=stripped)
        length, pieces = self.strips.run_length, self.offsets[1].size
        tile = pooled_weight_gradient.tile_shape(filters // groups, length)
        width = round_up(length, tile[1] * LANES)
        places = np.arange(pieces).reshape(-1, 1) * width + np.arange(length)
        self.taps = places.reshape(fh, fw, depth).transpose(2, 0, 1).ravel()
        count = filters * pieces * width
        self.share, self.chunks = share, share.enough(chunk_count(count, share.chunks), batch)
        self.sums = partial_sums(share.count(self.chunks), count, filters)
        self.kernel = pooled_weight_gradient.backward_weights(*tile)
        self.uses = (self.kernel, pooled_weight_gradient.unpack, write_total)
        # Vectors that reach beyond a run read beyond the last image.
        self.in_place = s.in_place and not stripped and length == width
        row = self.strips.size // s.oh if stripped else s.step_h * s.pitch * s.depth
        self.band = min(s.oh, max(1, SEEN // (4 * row)))
        self.work = s.oh * s.ow * filters * taps

    def __call__(self, x: Array, dy: GatedGradient, dw: Array, db: Array) -> None:
        """Write the gradients of the filters (F, C/groups, FH, FW) and of the bias (F,)."""
        sums, bias, _ = self.sums
        launch(
            self.kernel, len(sums), len(x) * self.work, GatedGradient.of(x), dy,
            self.sums._replace(bounds=self.share.bounds(self.chunks)), self.offsets, self.s,
            self.strips, self.in_place, self.band,
        )  # fmt: skip
        rows = dw.reshape(len(dw), -1)
        launch(pooled_weight_gradient.unpack, len(dw), sums.size, sums, self.taps, rows)
        launch(write_total, 1, bias.size, bias, 1, db)


class WinogradGradient:
    """Filter gradients, by Winograd's transforms backwards."""

    scratch = ("sums",)

    def __init__(self, s: Sliding, d: Sliding, windows: Windows, share: Share, batch: int) -> None:
        side, step = windows.window[0], windows.dilation
        depth, per_group = whole_vectors(s.c // s.groups), s.f // s.groups
        tile = tile_shape(depth, per_group)
        width = round_up(per_group, tile[1] * LANES)
        outputs = PATCH + 1 - side
        self.s = patches(s, step, outputs, 1, depth)
        self.d = patches(d._replace(groups=s.groups), step, outputs, 1, width)
        self.patches = patch_count(self.s)
        self.shape = (s.groups, depth, PLACES, width)
        count = math.prod(self.shape)
        chunks = chunk_count(count, share.chunks)  # which the bits of all ranks depend on
        self.share, self.chunks = share, share.enough(chunks, batch)
        self.sums = partial_sums(share.count(self.chunks), count, s.groups * width)
        # Large sums are read and written for every block: they must be worth it.
        worth = s.c // s.groups * per_group // WORTH
        self.per_block = max(patches_per_block((s.c + s.f) // s.groups), min(MOST_PATCHES, worth))
        # Each part reads all pixels once more, which products with many numbers outweigh.
        channels = s.c // s.groups
        many = channels * per_group >= MANY * (channels + per_group)
        self.parts = 3 if many and chunks * s.groups < TASKS // 2 else 1
        if self.parts == 3:
            self.per_block = max(self.per_block, IN_PARTS)
        self.kernel, self.transform = (
            winograd.backward_weights(*tile, outputs, self.parts),
            transform_back(side),
        )
        self.uses = (self.kernel, self.transform, write_total)
        self.work = PLACES * self.patches * s.c * per_group

    def __call__(self, x: Array, dy: GatedGradient, dw: Array, db: Array) -> None:
        """Write the gradients of the filters (F, C/groups, side, side) and of the bias (F,)."""
        (sums, bias, _), groups = self.sums, self.s.groups
        count = -(-self.share.images // self.chunks) * self.patches  # of the largest chunk
        per_block = min(self.per_block, count)
        if self.parts == 3:
            per_block = -(-count // -(-count // self.per_block))
        launch(
            self.kernel, len(sums) * groups * self.parts, len(x) * self.work,
            GatedGradient.of(x), dy, self.sums._replace(bounds=self.share.bounds(self.chunks)),
            self.s, self.d, per_block,
        )  # fmt: skip
        places = sums.reshape(len(sums), *self.shape)
        launch(self.transform, groups * dw.shape[1], sums.size, places, dw)
        launch(write_total, 1, bias.size, bias, groups, db)


def partial_sums(chunks: int, weights: int, bias: int) -> PartialSums:
    """Return room for the sums of ``chunks``, whose bounds are those of each batch."""
    numbers = aligned_zeros((chunks, weights)), aligned_zeros((chunks, bias))
    return PartialSums(*numbers, np.zeros(chunks + 1, np.int64))
