"""A layer as a call of a function: one registry for files of NumPy and pages of JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from ..nn import Layer
from ..nn.by_class import ByClass
from ..nn.parameter import Buffer
from ..typing import Array

__all__ = ["Call", "Translation", "becomes", "translation_of"]


@dataclass(frozen=True)
class Call:
    """A call of a function of `standalone/script/functions/`, whose twin is in page/functions/.

    Attributes
    ----------
    function : str
    arrays : mapping of str to Buffer, array or None
        What follows the values, by the function's names: parameters of the layer, or arrays made
        for the call. None for an argument that is left out.
    options : mapping of str to numbers, strings, booleans, None and tuples
        Keyword arguments. Axes are counted with N as 0.
    """

    function: str
    arrays: Mapping[str, Buffer | Array | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


# Takes the layer and the shape of each input without N; None if its output is its input.
Translation: TypeAlias = Callable[..., Call | None]
F = TypeVar("F", bound=Translation)

_TRANSLATIONS: ByClass[Translation] = ByClass("becomes", "def my_layer(layer, shape)")


def becomes(*kinds: type[Layer]) -> Callable[[F], F]:
    """Return a decorator that registers what layers of these classes become in exported programs.

    The function takes the layer and the shape of each input, without N, and returns a `Call`, or
    None if the layer does nothing in evaluation. A subclass that keeps the class's ``forward``
    becomes the same. The last registration of a class counts.

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
    >>> @becomes(Square)
    ... def square(layer, shape):
    ...     return Call("power", options={"exponent": 2})
    """
    return _TRANSLATIONS.register(*kinds)


def translation_of(layer: Layer) -> Translation | None:
    """Return what translates ``layer``, or None.

    A subclass with a ``forward`` of its own may compute something else than its base class.
    """
    return _TRANSLATIONS.of(layer)
