"""The topological walk over a graph of layers that every container uses.

Values are numbered: 0 is the input of the container, k the output of its k-th node. A node reads
earlier values, and the last node's output is the container's. A container of several outputs says
which values they are: its *ends*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, PellucidError, ShapeError
from ..receptive import ReceptiveField
from ..typing import Array
from .join import JoinError

if TYPE_CHECKING:
    from .layer import Layer

__all__ = [
    "Node",
    "backward",
    "bottlenecks",
    "fields",
    "flattened",
    "forward",
    "is_line",
    "line",
    "one_for_each",
    "output_values",
    "path_of",
    "returned",
    "shapes",
    "steps_to",
]

Shape = tuple[int, ...]


class Node(NamedTuple):
    """A layer in a graph.

    Attributes
    ----------
    name : str
        Of the layer within its container; "" for a join that is part of the container, such as the
        sum at the end of a `Residual`.
    layer : Layer
    reads : tuple of int
        The numbers of the values that it reads: 0 is the container's input, k the output of its
        k-th node.
    """

    name: str
    layer: Layer
    reads: tuple[int, ...]


def line(layers: Mapping[str, Layer]) -> list[Node]:
    """Return the nodes of a chain: each reads the previous one, the first the input.

    Examples
    --------
    >>> from pellucid.nn import Flatten, ReLU
    >>> line({"relu": ReLU(), "flatten": Flatten()})
    [Node(name='relu', layer=ReLU(), reads=(0,)), Node(name='flatten', layer=Flatten(), reads=(1,))]
    """
    return [Node(name, layer, (k,)) for k, (name, layer) in enumerate(layers.items())]


def is_line(nodes: Sequence[Node] | None) -> bool:
    """Return whether each node reads the previous one's output, and nothing else."""
    return nodes is not None and all(
        node.name and node.reads == (k,) for k, node in enumerate(nodes)
    )


def bottlenecks(nodes: Sequence[Node]) -> list[int]:
    """Return the numbers of the values that everything passes, in order, without the input.

    No later node reads a value from before one of them.

    Examples
    --------
    >>> from pellucid.nn import Add, ReLU, Tanh
    >>> both = [Node("b", ReLU(), (1,)), Node("c", Tanh(), (1,)), Node("d", Add(), (2, 3))]
    >>> bottlenecks([Node("a", ReLU(), (0,)), *both])
    [1, 4]
    """
    last_reader = {k: made for made, node in enumerate(nodes, 1) for k in node.reads}
    found, furthest = [], 0
    for made in range(1, len(nodes) + 1):
        furthest = max(furthest, last_reader.get(made - 1, 0))
        if furthest <= made:
            found.append(made)
    return found


# Running ------------------------------------------------------------------------------------


def forward(nodes: Sequence[Node], x: Array, ends: Sequence[int] | None = None) -> Any:
    """Return the output of the graph for ``x``; with ``ends``, a tuple of these values."""
    values, image = {0: x}, getattr(x, "shape", ())[1:]
    unread = Counter(k for node in nodes for k in node.reads)
    unread.update(ends or ())
    for made, node in enumerate(nodes, 1):
        inputs = [values[k] for k in node.reads]
        for k in node.reads:
            unread[k] -= 1
            if not unread[k]:
                del values[k]  # frees its memory, unless a layer has cached it
        run = node.layer if node.name else node.layer.forward  # __call__ labels errors
        try:
            values[made] = run(*inputs)
        except JoinError as error:
            raise _told(error, nodes, node, image) from None
    return values[len(nodes)] if ends is None else tuple(values[k] for k in ends)


def backward(nodes: Sequence[Node], dy: Any, ends: Sequence[int] | None = None) -> Array:
    """Return the gradient of the graph's input; store those of the parameters in ``grad``.

    The gradients of a value that several nodes read are added in the order of these nodes, and then
    that of an output. With ``ends``, ``dy`` is a tuple, with None for an output without gradient;
    parameters that lead to no other get zeros.
    """
    gradients: dict[int, list[Array]] = {}
    if ends is None:
        gradients[len(nodes)] = [dy]
    else:
        for k, part in zip(ends, one_for_each(dy, len(ends)), strict=True):
            if part is not None:
                gradients.setdefault(k, []).append(part)
    for made, node in reversed(list(enumerate(nodes, 1))):
        if made not in gradients:
            for parameter in node.layer.parameters().values():
                parameter.grad = np.zeros_like(parameter.data)
            continue
        with _labelled(nodes, node):
            dx = node.layer.backward(_sum(gradients.pop(made)))
        parts = dx if isinstance(dx, tuple) else (dx,)
        for k, part in reversed(list(zip(node.reads, parts, strict=True))):
            gradients.setdefault(k, []).append(part)
    return _sum(gradients[0])


def one_for_each(dy: Any, outputs: int) -> Sequence[Array | None]:
    """Return the gradients of several outputs, or refuse what is not one for each."""
    if not isinstance(dy, list | tuple) or len(dy) != outputs:
        received = f"{len(dy)} of them" if isinstance(dy, list | tuple) else type(dy).__name__
        raise ArgumentError(
            f"expects a tuple of {outputs} gradients, one for each output, with None where there "
            f"is none; received {received}.",
            where="backward",
        )
    if all(part is None for part in dy):
        raise ArgumentError(
            "expects the gradient of at least one output, received None for each.", where="backward"
        )
    return dy


