"""The registry of steps by layer class: each step registers itself.

Your own layer gets a step in the same way. Without one it runs as it is, in NumPy, and its images
are converted from and to channels-last:

>>> import numpy as np
>>> from pellucid import nn
>>> from pellucid.engine import Step, compile, serves
>>> class Scale(nn.Layer):
...     '''Multiply all numbers by one.'''
...
...     def __init__(self):
...         self.gain = nn.Parameter(np.full(1, 2.0, dtype=np.float32))
...
...     def forward(self, x):
...         self.remember(x)
...         return x * self.gain.data
...
...     def backward(self, dy):
...         (x,) = self.recall()
...         self.gain.grad = (dy * x).sum(keepdims=True).reshape(1)
...         return dy * self.gain.data
>>> @serves(Scale)
... class ScaleStep(Step):
...     kernel = "scale"  # in tables; `channels_last` stays None: any layout
...
...     def __init__(self, name, layer, input_shape, batch_size):
...         super().__init__(name, input_shape)
...         self.layer = layer
...         self._y, self._dx = np.empty((2, batch_size, *input_shape), dtype=np.float32)
...
...     def forward(self, x):
...         self._x = x
...         return np.multiply(x, self.layer.gain.data, out=self._y[: len(x)].reshape(x.shape))
...
...     def backward(self, dy, *, need_dx):
...         if self.learns:
...             self.gradient(self.layer.gain)[:] = np.vdot(dy, self._x)
...         if need_dx:
...             dx = self._dx[: len(dy)].reshape(dy.shape)
...             return np.multiply(dy, self.layer.gain.data, out=dx)
>>> model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), Scale(), nn.ReLU())
>>> [step.kernel for step in compile(model, (1, 8, 8), batch_size=10).steps]
['view', 'convolution', 'scale', 'relu', 'channels first']
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import ArgumentError
from ..nn import Layer
from ..typing import Shape
from .step import Step

__all__ = ["StepRegistry"]

S = TypeVar("S", bound=type[Step])


class StepRegistry:
    """The steps of one backend, by layer class."""

    def __init__(self) -> None:
        self.by_layer: dict[type[Layer], type[Step]] = {}

    def serves(self, *kinds: type[Layer]) -> Callable[[S], S]:
        """Return a decorator that registers a subclass of `Step` for these layer classes.

        It serves exactly these classes: a subclass may compute something else, and runs as it is
        unless it registers a step. The last registration of a class counts.

        Raises
        ------
        ArgumentError
            If one of ``kinds`` is not a subclass of Layer, or the decorated object is not one of
            Step.
        """
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, Layer)):
                raise ArgumentError(
                    f"takes layer classes, received {kind!r}. Write `@serves(MyLayer)` above "
                    "`class MyStep(Step)`.",
                    where="serves",
                )

        def register(step: S) -> S:
            given: Any = step
            if not kinds or not (isinstance(given, type) and issubclass(given, Step)):
                raise ArgumentError(
                    f"decorates a class derived from Step, received {given!r}. Write "
                    "`@serves(MyLayer)` above `class MyStep(Step)`.",
                    where="serves",
                )
            self.by_layer.update(dict.fromkeys(kinds, step))
            return step

        return register

    def find(self, layer: Layer, input_shape: Shape) -> type[Step] | None:
        """Return the step class that runs ``layer`` on inputs of this shape, or None."""
        step = self.by_layer.get(type(layer))
        return step if step is not None and step.takes(layer, input_shape) else None
