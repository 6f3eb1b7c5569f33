"""Arithmetic on tiles: sums of products, and elementwise operations."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types

from ..jit import LANES
from .tile import FLOAT, INDEX, Tile, Writer, first_lanes, splat

__all__ = [
    "add_groups",
    "add_in_order",
    "add_row",
    "add_scaled",
    "add_vector",
    "inner",
    "inner_first",
    "lane_sums",
    "minus",
    "outer",
    "outer_argmax",
    "outer_at",
    "outer_run",
    "plus",
    "row_sum",
    "slide",
    "slide_back",
    "times",
    "zeros",
]

ROWS_OF_A_RUN = 7  # whose places fit in the integer registers; more hide a product's four cycles
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
def outer(typing: Any, tile: Any, a: Any, i: Any, step: Any, b: Any, j: Any) -> Any:
    """Return ``t[r,:] + a[i + r·step] · b[j : j + C·LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        left, right = w.pointer(1, 2), w.pointer(4, 5)
        row = [w.load(w.offset(right, c * LANES)) for c in range(tile.columns)]
        column = [w.broadcast(w.offset(left, r, 3)) for r in range(tile.rows)]
        return w.each(lambda r, c, t: w.multiply_add(column[r], row[c], t))

    return tile(tile, a, types.intp, types.intp, b, types.intp), write


@intrinsic
def outer_at(typing: Any, tile: Any, a: Any, i: Any, at: Any, k: Any, b: Any, j: Any) -> Any:
    """Return ``t[r,:] + a[i + at[k + r]] · b[j : j + C·LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        left, table, right = w.pointer(1, 2), w.pointer(3, 4), w.pointer(5, 6)
        row = [w.load(w.offset(right, c * LANES)) for c in range(tile.columns)]
        places = [w.builder.load(w.offset(table, r)) for r in range(tile.rows)]
        column = [w.broadcast(w.builder.gep(left, [place])) for place in places]
        return w.each(lambda r, c, t: w.multiply_add(column[r], row[c], t))

    return tile(tile, a, types.intp, at, types.intp, b, types.intp), write


@intrinsic(prefer_literal=True)
def outer_run(
    typing: Any, tile: Any, a: Any, i: Any, at: Any, k: Any, b: Any, j: Any, q: Any, count: Any
) -> Any:
    """Return ``t[r,:] + Σ_m a[i + at[k + r] + m] · b[j + m·q : + C·LANES]`` for m < n.

    A few rows at a time take all their products, so that each place is read from the table once.
    """

    def write(*code: Any) -> Any:
        w, terms = Writer(*code), range(count.literal_value)
        w.keep_rolled()
        left, table, right = w.pointer(1, 2), w.pointer(3, 4), w.pointer(5, 6)
        lines = [w.offset(right, m, 7) for m in terms]
        rows = [[w.load(w.offset(at, c * LANES)) for c in range(tile.columns)] for at in lines]
        t = {(r, c): vector for r, c, vector in w.vectors()}
        for first in range(0, tile.rows, ROWS_OF_A_RUN):
            some = range(first, min(first + ROWS_OF_A_RUN, tile.rows))
            places = {r: w.builder.gep(left, [w.builder.load(w.offset(table, r))]) for r in some}
            for m in terms:
                for r in some:
                    number = w.broadcast(w.offset(places[r], m))
                    for c, row in enumerate(rows[m]):
                        t[r, c] = w.multiply_add(number, row, t[r, c])
        return w.each(lambda r, c, _: t[r, c])

    index = types.intp
    return tile(tile, a, index, at, index, b, index, index, count), write


@intrinsic
def outer_argmax(
    typing: Any, tile: Any, b: Any, j: Any, argmax: Any, i: Any, at: Any, q: Any, a: Any, k: Any
) -> Any:
    """Return ``t[r,:] + b[j + r] · a[k + at[q + argmax[i + r]] : + C·LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        left, cells, table, right = (w.pointer(k, k + 1) for k in (1, 3, 5, 7))
        column = [w.broadcast(w.offset(left, r)) for r in range(tile.rows)]
        cell = [w.builder.load(w.offset(cells, r)) for r in range(tile.rows)]
        entries = [w.builder.gep(table, [w.builder.zext(number, INDEX)]) for number in cell]
        rows = [w.builder.gep(right, [w.builder.load(entry)]) for entry in entries]
        return w.each(
            lambda r, c, t: w.multiply_add(w.load(w.offset(rows[r], c * LANES)), column[r], t)
        )

    index = types.intp
    return tile(tile, b, index, argmax, index, at, index, a, index), write


@intrinsic
def add_scaled(typing: Any, tile: Any, a: Any, i: Any, b: Any, j: Any, p: Any) -> Any:
    """Return ``t[r,:] + a[i] · b[j + r·p : + C·LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        factor, right = w.broadcast(w.pointer(1, 2)), w.pointer(3, 4)
        rows = [w.offset(right, r, 5) for r in range(tile.rows)]
        return w.each(
            lambda r, c, t: w.multiply_add(w.load(w.offset(rows[r], c * LANES)), factor, t)
        )

    return tile(tile, a, types.intp, b, types.intp, types.intp), write


@intrinsic(prefer_literal=True)
def add_groups(
    typing: Any, tile: Any, other: Any, given: Any, made: Any, b: Any, j: Any, p: Any
) -> Any:
    """Return ``t[r,c] + Σ_k u_k[0,c] · b[j + r·p + k·LANES : + LANES]`` for k < ``given``.

    Lane l of u_k is lane l // made · given + k of u: of each ``given`` lanes the k-th one, repeated
    ``made`` times.
    """
    each, times = given.literal_value, made.literal_value

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        t, u = ([v for _, _, v in w.vectors()], w.unpacked(1))
        place = w.pointer(4, 5)
        for k in range(each):
            b = [w.load(w.offset(w.offset(place, r, 6), k * LANES)) for r in range(tile.rows)]
            for c in range(tile.columns):
                spread = _spread(w, u[c], k, each, times)
                for r in range(tile.rows):
                    at = r * tile.columns + c
                    t[at] = w.multiply_add(spread, b[r], t[at])
        return w.each(lambda r, c, _: t[r * tile.columns + c])

    return tile(tile, other, given, made, b, types.intp, types.intp), write


@intrinsic(prefer_literal=True)
def slide(
    typing: Any, tile: Any, a: Any, i: Any, q: Any, taps: Any, step: Any, b: Any, j: Any, p: Any,
    first: Any, end: Any,
) -> Any:  # fmt: skip
    """Return ``t[r,c] + Σ_v a[i + (c·S + v)·q : + LANES] · b[j + r·p + v·LANES : + LANES]``.

    There are V = ``taps`` v, and S is ``step``. Pixels c·S + v before the ``first`` one, and from
    the ``end`` on, count as zeros and are not read, if they are among the V // 2 on each side.
    """
    count, apart = taps.literal_value, step.literal_value

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        t, left, right = [v for _, _, v in w.vectors()], w.pointer(1, 2), w.pointer(6, 7)
        lines = [w.offset(right, r, 8) for r in range(tile.rows)]
        factors = [[w.load(w.offset(at, v * LANES)) for v in range(count)] for at in lines]
        of_all = (tile.columns - 1) * apart + count
        for m in range(of_all):
            reads = [c for c in range(tile.columns) if 0 <= m - c * apart < count]
            pixel = w.load(_pixel(w, left, m, (9, 10), of_all, count // 2)) if reads else None
            for c in reads:
                for r in range(tile.rows):
                    k = r * tile.columns + c
                    t[k] = w.multiply_add(pixel, factors[r][m - c * apart], t[k])
        return w.each(lambda r, c, _: t[r * tile.columns + c])

    index = types.intp
    return tile(tile, a, index, index, taps, step, b, index, index, index, index), write


@intrinsic(prefer_literal=True)
def slide_back(
    typing: Any, tile: Any, a: Any, i: Any, p: Any, q: Any, step: Any, given: Any, made: Any, d: Any
) -> Any:
    """Return ``t[r,v·m+k] + Σ_c u_k(a[i + r·p + (c·S + v)·q : + LANES]) · d[0,c]``.

    S is ``step``. Lane l of u_k is lane l // made · m + k of what is read, as in `add_groups`, for
    k < m = ``given``.
    """
    apart, each, times = step.literal_value, given.literal_value, made.literal_value
    taps = tile.columns // each

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        t, factors = [v for _, _, v in w.vectors()], w.unpacked(8)
        for r in range(tile.rows):
            line = w.offset(w.pointer(1, 2), r, 3)
            for m in range((len(factors) - 1) * apart + taps):
                reads = [c for c in range(len(factors)) if 0 <= m - c * apart < taps]
                pixel = w.load(w.offset(line, m, 4)) if reads else None
                for k in range(each if reads else 0):
                    spread = _spread(w, pixel, k, each, times)
                    for c in reads:
                        at = r * tile.columns + (m - c * apart) * each + k
                        t[at] = w.multiply_add(spread, factors[c], t[at])
        return w.each(lambda r, c, _: t[r * tile.columns + c])

    index = types.intp
    return tile(tile, a, index, index, index, step, given, made, d), write


def _pixel(w: Writer, line: Any, m: int, limits: tuple[int, int], count: int, frame: int) -> Any:
    """Return where the m-th of ``count`` pixels is: of a frame around the image, at zeros."""
    first, end = (w.values[at] for at in limits)
    place, number = w.offset(line, m, 3), ir.Constant(INDEX, m)
    if m < frame:
        inside = w.builder.icmp_signed(">=", number, first)
    elif m >= count - frame:
        inside = w.builder.icmp_signed("<", number, end)
    else:
        return place
    return w.builder.select(inside, place, w.zeros())


def _spread(w: Writer, vector: Any, k: int, given: int, made: int) -> Any:
    """Return the k-th of each ``given`` lanes, repeated ``made`` times."""
    if given == made == 1:
        return vector
    lanes = [min(lane // made * given + k, LANES - 1) for lane in range(LANES)]
    return w.shuffle(vector, vector, lanes)


@intrinsic
def inner(typing: Any, tile: Any, a: Any, i: Any, p: Any, b: Any, j: Any, q: Any) -> Any:
    """Return ``t[r,c] + a[i + r·p : +LANES] · b[j + c·q : +LANES]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        left, right = w.pointer(1, 2), w.pointer(4, 5)
        rows = [w.load(w.offset(left, r, 3)) for r in range(tile.rows)]
        columns = [w.load(w.offset(right, c, 6)) for c in range(tile.columns)]
        return w.each(lambda r, c, t: w.multiply_add(rows[r], columns[c], t))

    return tile(tile, a, types.intp, types.intp, b, types.intp, types.intp), write


@intrinsic
def inner_first(
    typing: Any, tile: Any, a: Any, i: Any, p: Any, b: Any, j: Any, q: Any, count: Any
) -> Any:
    """Return what `inner` does, in the first n lanes; the others stay."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        mask = first_lanes(w.builder, w.values[7])
        left, right = w.pointer(1, 2), w.pointer(4, 5)
        rows = [w.load_masked(w.offset(left, r, 3), mask) for r in range(tile.rows)]
        columns = [w.load_masked(w.offset(right, c, 6), mask) for c in range(tile.columns)]
        return w.each(lambda r, c, t: w.multiply_add(rows[r], columns[c], t))

    return tile(tile, a, types.intp, types.intp, b, *[types.intp] * 3), write


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
