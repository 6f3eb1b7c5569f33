"""Arithmetic on bytes: four in a word of 32 bits, products added to integers of 32 bits.

A tile of integers is kept in the registers of a tile of float32, bit for bit, and so is an array of
words. Where the processor multiplies bytes (VNNI), an instruction adds the products of four bytes
to each of 16 sums; elsewhere several others compute the same integers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

from ..jit import LANES
from ..shipped import processor
from .tile import FLOAT, VECTOR, Tile, Writer, splat

__all__ = ["HAS_BYTES", "codes", "copy_bytes", "outer_bytes", "scaled"]

# Numba types the arguments; a type checker would see those of the code that emits LLVM.
intrinsic: Any = extending.intrinsic

WORD = ir.IntType(32)
WORDS = ir.VectorType(WORD, LANES)
LARGEST = 255.0
INSTRUCTIONS = {16: "avx512vnni", 8: "avxvnni"}  # that multiply the bytes of as many words
HAS_BYTES = INSTRUCTIONS.get(LANES) in processor().instructions


@intrinsic
def outer_bytes(typing: Any, tile: Any, a: Any, i: Any, step: Any, b: Any, j: Any) -> Any:
    """Return the integers ``t[r,:] + Σ_k a[i + r·step + k] · b_k[j : j + C·LANES]`` for k < 4.

    ``a`` are bytes from 0 to 255; b_k are bytes from -128 to 127, the k-th of each word of ``b``.
    """

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        left, right = w.pointer(1, 2), w.pointer(4, 5)
        row = [w.load(w.offset(right, c * LANES)) for c in range(tile.columns)]
        row = [w.builder.bitcast(vector, WORDS) for vector in row]
        add, column = _add_native if HAS_BYTES else _add_plainly, {}

        def change(r: int, c: int, t: Any) -> Any:
            if c == 0:  # one at a time: an instruction cannot read this factor from memory
                place = w.builder.bitcast(w.offset(left, r, 3), WORD.as_pointer())
                column[r] = splat(w.builder, w.builder.load(place, align=1), WORD)
            sums = add(w, w.builder.bitcast(t, WORDS), column[r], row[c])
            return w.builder.bitcast(sums, VECTOR)

        return w.each(change)

    return tile(tile, a, types.intp, types.intp, b, types.intp), write


@intrinsic
def copy_bytes(typing: Any, a: Any, i: Any, y: Any, j: Any) -> Any:
    """Copy as many bytes as a vector has, ``a[i : i + 4·LANES]``, to ``y[j:]``."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        w = Writer(context, builder, signature, values, Tile(1, 1))
        kind = WORDS.as_pointer()
        given, to = (w.builder.bitcast(w.pointer(k, k + 1), kind) for k in (0, 2))
        w.builder.store(w.builder.load(given, align=1), to, align=1)
        return w.context.get_dummy_value()

    return types.none(a, types.intp, y, types.intp), write


@intrinsic
def codes(typing: Any, tile: Any, factor: Any, zero: Any) -> Any:
    """Return ``round(factor · t) + zero`` from 0 to 255, halves to even; of NaN 0."""

    def write(*code: Any) -> Any:
        w = Writer(*code)
        by, point = (splat(w.builder, w.values[k], FLOAT) for k in (1, 2))
        least, most = (ir.Constant(VECTOR, [end] * LANES) for end in (0.0, LARGEST))
        kind = ir.FunctionType(VECTOR, [VECTOR])
        name = f"llvm.rint.v{LANES}f32"
        rint = cgutils.get_or_insert_function(w.builder.module, kind, name)

        def change(r: int, c: int, t: Any) -> Any:
            q = w.builder.fadd(w.builder.call(rint, [w.builder.fmul(t, by)]), point)
            q = w.builder.select(w.builder.fcmp_ordered(">", q, least), q, least)
            return w.builder.select(w.builder.fcmp_ordered("<", q, most), q, most)

        return w.each(change)

    return tile(tile, types.float32, types.float32), write


@intrinsic
def scaled(typing: Any, tile: Any, shift: Any, factor: Any, bias: Any, j: Any) -> Any:
    """Return float32 ``(t[r,c] + shift) · factor + bias`` of integers, with those of column j.

    ``shift`` are integers; each of the three is read from j + c·LANES on.
    """

    def write(*code: Any) -> Any:
        w = Writer(*code)
        read = []
        for k in (1, 2, 3):
            place = w.pointer(k, 4)
            if k == 1:
                place = w.builder.bitcast(place, FLOAT.as_pointer())
            read.append([w.load(w.offset(place, c * LANES)) for c in range(tile.columns)])
        moved = [w.builder.bitcast(vector, WORDS) for vector in read[0]]

        def change(r: int, c: int, t: Any) -> Any:
            sums = w.builder.add(w.builder.bitcast(t, WORDS), moved[c])
            return w.multiply_add(w.builder.sitofp(sums, VECTOR), read[1][c], read[2][c])

        return w.each(change)

    return tile(tile, shift, factor, bias, types.intp), write


def _add_native(w: Writer, t: Any, a: Any, b: Any) -> Any:
    """Return ``t`` with the products of four bytes added to each word, by one instruction."""
    kind = ir.FunctionType(WORDS, [WORDS] * 3)
    name = f"llvm.x86.avx512.vpdpbusd.{32 * LANES}"
    return w.builder.call(cgutils.get_or_insert_function(w.builder.module, kind, name), [t, a, b])


def _add_plainly(w: Writer, t: Any, a: Any, b: Any) -> Any:
    """Return the same by a product of words for each of the four bytes."""
    build, low = w.builder, _all(255)
    for k in range(4):
        x = build.and_(build.lshr(a, _all(8 * k)), low)
        y = build.ashr(build.shl(b, _all(24 - 8 * k)), _all(24))
        t = build.add(t, build.mul(x, y))
    return t


def _all(number: int) -> Any:
    """Return the vector of this word in every lane."""
    return ir.Constant(WORDS, [number] * LANES)
