"""The communicator of all processes that were started together with this one."""

from __future__ import annotations

from functools import lru_cache

from ..errors import PellucidError
from ..launch import launched
from .communicator import Communicator, Solo
from .mpi import MPI

__all__ = ["world"]


@lru_cache(maxsize=1)
def world() -> Communicator:
    """Return the communicator of all ranks that an MPI launcher has started; alone, `Solo`.

    What the launcher has written into the environment decides (`pellucid.launch`): a program
    that was started alone imports no mpi4py. Every call returns the same object.

    Raises
    ------
    MissingExtraError
        If there are several ranks, and mpi4py or an MPI library is not installed.
    PellucidError
        If mpi4py uses another MPI than that of the launcher, by which no rank would find another.

    Examples
    --------
    >>> world().size
    1
    """
    launch = launched()
    if launch.alone:
        return Solo()
    found = MPI()
    if found.size != launch.size:
        raise PellucidError(
            f"the launcher has started {launch.size} ranks, but the MPI library of mpi4py "
            f"({found.library}) sees {found.size}: launcher and library belong to different MPIs. "
            "Start with the mpiexec of that library: the package mpich puts it beside the Python "
            "that it is installed for. Under Slurm: srun --mpi=pmi2 or --mpi=pmix, as the library "
            "was built for.",
            where="mpiexec",
        )
    return found
