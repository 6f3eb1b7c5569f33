"""The shares of several ranks, one after another: their own sums need no message."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from pellucid.distributed import Share
from pellucid.distributed.share import joined

__all__ = ["begun", "shares", "total"]


def shares(ranks, chunks=8):
    """Return each rank's share of a batch cut into ``chunks``."""
    world = (SimpleNamespace(rank=rank, size=ranks) for rank in range(ranks))
    return [Share(communicator, chunks) for communicator in world]


def begun(images, chunks=8):
    """Return the share of one process alone, with a batch of this number of ``images`` begun."""
    share = Share(chunks=chunks)
    share.begin(images)
    return share


def total(parts, ranks, chunks=8):
    """Return the sum of what the ranks computed, as the rest of the tree."""
    return joined([np.asarray(part) for part in parts], shares(ranks, chunks)[0].nodes)
