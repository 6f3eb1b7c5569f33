"""The SIMD vocabulary: a tile of vector registers, and the few words that act on it.

A *tile* is R rows of C vectors of `LANES` float32 each. It lives in registers: a loop that keeps
adding to one tile is what makes a product fast, because its sums never touch memory. All words
take flat, C-contiguous float32 arrays with a position in each; none checks anything.

    t = zeros(R, C)                      every number 0
    t = load_part(a, i, n)               one vector: a[i : i + n] for n up to LANES, and zeros
    store_part(t, y, i, n)               y[i : i + n] = t[0,0], and nothing behind it
    t = plus(t, u)                       t + u
    t = where_above_zero(t, u)           t where u > 0, else 0
    t = where_equal(t, u, k)             t where u == k, else 0
    t = outer(t, a, i, step, b, j)       t[r,:] += a[i + r·step] · b[j : j + C·LANES]
    t = inner(t, a, i, p, b, j, q)       t[r,c] += a[i + r·p : +LANES] · b[j + c·q : +LANES], lane by lane
    t = inner_at(t, a, i, p, b, j, at, k)   the same, with the columns at b[j + at[k + c]]
    t = add_column(t, b, i)              t[r,:] += b[i + r]
    t = relu(t)                          t = max(0, t); NaN stays NaN
    t, a = keep_larger(t, a, u, k)       t = max(t, u), the first of equals, and a = k where u won
    store(t, y, i, step)                 y[i + r·step : + C·LANES] = t[r,:]
    add_sums(t, y, i, step)              y[i + r·step + c] += the sum over the lanes of t[r,c]

`outer` makes a matrix product out of rows and columns, `inner` out of rows and rows. Each word is
one function that writes LLVM code; R and C are constants of the kernel that uses them.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types

from .jit import LANES
from .tile import ALIGN, FLOAT, VECTOR, ZERO, Tile, Writer, everywhere, first_lanes, masked

__all__ = [
    "add_column",
    "add_sums",
    "inner",
    "inner_at",
    "keep_larger",
    "load_part",
    "outer",
    "plus",
    "relu",
    "store",
    "store_part",
    "where_above_zero",
    "where_equal",
    "zeros",
]

# Numba knows what a word takes; a type checker would only see how it is written.
intrinsic: Any = extending.intrinsic


@intrinsic(prefer_literal=True)
def zeros(typing: Any, rows: Any, columns: Any) -> Any:
    """Return a tile of zeros."""
    tile = Tile(rows.literal_value, columns.literal_value)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return ir.Constant(context.get_value_type(tile), None)

    return tile(rows, columns), write


@intrinsic
def outer(typing: Any, tile: Any, a: Any, i: Any, step: Any, b: Any, j: Any) -> Any:
    """Return ``t[r,:] + a[i + r·step] · b[j : j + C·LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        left, right = w.pointer(1, 2), w.pointer(4, 5)
        row = [w.load(w.ahead(right, c * LANES)) for c in range(tile.columns)]
        column = [w.broadcast(w.ahead(left, r, 3)) for r in range(tile.rows)]
        return w.each(lambda r, c, t: w.multiply_add(column[r], row[c], t))

    return tile(tile, a, types.intp, types.intp, b, types.intp), write


@intrinsic
def inner(typing: Any, tile: Any, a: Any, i: Any, p: Any, b: Any, j: Any, q: Any) -> Any:
    """Return ``t[r,c] + a[i + r·p : +LANES] · b[j + c·q : +LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        left, right = w.pointer(1, 2), w.pointer(4, 5)
        rows = [w.load(w.ahead(left, r, 3)) for r in range(tile.rows)]
        columns = [w.load(w.ahead(right, c, 6)) for c in range(tile.columns)]
        return w.each(lambda r, c, t: w.multiply_add(rows[r], columns[c], t))

    return tile(tile, a, types.intp, types.intp, b, types.intp, types.intp), write


@intrinsic
def inner_at(
    typing: Any, tile: Any, a: Any, i: Any, p: Any, b: Any, j: Any, at: Any, k: Any
) -> Any:
    """Return ``t[r,c] + a[i + r·p : +LANES] · b[j + at[k + c] : +LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        left, right, table = w.pointer(1, 2), w.pointer(4, 5), w.pointer(6, 7)
        rows = [w.load(w.ahead(left, r, 3)) for r in range(tile.rows)]
        places = [w.builder.load(w.ahead(table, c)) for c in range(tile.columns)]
        columns = [w.load(w.builder.gep(right, [place])) for place in places]
        return w.each(lambda r, c, t: w.multiply_add(rows[r], columns[c], t))

    positions = (types.intp, types.intp, b, types.intp, at, types.intp)
    return tile(tile, a, *positions), write


@intrinsic
def add_column(typing: Any, tile: Any, b: Any, i: Any) -> Any:
    """Return ``t[r,:] + b[i + r]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        left = w.pointer(1, 2)
        column = [w.broadcast(w.ahead(left, r)) for r in range(tile.rows)]
        return w.each(lambda r, c, t: w.builder.fadd(t, column[r]))

    return tile(tile, b, types.intp), write


@intrinsic
def relu(typing: Any, tile: Any) -> Any:
    """Return ``max(0, t)``; a NaN is not below 0 and stays."""

    def write(*code: Any) -> Any:
        w = Writer(*code)

        def above_zero(r: int, c: int, t: Any) -> Any:
            return w.builder.select(w.builder.fcmp_ordered("<", t, ZERO), ZERO, t)

        return w.each(above_zero)

    return tile(tile), write


@intrinsic
def keep_larger(typing: Any, tile: Any, at: Any, other: Any, number: Any) -> Any:
    """Return ``max(t, u)`` and, for each number of it, whose it is; a NaN wins and stays."""
    both = types.Tuple((tile, at))

    def write(*code: Any) -> Any:
        w = Writer(*code)
        mark = everywhere(w.builder, w.values[3], FLOAT)
        larger, winner = w.values[0], w.values[1]
        for k, (_, _, t) in enumerate(w.vectors()):
            u = w.builder.extract_value(w.values[2], k)
            wins = w.builder.and_(
                w.builder.fcmp_unordered(">", u, t), w.builder.fcmp_ordered("==", t, t)
            )
            before = w.builder.extract_value(winner, k)
            larger = w.builder.insert_value(larger, w.builder.select(wins, u, t), k)
            winner = w.builder.insert_value(winner, w.builder.select(wins, mark, before), k)
        return w.context.make_tuple(w.builder, both, (larger, winner))

    return both(tile, at, other, types.float32), write


@intrinsic
def store(typing: Any, tile: Any, y: Any, i: Any, step: Any) -> Any:
    """Write ``y[i + r·step : + C·LANES] = t[r,:]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place = w.pointer(1, 2)
        for r, c, vector in w.vectors():
            w.write(vector, w.ahead(w.ahead(place, r, 3), c * LANES))
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp), write


@intrinsic
def add_sums(typing: Any, tile: Any, y: Any, i: Any, step: Any) -> Any:
    """Write ``y[i + r·step + c] += Σ t[r,c]`` over the lanes."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place = w.pointer(1, 2)
        for r, c, vector in w.vectors():
            at = w.ahead(w.ahead(place, r, 3), c)
            w.builder.store(w.builder.fadd(w.builder.load(at), w.lanes_sum(vector)), at)
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp), write


@intrinsic
def load_part(typing: Any, a: Any, i: Any, count: Any) -> Any:
    """Return one vector: ``a[i : i + n]`` for n up to `LANES`, and zeros."""
    tile = Tile(1, 1)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(a)(context, builder, values[0]).data
        place = builder.bitcast(builder.gep(data, [values[1]]), VECTOR.as_pointer())
        align, nothing = ir.Constant(ir.IntType(32), ALIGN), ZERO
        mask = first_lanes(builder, values[2])
        vector = masked(builder, "load", VECTOR, [place, align, mask, nothing])
        return builder.insert_value(ir.Constant(context.get_value_type(tile), None), vector, 0)

    return tile(a, types.intp, types.intp), write


@intrinsic
def store_part(typing: Any, tile: Any, y: Any, i: Any, count: Any) -> Any:
    """Write ``y[i : i + n] = t[0,0]``, and nothing behind it."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place = w.builder.bitcast(w.pointer(1, 2), VECTOR.as_pointer())
        vector = w.builder.extract_value(w.values[0], 0)
        align, mask = ir.Constant(ir.IntType(32), ALIGN), first_lanes(w.builder, w.values[3])
        masked(w.builder, "store", ir.VoidType(), [vector, place, align, mask])
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp), write


