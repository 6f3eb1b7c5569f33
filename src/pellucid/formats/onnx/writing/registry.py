"""The registry of what writes a layer as ONNX's operators, by layer class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from ....nn import Layer
from ....nn.by_class import ByClass

__all__ = ["LayerWriter", "writer_of", "writes"]

# Takes a `Sheet`, the layer, and a `Value` for each of its inputs; returns the output's name.
LayerWriter: TypeAlias = Callable[..., str]
F = TypeVar("F", bound=LayerWriter)

_WRITERS: ByClass[LayerWriter] = ByClass("writes", "def my_layer(sheet, layer, x)")


def writes(*kinds: type[Layer]) -> Callable[[F], F]:
    """Return a decorator that registers a function which writes layers of these classes as ONNX.

    The function takes a `Sheet`, on which it writes, the layer, and a `Value` for each input; it
    returns the name of the output. A subclass that keeps the class's ``forward`` is written by it
    too. The last registration of a class counts.

    Raises
    ------
    ArgumentError
        If one of ``kinds`` is not a subclass of Layer.

    Examples
    --------
    >>> from pellucid import nn
    >>> class Square(nn.Layer):
    ...     '''Square every number.'''
    ...
    ...     def forward(self, x):
    ...         return x * x
    >>> @writes(Square)
    ... def square(sheet, layer, x):
    ...     return sheet.op("Mul", x, x)
    """
    return _WRITERS.register(*kinds)


def writer_of(layer: Layer) -> LayerWriter | None:
    """Return what writes ``layer``, or None.

    A subclass with a ``forward`` of its own may compute something else: what writes its base class
    does not write it.
    """
    return _WRITERS.of(layer)
