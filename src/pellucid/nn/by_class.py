"""Functions by the class of the layer that they are for, as what writes files registers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ..errors import ArgumentError
from .layer import Layer

__all__ = ["ByClass"]

T = TypeVar("T", bound=Callable[..., Any])
F = TypeVar("F", bound=Callable[..., Any])


class ByClass(Generic[T]):
    """A registry of functions, each for one or several classes of layers.

    Parameters
    ----------
    decorator, function : str
        For messages: the name of the public decorator, and what is written below it.

    Examples
    --------
    >>> from pellucid.nn import ReLU, Tanh
    >>> names = ByClass("named", "def my_layer()")
    >>> @names.register(ReLU)
    ... def relu():
    ...     return "rectifier"
    >>> names.of(ReLU())(), names.of(Tanh())
    ('rectifier', None)
    """

    def __init__(self, decorator: str, function: str) -> None:
        self._decorator, self._function = decorator, function
        self._by_class: dict[type[Layer], T] = {}

    def register(self, *kinds: type[Layer]) -> Callable[[F], F]:
        """Return a decorator for the function of ``kinds``; the last one of a class counts.

        Raises
        ------
        ArgumentError
            If one of ``kinds`` is not a subclass of Layer.
        """
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, Layer)):
                raise ArgumentError(
                    f"takes layer classes, received {kind!r}. Write `@{self._decorator}(MyLayer)` "
                    f"above `{self._function}`.",
                    where=self._decorator,
                )

        def registered(function: F) -> F:
            given: Any = function
            self._by_class.update(dict.fromkeys(kinds, given))
            return function

        return registered

    def of(self, layer: Layer) -> T | None:
        """Return the function for ``layer``, or None.

        A subclass with a ``forward`` of its own may compute something else: the function of its
        base class is not its own.
        """
        forward: Any = type(layer).forward
        for kind in type(layer).__mro__:
            if kind in self._by_class:
                return self._by_class[kind] if kind.forward is forward else None
        return None
