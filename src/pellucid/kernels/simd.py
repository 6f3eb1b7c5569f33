"""The SIMD vocabulary: a tile of vector registers, and the few words that act on it.

A *tile* is R rows of C vectors of `LANES` float32 each. It lives in registers: a loop that keeps
adding to one tile is what makes a product fast, because its sums never touch memory. All words
take flat, C-contiguous float32 arrays with a position in each; none checks anything.

    t = zeros(R, C)                      every number 0
    t = load_part(a, i, n)               one vector: a[i : i + n] for n up to LANES, and zeros
    t = load_bytes(a, i, n)              the same from an array of bytes
    store_part(t, y, i, n)               y[i : i + n] = t[0,0], and nothing behind it
    t = plus(t, u)                       t + u
    t = where_above_zero(t, u, k)        t where u > 0, else k
    t = where_equal(t, u, k)             t where u == k, else 0
    t = outer(t, a, i, step, b, j)       t[r,:] += a[i + r·step] · b[j : j + C·LANES]
    t = outer_at(t, a, i, at, k, b, j)   t[r,:] += a[i + at[k + r]] · b[j : j + C·LANES]
    t = inner(t, a, i, p, b, j, q)       t[r,c] += a[i + r·p : +LANES] · b[j + c·q : +LANES], lane by lane
    t = inner_at(t, a, i, p, b, j, at, k)   the same, with the columns at b[j + at[k + c]]
    t = add_column(t, b, i)              t[r,:] += b[i + r]
    t = relu(t)                          t = max(0, t); NaN stays NaN
    t, a = keep_larger(t, a, u, k)       t = max(t, u), the first of equals, and a = k where u won
    store(t, y, i, step)                 y[i + r·step : + C·LANES] = t[r,:]
    add_sums(t, y, i, step)              y[i + r·step + c] += the sum over the lanes of t[r,c]
    add_rows_from(t, y, i, step, r0, n)  y[i + r·step : + n] += t[r,:] for the rows r from r0 on, in turn
    t = add_row(t, b, j)                 t[:,c] += b[j + c·LANES : + LANES]
    store_first(t, y, i, step, n)        y[i + r·step : + n] = t[r,:], and nothing behind it
    store_bytes(t, y, i, step, n)        the same into an array of bytes
    t = add_everywhere(t, b, j)          t[r,c] += b[j : + LANES]
    t = every_other(t, r, c)             t[r::2, c::2]
    store_within(t, y, i, p, q, R, C, n)   y[i + r·p + c·q : + n] = t[r,c] for r < R and c < C
    store_bytes_within(...)              the same into an array of bytes
    t = load(R, C, a, i, p, q)           t[r,c] = a[i + r·p + c·q : + LANES]
    t = load_within(R, C, a, i, p, q, below, beside, n)    the same within, and zeros elsewhere
    t = turned_square(t)                 lane j of t[k,0] for lane k of t[j,0], t of LANES rows
    scatter(t, y, i, p, q)               y[i + r·p + c·q : + LANES] = t[r,c]
    u = row(t, r)                        t[r,:], a tile of one row
    t = rows((u, v, ...))                a tile with these rows
    t = turned(t)                        t[c,r] for t[r,c]
    t + u, t - u, k * t                  number by number

`outer` makes a matrix product out of rows and columns, `inner` out of rows and rows. Each word is
one function that writes LLVM code; R and C are constants of the kernel that uses them.
"""  # noqa: E501

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types

from .jit import LANES
from .tile import ALIGN, FLOAT, INDEX, VECTOR, ZERO, Tile, Writer, everywhere, first_lanes, masked