def returned(values: Sequence[Any], ends: Sequence[int] | None) -> Any:
    """Return what belongs to the output: of all ``values`` the last one, or a tuple of the ends."""
    return values[-1] if ends is None else tuple(values[k] for k in ends)


def _sum(parts: list[Array]) -> Array:
    """Return the sum of gradients listed in reverse order."""
    return reduce(add, reversed(parts))


# Asking without running ---------------------------------------------------------------------


def shapes(
    nodes: Sequence[Node], input_shape: Shape
) -> Iterator[tuple[Node, tuple[Shape, ...], Shape]]:
    """Yield each node with its input shapes and its output shape."""
    known = {0: tuple(input_shape)}
    for made, node in enumerate(nodes, 1):
        read = tuple(known[k] for k in node.reads)
        with _labelled(nodes, node, known[0]):
            known[made] = node.layer.output_shape(*read)
        yield node, read, known[made]


def fields(
    nodes: Sequence[Node], input_shape: Shape, field: ReceptiveField
) -> Iterator[tuple[Node, tuple[Shape, ...], ReceptiveField, ReceptiveField]]:
    """Yield each node with its input shapes, and the receptive fields before and after it.

    The field of a node with several inputs is the union of theirs.
    """
    seen = {0: field}
    for made, (node, read, _) in enumerate(shapes(nodes, input_shape), 1):
        before = reduce(ReceptiveField.joined, (seen[k] for k in node.reads))
        seen[made] = node.layer.receptive_field(before, *read)
        yield node, read, before, seen[made]


# One graph of a whole model -----------------------------------------------------------------


def flattened(model: Layer, *, lines: bool = False) -> list[Node]:
    """Return the nodes of a model with containers expanded in place, named by paths.

    A layer without `Layer.nodes` is one node; with ``lines``, so is every container whose nodes do
    not form a chain.

    Examples
    --------
    >>> from pellucid.nn import ReLU, Residual, Sequential, Tanh
    >>> model = Sequential(block=Residual(one=ReLU(), two=Tanh()), relu=ReLU())
    >>> [(node.name, node.reads) for node in flattened(model)]
    [('block.one', (0,)), ('block.two', (1,)), ('block', (2, 0)), ('relu', (3,))]
    """
    return _expanded(model, lines=lines)[0]


def output_values(model: Layer, *, lines: bool = False) -> tuple[int, ...]:
    """Return the numbers of a model's outputs among the values of `flattened`; one, or several.

    Examples
    --------
    >>> from pellucid.nn import Graph, ReLU, Tanh
    >>> output_values(Graph({"a": ReLU(), "b": Tanh(), "c": ReLU()}, output=("c", "b")))
    (3, 2)
    """
    return _expanded(model, lines=lines)[1]


def _expanded(model: Layer, *, lines: bool) -> tuple[list[Node], tuple[int, ...]]:
    """Return the nodes of `flattened`, and the numbers of the outputs among their values."""
    flat: list[Node] = []

    def place(path: str, layer: Layer, reads: tuple[int, ...]) -> list[int]:
        """Add a layer; return the numbers of its output, or outputs."""
        inside = layer.nodes()
        if inside is None or (lines and not is_line(inside) and layer.output_names is None):
            flat.append(Node(path, layer, reads))
            return [len(flat)]
        made = [*reads]
        for node in inside:
            read = tuple(made[k] for k in node.reads)
            made += place(path_of(path, node.name), node.layer, read)
        ends = layer.ends()
        return made[-1:] if ends is None else [made[k] for k in ends]

    outputs = place("", model, (0,))
    return flat, tuple(outputs)


def steps_to(model: Layer, path: str) -> list[str]:
    """Return the names that lead from a model to the layer at ``path``, one for each container.

    Names of a `Graph` may have dots in them. [] if there is no such layer.

    Examples
    --------
    >>> from pellucid.nn import Graph, ReLU, Sequential
    >>> steps_to(Sequential(body=Graph({"block.0": ReLU(), "block.1": ReLU()})), "body.block.1")
    ['body', 'block.1']
    """
    for name, child in model.children():
        if name == path:
            return [name]
        if path.startswith(f"{name}.") and (rest := steps_to(child, path[len(name) + 1 :])):
            return [name, *rest]
    return []


def path_of(path: str, name: str) -> str:
    """Return the dotted path of ``name`` inside ``path``.

    Examples
    --------
    >>> path_of("layer1.0", "conv1"), path_of("", "conv1"), path_of("layer1.0", "")
    ('layer1.0.conv1', 'conv1', 'layer1.0')
    """
    return f"{path}.{name}" if path and name else path or name


@contextmanager
def _labelled(nodes: Sequence[Node], node: Node, input_shape: Shape = ()) -> Iterator[None]:
    """Label errors with the node's name; for a join without one, with its container's."""
    try:
        yield
    except JoinError as error:
        raise _told(error, nodes, node, input_shape) from None
    except PellucidError as error:
        if node.name:
            error.inside(type(node.layer).__name__, node.name)
        raise


def _told(error: JoinError, nodes: Sequence[Node], node: Node, input_shape: Shape) -> ShapeError:
    """Return the error with the names of the values that cannot be joined."""
    told = error.among([nodes[k - 1].name if k else "" for k in node.reads], input_shape)
    if node.name:
        told.inside(type(node.layer).__name__, node.name)
    return told
