"""Any directed acyclic graph of layers as one layer, with one input and one output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import Any, TypeAlias

from ..errors import ArgumentError, did_you_mean
from . import walk
from .containers import Container
from .layer import Layer
from .walk import Node

__all__ = ["Graph"]

# A layer with the names of the nodes it reads, or a layer alone, which reads the previous node.
Entry: TypeAlias = Layer | Sequence[Any]


class Graph(Container):
    """Any directed acyclic graph of layers: each reads the input or the outputs of other nodes.

    The gradient of a value that several nodes read is the sum of their gradients, in the order of
    the nodes. A node that reads several values is a join: `Add`, `Concat`, or your own layer whose
    forward takes as many. Nodes may be containers, including other graphs.

    Parameters
    ----------
    nodes : mapping of name to (Layer, name, ...)
        Each node's layer and the names of the nodes it reads, in any order. A layer alone reads the
        previous node, and the first one the input. Or a list of (name, Layer, name, ...).
    output : str, optional
        The node whose value is the output; by default the one that no other node reads.
    input : str
        The name of the input.

    Raises
    ------
    ArgumentError
        If a node reads an unknown name, itself in a cycle, or more or fewer values than its layer's
        forward takes; if a node's output is not used; if one layer occurs twice.
    ShapeError
        From `output_shape` and forward, if the inputs of a node cannot be added or concatenated.

    Examples
    --------
    >>> from pellucid.nn import Add, Conv2d, ReLU
    >>> block = Graph({
    ...     "conv1": (Conv2d(4, 4, 3, padding=1), "x"),
    ...     "relu1": ReLU(),
    ...     "conv2": Conv2d(4, 4, 3, padding=1),
    ...     "add": (Add(), "conv2", "conv1", "x"),
    ... })
    >>> block.output_shape((4, 8, 8)), list(block.parameters())[::2]
    ((4, 8, 8), ['conv1.weight', 'conv2.weight'])
    >>> block.nodes()[-1]
    Node(name='add', layer=Add(), reads=(3, 1, 0))
    """

    def __init__(
        self,
        nodes: Mapping[str, Entry] | Sequence[Sequence[Any]],
        output: str | None = None,
        input: str = "x",
    ) -> None:
        if not isinstance(input, str) or not input:
            raise ArgumentError(f"must be a name, received {input!r}.", where="input")
        self.input = input
        entries = _entries(nodes, input)
        reads = {name: read for name, (_, read) in entries.items()}
        for name, read in reads.items():
            self._require_known(name, read, [input, *reads])
        self._reads = {name: reads[name] for name in _in_order(reads, input)}
        super().__init__(**{name: entries[name][0] for name in self._reads})
        self._require_used(output)

    def wiring(self) -> list[Node]:
        """Return the nodes in topological order."""
        number = {name: k for k, name in enumerate([self.input, *self._reads])}
        return [
            Node(name, layer, tuple(number[read] for read in self._reads[name]))
            for name, layer in self._children.items()
        ]

    def config(self) -> dict[str, Any]:
        """Return the nodes as a list of (name, layer, names it reads), and the input."""
        if type(self).__init__ is not Graph.__init__:
            return super().config()
        return {"nodes": self._listed(self._children), "input": self.input}

    def with_layers(self, layers: Mapping[str, Layer]) -> Container:
        """Return a plain graph of ``layers`` with the same names and edges."""
        return Graph(self._listed(layers), input=self.input)

    def __repr__(self) -> str:
        lines = [
            f"{name!r}: ({', '.join([repr(layer), *map(repr, self._reads[name])])}),\n"
            for name, layer in self._children.items()
        ]
        other = f", input={self.input!r}" * (self.input != "x")
        return f"{type(self).__name__}({{\n{indent(''.join(lines), '    ')}}}{other})"

    def _listed(self, layers: Mapping[str, Layer]) -> list[tuple[Any, ...]]:
        return [(name, layers[name], *read) for name, read in self._reads.items()]

    def _told_reads(self, node: Node, path: str) -> tuple[str, ...]:
        return tuple(walk.path_of(path, name) for name in self._reads[node.name])

    def _require_known(self, name: str, read: Sequence[str], known: Sequence[str]) -> None:
        if name == self.input:
            raise ArgumentError(
                f"a node and the input are both called {name!r}. Give the node another name, or "
                "the input: `input=`.",
                where=type(self).__name__,
            )
        for other in read:
            if other not in known:
                raise ArgumentError(
                    f"{name!r} reads {other!r}, but no node has this name. "
                    f"{did_you_mean(other, known)}",
                    where=type(self).__name__,
                )

    def _require_used(self, output: str | None) -> None:
        """Refuse an input or a node that does not lead to the output."""
        read = {name for names in self._reads.values() for name in names}
        ends = [name for name in self._reads if name not in read]
        end = ends[-1] if output is None else output
        if end not in self._reads:
            raise ArgumentError(
                f"output is {end!r}, but no node has this name. {did_you_mean(end, self._reads)}",
                where=type(self).__name__,
            )
        unused = [name for name in ends if name != end]
        if unused or self.input not in read:
            names = " and ".join(map(repr, unused or [self.input]))
            raise ArgumentError(
                f"no node reads {names}, and the output is {end!r}. Remove it, let a node read "
                "it, or join all outputs by `nn.Concat()`.",
                where=type(self).__name__,
            )
        if end not in ends:
            raise ArgumentError(
                f"the output {end!r} is read by a node whose own output is not used. Remove the "
                "nodes after the output.",
                where=type(self).__name__,
            )


def _entries(nodes: Any, input: str) -> dict[str, tuple[Layer, tuple[str, ...]]]:
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


def _in_order(reads: Mapping[str, Sequence[str]], input: str) -> list[str]:
    """Return the names sorted topologically, otherwise in the given order."""
    placed = {input: None}
    waiting = dict(reads)
    while waiting:
        before = len(waiting)
        for name in [*waiting]:
            if all(read in placed for read in waiting[name]):
                placed[name] = None
                del waiting[name]
        if len(waiting) == before:
            raise ArgumentError(
                f"the nodes read each other in a cycle: {' -> '.join(_cycle(waiting))}. A graph "
                "runs each node once, after those it reads.",
                where="Graph",
            )
    return [*placed][1:]


def _cycle(waiting: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names on one cycle of the unsorted nodes."""
    path = [next(iter(waiting))]
    while path.count(path[-1]) == 1:
        path.append(next(read for read in waiting[path[-1]] if read in waiting))
    return path[path.index(path[-1]) :][::-1]
