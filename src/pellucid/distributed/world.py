"""The communicator of all processes that were started together with this one."""

from __future__ import annotations

import os
from functools import lru_cache

from ..errors import ArgumentError, PellucidError
from ..launch import launched
from .communicator import Communicator, Solo
from .ending import given_up_after, watch_the_end
from .mpi import MPI

__all__ = ["world"]

TIMEOUT = 600.0  # seconds; PELLUCID_RANK_TIMEOUT replaces it


@lru_cache(maxsize=1)
def world() -> Communicator:
    """Return the communicator of all ranks that an MPI launcher has started; alone, `Solo`.

    What the launcher has written into the environment decides (`pellucid.launch`): a program
    that was started alone imports no mpi4py. Every call returns the same object. The ranks wait for
    each other: if one has ended before, or never starts, the others end after 10 minutes, or the
    seconds in the environment variable ``PELLUCID_RANK_TIMEOUT``; 0 is for ever.

    Raises
    ------
    MissingExtraError
        If there are several ranks, and mpi4py or an MPI library is not installed.
    ArgumentError
        If ``PELLUCID_RANK_TIMEOUT`` is not a number of seconds.
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
    seconds = _timeout()
    with given_up_after(seconds, _missing(seconds)):
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
    watch_the_end(found)
    return found


def _timeout() -> float:
    text = os.environ.get("PELLUCID_RANK_TIMEOUT", "").strip()
    try:
        seconds = float(text or TIMEOUT)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e8:
        raise ArgumentError(
            f"must be a number of seconds, 0 for no limit; received {text!r}.",
            where="PELLUCID_RANK_TIMEOUT",
        )
    return seconds


def _missing(seconds: float) -> str:
    return (
        f"the other ranks have not started within {seconds:g} seconds: one of them has failed "
        "before, or the launcher cannot reach its host. PELLUCID_RANK_TIMEOUT sets the seconds."
    )
