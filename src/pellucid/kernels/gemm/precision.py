"""How exact the factors of a matrix product are: what packs them, and what multiplies them.

Both factors are *words* of 32 bits, in arrays of float32. A word is one number, or several that
follow each other along the depth. The sums are float32 in any case.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from ...typing import Array
from ..jit import inlined, kernel
from ..pool.threads import share
from ..simd import outer, outer_pairs
from .packing import WIDTH, pack_block
from .pairs import copy_pairs, pack_pairs
from .rows import copy_rows

__all__ = ["PRECISIONS", "Precision", "pack"]


# Not `outer` itself: the cache knows a kernel by the functions that it calls, not by LLVM code.
@inlined
def _add_numbers(t: Any, a: Array, i: int, step: int, b: Array, j: int) -> Any:
    """Return ``t[r,:] + a[i + r·step] · b[j : j + C·LANES]``."""
    return outer(t, a, i, step, b, j)


@inlined
def _add_pairs(t: Any, a: Array, i: int, step: int, b: Array, j: int) -> Any:
    """Return the same of words of two numbers."""
    return outer_pairs(t, a, i, step, b, j)


class Precision(NamedTuple):
    """Factors of one precision: constants of the kernels that read and write them."""

    per_word: int  # numbers
    add_products: Any  # of words
    copy_rows: Any  # of the first factor, where they are not read in place
    pack_block: Any  # of the second one


PRECISIONS = {
    "float32": Precision(1, _add_numbers, copy_rows, pack_block),
    "bf16": Precision(2, _add_pairs, copy_pairs, pack_pairs),
}


@cache
def pack(precision: str) -> Any:
    """Return the kernel that packs a matrix into panels of this precision."""
    (per_word, _, _, block) = PRECISIONS[precision]

    @kernel
    def pack_panels(queue: Array, w: Array, columns: int, packing: int, out: Array) -> None:
        """Write panels: ``w`` is (depth, columns), or its transpose `TRANSPOSED`. A task is one."""
        depth = w.size // columns
        words = -(-depth // per_word)
        for panel in share(queue):
            n = panel * WIDTH
            block(w, depth, columns, (n, 0, depth), packing, out[n * words :])

    return pack_panels
