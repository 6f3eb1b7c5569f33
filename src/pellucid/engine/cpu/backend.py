"""The CPU as a backend."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ... import ops
from ...distributed import Share
from ...kernels import affine, elementwise, updates
from ...kernels.blocks import blocks, each
from ...kernels.jit import GAINS
from ...kernels.pool.recording import Recording
from ...kernels.pool.threads import run
from ...memory import aligned_zeros
from ...nn import Layer, Loss, Parameter
from ...optim import Optimizer
from ...typing import Array, Shape
from .clipping import clip_grad_norm, squares
from .gather import Gather
from .losses import FusedLoss
from .steps.base import STEPS
from .steps.layout import LayoutStep
from .steps.plain import PlainStep
from .updates import update

__all__ = ["CPU", "CPUBackend"]


class CPUBackend:
    """Numba's kernels on the threads of this process; see `pellucid.engine.Backend`."""

    name = "cpu"
    steps = STEPS
    precisions = GAINS

    def plain(
        self, name: str, layer: Layer, input_shape: Shape, batch: int, *, single: bool = True
    ) -> PlainStep:
        """Return a step that calls ``layer`` itself."""
        return PlainStep(name, layer, input_shape, batch, single=single)

    def layout(self, shape: Shape, batch: int, *, to_last: bool) -> LayoutStep:
        """Return a step that transposes images."""
        return LayoutStep(shape, batch, to_last=to_last)

    def zeros(self, shape: int | Shape, dtype: npt.DTypeLike = np.float32) -> Array:
        """Return zeros that begin with a cache line."""
        return aligned_zeros(shape, dtype)

    def from_host(self, a: Array, dtype: npt.DTypeLike | None = None) -> Array:
        """Return ``a``, or a copy that kernels take.

        Numba would compile every kernel again for arrays that cannot be written to.
        """
        return np.require(a, dtype, ["C", "W", "A"])

    def to_host(self, a: Array) -> Array:
        """Return ``a``: it is one of NumPy's."""
        return a

    def add(self, a: Array, b: Array, out: Array) -> None:
        """Write ``a + b`` to ``out``."""
        each(elementwise.add, a, b, out, False)

    def loss(self, loss: Loss, share: Share | None = None) -> Loss:
        """Return a loss that is one kernel with its gradient."""
        return FusedLoss(loss, share)

    def update(
        self, optimizer: Optimizer, parameters: Mapping[str, Parameter], lr: float | None = None
    ) -> None:
        """Take the optimizer's step by kernels."""
        update(optimizer, parameters, lr)

    def clip(self, parameters: Mapping[str, Parameter], max_norm: float) -> float:
        """Scale the gradients by kernels; return their norm."""
        return clip_grad_norm(parameters, max_norm)

    def squares(self, g: Array, bounds: Array) -> Array:
        """Return the sums of squares of parts of a flat gradient, which `clip` adds up."""
        return squares(g, bounds)

    def affine(self, x: Array, m: Array) -> Array:
        """Do what `pellucid.ops.affine` does, by a kernel."""
        if x.dtype != np.float32 or not x.size:
            return ops.affine(x, m)
        x, m = self.from_host(x), self.from_host(m, np.float64)
        y, tasks = np.empty_like(x), min(blocks(x.size), len(x) * x.shape[2])
        run(affine.affine, tasks, x, m, y, tasks)
        return y

    def average(self, a: Array, w: Array, decay: float) -> None:
        """Take the weights ``w`` into their moving average ``a``, by a kernel."""
        if a.dtype == w.dtype == np.float32 and a.flags.carray and w.flags.carray:
            each(updates.average, a, w, float(decay))
        else:
            a += a.dtype.type(1 - decay) * (w - a)

    def recording(self) -> Recording:
        """Return what records calls of kernels, to make them again without Python."""
        return Recording()

    def gather(self) -> Gather:
        """Return what gathers and scales stored images."""
        return Gather()

    def __repr__(self) -> str:
        return "pellucid.engine.CPU"


CPU = CPUBackend()
