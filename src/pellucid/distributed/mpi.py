"""The communicator of processes that MPI has started, by mpi4py."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import MissingExtraError
from ..extras import extra
from ..typing import Array
from .communicator import Pending

__all__ = ["MPI"]

SHORTEST_NAP, NAP = 1e-4, 0.02  # seconds between looks, where waiting may take long


class MPI:
    """All processes of one ``mpiexec``, or those of one `split`.

    Parameters
    ----------
    group : mpi4py communicator, optional
        All processes by default.

    Raises
    ------
    MissingExtraError
        If mpi4py, or the library that it needs, is not installed.
    """

    def __init__(self, group: Any = None) -> None:
        self._mpi = _mpi4py()
        self._world = self._mpi.COMM_WORLD.Dup() if group is None else group
        self.rank: int = self._world.Get_rank()
        self.size: int = self._world.Get_size()

    @property
    def library(self) -> str:
        """The MPI library that mpi4py has loaded, such as "MPICH 5.0.2"."""
        first = self._mpi.Get_library_version().splitlines()[0].partition(",")[0]
        return " ".join(first.replace("Version:", "").split())

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, in order."""
        return self._world.allgather(value)

    def broadcast(self, value: Any, root: int = 0) -> Any:
        """Return the value of rank ``root``."""
        return self._world.bcast(value, root)

    def collect(self, part: Array) -> Array:
        """Return the arrays of all ranks."""
        part = np.asarray(part, order="C")  # which keeps the shape of a single number
        whole = np.empty((self.size, *part.shape), dtype=part.dtype)
        self._world.Allgather(part, whole)
        return whole

    def exchange(
        self, sent: Sequence[Array], received: Sequence[Array], channel: int = 0
    ) -> Pending:
        """Begin to send and to receive."""
        requests = []
        for k in range(1, self.size):  # each begins with its neighbour
            source = (self.rank - k) % self.size
            if received[source].size:
                requests.append(self._world.Irecv(received[source], source, channel))
        for k in range(1, self.size):
            target = (self.rank + k) % self.size
            if sent[target].size:
                requests.append(self._world.Isend(sent[target], target, channel))
        own, mine = received[self.rank], sent[self.rank]
        if own is not mine:
            own[...] = mine
        return _Requests(self._mpi, requests)

    def split(self, group: int) -> MPI:
        """Return the communicator of the ranks of one group."""
        return MPI(self._world.Split(group, self.rank))

    def barrier(self) -> None:
        """Wait for all ranks, with looks in between rather than in a busy loop."""
        request, nap = self._world.Ibarrier(), SHORTEST_NAP
        while not request.Test():
            time.sleep(nap)
            nap = min(2 * nap, NAP)

    def arrive(self, seconds: float) -> bool:
        """Return whether all ranks call this within ``seconds``; if not, never call it again."""
        request, end = self._world.Ibarrier(), time.monotonic() + seconds
        while not (arrived := request.Test()) and time.monotonic() < end:
            time.sleep(NAP)
        return bool(arrived)

    def abort(self, code: int) -> None:
        """End all ranks."""
        self._world.Abort(code)


def _mpi4py() -> Any:
    try:
        return extra("mpi4py.MPI", "mpi", "training on several ranks")
    except RuntimeError as error:  # its own: mpi4py is installed, but no library that it can load
        raise MissingExtraError(
            "training on several ranks needs an MPI library, and mpi4py cannot load one "
            f"({str(error).splitlines()[0]}). Install MPICH's, which comes with its mpiexec: pip "
            'install "pellucid[mpi]"; or load the module of the cluster\'s MPI.'
        ) from error


class _Requests:
    def __init__(self, mpi: Any, requests: list[Any]) -> None:
        self._mpi, self._requests = mpi, requests

    def test(self) -> bool:
        return bool(self._mpi.Request.Testall(self._requests))

    def wait(self) -> None:
        self._mpi.Request.Waitall(self._requests)
