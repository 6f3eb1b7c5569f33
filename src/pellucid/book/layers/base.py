"""What the book's layers share."""

from __future__ import annotations

from typing import Any, TypeVar

from ...errors import ArgumentError
from ...typing import Array

__all__ = ["BookLayer"]

Memory = TypeVar("Memory")


class BookLayer:
    """A layer with the book's attributes; those that begin with ``_`` are its memory for kernels.

    They are left out of copies and pickles: a script may save the whole network.
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
        """Return what the last forward has left, or say that there was none."""
        if remembered is None:
            raise ArgumentError(
                "has nothing to go back through: call forward, in training, before backward.",
                where=type(self).__name__,
            )
        return remembered
