"""Containers with parallel paths: a chain with a shortcut, and branches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..errors import ArgumentError
from ..typing import Shape
from . import walk
from .containers import Container, Sequential
from .join_texts import bridges
from .joins import Add, Concat
from .layer import Layer
from .walk import Node

__all__ = ["Branches", "Residual"]

KEY = "downsample"  # the shortcut's name in state dicts, as in torchvision's ResNet


class Residual(Container):
    """Add a chain's input to its output.

        y = chain(x) + shortcut(x),    dx = chain'(dy) + shortcut'(dy)

    The chain then learns only the difference from its input, and the gradient has a path back
    that does not attenuate it. Source: He et al. 2015, "Deep Residual Learning for Image
    Recognition", section 3.2, eq. 1 and 2. A ReLU after the addition is a separate layer.

    Parameters
    ----------
    *layers, **named : Layer
        The chain, named as in `Sequential`.
    shortcut : Layer, optional
        Applied to the input before it is added; by default the identity. Its name in state dicts is
        ``downsample``.

    Attributes
    ----------
    chain : Sequential
        The layers without the shortcut.
    shortcut : Layer or None

    Raises
    ------
    ArgumentError
        If an argument is not a layer, or one layer occurs twice, at any depth.
    ShapeError
        From `output_shape` and forward, if the two shapes differ.

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
                    f"{KEY!r} is the shortcut's name: give the layer another.",
                    where=type(self).__name__,
                )
        self.shortcut = shortcut
        super().__init__(*layers, **named)
        self.chain = Sequential(**self._children)
        if shortcut is not None:
            shortcut.name = KEY

    def wiring(self) -> list[Node]:
        """Return the nodes of the chain and of the shortcut, and their sum."""
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
        """Return a plain residual block of ``layers`` with the same names."""
        chain = {name: layers[name] for name in self._children}
        return Residual(**chain, shortcut=layers.get(KEY) if self.shortcut is not None else None)

    def _parts(self) -> dict[str, Layer]:
        parts = super()._parts()
        return parts if self.shortcut is None else parts | {"shortcut": self.shortcut}


class Branches(Container):
    """Apply every branch to the same input, and concatenate their outputs along the channels.

        y = [branch_1(x), branch_2(x), ...],    dx = Σ_k branch_k'(dy_k)

    Input (N, C, H, W), output (N, Σ C_k, OH, OW); rows (N, F) are concatenated likewise. Source:
    Szegedy et al. 2014, "Going Deeper with Convolutions", section 4.

    Parameters
    ----------
    *layers, **named : Layer
        The branches, each a layer or a chain, named as in `Sequential`.

    Raises
    ------
    ArgumentError
        If there is no branch, an argument is not a layer, or one layer occurs twice.
    ShapeError
        From `output_shape` and forward, if the branches' images differ in size.

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
        """Return the nodes of the branches, which all read the input, and their concatenation."""
        nodes = [Node(name, branch, (0,)) for name, branch in self._children.items()]
        return [*nodes, Node("", JoinedBranches(self), tuple(range(1, len(nodes) + 1)))]


class ResidualSum(Add):
    """The sum at the end of a residual block, with the block's memory and name.

    It is created for each walk, and is not one of the block's layers.
    """

    where = "residual"

    def __init__(self, block: Residual) -> None:
        super().__init__()
        self.around = "input" if block.shortcut is None else "shortcut"
        vars(self).update(remember=block.remember, recall=block.recall)

    def apart(self) -> Add:
        """Return a plain sum."""
        return Add()

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return the shapes of the two paths, and which shortcut would make them equal."""
        shape, around = shapes
        return (
            f"the chain maps {input_shape} to {shape} and the shortcut to {around}; they must be "
            f"equal to be added.{_advice(shape, input_shape)}"
        )

    def __repr__(self) -> str:
        return f"chain + {self.around}"


class JoinedBranches(Concat):
    """The concatenation at the end of `Branches`, with their memory and name."""

    where = "branches"

    def __init__(self, branches: Branches) -> None:
        super().__init__()
        vars(self).update(remember=branches.remember, recall=branches.recall)

    def apart(self) -> Concat:
        """Return a plain concatenation."""
        return Concat()

    def refusal(self, shapes: Sequence[Shape], names: Sequence[str], input_shape: Shape) -> str:
        """Return the shape of each branch's output."""
        made = ", ".join(f"'{name}' {shape}" for name, shape in zip(names, shapes, strict=True))
        return (
            f"the branches' outputs differ in size and cannot be concatenated: {made}. Give "
            "them the same stride, and each a padding that keeps the size, as (FH - 1) / 2."
        )

    def __repr__(self) -> str:
        return "joined channels"


def _advice(shape: Shape, input_shape: Shape) -> str:
    """Return advice on shortcuts that map ``input_shape`` to ``shape``."""
    if len(shape) != 3 or len(input_shape) != 3:
        return " Give a `shortcut` with the same output shape."
    known = bridges(input_shape, shape)
    if not known:
        return " Pad the chain's convolutions, so that only their stride reduces the size."
    (first, what), *more = known
    others = [f"`{layer}`, {what}" for layer, what in more]
    return f" Give {', or '.join([f'`shortcut={first}`, {what}', *others])}."
