"""The registry of what writes a layer as ONNX's operators, by layer class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from ....errors import ArgumentError
from ....nn import Layer

__all__ = ["LayerWriter", "writer_of", "writes"]

# Takes a `Sheet`, the layer, and a `Value` for each of its inputs; returns the output's name.
LayerWriter: TypeAlias = Callable[..., str]
F = TypeVar("F", bound=LayerWriter)

_WRITERS: dict[type[Layer], LayerWriter] = {}


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
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Layer)):
            raise ArgumentError(
                f"takes layer classes, received {kind!r}. Write `@writes(MyLayer)` above "
                "`def my_layer(sheet, layer, x)`.",
                where="writes",
            )

    def register(writer: F) -> F:
        _WRITERS.update(dict.fromkeys(kinds, writer))
        return writer

    return register


def writer_of(layer: Layer) -> LayerWriter | None:
    """Return what writes ``layer``, or None.

    A subclass with a ``forward`` of its own may compute something else: what writes its base class
    does not write it.
    """
    forward: Any = type(layer).forward
    for kind in type(layer).__mro__:
        if kind in _WRITERS:
            return _WRITERS[kind] if kind.forward is forward else None
    return None
