"""How this process was started: alone, or as one of the ranks of an MPI launcher.

Launchers say it in the environment, so that nothing is imported to find it out:

- MPICH's ``mpiexec`` (Hydra), Intel MPI, MVAPICH, and ``srun --mpi=pmi2``: ``PMI_RANK`` and
  ``PMI_SIZE``; Hydra also ``MPI_LOCALNRANKS``.
- Open MPI's: ``OMPI_COMM_WORLD_RANK``, ``OMPI_COMM_WORLD_SIZE``, ``OMPI_COMM_WORLD_LOCAL_SIZE``.
- ``srun --mpi=pmix``: ``PMIX_RANK``, and Slurm's ``SLURM_STEP_NUM_TASKS``.

Tasks of an ``srun`` without any of these (``--mpi=none``) are programs of their own, and so is the
script of a Slurm job, although both have ``SLURM_PROCID``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Launch", "launched"]

# Rank, number of ranks, number of ranks on this host; the first pair that is set counts.
LAUNCHERS = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"),
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS", ""),
)


class Launch(NamedTuple):
    """How this process was started.

    Attributes
    ----------
    rank, size : int
        The number of this process among all that were started together, and their number.
    local : int
        The number of those on this host; ``size`` where the launcher does not say it.
    """

    rank: int = 0
    size: int = 1
    local: int = 1

    @property
    def alone(self) -> bool:
        """Whether this process was started without others."""
        return self.size == 1


def launched(environment: Mapping[str, str] = os.environ) -> Launch:
    """Return how this process was started, according to its environment.

    Examples
    --------
    >>> launched({"PMI_RANK": "2", "PMI_SIZE": "4", "MPI_LOCALNRANKS": "2"})
    Launch(rank=2, size=4, local=2)
    >>> launched({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"})
    Launch(rank=0, size=1, local=1)
    """
    for names in LAUNCHERS:
        rank, size, local = (environment.get(name, "") for name in names)
        if rank.isdecimal() and size.isdecimal() and int(rank) < int(size):
            ranks = int(size)
            here = int(local) if local.isdecimal() else _tasks_on_node(environment) or ranks
            return Launch(int(rank), ranks, max(1, min(here, ranks)))
    return Launch()


def _tasks_on_node(environment: Mapping[str, str]) -> int | None:
    """Return the number of Slurm's tasks on this node, such as 1 on node 2 of ``"4(x2),1"``."""
    tasks: list[int] = []
    for part in environment.get("SLURM_STEP_TASKS_PER_NODE", "").split(","):
        if found := re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part):
            tasks += [int(found[1])] * min(int(found[2] or 1), 2**20)
    node = environment.get("SLURM_NODEID", "")
    return tasks[int(node)] if node.isdecimal() and int(node) < len(tasks) else None
