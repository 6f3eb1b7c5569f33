"""Sums of products: of columns and rows, of rows and rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import extending, types

from ..jit import LANES
from .tile import INDEX, Writer, first_lanes

__all__ = [
    "add_scaled",
    "inner",
    "inner_first",
    "outer",
    "outer_argmax",
    "outer_at",
    "outer_at_by",
    "outer_by",
    "outer_run",
]

ROWS_OF_A_RUN = 7  # whose places fit in the integer registers; more hide a product's four cycles
# Numba types the arguments; a type checker would see those of the code that emits LLVM.
intrinsic: Any = extending.intrinsic


@intrinsic
def outer(typing: Any, tile: Any, a: Any, i: Any, step: Any, b: Any, j: Any) -> Any:
    """Return ``t[r,:] + a[i + r·step] · b[j : j + C·LANES]``."""
    write = outer_by(Writer.multiply_add)
    return tile(tile, a, types.intp, types.intp, b, types.intp), write


def outer_by(multiply_add: Callable[[Writer, Any, Any, Any], Any]) -> Callable[..., Any]:
    """Return what emits `outer`, or the same of words, which are multiplied in another way."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        left, right = w.pointer(1, 2), w.pointer(4, 5)
        row = [w.load(w.offset(right, c * LANES)) for c in range(w.tile.columns)]
        column = [w.broadcast(w.offset(left, r, 3)) for r in range(w.tile.rows)]
        return w.each(lambda r, c, t: multiply_add(w, column[r], row[c], t))

    return write


@intrinsic
def outer_at(typing: Any, tile: Any, a: Any, i: Any, at: Any, k: Any, b: Any, j: Any) -> Any:
    """Return ``t[r,:] + a[i + at[k + r]] · b[j : j + C·LANES]``."""
    write = outer_at_by(Writer.multiply_add)
    return tile(tile, a, types.intp, at, types.intp, b, types.intp), write


def outer_at_by(multiply_add: Callable[[Writer, Any, Any, Any], Any]) -> Callable[..., Any]:
    """Return what emits `outer_at`, or the same of words."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        left, table, right = w.pointer(1, 2), w.pointer(3, 4), w.pointer(5, 6)
        row = [w.load(w.offset(right, c * LANES)) for c in range(w.tile.columns)]
        places = [w.builder.load(w.offset(table, r)) for r in range(w.tile.rows)]
        column = [w.broadcast(w.builder.gep(left, [place])) for place in places]
        return w.each(lambda r, c, t: multiply_add(w, column[r], row[c], t))

    return write


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
