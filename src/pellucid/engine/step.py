"""The base class of a plan's steps: each runs a layer, or several fused, into its own buffers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..distributed import Share
from ..memory import aligned_zeros
from ..nn import Layer, Parameter
from ..typing import Array, Shape
from .reserved import Reserved, Use, reserved_in, resolved

__all__ = ["Step"]

INPUTS = ("_x", "_a", "_b")  # in which steps keep the arrays that they read


class Step:
    """Base class of the steps, which a backend or a user writes for a class of layers.

    A step takes and returns C-contiguous float32 arrays (N, ...), for any N up to the plan's batch
    size; it returns its own buffer, which its next call overwrites. It is constructed as
    ``MyStep(name, layer, input_shape, batch_size)``, with the keyword arguments that `absorbs`
    returned, and reads the layer's weights and constants at each call. The step of a join gets a
    tuple of all its inputs' shapes as ``input_shape``. See `serves`.

    Its buffers are arrays of its own, or `output`, `input_gradient`, `kept` and `scratch`, which
    share memory with those of other steps that are not in use at the same time.

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
    precision : str
        What the factors of products may be rounded to, where that is faster: the plan's.
    keeps : bool
        Whether a backward may follow: forward then leaves what that needs.
    reads_input, reads_output : bool
        Whether backward reads the last input, and the last output. Until then they last.
    by_image : bool
        Whether forward, in inference, handles each image by itself and leaves the outputs in its
        one `output`, whose first axis is the images. Then a plan may pass a few at a time.
    cheap : bool
        Whether forward, without products or `scratch`, computes its `output` from its inputs, so
        that a plan may forget that and call `again`.
    adds_gradient : bool
        Whether the step, which then reads one value, has a `backward_adding`: it adds another
        gradient of that value before it writes its own.
    returns_input, returns_gradient : bool
        Whether forward may return its input instead of its `output`, and backward ``dy`` instead of
        an `input_gradient`. A step that reserves none is taken to return a view.
    """

    kernel: str
    channels_last: bool | None = None
    sums_by_share: bool = False
    makes_channels_last: bool | None = None
    layer: Any = Layer()  # a placeholder, not a layer of the model
    reads_input = reads_output = True
    by_image = cheap = adds_gradient = returns_input = returns_gradient = False

    def __init__(self, name: str, output_shape: Shape, multiply_adds: int = 0) -> None:
        self.name, self.output_shape, self.multiply_adds = name, output_shape, multiply_adds
        self.seconds = [0.0, 0.0]
        self.reads: tuple[int, ...] = (0,)
        self.makes = 1
        self.frozen = False
        self.first = False
        self.gradients: dict[Parameter, Array] = {}
        self.share = Share()
        self.precision = "float32"
        self.keeps = True
        self._reserved: dict[tuple[int, str], tuple[object, Any]] = {}

    # Buffers, which a plan lays out ----------------------------------------------------------

    def output(self, shape: int | Shape) -> Array:
        """Reserve the array that forward returns.

        What these methods return has a shape, and becomes an array before the first call, with any
        numbers in it. It is an attribute of the step, alone or in a list.
        """
        return cast(Array, Reserved(Use.OUTPUT, shape))

    def input_gradient(self, shape: int | Shape) -> Array:
        """Reserve an array that backward returns."""
        return cast(Array, Reserved(Use.GRADIENT, shape))

    def kept(self, shape: int | Shape, dtype: npt.DTypeLike = np.float32) -> Array:
        """Reserve an array that forward writes for backward."""
        return cast(Array, Reserved(Use.KEPT, shape, dtype))

    def scratch(self, shape: int | Shape, use: Use = Use.BACKWARD) -> Array:
        """Reserve an array for the length of a backward, a forward, or each."""
        return cast(Array, Reserved(use, shape))

    def prepare(self, *, training: bool) -> None:
        """Get ready for the plan to lay out what the step reserves: to train, or for inference."""
        self.keeps = training

    def reserved(self) -> list[Reserved]:
        """Return what the step and its algorithms have reserved."""
        for holder in self.holders():
            for name, value in vars(holder).items():
                if reserved_in(value):
                    self._reserved[id(holder), name] = holder, value
        return [one for _, value in self._reserved.values() for one in reserved_in(value)]

    def place(self, arrays: dict[Reserved, Array]) -> None:
        """Take the plan's ``arrays`` for what is reserved, and forget all others."""
        for (_, name), (holder, value) in self._reserved.items():
            setattr(holder, name, resolved(value, arrays))
        for name in INPUTS:
            vars(self).pop(name, None)

    def holders(self) -> Sequence[object]:
        """Return the objects whose attributes are the step's buffers."""
        return (self,)

    @property
    def inputs(self) -> tuple[int, ...]:
        """The values that forward takes, as things are: those that the step reads, unless folded.

        A step that does the work of one after it takes what that would read, too.
        """
        return self.reads

    @property
    def skipped(self) -> bool:
        """Whether forward, as things are, returns its input: the step before has done the work."""
        return False

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

    def compute_in(self, precision: str) -> None:
        """Take over the plan's precision, before `divide`."""
        self.precision = precision

    def link(self, producer: Step) -> None:
        """Connect to the step that makes an input, if this step is its only reader."""

    def read_by(self, reader: Step) -> None:
        """Take note of the step that alone reads the output, and nothing else."""

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

    def again(self, *args: Any) -> Array:
        """Write the last output to its buffer once more, given the same inputs.

        Nothing else changes: the same statistics and the same draws are used.
        """
        return self.forward(*args)

    def backward(self, dy: Array, *, need_dx: bool) -> Array | tuple[Array | None, ...] | None:
        """Store the gradients of the parameters, if the step `learns`; return the input's.

        Without ``need_dx`` the gradient of the input may be None.
        """
        raise NotImplementedError(f"{type(self).__name__} has no backward yet")

    def backward_adding(self, dy: Array, plus: Array) -> Array:
        """Do the same; return the sum of the input's gradient and ``plus``, another one of it."""
        raise NotImplementedError(f"{type(self).__name__} has no backward_adding")

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
        """Return whether both passes on as many images only call kernels, on the same arrays.

        After they have run, in the mode at hand: all that they compute with NumPy they have
        `pellucid.kernels.pool.threads.run_python` call, with arguments that do not change; they
        take other numbers from attributes of the layer; and they return the same arrays, or one
        that they were given. Such calls are made again without Python.
        """
        return False

    # For warm-up and tables ------------------------------------------------------------------

    def uses(self, *, training: bool) -> Sequence[Any]:
        """Return the kernels that the step runs in training, or in inference only."""
        return ()

    def buffers(self) -> int:
        """Return the bytes of the step's buffers, those that share memory with others included."""
        gradients = [self.gradients[p] for p in self.parameters if p in self.gradients]
        shared = sum(one.nbytes for one in self.reserved())
        return shared + self.own_bytes() + sum(a.nbytes for a in gradients)

    def own_bytes(self) -> int:
        """Return the bytes of arrays that share memory with no other step's."""
        self.reserved()
        arrays = [
            a
            for holder in self.holders()
            for name, value in vars(holder).items()
            if (id(holder), name) not in self._reserved and name not in INPUTS
            for a in (value if isinstance(value, list | tuple) else [value])
        ]
        return sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))
