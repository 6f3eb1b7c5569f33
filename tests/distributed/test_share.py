"""Sums over all ranks are one tree, however many ranks there are and however they add it up."""

import numpy as np
import pytest

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
