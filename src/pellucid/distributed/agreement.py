"""What all ranks must agree on: that a piece of work went well, that they have the same facts.

All functions here are collective: every rank calls them, in the same order. While one rank works,
the others wait in `Communicator.barrier`, which leaves them the processor.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..errors import ArgumentError, PellucidError, RanksError
from .communicator import Communicator

__all__ = ["agreed", "by_first", "in_turns", "on_first", "places", "require_same"]

T = TypeVar("T")
TOLD = (PellucidError, OSError, MemoryError)  # whose message is enough; others are faults of ours


def agreed(communicator: Communicator, work: Callable[[], T]) -> T:
    """Call ``work`` on each rank and return its result; if it failed on any, fail on all.

    Raises
    ------
    Exception
        That of ``work``, if it failed on all ranks with the same message. A fault that is not an
        error of Pellucid's or the system's is raised as it is on its rank.
    RanksError
        If it failed on some ranks, or differently: with the message of the first of them, and which
        ranks they are.

    Examples
    --------
    >>> from pellucid.distributed import Solo
    >>> agreed(Solo(), lambda: 7)
    7
    """
    if communicator.size == 1:
        return work()
    failure: Exception | None = None
    result: Any = None
    try:
        result = work()
    except Exception as error:
        failure = error
    communicator.barrier()
    outcomes = communicator.gather((_told(failure), platform.node()))
    failures, hosts = [told for told, _ in outcomes], [host for _, host in outcomes]
    if not any(failures):
        return result
    if failure is not None and (failures.count(failures[0]) == len(failures) or _is_fault(failure)):
        raise failure
    first = next(filter(None, failures))
    ranks = [rank for rank, one in enumerate(failures) if one == first]
    message, where, arguments = first
    told = RanksError(message, where=where, ranks=places(ranks, hosts))
    told.arguments = arguments
    raise told from failure


def on_first(communicator: Communicator, work: Callable[[], T]) -> T | None:
    """Call ``work`` on rank 0 alone; return its result there, and None on the others.

    Raises
    ------
    Exception
        That of ``work`` on rank 0, and on the others a `RanksError` with the same message.
    """
    failure: list[Exception] = []

    def kept() -> T:
        try:
            return work()
        except Exception as error:
            failure.append(error)
            raise

    try:
        return agreed(communicator, kept if communicator.rank == 0 else lambda: None)
    except RanksError as error:
        if failure:
            raise failure[0] from failure[0].__cause__
        error.ranks = ""
        raise


def by_first(communicator: Communicator, work: Callable[[], T]) -> T:
    """Call ``work`` on rank 0 alone, and return its result, which must pickle, on all ranks.

    Raises
    ------
    Exception
        As `on_first`.

    Examples
    --------
    >>> from pellucid.distributed import Solo
    >>> by_first(Solo(), lambda: 7)
    7
    """
    result: T = communicator.broadcast(on_first(communicator, work))
    return result


def in_turns(communicator: Communicator, work: Callable[[], T]) -> T:
    """Call ``work`` on rank 0, then on one rank of each other host, then on the rest.

    So what the first leaves in a cache on its host, or on a disk of all hosts, is found by the
    others. If it fails, the next do not begin.

    Raises
    ------
    Exception
        As `agreed`; where all ranks are on one host, and rank 0 fails, its error as it is.
    """
    if communicator.size == 1:
        return work()
    hosts = communicator.gather(platform.node())
    turns = [int(host != hosts[0]) + int(k != hosts.index(host)) for k, host in enumerate(hosts)]
    mine = turns[communicator.rank]
    result: Any = None
    for turn in range(max(turns) + 1):
        try:
            done = agreed(communicator, work if turn == mine else lambda: None)
        except RanksError as error:
            if turn == 0 and len(set(hosts)) == 1:
                error.ranks = ""
            raise
        result = done if turn == mine else result
    return result


def require_same(communicator: Communicator, facts: Mapping[str, Any]) -> None:
    """Refuse to go on if a fact, such as a version or a hash, is not the same on all ranks.

    Parameters
    ----------
    communicator : Communicator
    facts : mapping of str to object
        Values by name, as a user knows them. They are compared by their ``repr``: give a hash for
        what is large.

    Raises
    ------
    ArgumentError
        On all ranks, with each fact that differs, the ranks, and what they have.
    """
    if communicator.size == 1:
        return
    every = communicator.gather({name: repr(fact) for name, fact in facts.items()})
    if all(one == every[0] for one in every):
        return
    hosts = communicator.gather(platform.node())
    names = dict.fromkeys(name for one in every for name in one)
    found = (_difference(name, [one.get(name) for one in every], hosts) for name in names)
    raise ArgumentError(
        f"all ranks must have the same; these differ: {'; '.join(filter(None, found))}. Start "
        "every rank with the same program, options and data.",
        where="ranks",
    )


def places(ranks: Sequence[int], hosts: Sequence[str]) -> str:
    """Return in words which ranks these are, and where, if there are several hosts.

    Examples
    --------
    >>> places([2], ["a", "a", "b", "b"]), places([0, 1, 2, 3], ["a", "a", "b", "b"])
    ('rank 2 of 4 (on host b)', 'ranks 0 to 3 of 4 (on hosts a and b)')
    """
    spans: list[list[int]] = []
    for rank in ranks:
        if spans and rank == spans[-1][-1] + 1:
            spans[-1].append(rank)
        else:
            spans.append([rank])
    parts: list[str] = []
    for span in spans:
        parts += [f"{span[0]} to {span[-1]}"] if len(span) > 2 else map(str, span)
    text = f"rank{'s' * (len(ranks) > 1)} {_and(parts)} of {len(hosts)}"
    if len(set(hosts)) == 1:
        return text
    own = list(dict.fromkeys(hosts[rank] for rank in ranks))
    few = own if len(own) <= 4 else [*own[:3], f"{len(own) - 3} others"]
    return f"{text} (on host{'s' * (len(own) > 1)} {_and(few)})"


def _and(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _told(failure: Exception | None) -> tuple[str, str, dict[str, Any]] | None:
    """Return what the other ranks can say of a failure: message, where, arguments."""
    if failure is None:
        return None
    if isinstance(failure, PellucidError):
        named = str(failure) in (failure.text, f"{failure.where}: {failure.text}")
        whole = failure.message, failure.where, dict(failure.arguments)  # may yet be renamed
        return whole if named else (str(failure), "", {})
    if isinstance(failure, OSError):
        place = f"'{failure.filename}': " if failure.filename else ""
        return f"{place}{failure.strerror or failure}.", "", {}
    if isinstance(failure, MemoryError):
        return f"there is not enough memory. {failure}".rstrip(), "", {}
    return f"{type(failure).__name__}: {failure}", "", {}


def _is_fault(failure: Exception) -> bool:
    return not isinstance(failure, TOLD)


def _difference(name: str, values: Sequence[str | None], hosts: Sequence[str]) -> str:
    """Return which ranks have which value of a fact; empty if all have one."""
    if values.count(values[0]) == len(values):
        return ""
    parts = []
    for value in dict.fromkeys(values):
        ranks = [rank for rank, own in enumerate(values) if own == value]
        parts.append(f"{'missing' if value is None else value} on {places(ranks, hosts)}")
    return f"{name} is {', and '.join(parts)}"
