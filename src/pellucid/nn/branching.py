"""Containers whose input takes several paths: a chain with a shortcut, and branches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..errors import ArgumentError
from ..typing import Shape
from . import walk
from .containers import Container, Sequential
from .joins import Add, Concat, bridges
from .layer import Layer
from .walk import Node

__all__ = ["Branches", "JoinedBranches", "Residual", "ResidualSum"]

KEY = "downsample"  # what the shortcut is called in state dicts, as in torchvision's ResNet


class Residual(Container):
    """A chain whose input is added to its output.

        y = chain(x) + shortcut(x),    dx = chain'(dy) + shortcut'(dy)

    The chain then learns only what differs from its input, and the gradient has a path back that
    nothing weakens. Source: He et al. 2015, "Deep Residual Learning for Image Recognition",
    section 3.2, eq. 1 and 2. What follows the addition, such as a ReLU, is the next layer.

    Parameters
    ----------
    *layers, **named : Layer
        The chain, named as in `Sequential`.
    shortcut : Layer, optional
        What the input goes through before it is added; nothing by default. It is called
        ``downsample`` in state dicts.

    Attributes
    ----------
    chain : Sequential
        The layers but for the shortcut.
    shortcut : Layer or None

    Raises
    ------
    ArgumentError
        If something is not a layer, or one layer stands in two places, at any depth.
    ShapeError
        By `output_shape` and forward, if the two shapes differ.

    Examples
    --------
    >>> from pellucid.nn import Conv2d, ReLU
    >>> block = Residual(
    ...     conv1=Conv2d(16, 32, 3, 2, 1), relu=ReLU(), conv2=Conv2d(32, 32, 3, padding=1),
    ...     shortcut=Conv2d(16, 32, 1, 2, bias=False),
    ... )
    >>> block.output_shape((16, 8, 8)), list(block.parameters())[2:]
    ((32, 4, 4), ['conv2.weight', 'conv2.bias', 'downsample.weight'])
    """

    def __init__(self, *layers: Layer, shortcut: Layer | None = None, **named: Layer) -> None:
        if shortcut is not None:
            self._require_layer("shortcut", shortcut)
            if KEY in named:
                raise ArgumentError(
                    f"two layers are called {KEY!r}: the shortcut is.", where=type(self).__name__
                )
        self.shortcut = shortcut
        super().__init__(*layers, **named)
        self.chain = Sequential(**self._children)
        if shortcut is not None:
            shortcut.name = KEY

    def wiring(self) -> list[Node]:
        """Return the chain, the shortcut, and the sum of what they make."""
        nodes = walk.line(self._children)
        ends = len(nodes), 0
        if self.shortcut is not None:
            nodes.append(Node(KEY, self.shortcut, (0,)))
            ends = len(nodes) - 1, len(nodes)
        return [*nodes, Node("", ResidualSum(self), ends)]

    def children(self) -> Iterator[tuple[str, Layer]]:
        """Yield the chain's layers in order, then the shortcut."""
        yield from self._children.items()
        if self.shortcut is not None:
            yield KEY, self.shortcut

    def with_layers(self, layers: Mapping[str, Layer]) -> Container:
        """Return a plain residual block of layers of the same names."""
        chain = {name: layers[name] for name in self._children}
        return Residual(**chain, shortcut=layers.get(KEY) if self.shortcut is not None else None)

    def _parts(self) -> dict[str, Layer]:
        parts = super()._parts()
        return parts if self.shortcut is None else parts | {"shortcut": self.shortcut}


class Branches(Container):
    """Give every branch the same input, and join their outputs along the channels.

        y = [branch_1(x), branch_2(x), ...],    dx = Σ_k branch_k'(dy_k)

    Input (N, C, H, W), output (N, Σ C_k, OH, OW); rows (N, F) are joined likewise. Source:
    Szegedy et al. 2014, "Going Deeper with Convolutions", section 4.

    Parameters
    ----------
    *layers, **named : Layer
        The branches, each a layer or a chain, named as in `Sequential`.

    Raises
    ------
    ArgumentError
        If there is none, something is not a layer, or one layer stands in two places.
    ShapeError
        By `output_shape` and forward, if the images they make differ in size.

    Examples
    --------
    >>> from pellucid.nn import Conv2d, MaxPool2d
    >>> both = Branches(ones=Conv2d(8, 4, 1), pool=MaxPool2d(3, 1, 1))
    >>> both.output_shape((8, 6, 6))
    (12, 6, 6)
    """

    def __init__(self, *layers: Layer, **named: Layer) -> None:
        if not (layers or named):
            raise ArgumentError("needs at least one branch.", where=type(self).__name__)
        super().__init__(*layers, **named)

    def wiring(self) -> list[Node]:
        """Return the branches, which all read the input, and what joins their outputs."""
        nodes = [Node(name, branch, (0,)) for name, branch in self._children.items()]
        return [*nodes, Node("", JoinedBranches(self), tuple(range(1, len(nodes) + 1)))]


class ResidualSum(Add):
    """The sum at the end of a residual block, which remembers and speaks as the block.

    Each walk makes one: the state is the block's, and the join is not among its layers.
    """

    where = "residual"

    def __init__(self, block: Residual) -> None:
        self.around = "input" if block.shortcut is None else "shortcut"
        vars(self).update(remember=block.remember, recall=block.recall)

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return what the two paths make, and which shortcut would make them alike."""
        shape, around = shapes
        return (
            f"the chain makes {shape} of {input_shape} and the shortcut {around}; what is added "
            f"must have one shape.{_advice(shape, input_shape)}"
        )

    def __repr__(self) -> str:
        return f"chain + {self.around}"


class JoinedBranches(Concat):
    """The joining at the end of branches, which remembers and speaks as they do."""

    where = "branches"

    def __init__(self, branches: Branches) -> None:
        vars(self).update(remember=branches.remember, recall=branches.recall)

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return what each branch makes."""
        made = ", ".join(f"'{name}' {shape}" for name, shape in zip(names, shapes, strict=True))
        return (
            f"the branches make images of different sizes, which cannot be joined: {made}. Give "
            "them the same stride, and each a padding that keeps the size, as (FH - 1) / 2."
        )

    def __repr__(self) -> str:
        return "joined channels"


def _advice(shape: Shape, input_shape: Shape) -> str:
    """Return which shortcuts would make ``shape`` of ``input_shape``, where some would."""
    if len(shape) != 3 or len(input_shape) != 3:
        return " Give a `shortcut` that makes the same shape."
    known = bridges(input_shape, shape)
    if not known:
        return " Give the chain's convolutions padding, so that only their stride makes it smaller."
    (first, what), *more = known
    others = [f"`{layer}`, {what}" for layer, what in more]
    return f" Give {', or '.join([f'`shortcut={first}`, {what}', *others])}."
