"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import indent
from typing import Any, overload

from ..errors import ArgumentError, did_you_mean
from ..receptive import ReceptiveField
from ..typing import Array, Shape
from .layer import Layer, LayerRow

__all__ = ["Container", "Sequential"]


class Container(Layer):
    """What all layers made of layers share: children by name, how they are found and written down.

    Parameters
    ----------
    *layers : Layer
        Named "0", "1", ... as in PyTorch.
    **named : Layer
        Named as given, in this order.

    Raises
    ------
    ArgumentError
        If something is not a layer, or one layer stands in two places, at any depth (it could not
        remember both forwards); if a name is empty or has a dot in it, which separates the names in
        the keys of a state dict.
    """

    def __init__(self, *layers: Layer, **named: Layer) -> None:
        placed = {str(i): layer for i, layer in enumerate(layers)}
        for name in placed.keys() & named.keys():
            raise ArgumentError(f"two layers are called {name!r}.", where=type(self).__name__)
        self._children = placed | named
        for name, layer in self._children.items():
            self._require_name(name)
            self._require_layer(name, layer)
            layer.name = name
        self._require_places()

    def children(self) -> Iterator[tuple[str, Layer]]:
        """Yield the layers in order, with their names."""
        yield from self._children.items()

    def config(self) -> dict[str, Any]:
        """Return the layers by name: ``Sequential(**config)`` builds the same chain.

        A network derived from `Sequential` with a constructor of its own returns its arguments.
        """
        plain = type(self).__init__ is Container.__init__
        return self._parts() if plain else super().config()

    def __getitem__(self, name: str | int) -> Layer:
        """Return a layer by its name or its place."""
        if isinstance(name, slice):
            raise ArgumentError(
                "is not a chain of layers: a slice of it has no meaning. Take its layers by name: "
                f"{', '.join(name for name, _ in self.children())}.",
                where=self._label,
            )
        children = dict(self.children())
        if isinstance(name, int):
            return list(children.values())[name]
        if name not in children:
            raise ArgumentError(
                f"has no layer {name!r}. {did_you_mean(name, children)}", where=self._label
            )
        return children[name]

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    def __iter__(self) -> Iterator[Layer]:
        return (layer for _, layer in self.children())

    def __repr__(self) -> str:
        parts = self._parts()
        first = next((k for k, name in enumerate(parts) if name != str(k)), len(parts))
        inside = "".join(
            f"{repr(layer) if place < first else _argument(name, layer)},\n"
            for place, (name, layer) in enumerate(parts.items())
        )
        return f"{type(self).__name__}(\n{indent(inside, '    ')})"

    def _parts(self) -> dict[str, Layer]:
        """Return the constructor's arguments by name."""
        return dict(self._children)

    def _require_name(self, name: str) -> None:
        """Refuse names with which two parameters could have one key, and one of them be lost."""
        if not name or "." in name:
            raise ArgumentError(
                f"a layer cannot be called {name!r}: keys of a state dict are names with dots "
                "between them. Give a name without dots, or a Sequential within this one.",
                where=type(self).__name__,
            )

    def _require_layer(self, name: str, layer: Any) -> None:
        if not isinstance(layer, Layer):
            raise ArgumentError(
                f"{name!r} must be a layer, received {layer!r}."
                + (" Add parentheses to build it." if isinstance(layer, type) else ""),
                where=type(self).__name__,
            )

    def _require_places(self) -> None:
        everywhere = [id(layer) for _, layer in self.layers()]
        if len(set(everywhere)) < len(everywhere):
            raise ArgumentError(
                "one layer stands in two places; build a second one.", where=type(self).__name__
            )


class Sequential(Container):
    """A chain: each layer's output is the next one's input.

    Parameters
    ----------
    *layers, **named : Layer
        Named "0", "1", ... as in PyTorch, or as given; in this order.

    Raises
    ------
    ArgumentError
        If something is not a layer, one layer stands in two places, at any depth, or a name is
        empty or has a dot in it.

    Examples
    --------
    >>> from pellucid.nn import Conv2d, Flatten, Linear, ReLU
    >>> model = Sequential(conv=Conv2d(1, 4, 3), relu=ReLU(), flatten=Flatten(), fc=Linear(144, 10))
    >>> model.output_shape((1, 8, 8)), list(model.parameters())
    ((10,), ['conv.weight', 'conv.bias', 'fc.weight', 'fc.bias'])
    >>> model["conv"], len(model)
    (Conv2d(1, 4, 3), 4)
    >>> model[:2].output_shape((1, 8, 8)), model[:2]["conv"] is model["conv"]
    ((4, 6, 6), True)
    """

    @overload
    def __getitem__(self, name: str | int) -> Layer: ...
    @overload
    def __getitem__(self, name: slice) -> Sequential: ...
    def __getitem__(self, name: str | int | slice) -> Layer:
        """Return a layer by name or place; a slice is a chain of the same layers."""
        if not isinstance(name, slice) or type(self).forward is not Sequential.forward:
            return super().__getitem__(name)  # type: ignore[index]
        return Sequential(**dict(list(self._children.items())[name]))

    def forward(self, x: Array) -> Array:
        """Return the last layer's output."""
        for layer in self._children.values():
            x = layer(x)
        return x

    def backward(self, dy: Array) -> Array:
        """Return the gradient for the first layer's input, going through all in reverse."""
        for layer in reversed(self._children.values()):
            with layer._named_errors():
                dy = layer.backward(dy)
        return dy

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the last layer's output shape for one input of ``input_shape``."""
        shapes = [input_shape, *(out for _, _, out in self._walk(input_shape))]
        return shapes[-1]

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return the sum over the layers."""
        return sum(layer.multiply_adds(shape) for layer, shape, _ in self._walk(input_shape))

    def activation_size(self, input_shape: Shape) -> int:
        """Return the sum over the layers."""
        return sum(layer.activation_size(shape) for layer, shape, _ in self._walk(input_shape))

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return what one cell of the last layer's output sees."""
        for layer, shape, _ in self._walk(input_shape):
            field = layer.receptive_field(field, shape)
        return field

    def rows(self, input_shape: Shape, field: ReceptiveField, path: str = "") -> Iterator[LayerRow]:
        """Yield the lines of all layers inside, in order."""
        for layer, shape, _ in self._walk(input_shape):
            yield from layer.rows(shape, field, f"{path}.{layer.name}" if path else layer.name)
            field = layer.receptive_field(field, shape)

    def _walk(self, input_shape: Shape) -> Iterator[tuple[Layer, Shape, Shape]]:
        """Yield each layer with the shape that reaches it and the shape that leaves it."""
        shape = tuple(input_shape)
        for layer in self._children.values():
            with layer._named_errors():
                out = layer.output_shape(shape)
            yield layer, shape, out
            shape = out


def _argument(name: str, layer: Layer) -> str:
    """Return how a constructor's call gives ``layer`` its name."""
    return f"{name}={layer!r}" if name.isidentifier() else f"**{{{name!r}: {layer!r}}}"
