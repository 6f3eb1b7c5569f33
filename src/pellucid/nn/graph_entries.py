"""The nodes of a graph as they are written: by name, with the names that each one reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ..errors import ArgumentError
from .layer import Layer

__all__ = ["Entries", "Entry", "entries_of", "in_order", "leading_to"]

# A layer with the names of the nodes it reads, or a layer alone, which reads the previous node.
Entry: TypeAlias = Layer | Sequence[Any]
Entries: TypeAlias = Mapping[str, Entry] | Sequence[Sequence[Any]]


def entries_of(nodes: Any, input: str) -> dict[str, tuple[Layer, tuple[str, ...]]]:
    """Return each node's layer and the names it reads, by name."""
    if not isinstance(nodes, Mapping | list | tuple):
        raise ArgumentError(
            f"must be a mapping of name to (layer, names it reads), received {nodes!r}.",
            where="nodes",
        )
    given = [(k, *_of(v)) for k, v in nodes.items()] if isinstance(nodes, Mapping) else nodes
    if not given:
        raise ArgumentError("needs at least one node.", where="Graph")
    entries: dict[str, tuple[Layer, tuple[str, ...]]] = {}
    last = input
    for entry in given:
        if not isinstance(entry, list | tuple) or len(entry) < 2 or not _are_names(entry):
            raise ArgumentError(
                f"a node is written as `name: (layer, names it reads)`, received {entry!r}.",
                where="Graph",
            )
        name, layer, *reads = entry
        if name in entries:
            raise ArgumentError(f"two nodes are called {name!r}.", where="Graph")
        entries[name] = layer, tuple(reads) or (last,)
        last = name
    return entries


def _of(entry: Any) -> Sequence[Any]:
    return entry if isinstance(entry, list | tuple) else (entry,)


def _are_names(entry: Sequence[Any]) -> bool:
    return all(isinstance(name, str) for name in (entry[0], *entry[2:]))


def in_order(reads: Mapping[str, Sequence[str]], input: str) -> list[str]:
    """Return the names sorted topologically, otherwise in the given order.

    As by passes over the names, each of which takes those whose reads are all taken, but the number
    of a node's pass is computed from those of its reads, in time proportional to the edges.

    Examples
    --------
    >>> in_order({"c": ("b", "a"), "b": ("a",), "a": ("x",), "d": ("x",)}, "x")
    ['a', 'd', 'b', 'c']
    """
    place = {name: k for k, name in enumerate(reads)}
    readers: dict[str, list[str]] = {}
    missing = {name: len(set(read)) for name, read in reads.items()}
    for name, read in reads.items():
        for other in set(read):
            readers.setdefault(other, []).append(name)
    passes = {input: 0}
    ready = [input]
    while ready:
        for name in readers.get(ready.pop(), ()):
            missing[name] -= 1
            if not missing[name]:
                passes[name] = max(
                    passes[other] + (place.get(other, -1) > place[name]) for other in reads[name]
                )
                ready.append(name)
    if waiting := {name: read for name, read in reads.items() if missing[name]}:
        raise ArgumentError(
            f"the nodes read each other in a cycle: {_cycle(waiting)}. A graph runs each node "
            "once, after those it reads.",
            where="Graph",
        )
    return sorted(reads, key=lambda name: (passes[name], place[name]))


MOST_NAMES = 8  # of a cycle that are listed


def _cycle(waiting: Mapping[str, Sequence[str]]) -> str:
    """Return the names on one cycle of the unsorted nodes, in words."""
    path: dict[str, None] = {}
    name = next(iter(waiting))
    while name not in path:
        path[name] = None
        name = next(read for read in waiting[name] if read in waiting)
    listed = [*path]
    cycle = [*listed[listed.index(name) :], name][::-1]
    if len(cycle) > MOST_NAMES:
        left_out = len(cycle) - MOST_NAMES
        cycle[MOST_NAMES // 2 : -MOST_NAMES // 2] = [f"({left_out} more)"]
    return " -> ".join(cycle)


def leading_to(reads: Mapping[str, Sequence[str]], ends: Iterable[str]) -> set[str]:
    """Return the names of the nodes that lead to one of ``ends``, these included.

    Examples
    --------
    >>> sorted(leading_to({"a": ("x",), "b": ("a",), "c": ("a",)}, ["c"]))
    ['a', 'c']
    """
    found: set[str] = set()
    waiting = [*ends]
    while waiting:
        name = waiting.pop()
        if name in reads and name not in found:
            found.add(name)
            waiting.extend(reads[name])
    return found
