"""Stores of tiles: of whole vectors, of parts of them, of bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types

from ..jit import LANES
from .tile import ALIGN, INDEX, VECTOR, Writer, first_lanes, masked

__all__ = [
    "add_rows_from",
    "scatter",
    "store",
    "store_at",
    "store_bytes",
    "store_bytes_at",
    "store_bytes_within",
    "store_first",
    "store_part",
    "store_rows",
    "store_rows_at",
    "store_within",
]

# Numba types the arguments; a type checker would see those of the code that emits LLVM.
intrinsic: Any = extending.intrinsic


@intrinsic
def store(typing: Any, tile: Any, y: Any, i: Any, step: Any) -> Any:
    """Write ``y[i + r·step : + C·LANES] = t[r,:]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place = w.pointer(1, 2)
        for r, c, vector in w.vectors():
            w.store(vector, w.offset(w.offset(place, r, 3), c * LANES))
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp), write


@intrinsic
def store_first(typing: Any, tile: Any, y: Any, i: Any, step: Any, count: Any) -> Any:
    """Write ``y[i + r·step : + n] = t[r,:]``, and nothing after it.

    An array of bytes takes numbers from 0 to 255.
    """

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place, masks = w.pointer(1, 2), w.column_masks(4)
        for r, c, vector in w.vectors():
            if y.dtype == types.uint8:
                vector = w.builder.fptoui(vector, ir.VectorType(ir.IntType(8), LANES))
            w.store_masked(vector, w.offset(w.offset(place, r, 3), c * LANES), masks[c])
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp, types.intp), write


@intrinsic
def store_at(typing: Any, tile: Any, y: Any, i: Any, at: Any, k: Any, count: Any) -> Any:
    """Write ``y[i + at[k + r] : + n] = t[r,:]``, and nothing after it."""
    return types.none(tile, y, types.intp, at, types.intp, types.intp), _at(lambda w, v: v)


@intrinsic
def store_bytes_at(typing: Any, tile: Any, y: Any, i: Any, at: Any, k: Any, count: Any) -> Any:
    """Write the numbers, 0 to 255, into an array of bytes as `store_at` does."""
    few = ir.VectorType(ir.IntType(8), LANES)
    code = _at(lambda w, v: w.builder.fptoui(v, few))
    return types.none(tile, y, types.intp, at, types.intp, types.intp), code


@intrinsic
def store_rows_at(
    typing: Any, tile: Any, y: Any, i: Any, at: Any, k: Any, row_count: Any, count: Any
) -> Any:
    """Write ``y[i + at[k + r] : + n] = t[r,:]`` for the first ``row_count`` rows."""
    return types.none(tile, y, types.intp, at, *[types.intp] * 3), _at(lambda w, v: v, rows=5)


def _at(convert: Callable[[Writer, Any], Any], rows: int | None = None) -> Callable[..., Any]:
    """Return what emits a store, converted by ``convert``, of rows to the places in a table.

    Argument ``rows`` says how many, all by default; a place beyond them is read all the same.
    """

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place, table = w.pointer(1, 2), w.pointer(3, 4)
        masks = w.column_masks(5 if rows is None else rows + 1)
        none = ir.Constant(masks[0].type, [False] * LANES)
        # All are read first: after a store, LLVM would read the table again for each vector.
        places = [w.builder.load(w.offset(table, r)) for r in range(w.tile.rows)]
        for r, c, vector in w.vectors():
            row, mask = w.builder.gep(place, [places[r]]), masks[c]
            if rows is not None:
                counts = w.builder.icmp_signed(">", w.values[rows], ir.Constant(INDEX, r))
                mask = w.builder.select(counts, mask, none)
            w.store_masked(convert(w, vector), w.offset(row, c * LANES), mask)
        return w.context.get_dummy_value()

    return write