__all__ = [
    "add_column",
    "add_everywhere",
    "add_row",
    "add_rows_from",
    "add_sums",
    "every_other",
    "inner",
    "inner_at",
    "keep_larger",
    "load",
    "load_bytes",
    "load_part",
    "load_within",
    "outer",
    "outer_at",
    "plus",
    "relu",
    "row",
    "rows",
    "scatter",
    "store",
    "store_bytes",
    "store_bytes_within",
    "store_first",
    "store_part",
    "store_within",
    "turned",
    "turned_square",
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
def outer_at(typing: Any, tile: Any, a: Any, i: Any, at: Any, k: Any, b: Any, j: Any) -> Any:
    """Return ``t[r,:] + a[i + at[k + r]] · b[j : j + C·LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        left, table, right = w.pointer(1, 2), w.pointer(3, 4), w.pointer(5, 6)
        row = [w.load(w.ahead(right, c * LANES)) for c in range(tile.columns)]
        places = [w.builder.load(w.ahead(table, r)) for r in range(tile.rows)]
        column = [w.broadcast(w.builder.gep(left, [place])) for place in places]
        return w.each(lambda r, c, t: w.multiply_add(column[r], row[c], t))

    return tile(tile, a, types.intp, at, types.intp, b, types.intp), write


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
def load_bytes(typing: Any, a: Any, i: Any, count: Any) -> Any:
    """Return one vector: the bytes ``a[i : i + n]`` as numbers, and zeros."""
    tile, few = Tile(1, 1), ir.VectorType(ir.IntType(8), LANES)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(a)(context, builder, values[0]).data
        place = builder.bitcast(builder.gep(data, [values[1]]), few.as_pointer())
        align, nothing = ir.Constant(ir.IntType(32), 1), ir.Constant(few, [0] * LANES)
        mask = first_lanes(builder, values[2])
        vector = builder.uitofp(masked(builder, "load", few, [place, align, mask, nothing]), VECTOR)
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
def where_above_zero(typing: Any, tile: Any, other: Any, number: Any) -> Any:
    """Return ``t`` where ``u > 0``, else ``k``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        rest = everywhere(w.builder, w.values[2], FLOAT)

        def choose(r: int, c: int, t: Any) -> Any:
            u = w.builder.extract_value(w.values[1], r * tile.columns + c)
            return w.builder.select(w.builder.fcmp_ordered(">", u, ZERO), t, rest)

        return w.each(choose)

    return tile(tile, other, types.float32), write


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


@intrinsic
def add_row(typing: Any, tile: Any, b: Any, j: Any) -> Any:
    """Return ``t[:,c] + b[j + c·LANES : + LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        right = w.pointer(1, 2)
        row = [w.load(w.ahead(right, c * LANES)) for c in range(tile.columns)]
        return w.each(lambda r, c, t: w.builder.fadd(t, row[c]))

    return tile(tile, b, types.intp), write


@intrinsic
def add_rows_from(typing: Any, tile: Any, y: Any, i: Any, step: Any, first: Any, count: Any) -> Any:
    """Write ``y[i + r·step : + n] += t[r,:]`` for the rows r from ``first`` on, one by one."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place, masks = w.pointer(1, 2), w.column_masks(5)
        none = ir.Constant(masks[0].type, [False] * LANES)
        for r, c, vector in w.vectors():
            counts = w.builder.icmp_signed("<=", w.values[4], ir.Constant(INDEX, r))
            mask = w.builder.select(counts, masks[c], none)
            at = w.ahead(w.ahead(place, r, 3), c * LANES)
            w.write_masked(w.builder.fadd(w.load_masked(at, mask), vector), at, mask)
        return w.context.get_dummy_value()

    return types.none(tile, y, *[types.intp] * 4), write


@intrinsic
def store_first(typing: Any, tile: Any, y: Any, i: Any, step: Any, count: Any) -> Any:
    """Write ``y[i + r·step : + n] = t[r,:]``, and nothing behind it."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place, masks = w.pointer(1, 2), w.column_masks(4)
        for r, c, vector in w.vectors():
            w.write_masked(vector, w.ahead(w.ahead(place, r, 3), c * LANES), masks[c])
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp, types.intp), write


@intrinsic
def store_bytes(typing: Any, tile: Any, y: Any, i: Any, step: Any, count: Any) -> Any:
    """Write the numbers, 0 to 255, into an array of bytes as `store_first` does."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place, masks = w.pointer(1, 2), w.column_masks(4)
        for r, c, vector in w.vectors():
            small = w.builder.fptoui(vector, ir.VectorType(ir.IntType(8), LANES))
            w.write_masked(small, w.ahead(w.ahead(place, r, 3), c * LANES), masks[c])
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp, types.intp), write


@intrinsic(prefer_literal=True)
def load(typing: Any, rows: Any, columns: Any, a: Any, i: Any, p: Any, q: Any) -> Any:
    """Return the tile ``a[i + r·p + c·q : + LANES]``."""
    tile = Tile(rows.literal_value, columns.literal_value)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        place, made = w.pointer(2, 3), ir.Constant(context.get_value_type(tile), ir.Undefined)
        for k, (r, c) in enumerate(w.cells):
            vector = w.load(w.ahead(w.ahead(place, r, 4), c, 5))
            made = builder.insert_value(made, vector, k)
        return made

    return tile(rows, columns, a, types.intp, types.intp, types.intp), write


