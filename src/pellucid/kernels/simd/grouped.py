"""Sums of products where vectors hold channels, each with filters of its own or of its group."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types

from ..jit import LANES
from .tile import INDEX, Writer

__all__ = [
    "add_groups",
    "slide",
    "slide_back",
]

# Numba types the arguments; a type checker would see those of the code that emits LLVM.
intrinsic: Any = extending.intrinsic


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
    first: Any, end: Any, given: Any, made: Any,
) -> Any:  # fmt: skip
    """Return ``t[r,c] + Σ_kv u_k(a[i + (c·S + v)·q : + LANES]) · b[j + r·p + (v·m + k)·LANES :]``.

    There are V = ``taps`` v and m = ``given`` k, and S is ``step``; u_k is as in `add_groups`, and
    each is made once for all taps and rows. Pixels c·S + v before the ``first`` one, and from
    the ``end`` on, count as zeros and are not read, if they are among the V // 2 on each side.
    """
    count, apart = taps.literal_value, step.literal_value
    each, times = given.literal_value, made.literal_value

    def write(*code: Any) -> Any:
        w = Writer(*code)
        w.keep_rolled()
        t, left, right = [v for _, _, v in w.vectors()], w.pointer(1, 2), w.pointer(6, 7)
        lines = [w.offset(right, r, 8) for r in range(tile.rows)]
        of_all = (tile.columns - 1) * apart + count
        readers = {
            m: [c for c in range(tile.columns) if 0 <= m - c * apart < count] for m in range(of_all)
        }
        seen = [m for m in range(of_all) if readers[m]]
        places = {m: _pixel(w, left, m, (9, 10), of_all, count // 2) for m in seen}
        for k in range(each):
            factors = [
                [w.load(w.offset(at, (v * each + k) * LANES)) for v in range(count)] for at in lines
            ]
            for m, place in places.items():
                spread = _spread(w, w.load(place), k, each, times)
                for c in readers[m]:
                    for r in range(tile.rows):
                        cell = r * tile.columns + c
                        t[cell] = w.multiply_add(spread, factors[r][m - c * apart], t[cell])
        return w.each(lambda r, c, _: t[r * tile.columns + c])

    index = types.intp
    numbers = [index] * 4
    return tile(tile, a, index, index, taps, step, b, *numbers, given, made), write


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
