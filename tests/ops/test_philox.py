"""Philox gives the words that its authors publish."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.ops.philox import philox

FULL = 2**32 - 1
# Random123's kat_vectors, philox4x32 with 10 rounds: counter, key, words.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((FULL,) * 4, (FULL, FULL), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_the_words_are_those_that_are_published(counter, key, words):
    assert " ".join(f"{int(word):08x}" for word in philox(key, *counter)) == words


def test_counters_are_broadcast():
    (a, b), key = np.meshgrid(np.arange(3), np.arange(5)), (1, 2)
    together = philox(key, np.arange(3), np.arange(5)[:, np.newaxis], 7, 8)
    for one, two in zip(together, philox(key, a, b, 7, 8), strict=True):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == np.uint32
