"""Containers: layers made of layers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from textwrap import indent
from typing import Any, Self, overload

import numpy as np

from ..errors import ArgumentError, did_you_mean
from ..receptive import ReceptiveField
from ..typing import Array, Shape
from . import walk
from .checks import require_one_output
from .layer import Layer, LayerRow
from .walk import Node

__all__ = ["Container", "Sequential"]


class Container(Layer):
    """Base class of containers: children by name, and one walk over their nodes.

    A subclass says in `wiring` what each of its layers reads; the rest follows from that.

    Parameters
    ----------
    *layers : Layer
        Named "0", "1", ... as in PyTorch.
    **named : Layer
        Named as given, in this order.

    Raises
    ------
    ArgumentError
        If an argument is not a layer, or one layer occurs twice, at any depth (it could not cache
        both forwards); if a name is empty or has a dot in it, which separates the names in the
        keys of a state dict.
    """

    def __init__(self, /, *layers: Layer, **named: Layer) -> None:
        placed = {str(i): layer for i, layer in enumerate(layers)}
        for name in placed.keys() & named.keys():
            raise ArgumentError(f"two layers are called {name!r}.", where=type(self).__name__)
        self._children = placed | named
        for name, layer in self._children.items():
            self._require_name(name)
            self._require_layer(name, layer)
            layer.name = name
        self._require_places()
        self._require_inputs()

    def children(self) -> Iterator[tuple[str, Layer]]:
        """Yield the layers in order, with their names."""
        yield from self._children.items()

    def wiring(self) -> list[Node]:
        """Return the layers in execution order, each with the numbers of the values it reads."""
        raise NotImplementedError(f"{type(self).__name__} has no wiring yet")

    def nodes(self) -> list[Node] | None:
        """Return the layers and what each reads; None if the class overrides forward.

        Examples
        --------
        >>> from pellucid.nn import ReLU, Tanh
        >>> Sequential(one=ReLU(), two=Tanh()).nodes()
        [Node(name='one', layer=ReLU(), reads=(0,)), Node(name='two', layer=Tanh(), reads=(1,))]
        """
        return self.wiring() if type(self).forward is Container.forward else None

    # One walk -------------------------------------------------------------------------------

    def forward(self, x: Array) -> Array:
        """Return the last node's output."""
        return walk.forward(self.wiring(), x, self.ends())

    def backward(self, dy: Array) -> Array:
        """Return the gradient of the input, from all nodes in reverse order."""
        return walk.backward(self.wiring(), dy, self.ends())

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the last node's output shape for one input of ``input_shape``."""
        made = [tuple(input_shape), *(out for _, _, out in walk.shapes(self.wiring(), input_shape))]
        return walk.returned(made, self.ends())

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return the sum over the nodes."""
        visits = walk.shapes(self.wiring(), input_shape)
        return sum(node.layer.multiply_adds(*read) for node, read, _ in visits)

    def activation_size(self, input_shape: Shape) -> int:
        """Return the sum over the nodes."""
        visits = walk.shapes(self.wiring(), input_shape)
        return sum(node.layer.activation_size(*read) for node, read, _ in visits)

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the receptive field of the last node's output."""
        visits = walk.fields(self.wiring(), input_shape, field)
        made = [field, *(after for _, _, _, after in visits)]
        return walk.returned(made, self.ends())

    def rows(self, input_shape: Shape, field: ReceptiveField, path: str = "") -> Iterator[LayerRow]:
        """Yield the rows of all nodes inside, in order."""
        with self._named_errors():
            self.output_shape(input_shape)
        for node, read, before, _ in walk.fields(self.wiring(), input_shape, field):
            name, reads = walk.path_of(path, node.name), self._told_reads(node, path)
            if len(read) > 1:
                yield replace(node.layer.row(read, before, name), reads=reads)
            else:
                for row in node.layer.rows(read[0], before, name):
                    yield replace(row, reads=reads) if reads else row
                    reads = ()  # nodes further inside read values of this container

    # Representation ---------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """Return the layers by name: ``Sequential(**config)`` builds the same chain.

        A subclass with its own constructor returns that constructor's arguments.
        """
        plain = type(self).__init__ is self._kind().__init__
        return self._parts() if plain else super().config()

    def with_layers(self, layers: Mapping[str, Layer]) -> Container:
        """Return a plain container of this kind with ``layers`` of the same names and wiring."""
        return self._kind()(**layers)

    def __getitem__(self, name: str | int) -> Layer:
        """Return a layer by its name or index."""
        if isinstance(name, slice):
            raise ArgumentError(
                "is not a chain of layers and cannot be sliced. Take its layers by name: "
                f"{', '.join(name for name, _ in self.children())}.",
                where=self._label,
            )
        children = dict(self.children())
        if isinstance(name, int | np.integer):
            return list(children.values())[name]
        if not isinstance(name, str):
            raise ArgumentError(
                f"layers are found by name or index, received {name!r}.", where=self._label
            )
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

    def _told_reads(self, node: Node, path: str) -> tuple[str, ...]:
        """Return the names a node reads, for the summary; () where its position implies them."""
        return ()

    def _require_name(self, name: str) -> None:
        """Refuse names that could give two parameters the same key."""
        if not name or "." in name:
            raise ArgumentError(
                f"a layer cannot be called {name!r}: dots separate the names in the keys of a "
                "state dict. Use a name without dots, or a Sequential within this one.",
                where=type(self).__name__,
            )

    def _require_layer(self, name: str, layer: Any) -> None:
        if not isinstance(layer, Layer):
            raise ArgumentError(
                f"{name!r} must be a layer, received {layer!r}."
                + (" Add parentheses to create one." if isinstance(layer, type) else ""),
                where=type(self).__name__,
            )
        require_one_output(layer, f"{type(self).__name__} '{name}'")

    def _require_places(self) -> None:
        everywhere = [id(layer) for _, layer in self.layers()]
        if len(set(everywhere)) < len(everywhere):
            raise ArgumentError(
                "one layer occurs twice; create a second one.", where=type(self).__name__
            )

    def _require_inputs(self) -> None:
        """Refuse a layer that reads more or fewer values than its forward takes."""
        for node in self.wiring():
            try:
                inspect.signature(node.layer.forward).bind(*node.reads)
            except TypeError:
                raise ArgumentError(
                    f"{node.name!r} reads {_values(len(node.reads))}, but its forward takes "
                    f"{_taken(node.layer)}."
                    + (" Join them first, by `nn.Add()` or `nn.Concat()`." * (len(node.reads) > 1)),
                    where=type(self).__name__,
                ) from None
            except ValueError:
                pass  # implemented in C: the call itself will raise

    @classmethod
    def _kind(cls) -> type[Self]:
        """Return the class that defines the wiring; it takes the layers by name."""
        return next(kind for kind in cls.__mro__ if "wiring" in vars(kind))


class Sequential(Container):
    """A chain: each layer's output is the next one's input.

    Parameters
    ----------
    *layers, **named : Layer
        Named "0", "1", ... as in PyTorch, or as given; in this order.

    Raises
    ------
    ArgumentError
        If an argument is not a layer, one layer occurs twice, at any depth, or a name is empty or
        has a dot in it.

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
        """Return a layer by name or index; a slice is a chain of the same layers."""
        if not isinstance(name, slice) or self.nodes() is None:
            return super().__getitem__(name)  # type: ignore[index]
        return Sequential(**dict(list(self._children.items())[name]))

    def wiring(self) -> list[Node]:
        """Return the layers in a line."""
        return walk.line(self._children)


def _argument(name: str, layer: Layer) -> str:
    """Return ``layer`` as a named argument of the constructor's call."""
    return f"{name}={layer!r}" if name.isidentifier() else f"**{{{name!r}: {layer!r}}}"


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _taken(layer: Layer) -> str:
    """Return how many inputs a layer's forward takes, in words."""
    inputs = inspect.signature(layer.forward).parameters.values()
    least = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in inputs)
    more = any(p.kind is p.VAR_POSITIONAL for p in inputs)
    return f"{least} or more" if more else f"{least}"
