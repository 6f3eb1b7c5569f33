"""Philox4x32-10: random numbers as a function of a key and a counter.

    (c0, c1, c2, c3) <- (hi(M1·c2) ^ c1 ^ k0, lo(M1·c2), hi(M0·c0) ^ c3 ^ k1, lo(M0·c0))

ten times, with (k0, k1) <- (k0 + W0, k1 + W1) between the rounds; hi and lo are the halves of a
64-bit product. There is no state: counters made of (image, epoch) give an image the same numbers
in any batch, thread or process. Source: Salmon et al. 2011, "Parallel random
numbers: as easy as 1, 2, 3", section 4.3 and table 3.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array

__all__ = ["philox"]

M0, M1 = 0xD2511F53, 0xCD9E8D57
W0, W1 = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
WORD = 2**32 - 1


def philox(
    key: tuple[int, int], c0: Array | int, c1: Array | int, c2: Array | int, c3: Array | int
) -> tuple[Array, Array, Array, Array]:
    """Return four random words for each counter (c0, c1, c2, c3).

    Parameters
    ----------
    key : pair of int
        Each below 2**32.
    c0, c1, c2, c3 : integers below 2**32, or arrays of them
        Broadcast against each other.

    Returns
    -------
    Four uint32 arrays of the shape of the counters.

    Examples
    --------
    The first of the authors' published test vectors:

    >>> [f"{int(word):08x}" for word in philox((0, 0), 0, 0, 0, 0)]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    words = np.broadcast_arrays(c0, c1, c2, c3)
    a, b, c, d = (word.astype(np.uint64) for word in words)
    k0, k1 = key
    for r in range(ROUNDS):
        one, two = a * np.uint64(M0), c * np.uint64(M1)
        high, low = np.uint64(32), np.uint64(WORD)
        a, b, c, d = (
            (two >> high) ^ b ^ np.uint64((k0 + r * W0) & WORD),
            two & low,
            (one >> high) ^ d ^ np.uint64((k1 + r * W1) & WORD),
            one & low,
        )
    return tuple(word.astype(np.uint32) for word in (a, b, c, d))  # type: ignore[return-value]
