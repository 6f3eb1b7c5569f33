"""The topological walk over a graph of layers that every container uses.

Values are numbered: 0 is the input of the container, k the output of its k-th node. A node reads
earlier values, and the last node's output is the container's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, NamedTuple

from ..errors import PellucidError, ShapeError
from ..receptive import ReceptiveField
from ..typing import Array
from .joins import JoinError

if TYPE_CHECKING:
    from .layer import Layer

__all__ = [
    "Node",
    "backward",
    "fields",
    "flattened",
    "forward",
    "is_line",
    "line",
    "path_of",
    "shapes",
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


# Running ------------------------------------------------------------------------------------


def forward(nodes: Sequence[Node], x: Array) -> Array:
    """Return the output of the graph for ``x``."""
    values, image = {0: x}, getattr(x, "shape", ())[1:]
    unread = Counter(k for node in nodes for k in node.reads)
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
    return values[len(nodes)]


def backward(nodes: Sequence[Node], dy: Array) -> Array:
    """Return the gradient of the graph's input; store those of the parameters in ``grad``.

    The gradients of a value that several nodes read are added in the order of these nodes.
    """
    gradients = {len(nodes): [dy]}
    for made, node in reversed(list(enumerate(nodes, 1))):
        with _labelled(nodes, node):
            dx = node.layer.backward(_sum(gradients.pop(made)))
        parts = dx if isinstance(dx, tuple) else (dx,)
        for k, part in reversed(list(zip(node.reads, parts, strict=True))):
            gradients.setdefault(k, []).append(part)
    return _sum(gradients[0])


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
    flat: list[Node] = []

    def place(path: str, layer: Layer, reads: tuple[int, ...]) -> int:
        """Add a layer; return the number of its output."""
        inside = layer.nodes()
        if inside is None or (lines and not is_line(inside)):
            flat.append(Node(path, layer, reads))
            return len(flat)
        made = [*reads]
        for node in inside:
            read = tuple(made[k] for k in node.reads)
            made.append(place(path_of(path, node.name), node.layer, read))
        return made[-1]

    place("", model, (0,))
    return flat


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
