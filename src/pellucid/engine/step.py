"""The base class of a plan's steps: each runs a layer, or several fused, into its own buffers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..distributed import Share
from ..memory import aligned_zeros
from ..nn import Layer, Parameter
from ..typing import Array, Shape

__all__ = ["Step"]


class Step:
    """Base class of the steps, which a backend or a user writes for a class of layers.

    A step takes and returns C-contiguous float32 arrays (N, ...), for any N up to the plan's batch
    size; it returns its own buffer, which its next call overwrites. It is constructed as
    ``MyStep(name, layer, input_shape, batch_size)``, with the keyword arguments that `absorbs`
    returned, and reads the layer's weights and constants at each call. The step of a join gets a
    tuple of all its inputs' shapes as ``input_shape``. See `serves`.

    Attributes
    ----------
    name : str
        The layer's path in the model.
    layer : Layer
        The layer it runs, whose parameters are the step's.
    kernel : str
        A description of what it runs, for tables.
    output_shape : (C, H, W) or (F,)
        Of one image, in this order for any layout.
    channels_last : bool or None
        The layout of input and output images: (N, H, W, C), which suits most kernels, or
        (N, C, H, W). None: any, and the output has the layout of the input.
    sums_by_share : bool
        Whether its gradients, and what else it sums over images, are trees over the chunks of its
        ``share``: then their bits do not depend on how many processes share the batch.
    makes_channels_last : bool or None
        The layout of the output, if it is not that of the input.
    multiply_adds : int
        Number of them in one image's forward.
    seconds : [float, float]
        Duration of the last forward and backward.
    reads, makes : tuple of int, int
        Numbers of values of the plan. A step that reads several takes that many arrays in forward,
        and returns that many gradients.
    frozen : bool
        Whether the weights will not change any more.
    first : bool
        Whether no step before it has trainable parameters, so that its input needs no gradient.
    gradients : dict of Parameter to array
        The buffers that `gradient` returns: views of the plan's flat gradients.
    share : Share
        The plan's: which images of a batch these are, if several processes share it.
    """

    kernel: str
    channels_last: bool | None = None
    sums_by_share: bool = False
    makes_channels_last: bool | None = None
    layer: Any = Layer()  # a placeholder, not a layer of the model

    def __init__(self, name: str, output_shape: Shape, multiply_adds: int = 0) -> None:
        self.name, self.output_shape, self.multiply_adds = name, output_shape, multiply_adds
        self.seconds = [0.0, 0.0]
        self.reads: tuple[int, ...] = (0,)
        self.makes = 1
        self.frozen = False
        self.first = False
        self.gradients: dict[Parameter, Array] = {}
        self.share = Share()

    # While a plan is built: methods of the class, then of the step --------------------------

    @classmethod
    def takes(cls, layer: Any, input_shape: Shape) -> bool:
        """Return whether the step can run this ``layer`` on inputs of this shape.

        If not, the layer runs as it is.
        """
        return True

    @classmethod
    def absorbs(
        cls, layer: Any, follower: Layer, shape: Shape, absorbed: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Return keyword arguments that fuse ``follower`` into the step; None if it cannot.

        Parameters
        ----------
        layer : Layer
            The layer that the step serves.
        follower : Layer
            The only reader of the output of ``layer`` with all layers absorbed so far.
        shape : (C, H, W) or (F,)
            The shape that ``follower`` reads.
        absorbed : mapping
            The keyword arguments of the followers absorbed so far, in order.
        """
        return None

    def divide(self, share: Share, batch_size: int) -> None:
        """Take over the plan's share, once the step is made.

        ``batch_size`` is that of the whole batch, of which this process has a part. What decides
        how sums are rounded may depend on it, but not on the part.
        """
        self.share = share

    def link(self, producer: Step) -> None:
        """Connect to the step that makes the input, if this step is its only reader."""

    def emit_channels_first(self) -> bool:
        """Switch the output to (N, C, H, W) if the step can; returns whether it did."""
        return False

    def freeze(self) -> None:
        """Declare that the weights will not change from now on.

        It may be called again, after they changed: what was made of them must be made anew.
        """
        self.frozen = True

    # At each batch ---------------------------------------------------------------------------

    def forward(self, *args: Any, **kwargs: Any) -> Array:
        """Return the output for the arrays that the step reads."""
        raise NotImplementedError(f"{type(self).__name__} has no forward yet")

    def backward(self, dy: Array, *, need_dx: bool) -> Array | tuple[Array | None, ...] | None:
        """Store the gradients of the parameters, if the step `learns`; return the input's.

        Without ``need_dx`` the gradient of the input may be None.
        """
        raise NotImplementedError(f"{type(self).__name__} has no backward yet")

    @cached_property
    def parameters(self) -> list[Parameter]:
        """The parameters of the model whose gradients the step computes."""
        return list(self.layer.parameters().values())

    @property
    def communicates(self) -> bool:
        """Whether forward and backward, as things are, take part in sums over all processes.

        A process without images then calls them with an empty array.
        """
        return False

    @property
    def learns(self) -> bool:
        """Whether the step has parameters that are not frozen."""
        return any(p.rate for p in self.parameters)

    def gradient(self, parameter: Parameter) -> Array:
        """Return the buffer for a parameter's gradient, and make it the ``grad``."""
        g = self.gradients.get(parameter)
        if g is None or g.shape != parameter.data.shape:
            g = self.gradients[parameter] = aligned_zeros(parameter.data.shape)
        parameter.grad = g
        return g

    def repeats(self, images: int) -> bool:
        """Return whether `forward` on as many images only calls kernels again, on the same arrays.

        With frozen weights, in inference, after it has run: it computes nothing with NumPy, and
        returns the same array, or its input. Such calls are made without Python.
        """
        return False

    # For warm-up and tables ------------------------------------------------------------------

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels that the step runs in training, or in inference only."""
        return ()

    def buffers(self) -> int:
        """Return the bytes of the step's buffers."""
        own = [a for a in vars(self).values() if isinstance(a, np.ndarray)]
        gradients = [self.gradients[p] for p in self.parameters if p in self.gradients]
        return sum(a.nbytes for a in (*own, *gradients))