@intrinsic(prefer_literal=True)
def load_within(
    typing: Any, rows: Any, columns: Any, a: Any, i: Any, p: Any, q: Any, below: Any, beside: Any,
    count: Any,
) -> Any:  # fmt: skip
    """Return the tile ``a[i + r·p + c·q : + n]`` for rows and columns within, zeros elsewhere."""
    tile = Tile(rows.literal_value, columns.literal_value)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        place, made = w.pointer(2, 3), ir.Constant(context.get_value_type(tile), ir.Undefined)
        for k, (r, c) in enumerate(w.cells):
            mask = w.mask_within(r, c, 6)
            vector = w.load_masked(w.ahead(w.ahead(place, r, 4), c, 5), mask)
            made = builder.insert_value(made, vector, k)
        return made

    return tile(rows, columns, a, *[types.intp] * 6), write


@intrinsic
def turned_square(typing: Any, tile: Any) -> Any:
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
                lines[i], lines[i + width] = w.mixed(*pair, low), w.mixed(*pair, high)
            width *= 2
        return w.each(lambda r, c, t: lines[r])

    return tile(tile), write


@intrinsic
def scatter(typing: Any, tile: Any, y: Any, i: Any, p: Any, q: Any) -> Any:
    """Write ``y[i + r·p + c·q : + LANES] = t[r,c]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place = w.pointer(1, 2)
        for r, c, vector in w.vectors():
            w.write(vector, w.ahead(w.ahead(place, r, 3), c, 4))
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp, types.intp), write


@intrinsic
def add_everywhere(typing: Any, tile: Any, b: Any, j: Any) -> Any:
    """Return ``t[r,c] + b[j : + LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        vector = w.load(w.pointer(1, 2))
        return w.each(lambda r, c, t: w.builder.fadd(t, vector))

    return tile(tile, b, types.intp), write


@intrinsic(prefer_literal=True)
def every_other(typing: Any, tile: Any, first_row: Any, first_column: Any) -> Any:
    """Return the tile ``t[r::2, c::2]``."""
    quarter = Tile(tile.rows // 2, tile.columns // 2)
    r, c = first_row.literal_value, first_column.literal_value

    def source(k: int) -> tuple[int, int]:
        i, j = divmod(k, quarter.columns)
        return 0, (2 * i + r) * tile.columns + 2 * j + c

    return quarter(tile, first_row, first_column), _arranged(quarter, source)


@intrinsic
def store_within(
    typing: Any, tile: Any, y: Any, i: Any, p: Any, q: Any, below: Any, beside: Any, count: Any
) -> Any:
    """Write ``y[i + r·p + c·q : + n] = t[r,c]`` for the rows and columns within."""
    return types.none(tile, y, *[types.intp] * 6), _within(lambda w, vector: vector)


@intrinsic
def store_bytes_within(
    typing: Any, tile: Any, y: Any, i: Any, p: Any, q: Any, below: Any, beside: Any, count: Any
) -> Any:
    """Write the numbers, 0 to 255, into an array of bytes as `store_within` does."""
    few = ir.VectorType(ir.IntType(8), LANES)
    return types.none(tile, y, *[types.intp] * 6), _within(lambda w, v: w.builder.fptoui(v, few))


def _within(turn: Callable[[Writer, Any], Any]) -> Callable[..., Any]:
    """Return the writer of a word that stores, ``turn``-ed, what lies within so many places."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place = w.pointer(1, 2)
        for r, c, vector in w.vectors():
            mask = w.mask_within(r, c, 5)
            w.write_masked(turn(w, vector), w.ahead(w.ahead(place, r, 3), c, 4), mask)
        return w.context.get_dummy_value()

    return write


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
def turned(typing: Any, tile: Any) -> Any:
    """Return the tile with rows and columns exchanged."""
    across = Tile(tile.columns, tile.rows)

    def source(k: int) -> tuple[int, int]:
        r, c = divmod(k, tile.rows)
        return 0, c * tile.columns + r

    return across(tile), _arranged(across, source)


def _arranged(made: Tile, source: Callable[[int], tuple[int, int]]) -> Callable[..., Any]:
    """Return the writer of a word whose k-th vector is vector j of argument i = source(k)."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        tile = ir.Constant(context.get_value_type(made), ir.Undefined)
        for k in range(made.rows * made.columns):
            i, j = source(k)
            tile = builder.insert_value(tile, builder.extract_value(values[i], j), k)
        return tile

    return write


@intrinsic
def minus(typing: Any, tile: Any, other: Any) -> Any:
    """Return ``t - u``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        u = [w.builder.extract_value(w.values[1], k) for k in range(len(w.cells))]
        return w.each(lambda r, c, t: w.builder.fsub(t, u[r * tile.columns + c]))

    return tile(tile, other), write


@intrinsic
def times(typing: Any, tile: Any, number: Any) -> Any:
    """Return ``k · t``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        factor = everywhere(w.builder, w.values[1], FLOAT)
        return w.each(lambda r, c, t: w.builder.fmul(t, factor))

    return tile(tile, types.float32), write


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
