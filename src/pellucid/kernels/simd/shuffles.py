"""Shuffles of the vectors of a tile, which cost nothing, and of their lanes, which do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending

from ..jit import LANES
from .tile import Tile, Writer

__all__ = [
    "interleave",
    "interleave_lanes",
    "row",
    "rows",
    "separate_lanes",
    "strided",
    "transpose",
    "transpose_lanes",
]

# Numba types the arguments; a type checker would see those of the code that emits LLVM.
intrinsic: Any = extending.intrinsic


@intrinsic(prefer_literal=True)
def row(typing: Any, tile: Any, number: Any) -> Any:
    """Return the tile of one row, ``t[r,:]``."""
    one = Tile(1, tile.columns)
    first = number.literal_value * tile.columns
    return one(tile, number), _arranged(one, lambda k: (0, first + k))


@intrinsic
def rows(typing: Any, parts: Any) -> Any:
    """Return the tile with these tiles of one row for its rows."""
    width = parts[0].columns
    whole = Tile(len(parts), width)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        made = ir.Constant(context.get_value_type(whole), ir.Undefined)
        for r in range(len(parts)):
            one = builder.extract_value(values[0], r)
            for c in range(width):
                vector = builder.extract_value(one, c)
                made = builder.insert_value(made, vector, r * width + c)
        return made

    return whole(parts), write


@intrinsic
def transpose(typing: Any, tile: Any) -> Any:
    """Return the tile with rows and columns exchanged."""
    across = Tile(tile.columns, tile.rows)

    def source(k: int) -> tuple[int, int]:
        r, c = divmod(k, tile.rows)
        return 0, c * tile.columns + r

    return across(tile), _arranged(across, source)


@intrinsic
def transpose_lanes(typing: Any, tile: Any) -> Any:
    """Return the tile whose vector k has lane k of every vector of ``t``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        lines = [vector for _, _, vector in w.vectors()]
        width = 1
        while width < LANES:  # squares of ``width`` change places across the diagonal
            for i in range(LANES):
                if i & width:
                    continue
                pair, lanes = (lines[i], lines[i + width]), range(LANES)
                low = [k if not k & width else LANES + k - width for k in lanes]
                high = [k + width if not k & width else LANES + k for k in lanes]
                lines[i], lines[i + width] = w.shuffle(*pair, low), w.shuffle(*pair, high)
            width *= 2
        return w.each(lambda r, c, t: lines[r])

    return tile(tile), write


@intrinsic(prefer_literal=True)
def strided(typing: Any, tile: Any, first_row: Any, first_column: Any) -> Any:
    """Return the tile ``t[r::2, c::2]``."""
    quarter = Tile(tile.rows // 2, tile.columns // 2)
    r, c = first_row.literal_value, first_column.literal_value

    def source(k: int) -> tuple[int, int]:
        i, j = divmod(k, quarter.columns)
        return 0, (2 * i + r) * tile.columns + 2 * j + c

    return quarter(tile, first_row, first_column), _arranged(quarter, source)


@intrinsic(prefer_literal=True)
def interleave(typing: Any, tile: Any, other: Any, first: Any, count: Any) -> Any:
    """Return ``count`` rows of t[0,:], u[0,:], t[1,:], ..., from number ``first`` on."""
    made, start, width = Tile(count.literal_value, tile.columns), first.literal_value, tile.columns

    def source(k: int) -> tuple[int, int]:
        r, c = divmod(k, width)
        return (start + r) % 2, (start + r) // 2 * width + c

    return made(tile, other, first, count), _arranged(made, source)


@intrinsic
def interleave_lanes(typing: Any, tile: Any) -> Any:
    """Return lane 0 of all rows, then lane 1 of all rows, ...; the tile has one column."""
    return tile(tile), _by_lanes(tile, lambda k: k % tile.rows * LANES + k // tile.rows)


@intrinsic
def separate_lanes(typing: Any, tile: Any) -> Any:
    """Undo `interleave_lanes`."""
    return tile(tile), _by_lanes(tile, lambda k: k % LANES * tile.rows + k // LANES)


def _by_lanes(tile: Tile, source: Callable[[int], int]) -> Callable[..., Any]:
    """Return what emits a tile whose number k, counted row by row, is number source(k)."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        given, made = [vector for _, _, vector in w.vectors()], w.values[0]
        for r in range(tile.rows):
            vector = given[0]
            places = [divmod(source(r * LANES + lane), LANES) for lane in range(LANES)]
            for q, other in enumerate(given):
                # What of the rows before is in its lane stays there.
                lanes = [
                    LANES + at if of == q else (at if q == 0 else lane)
                    for lane, (of, at) in enumerate(places)
                ]
                vector = w.shuffle(vector, other, lanes)
            made = w.builder.insert_value(made, vector, r)
        return made

    return write


def _arranged(made: Tile, source: Callable[[int], tuple[int, int]]) -> Callable[..., Any]:
    """Return what emits a tile whose k-th vector is vector j of argument i = source(k)."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        tile = ir.Constant(context.get_value_type(made), ir.Undefined)
        for k in range(made.rows * made.columns):
            i, j = source(k)
            tile = builder.insert_value(tile, builder.extract_value(values[i], j), k)
        return tile

    return write
