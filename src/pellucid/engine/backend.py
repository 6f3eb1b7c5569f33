"""What a plan asks of the machine that it runs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy.typing as npt

from ..data import Dataset
from ..nn import Layer, Loss, Parameter
from ..optim import Optimizer
from ..typing import Array, Shape
from .registry import StepRegistry
from .step import Step

__all__ = ["Backend"]


class Backend(Protocol):
    """The steps of one kind of machine, its memory, and what a training needs besides.

    `pellucid.engine.CPU` is the first. Another one registers its steps in a `StepRegistry` of its
    own, and is given as ``compile(..., backend=mine)`` or ``CompiledEngine(mine)``. A plan takes
    and returns NumPy's arrays; those between its steps are the backend's.

    Attributes
    ----------
    name : str
    steps : StepRegistry
        Which step runs which layer.
    """

    name: str
    steps: StepRegistry

    # Steps that serve no layer of their own -------------------------------------------------

    def plain(
        self, name: str, layer: Layer, input_shape: Shape, batch: int, *, single: bool = True
    ) -> Step:
        """Return a step that calls ``layer`` itself; in float32 if ``single``."""

    def layout(self, shape: Shape, batch: int, *, to_last: bool) -> Step:
        """Return a step that converts images to channels-last, or from it to channels-first."""

    # Memory ------------------------------------------------------------------------------------

    def zeros(self, shape: int | Shape, dtype: npt.DTypeLike = ...) -> Array:
        """Return zeros, aligned as the kernels like it; float32 by default."""

    def from_host(self, a: Array, dtype: npt.DTypeLike | None = None) -> Array:
        """Return NumPy's array as steps take it: C-contiguous, writable, of this dtype."""

    def to_host(self, a: Array) -> Array:
        """Return what a step has made as an array of NumPy."""

    def add(self, a: Array, b: Array, out: Array) -> None:
        """Write the sum of two gradients to ``out``."""

    # Training ----------------------------------------------------------------------------------

    def loss(self, loss: Loss) -> Loss:
        """Return what computes ``loss`` and its gradient."""

    def update(
        self, optimizer: Optimizer, parameters: Mapping[str, Parameter], lr: float | None = None
    ) -> None:
        """Take a step as `Optimizer.step` does."""

    def clip(self, parameters: Mapping[str, Parameter], max_norm: float) -> float:
        """Scale the gradients as `pellucid.optim.clip_grad_norm` does; return their norm."""

    def gather(self) -> Callable[[Dataset, Array], tuple[Array, Array]]:
        """Return what does `Dataset.batch`."""

    def __repr__(self) -> str:
        """Return its name."""