@intrinsic
def plus(typing: Any, tile: Any, other: Any) -> Any:
    """Return ``t + u``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        u = [w.builder.extract_value(w.values[1], k) for k in range(len(w.cells))]
        return w.each(lambda r, c, t: w.builder.fadd(t, u[r * tile.columns + c]))

    return tile(tile, other), write


@intrinsic
def where_above_zero(typing: Any, tile: Any, other: Any) -> Any:
    """Return ``t`` where ``u > 0``, else 0."""
    return tile(tile, other), _where(lambda w, u: w.builder.fcmp_ordered(">", u, ZERO))


@intrinsic
def where_equal(typing: Any, tile: Any, other: Any, number: Any) -> Any:
    """Return ``t`` where ``u == k``, else 0."""

    def equal(w: Writer, u: Any) -> Any:
        return w.builder.fcmp_ordered("==", u, everywhere(w.builder, w.values[2], FLOAT))

    return tile(tile, other, types.float32), _where(equal)


def _where(holds: Callable[[Writer, Any], Any]) -> Callable[..., Any]:
    """Return the writer of a word that keeps a number where ``holds`` of the other tile."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        u = [w.builder.extract_value(w.values[1], k) for k in range(len(w.cells))]

        def keep(r: int, c: int, t: Any) -> Any:
            return w.builder.select(holds(w, u[r * w.tile.columns + c]), t, ZERO)

        return w.each(keep)

    return write
