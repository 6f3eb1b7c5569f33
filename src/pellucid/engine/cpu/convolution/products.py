"""A convolution of 1x1 as a matrix product, whose rows are the pixels of all images.

Each class here is one pass, with its matrix packed; they take channels-last arrays. A fully
connected layer has the same passes.
"""

from __future__ import annotations

import math
from typing import Any

from ....distributed import Share
from ....kernels.convolution.activation import CLIP, NO_ACTIVATION, Activation
from ....kernels.convolution.layout import NOTHING, GatedGradient
from ....kernels.gemm.gradient import Cut, add_up, backward_matrix
from ....kernels.gemm.packing import (
    HEIGHT,
    PACKED,
    PLAIN,
    TRANSPOSED,
    WIDTH,
    packed_columns,
)
from ....kernels.gemm.precision import PRECISIONS, pack
from ....kernels.gemm.product import HEIGHTS, Blocks, Results, Where, multiply
from ....kernels.gemm.rows import Pixels
from ....kernels.jit import LANES
from ....kernels.pool.threads import get_num_threads
from ....kernels.tree import chunk_count, write_total
from ....memory import aligned_zeros
from ....shapes import Windows
from ....typing import Array
from ..launch import launch
from ..steps.base import flat
from .filter_gradients import partial_sums

__all__ = [
    "Product",
    "ProductGradient",
    "cut",
    "in_words",
    "is_product",
    "places",
    "rounding_pays",
    "rows",
]

DEEP = 192  # words of a row: with as much of a panel they fill most of an L1 cache of 48 KiB
TILES = 16  # of a task: this many times DEEP numbers of each row stay in the L2 cache,
PANELS = 8  # and so do the sums of a tile for each of its panels
TASKS = 16  # that a product should have, if it is large enough
HIGH, WIDE, ROWS = 24, 8, 208  # tiles and panels of a block of the gradient; words packed together
WORTH = 0.95  # of the rows that high tiles compute: with no more, low ones take less time
LEAST = HEIGHT // 3  # rows: fewer leave most of a tile empty
SHARED = 8  # tasks of a gradient that are enough,
EACH = 2  # and for each of fewer threads
NARROW, SMALL = 2 * LANES, 2048  # sides and sizes of matrices up to which rounding takes too long


def is_product(windows: Windows, groups: int, pool: int, batch: int) -> bool:
    """Return whether a convolution is a product of a matrix of pixels and one of filters."""
    cells = windows.window == (1, 1) and windows.padding == ((0, 0), (0, 0))
    return cells and groups == pool == 1 and batch * math.prod(windows.output) >= LEAST


def rounding_pays(depth: int, columns: int) -> bool:
    """Return whether a product with this matrix, or with its transpose, is faster in bfloat16.

    All numbers of a row are rounded, which takes as long as many a product with each.
    """
    return min(depth, columns) >= NARROW and depth * columns > SMALL


