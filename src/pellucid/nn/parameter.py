"""The arrays of a layer's state."""

from __future__ import annotations

from ..typing import Array

__all__ = ["Buffer", "Parameter"]


class Buffer:
    """An array of a layer's state that is not trained, such as a running mean."""

    def __init__(self, data: Array) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.data.shape}, dtype={self.data.dtype})"


class Parameter(Buffer):
    """A trainable array, with the gradient of the last backward in ``grad``.

    Its ``rate`` multiplies the optimizer's: 0 freezes it. See `pellucid.nn.set_rates`.

    Its ``decay`` multiplies the optimizer's weight decay. Layers set it to 0 for biases, and for
    the gains and shifts of norms: see `pellucid.nn.set_decay`.
    """

    def __init__(self, data: Array, *, decay: float = 1.0) -> None:
        super().__init__(data)
        self.grad: Array | None = None
        self.rate = 1.0
        self.decay = decay
