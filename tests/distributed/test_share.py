"""Sums over all ranks are one tree, however many ranks there are and however they add it up."""

from itertools import pairwise

import numpy as np
import pytest

from engine.shares import shares
from pellucid.distributed import Share
from pellucid.distributed import share as module

from .in_threads import on_threads

CHUNKS = 64


@pytest.mark.parametrize(("ranks", "pairs"), [(3, 2), (4, 2), (8, 2), (8, 32), (64, 32)])
def test_a_total_has_the_bits_of_one_process(ranks, pairs, monkeypatch):
    monkeypatch.setattr(module, "IN_PAIRS_FROM", pairs)
    parts = np.random.default_rng(0).normal(size=(CHUNKS, 3, 5)).astype(np.float32)
    whole = Share(None, CHUNKS).total(parts)

    def total(communicator):
        share = Share(communicator, CHUNKS)
        return share.total(parts[share.first : share.last]), communicator.messages

    for found, gathered in on_threads(ranks, total):
        assert found.tobytes() == whole.tobytes()
        # In pairs where the ranks are many enough and their shares are equal; else all at once.
        assert gathered == (0 if ranks >= pairs and ranks != 3 else 1)


@pytest.mark.parametrize("images", [1, 2, 3, 5, 8, 11, 16])
def test_sums_over_few_images_need_no_more_chunks_for_the_same_bits(images):
    share, numbers = Share(None, 32), np.random.default_rng(images).normal(size=images)
    share.begin(images)

    def total(chunks):
        bounds = share.bounds(chunks)
        assert len(bounds) == share.count(chunks) + 1
        return share.total(np.float32([sum(numbers[a:b]) for a, b in pairwise(bounds)]))

    few = share.enough(32, images)
    assert images <= few < 2 * images
    assert total(few) == total(32)


def test_no_rank_is_left_without_a_chunk():
    for share in shares(3, 8):
        assert [share.enough(16, images) for images in (1, 8, 9, 100)] == [8, 8, 16, 16]


def test_a_total_of_single_numbers_is_an_array_however_it_is_added_up(monkeypatch):
    parts = np.float32([1e8, 3, -1e8, 4])
    for pairs in (2, 32):
        monkeypatch.setattr(module, "IN_PAIRS_FROM", pairs)

        def total(communicator):
            share = Share(communicator, len(parts))
            return share.total(parts[share.first : share.last])

        for found in on_threads(4, total):
            assert isinstance(found, np.ndarray)
            assert (found.shape, found.dtype, float(found)) == ((), np.float32, 0.0)