def tile_height(rows: int) -> int:
    """Return the height of the tiles for a product of this many ``rows``.

    By measurement, low tiles take 1 to 4 % longer for each row.
    """
    tall, low = (-(-rows // height) * height for height in HEIGHTS)
    return HEIGHTS[low < WORTH * tall]


def cut(
    rows: int, depth: int, columns: int, *, packing: int = PACKED, added: bool = False,
    per_word: int = 1, height: int = HEIGHT,
) -> Blocks:  # fmt: skip
    """Return how a product is cut into tasks of tiles, and into blocks of the depth."""
    tiles, panels = -(-rows // height), -(-columns // WIDTH)
    down = max(1, min(tiles // 2, -(-tiles // TILES)))
    words = -(-depth // per_word)
    blocks = -(-words // DEEP)
    # Sums that wait for the next block of the depth stay in the L2 cache.
    tasks = TASKS if get_num_threads() > 1 else 1
    across = max(-(-tasks // down), -(-panels // PANELS) if blocks > 1 else 1)
    deep = min(depth, -(-words // blocks) * per_word)
    return Blocks(rows, depth, columns, deep, down, min(panels, across), packing, added)


class Product:
    """y = x·wᵀ + b of rows x; or ``back``, dx = dz·w. ``where`` they are says `places`.

    The matrix is packed by `pack`, or each time ``on_the_way``, which takes no memory, as is one
    that it was told to `borrow`. Both factors are rounded to the ``precision``.
    """

    can_emit_channels_first, activates = False, True
    scratch = ("filters",)

    def __init__(
        self, where: Where, channels: int, filters: int, batch: int, *, back: bool,
        on_the_way: bool = False, precision: str = "float32",
    ) -> None:  # fmt: skip
        self.name = in_words("matrix product", precision)
        self.precision, self.per_word = precision, PRECISIONS[precision].per_word
        self.where = Where(where.written, where.read) if back else where
        self.adds = self.where.written.step_h * self.where.written.step_w == 1
        self.depth, self.columns = (filters, channels) if back else (channels, filters)
        self.height = tile_height(batch * self.where.read.oh * self.where.read.ow)
        self.order, self.on_the_way = PLAIN if back else TRANSPOSED, on_the_way
        width = packed_columns(self.columns)
        words = -(-self.depth // self.per_word)
        self.filters = aligned_zeros(0 if on_the_way else words * width)
        self.borrowed: Array | None = None
        self.row = aligned_zeros(width)
        self.padded = width > self.columns
        self.bias = self.row[: self.columns].reshape(1, 1, -1)
        self._pack = pack(precision)
        self.uses = (self._pack, self.kernel_for(NO_ACTIVATION))[on_the_way:]

    def pack(self, w: Array) -> None:
        """Take over the filters (F, C, 1, 1), or the matrix (F, C)."""
        if self.on_the_way:
            self.filters = flat(w)
            return
        self.borrowed = None
        panels = -(-self.columns // WIDTH)
        launch(self._pack, panels, w.size, flat(w), self.columns, self.order, self.filters)

    def borrow(self, w: Array, images: int) -> bool:
        """Rely on the filters, if so few images read them that each would be packed just for once.

        Return whether that is so; otherwise they must be packed.
        """
        count = images * self.where.read.oh * self.where.read.ow
        few = cut(count, self.depth, self.columns, height=self.height).down == 1
        self.borrowed = flat(w) if few else None
        return few

    def __call__(
        self, source: GatedGradient, n: int, y: Array, argmax: Array, activation: Activation,
        keep: bool = True, plus: Array | None = None,
    ) -> None:  # fmt: skip
        """Write the output ``y`` of ``n`` images; add ``plus`` before the activation."""
        count = n * self.where.read.oh * self.where.read.ow
        if not count:
            return
        filters = self.filters if self.borrowed is None else self.borrowed
        packing = PACKED if filters is self.filters and not self.on_the_way else self.order
        blocks = cut(
            count, self.depth, self.columns, packing=packing, added=plus is not None,
            per_word=self.per_word, height=self.height,
        )  # fmt: skip
        out = Results(flat(y), self.row, NOTHING if plus is None else flat(plus))
        launch(
            self.kernel_for(activation), blocks.down * blocks.across,
            count * self.depth * self.columns, source, filters, out, blocks, self.where,
            activation,
        )  # fmt: skip

    def kernel_for(self, activation: Activation) -> Any:
        """Return the kernel that also applies this activation."""
        return multiply(activation.kind != CLIP, self.precision, self.height)


class ProductGradient:
    """dw = dzᵀ·x and db = Σ dz. Both factors of dw are rounded to the ``precision``."""

    scratch = ("sums",)

    def __init__(
        self, where: Where, channels: int, filters: int, share: Share, precision: str = "float32"
    ) -> None:
        self.pixels, self.kernel = where.read, backward_matrix(precision)
        self.share, self.chunks = share, chunk_count(channels * filters, share.chunks)
        self.shape, own = (filters, channels), share.count(self.chunks)
        down, across = self._blocks(SHARED, HIGH // 2, WIDE // 2)
        self.groups = min(own, _power(-(-SHARED // (down * across))))
        rows = (self.groups, channels * filters) if self.groups > 1 else (0, 0)
        self.sums = partial_sums(own, 0, filters)._replace(weights=aligned_zeros(rows))
        self.uses = (self.kernel, write_total, add_up)[: 3 if self.groups > 1 else 2]
        self.work = self.pixels.oh * self.pixels.ow * channels * filters

    def __call__(self, x: Array, dy: GatedGradient, dw: Array, db: Array) -> None:
        """Write the gradients of the matrix, of F·C numbers, and of the bias (F,)."""
        (weights, bias, _), bounds = self.sums, self.share.bounds(self.chunks)
        cut, tasks = self._cut(int(bounds[-1]))
        out = dw.reshape(1, dw.size) if cut.groups == 1 else weights[: cut.groups]
        sums = self.sums._replace(weights=out, bounds=bounds)
        launch(
            self.kernel, tasks, len(x) * self.work, GatedGradient.of(x), dy, sums, cut,
            self.pixels,
        )  # fmt: skip
        if cut.groups > 1:
            tasks = -(-out.size // 2**16)
            launch(add_up, tasks, out.size, out, flat(dw), tasks)
        launch(write_total, 1, bias.size, bias, 1, db)

    def _cut(self, images: int) -> tuple[Cut, int]:
        """Return how the gradient is cut, and into how many tasks: no sum depends on it."""
        filters, channels = self.shape
        tiles, panels = -(-filters // HEIGHT), -(-channels // WIDTH)
        threads = get_num_threads()
        wanted = 1 if threads == 1 else min(SHARED, EACH * threads)
        down, across = self._blocks(wanted, HIGH // 2, WIDE // 2)
        # Groups need images, or their tasks have nothing to do: then blocks are smaller.
        groups = min(self.groups, _power(-(-wanted // (down * across))), _power(images // 2 + 1))
        down, across = self._blocks(-(-wanted // groups), 1, 1)
        high, wide = -(-tiles // down), -(-panels // across)
        per_image = self.pixels.oh * self.pixels.ow
        cut = Cut(filters, channels, high, wide, ROWS, per_image, groups)
        return cut, groups * -(-tiles // high) * -(-panels // wide)

    def _blocks(self, wanted: int, high: int, wide: int) -> tuple[int, int]:
        """Return how many blocks there are down and across.

        They are as many as ``wanted``, or have no more than ``high`` tiles and ``wide`` panels.
        """
        filters, channels = self.shape
        tiles, panels = -(-filters // HEIGHT), -(-channels // WIDTH)
        down, across = -(-tiles // HIGH), -(-panels // WIDE)
        while down * across < wanted:
            can_be_lower, can_be_narrower = tiles > down * high, panels > across * wide
            if can_be_lower and (filters * across >= channels * down or not can_be_narrower):
                down += 1
            elif can_be_narrower:
                across += 1
            else:
                break
        return down, across


def _power(count: int) -> int:
    """Return the least power of two that is at least ``count``."""
    return 1 << (count - 1).bit_length()


def in_words(name: str, precision: str) -> str:
    """Return the name of a kernel with its precision, if that is not the usual one."""
    return name if precision == "float32" else f"{precision} {name}"


def places(windows: Windows) -> Where:
    """Return which pixels of input and output a convolution of 1x1 connects."""
    (oh, ow), out = windows.output, windows.output
    return Where(Pixels(*windows.input, *windows.stride, oh, ow), Pixels(*out, 1, 1, *out))


def rows(per_image: int) -> Where:
    """Return what says that images are rows, this many each."""
    every = Pixels(1, per_image, 1, 1, 1, per_image)
    return Where(every, every)
