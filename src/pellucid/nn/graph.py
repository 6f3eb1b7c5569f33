"""Any directed acyclic graph of layers as one layer, with one input and one or several outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import Any

from ..errors import ArgumentError, did_you_mean
from . import walk
from .containers import Container
from .graph_entries import Entries, entries_of, in_order, leading_to
from .layer import Layer
from .walk import Node

__all__ = ["Graph"]


class Graph(Container):
    """Any directed acyclic graph of layers: each reads the input or the outputs of other nodes.

    The gradient of a value that several nodes read is the sum of their gradients, in the order of
    the nodes. A node that reads several values is a join: `Add`, `Concat`, `Multiply`, or your own
    layer whose forward takes as many. Nodes may be containers, including other graphs.

    Names are those of the file or the framework that the graph comes from, as
    ``/features/conv/Conv_output_0`` or ``layer1.0.conv1``. The key of a parameter is the name of
    its node, a dot, and its own name: ``layer1.0.conv1.weight``, as if the dots were containers.
    So two nodes must not give one key: ``a.b`` cannot stand beside a container ``a`` that holds a
    ``b``.

    With several outputs, forward returns a tuple of their values, `output_shape` one of their
    shapes, and backward takes one of gradients, with None for an output that has none. Such a graph
    cannot be a layer of another container; training, evaluation and pictures need one output:
    `ending_at` returns the graph up to it.

    Parameters
    ----------
    nodes : mapping of name to (Layer, name, ...)
        Each node's layer and the names of the nodes it reads, in any order. A layer alone reads the
        previous node, and the first one the input. Or a list of (name, Layer, name, ...).
    output : str or tuple of str, optional
        The node whose value is the output; by default the one that no other node reads. A tuple
        names several, which other nodes may read as well.
    input : str
        The name of the input.

    Attributes
    ----------
    output_names : tuple of str or None
        The names of several outputs; None if there is one.

    Raises
    ------
    ArgumentError
        If a node reads an unknown name, itself in a cycle, or more or fewer values than its layer's
        forward takes; if a node's output is not used (see `pruned`); if one layer occurs twice; if
        a name is empty or has control characters.
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
    >>> two = Graph({"a": (Conv2d(4, 2, 3), "x"), "b": ReLU()}, output=("a", "b"))
    >>> two.output_shape((4, 8, 8)), two.ending_at("a").output_shape((4, 8, 8))
    (((2, 6, 6), (2, 6, 6)), (2, 6, 6))
    """

    def __init__(
        self, nodes: Entries, output: str | Sequence[str] | None = None, input: str = "x"
    ) -> None:
        if not isinstance(input, str) or not input:
            raise ArgumentError(f"must be a name, received {input!r}.", where="input")
        self.input = input
        entries = entries_of(nodes, input)
        reads = {name: read for name, (_, read) in entries.items()}
        known = {input, *reads}
        for name, read in reads.items():
            self._require_known(name, read, known)
        self._reads = {name: reads[name] for name in in_order(reads, input)}
        self.output_names = self._several(output)
        super().__init__(**{name: entries[name][0] for name in self._reads})
        self._require_keys()
        if self.output_names is None:
            self._require_used(output)
        else:
            self._require_all_used(self.output_names)

    @classmethod
    def pruned(cls, nodes: Entries, output: str | Sequence[str], input: str = "x") -> Graph:
        """Return a graph of the nodes that lead to the output; all others are left out.

        Files made by exporters have such nodes, which `Graph` itself refuses.

        Examples
        --------
        >>> from pellucid.nn import ReLU, Tanh
        >>> list(Graph.pruned({"a": ReLU(), "b": (Tanh(), "x")}, "a").children())
        [('a', ReLU())]
        """
        entries = entries_of(nodes, input)
        reads = {name: read for name, (_, read) in entries.items()}
        kept = leading_to(reads, (output,) if isinstance(output, str) else output)
        listed = [(name, entries[name][0], *reads[name]) for name in entries if name in kept]
        return Graph(listed or nodes, output, input)

    def ending_at(self, *names: str) -> Graph:
        """Return the graph up to the value of a node, or of several; the layers are the same.

        A graph of several outputs is trained, evaluated and shown by one of them.

        Parameters
        ----------
        *names : str
            Of one node, which becomes the only output, or of several.

        Raises
        ------
        ArgumentError
            If no node has this name, or the class overrides forward.

        Examples
        --------
        >>> from pellucid.nn import ReLU, Tanh
        >>> graph = Graph({"a": ReLU(), "b": Tanh(), "c": (ReLU(), "a")}, output=("b", "c"))
        >>> graph.ending_at("c").output_names, len(graph.ending_at("c"))
        (None, 2)
        """
        if not names:
            raise ArgumentError("needs the name of a node.", where=f"{self._label}.ending_at")
        if self.nodes() is None:
            raise ArgumentError(
                "overrides forward, so that it is unknown which layers lead to which.",
                where=self._label,
            )
        for name in names:
            self._require_node(name)
        one = names[0] if len(names) == 1 else names
        part = Graph.pruned(self._listed(self._children), one, self.input)
        part.input_shape, part.training = self.input_shape, self.training
        part.card, part.name = self.card, self.name
        return part

    def wiring(self) -> list[Node]:
        """Return the nodes in topological order."""
        number = self._numbers()
        return [
            Node(name, layer, tuple(number[read] for read in self._reads[name]))
            for name, layer in self._children.items()
        ]

    def ends(self) -> tuple[int, ...] | None:
        """Return the numbers of the values of several outputs; None if there is one."""
        if self.output_names is None:
            return None
        number = self._numbers()
        return tuple(number[name] for name in self.output_names)

    def config(self) -> dict[str, Any]:
        """Return the nodes as a list of (name, layer, names it reads), the input, and outputs."""
        if type(self).__init__ is not Graph.__init__:
            return super().config()
        several = {} if self.output_names is None else {"output": self.output_names}
        return {"nodes": self._listed(self._children), "input": self.input, **several}

    def with_layers(self, layers: Mapping[str, Layer]) -> Container:
        """Return a plain graph of ``layers`` with the same names and edges."""
        return Graph(self._listed(layers), self.output_names, self.input)

    def __repr__(self) -> str:
        lines = [
            f"{name!r}: ({', '.join([repr(layer), *map(repr, self._reads[name])])}),\n"
            for name, layer in self._children.items()
        ]
        other = "" if self.output_names is None else f", output={self.output_names!r}"
        other += f", input={self.input!r}" * (self.input != "x")
        return f"{type(self).__name__}({{\n{indent(''.join(lines), '    ')}}}{other})"

    def _numbers(self) -> dict[str, int]:
        return {name: k for k, name in enumerate([self.input, *self._reads])}

    def _listed(self, layers: Mapping[str, Layer]) -> list[tuple[Any, ...]]:
        return [(name, layers[name], *read) for name, read in self._reads.items()]

    def _told_reads(self, node: Node, path: str) -> tuple[str, ...]:
        return tuple(walk.path_of(path, name) for name in self._reads[node.name])

    # What is refused ----------------------------------------------------------------------------

    def _require_known(self, name: str, read: Sequence[str], known: set[str]) -> None:
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

    def _require_name(self, name: str) -> None:
        if not name or not name.isprintable():
            raise ArgumentError(
                f"a node cannot be called {name!r}: its name is part of the keys of a state dict, "
                "and is printed. Use visible characters; dots and slashes are allowed.",
                where=type(self).__name__,
            )

    def _require_keys(self) -> None:
        """Refuse names with dots that give the layers of two nodes the same path."""
        if not any("." in name for name in self._reads):
            return
        known: set[str] = set()
        for path, _ in self.layers():
            if path in known:
                raise ArgumentError(
                    f"two layers have the path {path!r}: one is a node of this name, the other "
                    "is inside a node. Give the node another name.",
                    where=type(self).__name__,
                )
            known.add(path)

    def _several(self, output: Any) -> tuple[str, ...] | None:
        """Return the names of several outputs; None if one is named, or none."""
        if output is None or isinstance(output, str):
            return None
        if not isinstance(output, list | tuple) or not output or len({*output}) < len(output):
            raise ArgumentError(
                f"must be the name of a node, or a tuple of different names, received {output!r}.",
                where="output",
            )
        for name in output:
            self._require_node(name)
        return tuple(output)

    def _require_node(self, name: Any) -> None:
        if name not in self._reads:
            raise ArgumentError(
                f"output is {name!r}, but no node has this name. "
                f"{did_you_mean(str(name), self._reads)}",
                where=type(self).__name__,
            )

    def _require_all_used(self, outputs: tuple[str, ...]) -> None:
        """Refuse nodes that lead to none of several outputs."""
        kept = leading_to(self._reads, outputs)
        unused = [name for name in self._reads if name not in kept]
        if unused:
            raise ArgumentError(
                f"no path leads from {_names(unused)} to an output, {_names(outputs)}. Remove it, "
                "or build it by `nn.Graph.pruned`.",
                where=type(self).__name__,
            )

    def _require_used(self, output: Any) -> None:
        """Refuse an input or a node that does not lead to the only output."""
        read = {name for names in self._reads.values() for name in names}
        ends = [name for name in self._reads if name not in read]
        end = ends[-1] if output is None else output
        self._require_node(end)
        unused = [name for name in ends if name != end]
        if unused or self.input not in read:
            raise ArgumentError(
                f"no node reads {_names(unused or [self.input])}, and the output is {end!r}. "
                "Remove it, let a node read it, join all outputs by `nn.Concat()`, or name "
                "several: `output=(...)`.",
                where=type(self).__name__,
            )
        if end not in ends:
            raise ArgumentError(
                f"the output {end!r} is read by a node whose own output is not used. Remove the "
                "nodes after the output, or build it by `nn.Graph.pruned`.",
                where=type(self).__name__,
            )


MOST_NAMES = 5  # in a message


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return " and ".join(map(repr, names[:MOST_NAMES])) + more
