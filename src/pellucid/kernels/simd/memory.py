"""Loads and stores of tiles: of whole vectors, of parts of them, of bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed

from ..jit import LANES
from .tile import ALIGN, INDEX, VECTOR, ZERO, Tile, Writer, first_lanes, masked

__all__ = [
    "add_rows_from",
    "entry",
    "flat",
    "load",
    "load_at",
    "load_bytes",
    "load_bytes_between",
    "load_first",
    "load_part",
    "load_rows_between",
    "load_within",
    "prefetch",
    "prefetch_row",
    "prefetch_tile",
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

LINE = 16  # float32 in a cache line
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


@intrinsic
def flat(typing: Any, a: Any) -> Any:
    """Return a view of ``a``, which is C-contiguous, with one axis.

    Numba compiles three functions for a ``reshape``, in each process that has not yet.
    """
    if a.layout != "C":
        return None
    whole = types.Array(a.dtype, 1, "C")

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        from numba.np.arrayobj import populate_array  # with which a process without compiling waits

        of, view = context.make_array(a)(context, builder, values[0]), context.make_array(whole)
        made = view(context, builder)
        populate_array(
            made, of.data, [of.nitems], [of.itemsize], of.itemsize, of.meminfo, of.parent
        )
        return impl_ret_borrowed(context, builder, whole, made._getvalue())

    return whole(a), write


@intrinsic
def entry(typing: Any, table: Any, k: Any) -> Any:
    """Return ``table[k]`` for k from 0 on: an index of Numba's may count from the end."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(table)(context, builder, values[0]).data
        return builder.load(builder.gep(data, [values[1]]))

    return table.dtype(table, types.intp), write


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
        for r, c, vector in w.vectors():
            row, mask = w.builder.gep(place, [w.builder.load(w.offset(table, r))]), masks[c]
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


@intrinsic
def prefetch(typing: Any, y: Any, i: Any) -> Any:
    """Fetch the cache line of ``y[i]``, soon to be written."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, Tile(1, 1))
        _fetch(builder, w.pointer(0, 1), to_write=True)
        return context.get_dummy_value()

    return types.none(y, types.intp), write


@intrinsic(prefer_literal=True)
def prefetch_row(typing: Any, columns: Any, a: Any, i: Any) -> Any:
    """Fetch the cache lines of ``a[i : i + C·LANES]``, soon to be read; there may be no such."""
    tile = Tile(1, columns.literal_value)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        for at in range(0, tile.columns * LANES, LINE):
            _fetch(builder, w.offset(w.pointer(1, 2), at), to_write=False)
        return context.get_dummy_value()

    return types.none(columns, a, types.intp), write


@intrinsic(prefer_literal=True)
def prefetch_tile(typing: Any, rows: Any, columns: Any, a: Any, i: Any, p: Any, q: Any) -> Any:
    """Fetch the cache lines of ``a[i + r·p + c·q]``, soon to be read; there may be none."""
    tile = Tile(rows.literal_value, columns.literal_value)

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        place = w.pointer(2, 3)
        for r, c in w.cells:
            _fetch(builder, w.offset(w.offset(place, r, 4), c, 5), to_write=False)
        return context.get_dummy_value()

    return types.none(rows, columns, a, *[types.intp] * 3), write


def _fetch(builder: Any, place: Any, *, to_write: bool) -> None:
    """Fetch a cache line into the nearest cache."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    how = [number(int(to_write)), number(3), number(1)]  # the nearest; data, not instructions
    builder.call(fetch, [builder.bitcast(place, byte), *how])
