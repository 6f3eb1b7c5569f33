"""The base class of the book's layers."""

from __future__ import annotations

from typing import Any, TypeVar

from ...errors import ArgumentError
from ...typing import Array

__all__ = ["BookLayer"]

Memory = TypeVar("Memory")


class BookLayer:
    """A layer with the book's attributes; those that begin with ``_`` are buffers for kernels.

    Copies and pickles leave the buffers out: a script may save the whole network.
    """

    def forward(self, x: Array, *args: Any) -> Any:
        """Return the output."""
        raise NotImplementedError

    def backward(self, dout: Any) -> Array:
        """Return the gradient for the last input."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def _after_forward(self, remembered: Memory | None) -> Memory:
        """Return ``remembered``, or raise if there was no forward pass.

        Raises
        ------
        ArgumentError
            If ``remembered`` is None.
        """
        if remembered is None:
            raise ArgumentError(
                "has nothing to go back through: call forward, in training, before backward.",
                where=type(self).__name__,
            )
        return remembered
