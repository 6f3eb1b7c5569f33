"""The protocol of a machine that plans run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy.typing as npt

from ..data import Dataset
from ..distributed import Share
from ..nn import Layer, Loss, Parameter
from ..optim import Optimizer
from ..typing import Array, Shape
from .registry import StepRegistry
from .step import Step

__all__ = ["Backend"]


class Backend(Protocol):
    """The steps, memory, losses and updates of one kind of machine.

    `pellucid.engine.CPU` is one. Another registers its steps in its own `StepRegistry`, and is
    passed as ``compile(..., backend=mine)`` or ``CompiledEngine(mine)``. A plan takes and returns
    NumPy arrays; those between its steps are the backend's.

    Attributes
    ----------
    name : str
    steps : StepRegistry
        Which step runs which layer.

    A backend may also have ``precisions``, those besides "float32" to which its steps can round the
    factors of products.
    """

    name: str
    steps: StepRegistry

    # Steps for any layer, or none -----------------------------------------------------------

    def plain(
        self, name: str, layer: Layer, input_shape: Shape, batch: int, *, single: bool = True
    ) -> Step:
        """Return a step that calls ``layer`` itself; in float32 if ``single``."""

    def layout(self, shape: Shape, batch: int, *, to_last: bool) -> Step:
        """Return a step that converts images to channels-last, or back to channels-first."""

    # Memory ------------------------------------------------------------------------------------

    def zeros(self, shape: int | Shape, dtype: npt.DTypeLike = ...) -> Array:
        """Return zeros, aligned for the kernels; float32 by default."""

    def from_host(self, a: Array, dtype: npt.DTypeLike | None = None) -> Array:
        """Return a NumPy array for the steps: C-contiguous, writable, of this dtype."""

    def to_host(self, a: Array) -> Array:
        """Return a step's output as a NumPy array."""

    def add(self, a: Array, b: Array, out: Array) -> None:
        """Write the sum of two gradients to ``out``."""

    # Training ----------------------------------------------------------------------------------

    def loss(self, loss: Loss, share: Share | None = None) -> Loss:
        """Return an object that computes ``loss`` and its gradient, over the whole of a batch."""

    def update(
        self, optimizer: Optimizer, parameters: Mapping[str, Parameter], lr: float | None = None
    ) -> None:
        """Update the parameters as `Optimizer.step` does."""

    def clip(self, parameters: Mapping[str, Parameter], max_norm: float) -> float:
        """Scale the gradients as `pellucid.optim.clip_grad_norm` does; return their norm."""

    def gather(self) -> Callable[[Dataset, Array], tuple[Array, Array]]:
        """Return a function that replaces `Dataset.batch`."""

    def __repr__(self) -> str:
        """Return its name."""
