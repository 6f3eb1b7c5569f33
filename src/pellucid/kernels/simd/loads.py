"""Loads of tiles: of whole vectors, of parts of them, of bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

from ..jit import LANES
from .tile import ALIGN, INDEX, VECTOR, ZERO, Tile, Writer, first_lanes, masked

__all__ = [
    "load",
    "load_at",
    "load_bytes",
    "load_bytes_between",
    "load_first",
    "load_part",
    "load_rows_between",
    "load_within",
]

# Numba types the arguments; a type checker would see those of the code that emits LLVM.
intrinsic: Any = extending.intrinsic


@intrinsic(prefer_literal=True)
def load(typing: Any, rows: Any, columns: Any, a: Any, i: Any, p: Any, q: Any) -> Any:
    """Return the tile ``a[i + r·p + c·q : + LANES]``."""
    tile = Tile(rows.literal_value, columns.literal_value)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        place, made = w.pointer(2, 3), ir.Constant(context.get_value_type(tile), ir.Undefined)
        for k, (r, c) in enumerate(w.cells):
            vector = w.load(w.offset(w.offset(place, r, 4), c, 5))
            made = builder.insert_value(made, vector, k)
        return made

    return tile(rows, columns, a, types.intp, types.intp, types.intp), write


@intrinsic(prefer_literal=True)
def load_within(
    typing: Any, rows: Any, columns: Any, a: Any, i: Any, p: Any, q: Any, row_count: Any,
    column_count: Any, count: Any,
) -> Any:  # fmt: skip
    """Return the tile ``a[i + r·p + c·q : + n]`` for rows and columns within, zeros elsewhere."""
    tile = Tile(rows.literal_value, columns.literal_value)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        place, made = w.pointer(2, 3), ir.Constant(context.get_value_type(tile), ir.Undefined)
        for k, (r, c) in enumerate(w.cells):
            at, mask = w.within(r, c, 6, w.offset(w.offset(place, r, 4), c, 5), place)
            vector = w.load_masked(at, mask)
            made = builder.insert_value(made, vector, k)
        return made

    return tile(rows, columns, a, *[types.intp] * 6), write


@intrinsic(prefer_literal=True)
def load_at(
    typing: Any, rows: Any, columns: Any, a: Any, i: Any, at: Any, k: Any, count: Any
) -> Any:
    """Return the tile ``a[i + at[k + r] : + n]``, and zeros after it."""
    tile = Tile(rows.literal_value, columns.literal_value)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        place, table, masks = w.pointer(2, 3), w.pointer(4, 5), w.column_masks(6)
        made = ir.Constant(context.get_value_type(tile), ir.Undefined)
        for k, (r, c) in enumerate(w.cells):
            row = builder.gep(place, [builder.load(w.offset(table, r))])
            vector = w.load_masked(w.offset(row, c * LANES), masks[c])
            made = builder.insert_value(made, vector, k)
        return made

    return tile(rows, columns, a, types.intp, at, types.intp, types.intp), write


@intrinsic(prefer_literal=True)
def load_first(typing: Any, columns: Any, a: Any, i: Any, count: Any) -> Any:
    """Return a tile of one row: ``a[i : i + n]``, and zeros."""
    tile = Tile(1, columns.literal_value)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        place, masks = w.pointer(1, 2), w.column_masks(3)
        made = ir.Constant(context.get_value_type(tile), ir.Undefined)
        for c, mask in enumerate(masks):
            made = builder.insert_value(made, w.load_masked(w.offset(place, c * LANES), mask), c)
        return made

    return tile(columns, a, types.intp, types.intp), write


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


@intrinsic(prefer_literal=True)
def load_rows_between(
    typing: Any, rows: Any, a: Any, i: Any, p: Any, first: Any, last: Any, count: Any
) -> Any:
    """Return the tile ``a[i + r·p : + n]`` for rows ``first`` <= r < ``last``, zeros elsewhere."""
    tile = Tile(rows.literal_value, 1)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        mask = first_lanes(w.builder, w.values[6])
        return _between(w, ZERO, lambda place: w.load_masked(place, mask))

    return tile(rows, a, *[types.intp] * 5), write


@intrinsic(prefer_literal=True)
def load_bytes_between(
    typing: Any, rows: Any, a: Any, i: Any, p: Any, first: Any, last: Any, count: Any
) -> Any:
    """Return the same from an array of bytes."""
    tile, few = Tile(rows.literal_value, 1), ir.VectorType(ir.IntType(8), LANES)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        mask, nothing = first_lanes(w.builder, w.values[6]), ir.Constant(few, [0] * LANES)
        align = ir.Constant(ir.IntType(32), 1)

        def read(place: Any) -> Any:
            place = w.builder.bitcast(place, few.as_pointer())
            small = masked(w.builder, "load", few, [place, align, mask, nothing])
            return w.builder.uitofp(small, VECTOR)

        return _between(w, nothing, read)

    return tile(rows, a, *[types.intp] * 5), write


def _between(w: Writer, nothing: Any, read: Callable[[Any], Any]) -> Any:
    """Return the tile that ``read`` makes of the rows between two, and of ``nothing`` elsewhere.

    A row elsewhere is read from a constant: to select an address costs less than to branch.
    """
    place, (first, last) = w.pointer(1, 2), w.values[4:6]
    kept = cgutils.global_constant(w.builder, "nothing", nothing)
    outside = w.builder.bitcast(kept, place.type)
    made = ir.Constant(w.context.get_value_type(w.tile), ir.Undefined)
    for r in range(w.tile.rows):
        at = ir.Constant(INDEX, r)
        inside = w.builder.and_(
            w.builder.icmp_signed("<=", first, at), w.builder.icmp_signed("<", at, last)
        )
        here = w.builder.select(inside, w.offset(place, r, 3), outside)
        made = w.builder.insert_value(made, read(here), r)
    return made
