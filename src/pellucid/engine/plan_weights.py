"""The weights of a plan's model in one array, and the gradients that its backward leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ArgumentError
from ..nn import Parameter
from ..typing import Array
from .backend import Backend
from .flat import FlatWeights, flat_weights
from .step import Step

__all__ = ["PlanWeights"]


class PlanWeights:
    """Lays out parameters and gradients, and gives each step its views of the gradients.

    Parameters
    ----------
    parameters : sequence of Parameter
        All of the model.
    steps : sequence of Step
    backend : Backend
    single : bool
        Whether the plan computes in float32; otherwise nothing is moved.

    Attributes
    ----------
    gradients : float32 array
        Of the last backward, in the layout of the weights.
    """

    def __init__(
        self, parameters: Sequence[Parameter], steps: Sequence[Step], backend: Backend, *,
        single: bool,
    ) -> None:  # fmt: skip
        self._parameters, self._backend, self._single = parameters, backend, single
        self._flat: FlatWeights | None = None  # allocated by the first backward
        self.gradients = backend.zeros(0)
        self._views: list[Array] = []
        self._gradient_of: dict[Parameter, Array] = {}
        for step in steps:
            step.gradients = self._gradient_of

    def laid_out(self) -> FlatWeights:
        """Return the flat array of the weights, to which it moves them unless they are there.

        Raises
        ------
        ArgumentError
            If they cannot share one array.
        """
        self.place()
        if self._flat is None:
            raise ArgumentError(
                "keeps weights and gradients in one array only if all are float32 and writable, "
                "and share no memory. Use the parameters of the model.",
                where="Plan",
            )
        return self._flat

    def place(self) -> None:
        """Lay out the parameters in one array, and give each step its view of the gradients."""
        if self._flat is not None and self._flat.hold(self._parameters):
            return
        before = None if self._flat is None else self._flat.layout
        flat = flat_weights(self._parameters, self._backend.zeros) if self._single else None
        if flat is None and before is not None:
            self._gradient_of.clear()
        elif flat is not None and flat.layout != before:
            self.gradients = self._backend.zeros(flat.layout.size)
            self._views = flat.layout.views(self.gradients)
            self._gradient_of.update(zip(self._parameters, self._views, strict=True))
        self._flat = flat  # last, so that Ctrl-C leaves a consistent state

    def collect(self, parameters: Sequence[Parameter] | None = None) -> None:
        """Copy gradients that layers left in other arrays into the flat one."""
        if self._flat is None:
            return
        for p in self._parameters if parameters is None else parameters:
            g, view = p.grad, self._gradient_of.get(p)
            if view is None or g is view or g is None or not p.rate:
                continue
            if isinstance(g, np.ndarray) and g.shape == view.shape and g.dtype.kind in "fiub":
                with np.errstate(over="ignore"):  # overflow stays a visible inf
                    view[...] = g
                p.grad = view
        self._flat.gradients = self.gradients, self._views
