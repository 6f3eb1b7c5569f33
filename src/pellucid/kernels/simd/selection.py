"""Selection between numbers: the larger one, or one where a condition holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types

from ..jit import LANES
from .tile import FLOAT, VECTOR, ZERO, Tile, Writer, splat

__all__ = [
    "add_where_equal",
    "clip",
    "keep_larger",
    "larger",
    "largest",
    "relu",
    "where_above_zero",
    "where_below",
    "where_equal",
]

# Numba types the arguments; a type checker would see those of the code that emits LLVM.
intrinsic: Any = extending.intrinsic


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
def clip(typing: Any, tile: Any, low: Any, high: Any) -> Any:
    """Return ``min(max(t, low), high)``; a NaN stays."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        least, most = splat(w.builder, w.values[1], FLOAT), splat(w.builder, w.values[2], FLOAT)

        def between(r: int, c: int, t: Any) -> Any:
            t = w.builder.select(w.builder.fcmp_ordered("<", t, least), least, t)
            return w.builder.select(w.builder.fcmp_ordered(">", t, most), most, t)

        return w.each(between)

    return tile(tile, types.float32, types.float32), write


@intrinsic
def larger(typing: Any, tile: Any, other: Any) -> Any:
    """Return ``max(t, u)``, the first of equals; a NaN is the largest."""

    def write(*code: Any) -> Any:
        w = Writer(*code)

        def choose(r: int, c: int, t: Any) -> Any:
            u = w.builder.extract_value(w.values[1], r * tile.columns + c)
            # One instruction, which returns t if either is a NaN, or both are zeros.
            large = w.builder.select(w.builder.fcmp_ordered(">", u, t), u, t)
            return w.builder.select(w.builder.fcmp_ordered("==", u, u), large, u)

        return w.each(choose)

    return tile(tile, other), write


@intrinsic
def keep_larger(typing: Any, tile: Any, at: Any, other: Any, number: Any) -> Any:
    """Return ``max(t, u)``, and ``at`` with ``number`` where it is u; a NaN is the largest."""
    both = types.Tuple((tile, at))

    def write(*code: Any) -> Any:
        w = Writer(*code)
        mark = splat(w.builder, w.values[3], FLOAT)
        larger, argmax = w.values[0], w.values[1]
        for k, (_, _, t) in enumerate(w.vectors()):
            u = w.builder.extract_value(w.values[2], k)
            larger_u = _is_larger(w, u, t)
            before = w.builder.extract_value(argmax, k)
            larger = w.builder.insert_value(larger, w.builder.select(larger_u, u, t), k)
            argmax = w.builder.insert_value(argmax, w.builder.select(larger_u, mark, before), k)
        return w.context.make_tuple(w.builder, both, (larger, argmax))

    return both(tile, at, other, types.float32), write


@intrinsic(prefer_literal=True)
def largest(typing: Any, tile: Any, count: Any) -> Any:
    """Return the largest row of ``t[r::R/K,:]`` and, for each number, which; see `keep_larger`."""
    parts = count.literal_value
    some = Tile(tile.rows // parts, tile.columns)
    both = types.Tuple((some, some))

    def write(*code: Any) -> Any:
        w = Writer(*code)
        vectors = [vector for _, _, vector in w.vectors()]
        size = some.rows * some.columns
        best, argmax = vectors[:size], [ZERO] * size
        for q in range(1, parts):
            mark = ir.Constant(VECTOR, [float(q)] * LANES)
            for k, u in enumerate(vectors[q * size : (q + 1) * size]):
                larger_u = _is_larger(w, u, best[k])
                best[k] = w.builder.select(larger_u, u, best[k])
                argmax[k] = w.builder.select(larger_u, mark, argmax[k])
        tiles = []
        for chosen in (best, argmax):
            made = ir.Constant(w.context.get_value_type(some), None)
            for k, vector in enumerate(chosen):
                made = w.builder.insert_value(made, vector, k)
            tiles.append(made)
        return w.context.make_tuple(w.builder, both, tiles)

    return both(tile, count), write


def _is_larger(w: Writer, u: Any, t: Any) -> Any:
    """Return where ``u`` is larger than ``t`` before it, or a NaN before any other."""
    larger = w.builder.fcmp_unordered(">", u, t)
    return w.builder.and_(larger, w.builder.fcmp_ordered("==", t, t))


@intrinsic
def where_above_zero(typing: Any, tile: Any, other: Any, number: Any) -> Any:
    """Return ``t`` where ``u > 0``, else ``k``."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        rest = splat(w.builder, w.values[2], FLOAT)

        def choose(r: int, c: int, t: Any) -> Any:
            u = w.builder.extract_value(w.values[1], r * tile.columns + c)
            return w.builder.select(w.builder.fcmp_ordered(">", u, ZERO), t, rest)

        return w.each(choose)

    return tile(tile, other, types.float32), write


@intrinsic
def where_equal(typing: Any, tile: Any, other: Any, number: Any) -> Any:
    """Return ``t`` where ``u == k``, else 0."""

    def equal(w: Writer, u: Any) -> Any:
        return w.builder.fcmp_ordered("==", u, splat(w.builder, w.values[2], FLOAT))

    return tile(tile, other, types.float32), _where(equal)


@intrinsic
def add_where_equal(
    typing: Any, tile: Any, b: Any, j: Any, m: Any, i: Any, number: Any, count: Any
) -> Any:
    """Return ``t[0,:] + b[j : j + n]`` where ``m[i : i + n] == k``, else t.

    ``m`` is an array of bytes or of float32, and k an integer.
    """

    def write(*code: Any) -> Any:
        w = Writer(*code)
        numbers, marks, masks = w.pointer(1, 2), w.pointer(3, 4), w.column_masks(6)
        if m.dtype == types.uint8:
            byte = ir.IntType(8)
            few, mark = ir.VectorType(byte, LANES), w.builder.trunc(w.values[5], byte)
            nothing, wanted = ir.Constant(few, [0] * LANES), splat(w.builder, mark, byte)
        else:
            mark = w.builder.sitofp(w.values[5], FLOAT)
            few, nothing, wanted = VECTOR, ZERO, splat(w.builder, mark, FLOAT)

        def add(r: int, c: int, t: Any) -> Any:
            place = w.offset(marks, c * LANES)
            read = w.load_masked(place, masks[c], few, nothing)
            if few is VECTOR:
                equal = w.builder.fcmp_ordered("==", read, wanted)
            else:
                equal = w.builder.icmp_unsigned("==", read, wanted)
            u = w.load_masked(w.offset(numbers, c * LANES), masks[c])
            return w.builder.fadd(t, w.builder.select(equal, u, ZERO))

        return w.each(add)

    return tile(tile, b, types.intp, m, types.intp, types.intp, types.intp), write


@intrinsic
def where_below(typing: Any, tile: Any, other: Any, number: Any) -> Any:
    """Return ``t`` where ``u < k``, else 0."""

    def below(w: Writer, u: Any) -> Any:
        return w.builder.fcmp_ordered("<", u, splat(w.builder, w.values[2], FLOAT))

    return tile(tile, other, types.float32), _where(below)


def _where(holds: Callable[[Writer, Any], Any]) -> Callable[..., Any]:
    """Return what emits a selection: the number where ``holds`` of the other tile, else 0."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        u = [w.builder.extract_value(w.values[1], k) for k in range(len(w.cells))]

        def keep(r: int, c: int, t: Any) -> Any:
            return w.builder.select(holds(w, u[r * w.tile.columns + c]), t, ZERO)

        return w.each(keep)

    return write
