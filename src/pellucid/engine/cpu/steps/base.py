"""The steps of a plan: each runs one layer, or a chain of them, into buffers of its own.

A step takes and gives C-contiguous arrays (N, ...), for any N up to the plan's batch size. What it
returns is its own buffer, overwritten by its next call. `backward` leaves the gradients in the
parameters, as a layer does, but for those that are frozen.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ....errors import ShapeError
from ....kernels import matmul
from ....memory import aligned_zeros
from ....nn import Buffer, Layer, Parameter
from ....ops.checks import require_real, require_shape
from ....typing import Array
from ..launch import launch

__all__ = ["PlainStep", "Shape", "Step", "TurnStep", "ViewStep", "flat", "numbers", "weights"]

Shape = tuple[int, ...]


class Step:
    """Base class: what it runs, and what it makes.

    ``reads`` and ``makes`` are the numbers of values of the plan. A step that reads several takes
    so many arrays forward, and returns so many gradients.
    ``channels_last`` says which images it takes and gives: (N, H, W, C), as most kernels want them,
    or (N, C, H, W); None: it takes either, and gives what it was given. ``output_shape`` is
    (C, H, W) or (F,) in any case. ``seconds`` are those of the last forward and backward.
    """

    kernel: str
    channels_last: bool | None = None
    layer: Any = Layer()  # none of the model's

    def __init__(self, name: str, output_shape: Shape, multiply_adds: int = 0) -> None:
        self.name, self.output_shape, self.multiply_adds = name, output_shape, multiply_adds
        self.seconds = [0.0, 0.0]
        self.reads: tuple[int, ...] = (0,)
        self.makes = 1
        self.frozen = False
        self.first = False  # of those that are trained: nobody needs its gradient for the input

    @cached_property
    def _weights(self) -> list[Parameter]:
        return list(self.layer.parameters().values())

    @property
    def learns(self) -> bool:
        """Whether the step has weights that are not frozen."""
        return any(p.rate for p in self._weights)

    def forward(self, *args: Any, **kwargs: Any) -> Array:
        """Return the output for ``x``, or for what else the step reads."""
        raise NotImplementedError

    def backward(self, dy: Array, *, need_dx: bool) -> Array | tuple[Array | None, ...] | None:
        """Return the gradient for the last input, or None where nobody needs it."""
        raise NotImplementedError

    def turn(self) -> bool:
        """Give images (N, C, H, W) from now on, whatever the step takes, if it can."""
        return False

    def freeze(self) -> None:
        """Rely on the weights staying as they are from now on."""
        self.frozen = True

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels that the step runs, in training or in inference alone."""
        return ()

    def buffers(self) -> int:
        """Return the bytes of the step's buffers."""
        return sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))


class PlainStep(Step):
    """Call the layer itself: what the engine does not know runs all the same."""

    kernel = "plain NumPy"
    channels_last = False

    def __init__(
        self, name: str, layer: Layer, input_shape: Shape, batch: int, *, single: bool = True
    ) -> None:
        super().__init__(name, layer.output_shape(input_shape), layer.multiply_adds(input_shape))
        self.layer, self.single, self._input_shape = layer, single, tuple(input_shape)

    def forward(self, x: Array) -> Array:
        """Return the layer's output."""
        shape = (len(x), *self.output_shape)
        return self._checked(self.layer(x), shape, "an output", "(N, *output_shape)")

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the layer's gradient."""
        dx = self.layer.backward(dy)
        shape = (len(dy), *self._input_shape)
        return self._checked(dx, shape, "an input gradient", "(N, *input_shape)")

    def _checked(self, a: Array, shape: Shape, what: str, letters: str) -> Array:
        """Return what the layer made as the kernels of other steps take it; they check nothing."""
        a, name = np.asarray(a), f"{what} of {type(self.layer).__name__}"
        require_real(a, self.name or "Plan", name)
        a = np.require(a, np.float32 if self.single else None, ["C", "W"])
        require_shape(a, shape, name, letters, self.name or "Plan")
        return a


class ViewStep(Step):
    """Give the same numbers another shape: Flatten."""

    kernel = "view"
    channels_last = False

    def __init__(self, name: str, layer: Layer, input_shape: Shape, batch: int) -> None:
        super().__init__(name, layer.output_shape(input_shape))

    def forward(self, x: Array) -> Array:
        """Return ``x`` in the output's shape."""
        self._shape = x.shape
        return x.reshape(len(x), *self.output_shape)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return ``dy`` in the input's shape."""
        return dy.reshape(self._shape)


class TurnStep(Step):
    """Turn images (N, C, H, W) into (N, H, W, C), or back."""

    def __init__(self, shape: Shape, batch: int, *, to_last: bool) -> None:
        super().__init__("", shape)
        self.channels_last = to_last
        c, h, w = shape
        self._rows, self._columns = (c, h * w) if to_last else (h * w, c)
        self._to, self._from = ((h, w, c), (c, h, w)) if to_last else ((c, h, w), (h, w, c))
        # A matrix of one row or one column is already its own transpose.
        self._same = 1 in (self._rows, self._columns)
        self.kernel = "view" if self._same else "channels last" if to_last else "channels first"
        self._y = aligned_zeros((0,) if self._same else (batch, *self._to))
        self._dx = aligned_zeros(self._y.shape)

    def forward(self, x: Array) -> Array:
        """Return the images turned."""
        if self._same:
            return x.reshape(len(x), *self._to)
        return self._turn(x, self._y[: len(x)], self._rows, self._columns)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | None:
        """Return the gradient turned back."""
        shape = (len(dy), *self._from)
        if self._same or not need_dx:
            return dy.reshape(shape) if need_dx else None
        return self._turn(dy, self._dx[: len(dy)], self._columns, self._rows).reshape(shape)

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the one kernel."""
        return () if self._same else (matmul.transpose,)

    def _turn(self, x: Array, y: Array, rows: int, columns: int) -> Array:
        x = np.ascontiguousarray(x, dtype=np.float32)
        launch(matmul.transpose, len(x), x.size, flat(x), flat(y), rows, columns)
        return y


def weights(parameter: Buffer, shape: Shape, name: str) -> Array:
    """Return a parameter as the kernels take it, or refuse one that has lost its ``shape``."""
    return np.ascontiguousarray(numbers(parameter, shape, name), dtype=np.float32)


def numbers(buffer: Buffer, shape: Shape, name: str) -> Array:
    """Return what a buffer holds, or refuse it if that has lost its ``shape``, or is not real."""
    if buffer.data.shape != shape:
        raise ShapeError(
            f"was compiled for a parameter of shape {shape}, which has {buffer.data.shape} now. "
            "Compile another plan, of a layer of that size.",
            where=name or "Plan",
        )
    require_real(buffer.data, name or "Plan", "a parameter")
    return buffer.data


def flat(a: Array) -> Array:
    """Return the C-contiguous array in one dimension."""
    return a.reshape(a.size)
