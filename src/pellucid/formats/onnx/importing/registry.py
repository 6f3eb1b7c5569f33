"""The table of converters, by operator: `reads` adds one, also of an operator of your own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .node import Reading
    from .values import Image

__all__ = ["CONVERTERS", "Converter", "Unsupported", "reads"]

# What a converter returns: the value of the node's only output that is used, or of each output.
Converter: TypeAlias = Callable[["Reading"], "Image | list[Image | None]"]

# By (domain, operator); "" is ONNX's own domain.
CONVERTERS: dict[tuple[str, str], Converter] = {}


class Unsupported(Exception):  # noqa: N818 - it never leaves the importer
    """A node that cannot be converted: the message says why, the advice what would do."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message, self.advice = message, advice


def reads(*operators: str, domain: str = "") -> Callable[[Converter], Converter]:
    """Register a function that converts nodes of ``operators`` into layers.

    Parameters
    ----------
    *operators : str
        As ONNX names them: "Conv".
    domain : str
        "" for ONNX's own operators; "com.example" for yours.

    Examples
    --------
    An operator of your own, ``Square`` of the domain "com.example":

    >>> from pellucid import nn
    >>> @reads("Square", domain="com.example")
    ... def square(node):
    ...     return node.add(nn.Power(2), node.image(0))
    >>> del CONVERTERS["com.example", "Square"]
    """

    def register(converter: Converter) -> Converter:
        for operator in operators:
            CONVERTERS[domain, operator] = converter
        return converter

    return register
