"""Sums over a batch have the same bits on one rank as on several."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.distributed import CHUNKS
from pellucid.kernels import tree
from pellucid.kernels.tree import add_chunks, chunk_count, tree_sum


def draw(*shape, seed=0):
    """Return numbers of many magnitudes, whose sum depends on the order of the additions."""
    rng = np.random.default_rng((seed, *shape))
    return (rng.normal(size=shape) * 10.0 ** rng.integers(-4, 5, shape)).astype(np.float32)


def by_hand(parts):
    """Return the sum of pairs, of pairs of pairs, and so on; what has no partner waits."""
    parts = list(parts)
    while len(parts) > 1:
        pairs = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[len(parts) // 2 * 2 :]
    return parts[0]


@pytest.mark.parametrize("chunks", [1, 2, 3, 4, 5, 8, 13, 16])
@pytest.mark.parametrize("numbers", [1, 7, tree.BLOCK, tree.BLOCK + 33])
def test_both_sums_are_the_tree_to_the_bit(chunks, numbers):
    parts = draw(chunks, numbers)
    expected = by_hand(parts)
    np.testing.assert_array_equal(tree_sum(parts), expected)
    add_chunks(parts, 0, numbers)
    np.testing.assert_array_equal(parts[0], expected)


def test_the_tree_differs_from_a_sum_from_left_to_right():
    parts = draw(16, 1000)
    left_to_right = parts[0].copy()
    for part in parts[1:]:
        left_to_right += part
    assert (tree_sum(parts) != left_to_right).any()


def test_columns_outside_of_the_given_ones_stay():
    parts = draw(4, 600)
    before = parts.copy()
    add_chunks(parts, 100, 500)
    np.testing.assert_array_equal(parts[0, 100:500], tree_sum(before[:, 100:500]))
    np.testing.assert_array_equal(parts[:, :100], before[:, :100])
    np.testing.assert_array_equal(parts[:, 500:], before[:, 500:])


@pytest.mark.parametrize("ranks", [2, 4, 8, 16])
def test_subtrees_and_the_rest_of_the_tree_are_the_tree(ranks):
    parts = draw(16, 50)
    shares = np.stack([tree_sum(share) for share in np.split(parts, ranks)])
    np.testing.assert_array_equal(tree_sum(shares), tree_sum(parts))


def test_large_sums_have_only_the_chunks_that_ranks_need():
    assert chunk_count(1) == chunk_count(2**16) == 16
    assert chunk_count(2**16 + 1) == chunk_count(2**30) == CHUNKS == 8
    assert chunk_count(2**30, least=1) == 1
    assert chunk_count(1, least=32) == chunk_count(2**30, least=32) == 32
