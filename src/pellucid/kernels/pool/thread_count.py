"""How many threads the engine's kernels use. This module loads nothing heavy."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

from ...errors import ArgumentError
from ...launch import launched

__all__ = ["get_num_threads", "set_num_threads"]

MOST = 1024
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container on Linux


def set_num_threads(threads: int) -> None:
    """Set the number of threads that the engine's kernels use.

    The bits of every result stay the same: what is summed up together is the same for any number.

    Raises
    ------
    ArgumentError
        If ``threads`` is not a whole number from 1 to 1024.

    Examples
    --------
    >>> import pellucid
    >>> before = pellucid.get_num_threads()
    >>> pellucid.set_num_threads(1)
    >>> pellucid.get_num_threads()
    1
    >>> pellucid.set_num_threads(before)
    """
    global wanted
    whole = hasattr(threads, "__index__") and not isinstance(threads, bool)  # NumPy's too
    wanted = _checked(int(threads) if whole else 0, repr(threads), "set_num_threads")


def get_num_threads() -> int:
    """Return the number of threads that the engine's kernels use.

    Its default is the environment variable ``PELLUCID_NUM_THREADS``, or else
    ``NUMBA_NUM_THREADS`` or ``OMP_NUM_THREADS``, or else the number of cores that the process may
    use: a rank started by ``mpiexec`` may use its part of the cores of its host.

    Examples
    --------
    >>> import pellucid
    >>> pellucid.get_num_threads() >= 1
    True
    """
    return wanted


def _cores(process: int = 0) -> int:
    """Return how many cores a process may use, or a container's share of them, rounded up."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(process))
    else:
        cores = os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text(encoding="ascii").split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no container; or one without a limit: "max"
        return cores


def _of_rank(local: int) -> int:
    """Return the cores of one of ``local`` ranks on this host.

    The launcher, which started this process, has the cores of all; it may have bound each rank to
    some of them.
    """
    cores = around = _cores()
    if local > 1 and hasattr(os, "getppid"):
        with suppress(OSError):
            around = _cores(os.getppid())
    return max(1, min(cores, around // local))


def _checked(threads: int, received: str, where: str) -> int:
    if not 1 <= threads <= MOST:
        raise ArgumentError(
            f"must be a whole number from 1 to {MOST}, received {received}. This process may use "
            f"{_cores()} cores.",
            where=where,
        )
    return threads


def _at_start() -> int:
    """Return the number of threads that the environment asks for, or else that of the cores."""
    own = "PELLUCID_NUM_THREADS"
    if text := os.environ.get(own, "").strip():
        return _checked(int(text) if text.isdecimal() else 0, repr(text), own)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):  # read by others too, who complain
        text = os.environ.get(name, "").split(",")[0].strip()
        if text.isdecimal() and 1 <= int(text) <= MOST:
            return int(text)
    return _of_rank(launched().local)


wanted = _at_start()
