"""What the book's layers share."""

from __future__ import annotations

from typing import Any

from ...typing import Array

__all__ = ["BookLayer"]


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

    def __deepcopy__(self, memo: dict[int, Any]) -> BookLayer:
        import copy

        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        vars(twin).update(copy.deepcopy(vars(self), memo))
        return twin
