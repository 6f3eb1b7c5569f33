"""What every step of a plan is: one layer, or a chain of them, run into buffers of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..memory import aligned_zeros
from ..nn import Layer, Parameter
from ..typing import Array, Shape

__all__ = ["Step"]


class Step:
    """Base class of the steps, which a backend or a user writes for a kind of layer.

    A step takes and returns C-contiguous float32 arrays (N, ...), for any N up to the plan's batch
    size; what it returns is a buffer of its own, which its next call overwrites. It is made as
    ``MyStep(name, layer, input_shape, batch_size)``, with the keyword arguments that `absorbs`
    returned, and reads the layer's weights and constants at each call. The step of a join gets a
    tuple of the shapes of all its inputs as ``input_shape``. See `serves`.

    Attributes
    ----------
    name : str
        The layer's path in the model.
    layer : Layer
        The one it runs; its parameters are the step's.
    kernel : str
        What it runs, for tables.
    output_shape : (C, H, W) or (F,)
        Of one image, in this order whatever the layout.
    channels_last : bool or None
        The layout of the images that it reads and makes: (N, H, W, C), which suits most kernels, or
        (N, C, H, W). None: either, and the output has the layout of the input.
    multiply_adds : int
        Of one image's forward.
    seconds : [float, float]
        What the last forward and backward took.
    reads, makes : tuple of int, int
        Numbers of values of the plan. A step that reads several takes that many arrays forward, and
        returns that many gradients.
    frozen : bool
        Whether the weights stay as they are from now on.
    first : bool
        Whether no step before it learns: the gradient for its input is not needed.
    gradients : dict of Parameter to array
        Where `gradient` finds the buffers: the plan's own array of all gradients.
    """

    kernel: str
    channels_last: bool | None = None
    layer: Any = Layer()  # not one of the model's

    def __init__(self, name: str, output_shape: Shape, multiply_adds: int = 0) -> None:
        self.name, self.output_shape, self.multiply_adds = name, output_shape, multiply_adds
        self.seconds = [0.0, 0.0]
        self.reads: tuple[int, ...] = (0,)
        self.makes = 1
        self.frozen = False
        self.first = False
        self.gradients: dict[Parameter, Array] = {}

    # When a plan is made: asked of the class, then of the step ------------------------------

    @classmethod
    def takes(cls, layer: Any, input_shape: Shape) -> bool:
        """Return whether the step can run this ``layer`` on inputs of this shape.

        A layer whose step cannot take it runs as it is.
        """
        return True

    @classmethod
    def absorbs(
        cls, layer: Any, follower: Layer, shape: Shape, absorbed: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Return the keyword arguments that make the step run ``follower`` too; None if it cannot.

        Parameters
        ----------
        layer : Layer
            The one that the step serves.
        follower : Layer
            The only reader of what ``layer``, with all absorbed so far, makes.
        shape : (C, H, W) or (F,)
            The shape that ``follower`` reads.
        absorbed : mapping
            The keyword arguments of the followers absorbed so far, in order.
        """
        return None

    def link(self, producer: Step) -> None:
        """Link up with the step that makes the input, of which this one is the only reader."""

    def emit_channels_first(self) -> bool:
        """Make images (N, C, H, W) from now on, if the step can; returns whether it does."""
        return False

    def freeze(self) -> None:
        """Rely on the weights staying as they are from now on."""
        self.frozen = True

    # At each batch ---------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Array:
        """Return the output for ``x``, or for all that the step reads."""
        raise NotImplementedError(f"{type(self).__name__} has no forward yet")

    def backward(self, dy: Array, *, need_dx: bool) -> Array | tuple[Array | None, ...] | None:
        """Leave the gradients in the parameters, if the step `learns`; return the input's.

        Without ``need_dx`` the gradient for the input may be None.
        """
        raise NotImplementedError(f"{type(self).__name__} has no backward yet")

    @cached_property
    def _parameters(self) -> list[Parameter]:
        return list(self.layer.parameters().values())

    @property
    def learns(self) -> bool:
        """Whether the step has parameters that are not frozen."""
        return any(p.rate for p in self._parameters)

    def gradient(self, parameter: Parameter) -> Array:
        """Return the buffer for a parameter's gradient, which becomes its ``grad``."""
        g = self.gradients.get(parameter)
        if g is None or g.shape != parameter.data.shape:
            g = self.gradients[parameter] = aligned_zeros(parameter.data.shape)
        parameter.grad = g
        return g

    # For warm-up and tables ------------------------------------------------------------------

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels that the step runs, in training or in inference alone."""
        return ()

    def buffers(self) -> int:
        """Return the bytes of the step's buffers."""
        own = [a for a in vars(self).values() if isinstance(a, np.ndarray)]
        gradients = [self.gradients[p] for p in self._parameters if p in self.gradients]
        return sum(a.nbytes for a in (*own, *gradients))
