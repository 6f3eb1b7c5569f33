"""Layers whose input takes several ways: one that is added again, and ones that are joined."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..ops.checks import require_real, require_shape
from ..receptive import ReceptiveField
from ..typing import Array, Shape
from .containers import Container, Sequential
from .layer import Layer, LayerRow

__all__ = ["Branches", "Residual"]

KEY = "downsample"  # what the shortcut is called in state dicts, as in torchvision's ResNet


class Residual(Container):
    """A chain whose input is added to its output.

        y = chain(x) + shortcut(x),    dx = chain'(dy) + shortcut'(dy)

    The chain then learns only what differs from its input, and the gradient has a way back that
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

    def forward(self, x: Array) -> Array:
        """Return ``chain(x) + shortcut(x)``."""
        y = self.chain.forward(x)
        around = x if self.shortcut is None else self.shortcut(x)
        _require_sum(y.shape[1:], around.shape[1:], x.shape[1:])
        self.remember(y.shape)
        return y + around

    def backward(self, dy: Array) -> Array:
        """Return the sum of the gradients of both ways."""
        (shape,) = self.recall()
        _require_gradient(dy, shape, "residual")
        dx = self.chain.backward(dy)
        if self.shortcut is None:
            return dx + dy
        with self.shortcut._named_errors():
            return dx + self.shortcut.backward(dy)

    def children(self) -> Iterator[tuple[str, Layer]]:
        """Yield the chain's layers in order, then the shortcut."""
        yield from self._children.items()
        if self.shortcut is not None:
            yield KEY, self.shortcut

    def config(self) -> dict[str, Any]:
        """Return the layers by name, the shortcut as ``shortcut``."""
        plain = type(self).__init__ is Residual.__init__
        return self._parts() if plain else super().config()

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the chain's output shape, which must be the shortcut's."""
        shape, around = self.chain.output_shape(input_shape), self._around(input_shape)
        _require_sum(shape, around, input_shape)
        return shape

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return the sum over the layers; the addition multiplies nothing."""
        return sum(way.multiply_adds(input_shape) for way in self._ways())

    def activation_size(self, input_shape: Shape) -> int:
        """Return the sum over the layers and the addition."""
        inside = sum(way.activation_size(input_shape) for way in self._ways())
        return inside + super().activation_size(input_shape)

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return what either way sees."""
        return reduce(
            ReceptiveField.joined, (w.receptive_field(field, input_shape) for w in self._ways())
        )

    def rows(self, input_shape: Shape, field: ReceptiveField, path: str = "") -> Iterator[LayerRow]:
        """Yield the lines of the chain, of the shortcut, and of the addition."""
        what = "chain + input" if self.shortcut is None else "chain + shortcut"
        with self._named_errors():
            sum_ = _meeting_row(self, what, input_shape, field, path)
        yield from self.chain.rows(input_shape, field, path)
        if self.shortcut is not None:
            yield from self.shortcut.rows(input_shape, field, f"{path}.{KEY}" if path else KEY)
        yield sum_

    def _parts(self) -> dict[str, Layer]:
        parts = super()._parts()
        return parts if self.shortcut is None else parts | {"shortcut": self.shortcut}

    def _ways(self) -> tuple[Layer, Layer]:
        return self.chain, Sequential() if self.shortcut is None else self.shortcut

    def _around(self, input_shape: Shape) -> Shape:
        if self.shortcut is None:
            return tuple(input_shape)
        with self.shortcut._named_errors():
            return self.shortcut.output_shape(input_shape)


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
    >>> both.output_shape((8, 6, 6)), str(both.receptive_field(ReceptiveField(), (8, 6, 6)))
    ((12, 6, 6), '3x3')
    """

    def __init__(self, *layers: Layer, **named: Layer) -> None:
        super().__init__(*layers, **named)
        if not self._children:
            raise ArgumentError("needs at least one branch.", where=type(self).__name__)

    def forward(self, x: Array) -> Array:
        """Return the outputs of all branches, joined along axis 1."""
        outputs = {name: branch(x) for name, branch in self._children.items()}
        _join({name: y.shape[1:] for name, y in outputs.items()})
        joined = np.concatenate(list(outputs.values()), axis=1)
        self.remember([y.shape[1] for y in outputs.values()], joined.shape)
        return joined

    def backward(self, dy: Array) -> Array:
        """Give every branch its part of ``dy``; return the sum of their gradients."""
        channels, shape = self.recall()
        _require_gradient(dy, shape, "branches")
        parts = np.split(dy, np.cumsum(channels)[:-1], axis=1)
        gradients = []
        for branch, part in zip(self._children.values(), parts, strict=True):
            with branch._named_errors():
                gradients.append(branch.backward(np.ascontiguousarray(part)))
        return sum(gradients[1:], start=gradients[0])

    def config(self) -> dict[str, Any]:
        """Return the branches by name."""
        plain = type(self).__init__ is Branches.__init__
        return self._parts() if plain else super().config()

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (Σ C_k, OH, OW)."""
        shapes = {}
        for name, branch in self._children.items():
            with branch._named_errors():
                shapes[name] = branch.output_shape(input_shape)
        return _join(shapes)

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return the sum over the branches."""
        return sum(branch.multiply_adds(input_shape) for branch in self)

    def activation_size(self, input_shape: Shape) -> int:
        """Return the sum over the branches and of the joined output."""
        inside = sum(branch.activation_size(input_shape) for branch in self)
        return inside + super().activation_size(input_shape)

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return what any branch sees."""
        return reduce(ReceptiveField.joined, (b.receptive_field(field, input_shape) for b in self))

    def rows(self, input_shape: Shape, field: ReceptiveField, path: str = "") -> Iterator[LayerRow]:
        """Yield the lines of every branch, and of the joining."""
        with self._named_errors():
            joined = _meeting_row(self, "joined channels", input_shape, field, path)
        for name, branch in self._children.items():
            yield from branch.rows(input_shape, field, f"{path}.{name}" if path else name)
        yield joined


def _meeting_row(
    layer: Layer, what: str, input_shape: Shape, field: ReceptiveField, path: str
) -> LayerRow:
    """Return the line for what stands where the ways meet again."""
    shape = layer.output_shape(input_shape)
    return LayerRow(
        name=path,
        layer=what,
        output_shape=shape,
        parameters=0,
        multiply_adds=0,
        activation=int(np.prod(shape)),
        field=layer.receptive_field(field, input_shape),
        unread=(0, 0),
    )


def _require_gradient(dy: Array, shape: Shape, where: str) -> None:
    require_real(dy, where, "dy")
    require_shape(dy, shape, "an output gradient", "like the output", where)


def _require_sum(shape: Shape, around: Shape, input_shape: Shape) -> None:
    """Refuse two ways whose outputs cannot be added number by number."""
    if shape == around:
        return
    raise ShapeError(
        f"the chain makes {tuple(shape)} of {tuple(input_shape)} and the shortcut "
        f"{tuple(around)}; what is added must have one shape.{_advice(shape, input_shape)}"
    )


def _advice(shape: Shape, input_shape: Shape) -> str:
    """Return which shortcuts would make ``shape`` of ``input_shape``, where some would."""
    if len(shape) != 3 or len(input_shape) != 3:
        return " Give a `shortcut` that makes the same shape."
    (c, h, w), (out, oh, ow) = input_shape, shape
    stride = -(-h // oh)
    if (-(-h // stride), -(-w // stride)) != (oh, ow):
        return " Give the chain's convolutions padding, so that only their stride makes it smaller."
    across = f"shortcut=Conv2d({c}, {out}, 1, stride={stride})"
    padded = f"ZeroPadShortcut({c}, {out}, stride={stride})"
    return f" Give `{across}`, a 1x1 convolution" + (
        f", or `{padded}`, which has no parameters." if out >= c else "."
    )


def _join(shapes: dict[str, Shape]) -> Shape:
    """Return the shape of all joined along the channels, or refuse them."""
    first = next(iter(shapes.values()))
    if any(shape[1:] != first[1:] for shape in shapes.values()):
        made = ", ".join(f"'{name}' {tuple(shape)}" for name, shape in shapes.items())
        raise ShapeError(
            f"the branches make images of different sizes, which cannot be joined: {made}. Give "
            "them the same stride, and each a padding that keeps the size, as (FH - 1) / 2."
        )
    return sum(shape[0] for shape in shapes.values()), *first[1:]
