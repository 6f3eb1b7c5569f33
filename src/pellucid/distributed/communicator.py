"""The protocol between a training and the other processes that share it, and that of one alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..typing import Array

__all__ = ["Communicator", "Pending", "Solo"]


class Pending(Protocol):
    """Messages on their way; the arrays must not be touched before `wait` has returned."""

    def test(self) -> bool:
        """Let them go on; return whether all have arrived."""

    def wait(self) -> None:
        """Return when all have arrived."""


class Communicator(Protocol):
    """The processes (ranks) that share a training; each calls the same methods in the same order.

    Attributes
    ----------
    rank : int
        The number of this process, from 0.
    size : int
        The number of processes.
    """

    rank: int
    size: int

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, in order, on every rank; any object that pickles."""

    def broadcast(self, value: Any, root: int = 0) -> Any:
        """Return the value of rank ``root``, on every rank."""

    def collect(self, part: Array) -> Array:
        """Return the arrays of all ranks, of one shape and dtype, as one array (size, ...)."""

    def exchange(
        self, sent: Sequence[Array], received: Sequence[Array], channel: int = 0
    ) -> Pending:
        """Begin to send ``sent[k]`` to rank k, and to receive ``received[k]`` from it.

        Arrays are C-contiguous; both ends of a message have one size and dtype. This rank's own is
        copied. All ranks begin the exchanges of a ``channel`` in one order; those of different
        channels may overtake each other.
        """

    def split(self, group: int) -> Communicator:
        """Return the communicator of the ranks that give the same number, in their order."""

    def barrier(self) -> None:
        """Return when every rank has called it; the processor is free meanwhile."""

    def abort(self, code: int) -> None:
        """End all ranks at once with this exit code, because this one cannot go on."""


class Solo:
    """The communicator of one process: nothing is sent.

    Examples
    --------
    >>> alone = Solo()
    >>> alone.size, alone.gather("a"), alone.collect(np.ones(2)).shape
    (1, ['a'], (1, 2))
    """

    rank = 0
    size = 1

    def gather(self, value: Any) -> list[Any]:
        """Return the value in a list."""
        return [value]

    def broadcast(self, value: Any, root: int = 0) -> Any:
        """Return the value."""
        return value

    def collect(self, part: Array) -> Array:
        """Return the array as the only one."""
        return np.asarray(part)[np.newaxis]

    def exchange(
        self, sent: Sequence[Array], received: Sequence[Array], channel: int = 0
    ) -> Pending:
        """Copy the array."""
        if received[0] is not sent[0]:
            received[0][...] = sent[0]
        return _Arrived()

    def split(self, group: int) -> Communicator:
        """Return this communicator."""
        return self

    def barrier(self) -> None:
        """Return."""

    def abort(self, code: int) -> None:
        """Exit."""
        raise SystemExit(code)


class _Arrived:
    def test(self) -> bool:
        return True

    def wait(self) -> None:
        pass
