"""From a model to a plan: a flat list of steps with their buffers allocated."""

from __future__ import annotations

import time

import numpy as np

from ..errors import ShapeError
from ..nn import Layer
from ..typing import Array
from .assembly import assemble
from .steps import Shape
from .table import table

__all__ = ["Plan", "compile"]


class Plan:
    """What will run, in order; called like the model it was made from.

    Attributes
    ----------
    model : Layer
    batch_size : int
        The most images at a time.
    images : int
        How many the last call had.
    steps : list of Step
    """

    def __init__(self, model: Layer, input_shape: Shape, batch_size: int) -> None:
        self.model, self.input_shape, self.batch_size = model, tuple(input_shape), batch_size
        # The kernels compute in float32; a model of another type runs its own layers.
        self.single = all(p.data.dtype == np.float32 for p in model.parameters().values())
        self.images = 0
        self._given: Shape = (0,)  # the shape of the last output
        self.steps = assemble(model, self.input_shape, batch_size, fast=self.single)
        # Nobody needs a gradient in front of the first step that has parameters.
        trained = (k for k, step in enumerate(self.steps) if step.layer.parameters())
        self._first = next(trained, 0)
        self.steps[self._first].first = True

    def __call__(self, x: Array) -> Array:
        """Return the scores for ``x`` (N, C, H, W), N up to the batch size, in a buffer.

        Raises
        ------
        ShapeError
            If the plan was made for other images.
        """
        if x.shape[1:] != self.input_shape or len(x) > self.batch_size:
            raise ShapeError(
                f"was made for at most {self.batch_size} images {self.input_shape}, received "
                f"{x.shape}. Compile another plan.",
                where="Plan",
            )
        self.images = len(x)
        if not len(x):
            self._given = (0, *self.model.output_shape(self.input_shape))
            return np.empty(self._given, dtype=x.dtype)
        # Numba would compile every kernel again for arrays that cannot be written to.
        x = np.require(x, np.float32 if self.single else None, ["C", "W"])
        for step in self.steps:
            begin = time.perf_counter()
            x = step.forward(x)
            step.seconds[0] = time.perf_counter() - begin
        self._given = x.shape
        return x

    def backward(self, dy: Array, *, need_dx: bool = False) -> Array | None:
        """Leave every parameter's gradient in it; return the input's if asked for.

        The gradients may lie in buffers that the next backward overwrites.

        Raises
        ------
        ShapeError
            If ``dy`` is not shaped like the last output.
        """
        if dy.shape != self._given:
            raise ShapeError(
                f"expects an output gradient shaped like its last output, {self._given}, received "
                f"{dy.shape}.",
                where="Plan",
            )
        if not self.images:
            for p in self.model.parameters().values():
                p.grad = np.zeros_like(p.data)
            return np.zeros((0, *self.input_shape), dtype=dy.dtype) if need_dx else None
        back: Array | None = dy
        first = 0 if need_dx else self._first
        for k, step in reversed(list(enumerate(self.steps))[first:]):
            assert back is not None
            begin = time.perf_counter()
            back = step.backward(back, need_dx=need_dx or k > first)
            step.seconds[1] = time.perf_counter() - begin
        return back

    def freeze(self) -> None:
        """Rely on the weights staying as they are from now on, as they do in inference.

        What follows from them (packed or transformed filters) is then computed only once more.
        """
        for step in self.steps:
            step.freeze()

    def __str__(self) -> str:
        return table(self.steps, self.images or self.batch_size)


def compile(model: Layer, input_shape: Shape, batch_size: int) -> Plan:
    """Return a plan that runs ``model`` on up to ``batch_size`` images of ``input_shape``.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> plan = compile(SimpleConvNet(), (1, 28, 28), 100)
    >>> [step.kernel for step in plan.steps]
    ['view', 'convolution + relu + max 2x2', 'view', 'product + relu', 'product']
    """
    return Plan(model, input_shape, batch_size)
