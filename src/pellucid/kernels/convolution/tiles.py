"""Tiles of sums: how large they are, and the matrix products that fill them.

The sums of a tile, rows x vectors, stay in registers while all products are added to them.
"""

from __future__ import annotations

from typing import Any

from ...typing import Array
from ..jit import LANES, REGISTERS, inlined
from ..simd import outer

__all__ = ["pixel_tile", "tile_nn", "tile_shape", "tile_tn", "whole_vectors"]

# What tiles there are: every one is a kernel to compile. Rows of 28, 24, 16, 14, 13, 10, 8 outputs
# and so on are whole numbers of tiles, or nearly.
HEIGHTS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 28)
WIDTHS = (1, 2, 4)
PIXEL_HEIGHTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 24)
PIXEL_WIDTHS = (1, 2, 3, 4)


def whole_vectors(count: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // LANES) * LANES


def tile_shape(
    rows: int, columns: int, cells: int = 1, registers: int = REGISTERS
) -> tuple[int, int]:
    """Return the tile, height x vectors, that covers ``rows`` x ``columns`` in the fewest cycles.

    One step of a tile takes a cycle for every two products, two loads, or half a vector from beyond
    the nearest cache, and never less than the four after which a sum is there for the next step.
    With a pooling, the tile has each row ``cells`` times. It may fill this many ``registers``.
    """
    wide = -(-columns // LANES)

    def cycles(tile: tuple[int, int]) -> tuple[float, int]:
        (height, vectors), tall = tile, tile[0] * cells
        tiles = -(-rows // height) * -(-wide // vectors)
        return tiles * max(tall * vectors, tall + vectors, 4 * vectors, 8), -height * vectors

    tiles = [
        (height, vectors)
        for vectors in WIDTHS
        for height in HEIGHTS
        if vectors <= wide and height <= rows and height * cells * vectors <= registers
        # One or two more registers hold what the row is multiplied with.
        if (height * cells + 1) * vectors < REGISTERS - 2 + (vectors == 1)
    ]
    return min(tiles, key=cycles, default=(1, 1))


def pixel_tile(
    pixels: int, columns: int, cells: int = 1, registers: int = REGISTERS
) -> tuple[int, int]:
    """Return the tile for sums over windows that lie anywhere, each at an offset from a table.

    Every row of a tile costs an offset, a number and its products, so that a tile of one vector is
    bound by its loads. More than 25 of 32 registers of sums make LLVM spill some.
    """
    wide = -(-columns // LANES)

    def cycles(tile: tuple[int, int]) -> tuple[float, int]:
        (height, vectors), tall = tile, tile[0] * cells
        step = max(tall * vectors, 1.6 * tall + vectors, 4 * vectors, 8) + 2
        return -(-pixels // height) * -(-wide // vectors) * step, -height * vectors

    tiles = [
        (height, vectors)
        for vectors in PIXEL_WIDTHS
        for height in PIXEL_HEIGHTS
        if vectors <= wide and height <= pixels and height * cells * vectors <= registers * 25 // 32
        # The vectors of a row, and the number that they are multiplied with.
        if (height * cells + 1) * vectors + 1 < REGISTERS
    ]
    return min(tiles, key=cycles, default=(1, 1))


@inlined
def tile_nn(t: Any, a: Array, i: int, p: int, b: Array, j: int, q: int, terms: int) -> Any:
    """Return ``t[r,:] + Σ_k a[i + r·p + k] · b[j + k·q : ]``: rows of ``a`` times a matrix."""
    for k in range(terms):
        t = outer(t, a, i + k, p, b, j + k * q)
    return t


@inlined
def tile_tn(t: Any, a: Array, i: int, p: int, b: Array, j: int, q: int, terms: int) -> Any:
    """Return ``t[r,:] + Σ_k a[i + k·p + r] · b[j + k·q : ]``: columns of ``a`` times a matrix."""
    for k in range(terms):
        t = outer(t, a, i + k * p, 1, b, j + k * q)
    return t
