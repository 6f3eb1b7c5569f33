"""What lies in a graph between two values that everything passes, for a picture of volumes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...nn import Layer, Node, walk
from ...typing import Shape

__all__ = ["Segment", "Visit", "segments"]


@dataclass(frozen=True)
class Visit:
    """A node with the path of its layer, and its shapes."""

    path: str
    node: Node
    before: tuple[Shape, ...]
    after: Shape

    @property
    def layer(self) -> Layer:
        """The node's layer."""
        return self.node.layer


@dataclass(frozen=True)
class Segment:
    """The nodes after the value ``start`` up to a node through which everything passes.

    ``visits`` are all nodes of the graph; value k is made by ``visits[k - 1]``.
    """

    visits: list[Visit]
    start: int
    end: int

    @property
    def last(self) -> Visit:
        """The node at its end."""
        return self.visits[self.end - 1]

    @property
    def alone(self) -> bool:
        """Whether it is one node that reads one value."""
        return self.end == self.start + 1 and len(self.last.node.reads) == 1

    def chain(self, value: int) -> list[Visit] | None:
        """Return the nodes from the start to a value; None if several paths lead to it."""
        chain: list[Visit] = []
        while value != self.start:
            visit = self.visits[value - 1]
            if len(visit.node.reads) > 1:
                return None
            chain.append(visit)
            (value,) = visit.node.reads
        return chain[::-1]

    def residual(self) -> tuple[list[Visit], list[Visit]] | None:
        """Return the chain and the shortcut of a block; None if it is not one.

        Both lead to a join of two values that keeps the shape, as a sum or a product.
        """
        if len(self.last.node.reads) != 2 or self.last.before[0] != self.last.after:
            return None
        one, other = (self.chain(value) for value in self.last.node.reads)
        if one is None or other is None:
            return None
        chain, shortcut = (one, other) if len(one) >= len(other) else (other, one)
        weighted = [visit for visit in shortcut if visit.layer.multiply_adds(visit.before[0])]
        fits = bool(chain) and chain[-1].after == self.last.after and len(weighted) <= 1
        return (chain, shortcut) if fits else None


def segments(model: Layer, shape: Shape, path: str) -> Iterator[Segment] | None:
    """Return the segments of a container, in order; None if a join of its own ends it."""
    nodes = model.nodes()
    if nodes is None or (nodes and not nodes[-1].name):
        return None
    visits = [
        Visit(walk.path_of(path, node.name), node, read, out)
        for node, read, out in walk.shapes(nodes, shape)
    ]
    ends = walk.bottlenecks(nodes)
    return (Segment(visits, *pair) for pair in zip([0, *ends], ends, strict=False))
