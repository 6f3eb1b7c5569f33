"""The table of translators, by PyTorch's function: `translates` adds one, also of your own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .call import Call

__all__ = ["TRANSLATORS", "Translator", "translates"]

# What a translator returns: the function's value, or a list of them.
Translator: TypeAlias = Callable[["Call"], Any]

# By the function's name without its overload: "aten.conv2d".
TRANSLATORS: dict[str, Translator] = {}


def translates(*functions: str) -> Callable[[Translator], Translator]:
    """Register a function that says a call of PyTorch's ``functions`` in ONNX's operators.

    Parameters
    ----------
    *functions : str
        As torch.export names them, without the overload: "aten.relu"; "library.function" of yours.

    Examples
    --------
    >>> @translates("example.twice")
    ... def twice(call):
    ...     x = call.images("x")
    ...     return x.with_name(call.emit("Add", x.name, x.name))
    >>> del TRANSLATORS["example.twice"]
    """

    def register(translator: Translator) -> Translator:
        for function in functions:
            TRANSLATORS[function] = translator
        return translator

    return register