@intrinsic
def store_rows(
    typing: Any, tile: Any, y: Any, i: Any, step: Any, row_count: Any, count: Any
) -> Any:
    """Write ``y[i + r·step : + n] = t[r,:]`` for the first ``row_count`` rows."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place, masks = w.pointer(1, 2), w.column_masks(5)
        none = ir.Constant(masks[0].type, [False] * LANES)
        for r, c, vector in w.vectors():
            counts = w.builder.icmp_signed(">", w.values[4], ir.Constant(INDEX, r))
            mask = w.builder.select(counts, masks[c], none)
            w.store_masked(vector, w.offset(w.offset(place, r, 3), c * LANES), mask)
        return w.context.get_dummy_value()

    return types.none(tile, y, *[types.intp] * 4), write


@intrinsic
def store_part(typing: Any, tile: Any, y: Any, i: Any, count: Any) -> Any:
    """Write ``y[i : i + n] = t[0,0]``, and nothing after it."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place = w.builder.bitcast(w.pointer(1, 2), VECTOR.as_pointer())
        vector = w.builder.extract_value(w.values[0], 0)
        align, mask = ir.Constant(ir.IntType(32), ALIGN), first_lanes(w.builder, w.values[3])
        masked(w.builder, "store", ir.VoidType(), [vector, place, align, mask])
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp), write


@intrinsic
def store_bytes(typing: Any, tile: Any, y: Any, i: Any, step: Any, count: Any) -> Any:
    """Write the numbers, 0 to 255, into an array of bytes as `store_first` does."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place, masks = w.pointer(1, 2), w.column_masks(4)
        for r, c, vector in w.vectors():
            small = w.builder.fptoui(vector, ir.VectorType(ir.IntType(8), LANES))
            w.store_masked(small, w.offset(w.offset(place, r, 3), c * LANES), masks[c])
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp, types.intp), write


@intrinsic
def store_within(
    typing: Any,
    tile: Any,
    y: Any,
    i: Any,
    p: Any,
    q: Any,
    row_count: Any,
    column_count: Any,
    count: Any,
) -> Any:
    """Write ``y[i + r·p + c·q : + n] = t[r,c]`` for the rows and columns within."""
    return types.none(tile, y, *[types.intp] * 6), _within(lambda w, vector: vector)


@intrinsic
def store_bytes_within(
    typing: Any,
    tile: Any,
    y: Any,
    i: Any,
    p: Any,
    q: Any,
    row_count: Any,
    column_count: Any,
    count: Any,
) -> Any:
    """Write the numbers, 0 to 255, into an array of bytes as `store_within` does."""
    few = ir.VectorType(ir.IntType(8), LANES)
    return types.none(tile, y, *[types.intp] * 6), _within(lambda w, v: w.builder.fptoui(v, few))


def _within(convert: Callable[[Writer, Any], Any]) -> Callable[..., Any]:
    """Return what emits a store, converted by ``convert``, of the rows and columns within."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place = w.pointer(1, 2)
        for r, c, vector in w.vectors():
            at, mask = w.within(r, c, 5, w.offset(w.offset(place, r, 3), c, 4), place)
            w.store_masked(convert(w, vector), at, mask)
        return w.context.get_dummy_value()

    return write


@intrinsic
def scatter(typing: Any, tile: Any, y: Any, i: Any, p: Any, q: Any) -> Any:
    """Write ``y[i + r·p + c·q : + LANES] = t[r,c]``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        place = w.pointer(1, 2)
        for r, c, vector in w.vectors():
            w.store(vector, w.offset(w.offset(place, r, 3), c, 4))
        return w.context.get_dummy_value()

    return types.none(tile, y, types.intp, types.intp, types.intp), write


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
            at = w.offset(w.offset(place, r, 3), c * LANES)
            w.store_masked(w.builder.fadd(w.load_masked(at, mask), vector), at, mask)
        return w.context.get_dummy_value()

    return types.none(tile, y, *[types.intp] * 4), write
