"""A layer's constructor arguments, for files and `repr`."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError

__all__ = ["Described", "constructor_arguments"]


def constructor_arguments(kind: type) -> dict[str, inspect.Parameter]:
    """Return the arguments of a class's constructor by name.

    Examples
    --------
    >>> from pellucid.nn import Dropout, ReLU
    >>> list(constructor_arguments(Dropout)), list(constructor_arguments(ReLU))
    (['p', 'variant', 'rng'], [])
    """
    # Of that one `inspect` would copy the table of all modules.
    if kind.__init__ is object.__init__:  # type: ignore[misc]
        return {}
    return dict(inspect.signature(kind).parameters)


def _of_the_architecture(kind: type) -> list[tuple[str, inspect.Parameter]]:
    return [
        (name, argument)
        for name, argument in constructor_arguments(kind).items()
        if name != "rng" and argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
    ]


class Described:
    """Base class of `Layer`: reads constructor arguments from attributes of the same names."""

    if TYPE_CHECKING:  # attributes of `Layer`

        @property
        def _label(self) -> str: ...

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments that build an equal layer.

        They are read from attributes of the same names; a switch such as ``bias`` is on if its
        attribute is not None. ``rng`` is not part of the architecture.
        """
        config = {}
        for name, argument in _of_the_architecture(type(self)):
            if not hasattr(self, name):
                raise ArgumentError(
                    f"has no attribute {name!r} for its constructor's argument {name!r}, so its "
                    f"architecture cannot be saved. Add `self.{name} = {name}`.",
                    where=self._label,
                )
            value = getattr(self, name)
            switch = isinstance(argument.default, bool)
            config[name] = value is not None and value is not False if switch else value
        return config

    def __repr__(self) -> str:
        shown = []
        for name, argument in _of_the_architecture(type(self)):
            value = getattr(self, name, argument.default)
            if isinstance(argument.default, bool):
                value = value is not None and value is not False
            alike = isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]
            if alike and "Pair" in str(argument.annotation):  # one number for both axes
                value = value[0]
            if argument.default is argument.empty:
                shown.append(repr(value))
            elif value != argument.default:
                text = value.__name__ if inspect.isfunction(value) else repr(value)
                shown.append(f"{name}={text}")
        return f"{type(self).__name__}({', '.join(shown)})"
