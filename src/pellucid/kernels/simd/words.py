"""Words of two bfloat16, whose products are added to float32.

A bfloat16 is the upper half of a float32. Two that are neighbours in a sum share a *word* of 32
bits, the first in its lower half, and an array of words is kept as one of float32: it is loaded,
stored, transposed and broadcast as numbers are. So a product of words is one of numbers with half
as many terms.

Where the processor has no instructions for it (`pellucid.kernels.jit.MULTIPLIES`), several others
compute the same, more slowly than a product of float32.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

from ..jit import LANES, MULTIPLIES
from .products import outer_at_by, outer_by
from .tile import VECTOR, Writer

__all__ = ["outer_pairs", "outer_pairs_at", "pairs"]

# Numba types the arguments; a type checker would see those of the code that emits LLVM.
intrinsic: Any = extending.intrinsic


class _BFloat(ir.Type):  # type: ignore[misc]
    """LLVM's type of a bfloat16, which llvmlite lacks."""

    intrinsic_name = "bf16"

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


WORD = ir.IntType(32)
WORDS, HALVES = ir.VectorType(WORD, LANES), ir.VectorType(_BFloat(), 2 * LANES)
INSTRUCTION = "llvm.x86.avx512bf16"
NATIVE = "bf16" in MULTIPLIES and LANES == 16


@intrinsic
def outer_pairs(typing: Any, tile: Any, a: Any, i: Any, step: Any, b: Any, j: Any) -> Any:
    """Return ``t[r,:] + a[i + r·step] · b[j : j + C·LANES]``, where a and b are words of pairs."""
    return tile(tile, a, types.intp, types.intp, b, types.intp), outer_by(_multiply_add)


@intrinsic
def outer_pairs_at(typing: Any, tile: Any, a: Any, i: Any, at: Any, k: Any, b: Any, j: Any) -> Any:
    """Return ``t[r,:] + a[i + at[k + r]] · b[j : j + C·LANES]``, where a and b are words."""
    write = outer_at_by(_multiply_add)
    return tile(tile, a, types.intp, at, types.intp, b, types.intp), write


@intrinsic
def pairs(typing: Any, tile: Any, other: Any) -> Any:
    """Return words of numbers that are side by side in ``t``, and then in ``u``.

    Word l of vector [r,c] is numbers 2l and 2l + 1 of t[r,c] and u[r,c] in sequence, rounded to the
    nearest bfloat16, to an even one of two.
    """

    def write(*code: Any) -> Any:
        w = Writer(*code)
        more = w.unpacked(1)
        return w.each(lambda r, c, t: _paired(w, t, more[r * tile.columns + c]))

    return tile(tile, other), write


def _multiply_add(w: Writer, a: Any, b: Any, t: Any) -> Any:
    """Return ``t`` with the products of both halves added."""
    if NATIVE:
        halves = [w.builder.bitcast(words, HALVES) for words in (a, b)]
        return _call(w, "dpbf16ps", VECTOR, t, *halves)
    x, y = (w.builder.bitcast(words, WORDS) for words in (a, b))
    low = [w.builder.bitcast(w.builder.shl(words, _all(16)), VECTOR) for words in (x, y)]
    high = [w.builder.bitcast(w.builder.and_(words, _all(-(2**16))), VECTOR) for words in (x, y)]
    return w.multiply_add(low[0], low[1], w.multiply_add(high[0], high[1], t))


def _paired(w: Writer, t: Any, u: Any) -> Any:
    """Return a vector of words."""
    if NATIVE:
        return w.builder.bitcast(_call(w, "cvtne2ps2bf16", HALVES, u, t), VECTOR)
    first, second = (w.shuffle(t, u, list(range(k, 2 * LANES, 2))) for k in (0, 1))
    low = w.builder.lshr(_rounded(w, first), _all(16))
    high = w.builder.and_(_rounded(w, second), _all(-(2**16)))
    return w.builder.bitcast(w.builder.or_(low, high), VECTOR)


def _rounded(w: Writer, t: Any) -> Any:
    """Return the bits of numbers, of which the upper halves are rounded."""
    build = w.builder
    bits = build.bitcast(t, WORDS)
    odd = build.and_(build.lshr(bits, _all(16)), _all(1))
    rounded = build.add(bits, build.add(odd, _all(2**15 - 1)))
    quiet = build.or_(bits, _all(2**22))  # of a NaN, which rounding might make infinite
    return build.select(build.fcmp_unordered("uno", t, t), quiet, rounded)


def _call(w: Writer, word: str, result: Any, *values: Any) -> Any:
    """Call LLVM's name for an instruction."""
    kind = ir.FunctionType(result, [value.type for value in values])
    return w.builder.call(
        cgutils.get_or_insert_function(w.builder.module, kind, f"{INSTRUCTION}.{word}.512"), values
    )


def _all(number: int) -> Any:
    """Return the vector of this word in every lane."""
    return ir.Constant(WORDS, [number] * LANES)
