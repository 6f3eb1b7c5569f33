"""The communicator of real MPI processes."""

import pytest

from .ranks import needs_mpi, on_ranks

pytestmark = needs_mpi

WORDS = """
import numpy as np
from pellucid.distributed import MPI
world = MPI()
r, n = world.rank, world.size
assert world.gather(f"rank {r}") == [f"rank {k}" for k in range(n)]
assert world.broadcast(r, root=n - 1) == n - 1
assert world.collect(np.float64(r)).tolist() == list(range(n))
assert world.collect(np.full(3, r)).tolist() == [[k] * 3 for k in range(n)]
sent = [np.full(k + 1, 10 * r + k, dtype=np.float32) for k in range(n)]
received = [np.empty(r + 1, dtype=np.float32) for k in range(n)]
first = world.exchange(sent, received)
again = [np.empty_like(a) for a in received]
second = world.exchange([a + 100 for a in sent], again)
second.wait(), first.wait()
assert [a.tolist() for a in received] == [[10 * k + r] * (r + 1) for k in range(n)]
assert [a.tolist() for a in again] == [[100 + 10 * k + r] * (r + 1) for k in range(n)]
world.barrier()
"""


@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_rank_hears_of_every_other(n):
    on_ranks(n, WORDS)
