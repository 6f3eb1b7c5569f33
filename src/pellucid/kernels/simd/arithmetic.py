"""Arithmetic on tiles: elementwise, with a row, and sums over lanes and rows."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types

from ..jit import LANES
from .tile import FLOAT, Tile, Writer, splat

__all__ = [
    "add_in_order",
    "add_row",
    "add_vector",
    "lane_sums",
    "minus",
    "plus",
    "row_sum",
    "times",
    "zeros",
]

# Numba types the arguments; a type checker would see those of the code that emits LLVM.
intrinsic: Any = extending.intrinsic


@intrinsic(prefer_literal=True)
def zeros(typing: Any, rows: Any, columns: Any) -> Any:
    """Return a tile of zeros."""
    tile = Tile(rows.literal_value, columns.literal_value)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return ir.Constant(context.get_value_type(tile), None)

    return tile(rows, columns), write


@intrinsic
def lane_sums(typing: Any, tile: Any) -> Any:
    """Return one vector a row: ``t[r,c]``'s sum over its lanes in lane c.

    Two vectors that are halved share one addition, so that c vectors need c - 1 of them rather
    than c times as many as a vector has halves.
    """
    one = Tile(tile.rows, 1)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values)
        made = ir.Constant(context.get_value_type(one), ir.Undefined)
        vectors = [vector for _, _, vector in w.vectors()]
        for r in range(tile.rows):
            line = vectors[r * tile.columns : (r + 1) * tile.columns]
            width = 1
            while width < LANES:
                pairs = zip(line[::2], [*line[1::2], *line[-1:]], strict=False)
                line = [_folded(w, a, b, width) for a, b in pairs]
                width *= 2
            made = builder.insert_value(made, line[0], r)
        return made

    return one(tile), write


def _folded(w: Writer, a: Any, b: Any, width: int) -> Any:
    """Return the sums of lanes ``width`` apart, of ``a`` and ``b`` in turns of ``width`` lanes.

    LLVM may not take them apart, or it would add up a tile of one row in another order.
    """
    own = [k if not k & width else LANES + k for k in range(LANES)]
    other = [k + width if not k & width else LANES + k - width for k in range(LANES)]
    return w.builder.fadd(w.shuffle(a, b, own), w.shuffle(a, b, other), flags=("nsz",))


@intrinsic
def add_row(typing: Any, tile: Any, b: Any, j: Any) -> Any:
    """Return ``t[:,c] + b[j + c·LANES : + LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        right = w.pointer(1, 2)
        row = [w.load(w.offset(right, c * LANES)) for c in range(tile.columns)]
        return w.each(lambda r, c, t: w.builder.fadd(t, row[c]))

    return tile(tile, b, types.intp), write


@intrinsic
def add_vector(typing: Any, tile: Any, b: Any, j: Any) -> Any:
    """Return ``t[r,c] + b[j : + LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        vector = w.load(w.pointer(1, 2))
        return w.each(lambda r, c, t: w.builder.fadd(t, vector))

    return tile(tile, b, types.intp), write


@intrinsic
def row_sum(typing: Any, tile: Any) -> Any:
    """Return the sum of the rows, a tile of one row."""
    one = Tile(1, tile.columns)

    def write(*code: Any) -> Any:
        w = Writer(*code)
        made = ir.Constant(w.context.get_value_type(one), ir.Undefined)
        for c in range(tile.columns):
            terms = [vector for _, column, vector in w.vectors() if column == c]
            while len(terms) > 1:  # in pairs, which need not wait for each other
                pairs = zip(terms[::2], terms[1::2], strict=False)
                left = terms[len(terms) // 2 * 2 :]
                terms = [w.builder.fadd(t, u) for t, u in pairs] + left
            made = w.builder.insert_value(made, terms[0], c)
        return made

    return one(tile), write


@intrinsic
def plus(typing: Any, tile: Any, other: Any) -> Any:
    """Return ``t + u``."""
    return tile(tile, other), _by_vectors(tile, lambda builder, t, u: builder.fadd(t, u))


@intrinsic
def add_in_order(typing: Any, tile: Any, other: Any) -> Any:
    """Return ``t + u``, which LLVM may not take apart: in a tree, the order of sums is the result.

    Numba gives its fast-math flags to an instruction that has none.
    """
    strict = _by_vectors(tile, lambda builder, t, u: builder.fadd(t, u, flags=("nsz",)))
    return tile(tile, other), strict


@intrinsic
def minus(typing: Any, tile: Any, other: Any) -> Any:
    """Return ``t - u``."""
    return tile(tile, other), _by_vectors(tile, lambda builder, t, u: builder.fsub(t, u))


@intrinsic
def times(typing: Any, tile: Any, number: Any) -> Any:
    """Return ``k · t``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        factor = splat(w.builder, w.values[1], FLOAT)
        return w.each(lambda r, c, t: w.builder.fmul(t, factor))

    return tile(tile, types.float32), write


def _by_vectors(tile: Tile, combine: Callable[[Any, Any, Any], Any]) -> Any:
    """Return what writes ``combine`` of each vector of a tile and that of another."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        u = [w.builder.extract_value(w.values[1], k) for k in range(len(w.cells))]
        return w.each(lambda r, c, t: combine(w.builder, t, u[r * tile.columns + c]))

    return write


def _both_tiles(a: Any, b: Any) -> bool:
    return isinstance(a, Tile) and isinstance(b, Tile)


@extending.overload(operator.add, strict=False)
def _add(a: Any, b: Any) -> Any:
    return (lambda a, b: plus(a, b)) if _both_tiles(a, b) else None


@extending.overload(operator.sub, strict=False)
def _subtract(a: Any, b: Any) -> Any:
    return (lambda a, b: minus(a, b)) if _both_tiles(a, b) else None


@extending.overload(operator.mul, strict=False)
def _multiply(a: Any, b: Any) -> Any:
    return (lambda a, b: times(b, a)) if isinstance(b, Tile) else None
