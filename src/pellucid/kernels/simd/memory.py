"""Arrays as they are, a number of them, and what the caches are to fetch."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed

from ..jit import LANES
from .tile import Tile, Writer

__all__ = [
    "NEAREST",
    "SECOND",
    "entry",
    "flat",
    "prefetch",
    "prefetch_row",
    "prefetch_tile",
]

LINE = 16  # float32 in a cache line
NEAREST, SECOND = 3, 2  # caches, as LLVM's prefetch numbers them
# Numba types the arguments; a type checker would see those of the code that emits LLVM.
intrinsic: Any = extending.intrinsic


@intrinsic
def entry(typing: Any, table: Any, k: Any) -> Any:
    """Return ``table[k]`` for k from 0 on: an index of Numba's may count from the end."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(table)(context, builder, values[0]).data
        return builder.load(builder.gep(data, [values[1]]))

    return table.dtype(table, types.intp), write


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
def prefetch_tile(
    typing: Any, cache: Any, rows: Any, columns: Any, a: Any, i: Any, p: Any, q: Any
) -> Any:
    """Fetch the cache lines of ``a[i + r·p + c·q]`` into a ``cache``; there may be no such lines.

    What is used soon belongs into the `NEAREST`. What is used after more than that holds would only
    drive out what is used before it: it belongs into the `SECOND`.
    """
    tile, level = Tile(rows.literal_value, columns.literal_value), cache.literal_value

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, tile)
        place = w.pointer(3, 4)
        for r, c in w.cells:
            cell = w.offset(w.offset(place, r, 5), c, 6)
            _fetch(builder, cell, to_write=False, cache=level)
        return context.get_dummy_value()

    return types.none(cache, rows, columns, a, *[types.intp] * 3), write


def _fetch(builder: Any, place: Any, *, to_write: bool, cache: int = NEAREST) -> None:
    """Fetch a cache line."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    how = [number(int(to_write)), number(cache), number(1)]  # data, not instructions
    builder.call(fetch, [builder.bitcast(place, byte), *how])
