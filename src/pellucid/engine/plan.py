"""From a model to a plan: a flat list of steps over numbered values, and their buffers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..distributed import Share
from ..errors import ArgumentError, ShapeError
from ..kernels.ahead.crew import expecting
from ..nn import Layer
from ..nn.state import widened
from ..ops.checks import require_count, require_real
from ..precision import Precision, offered, require_precision
from ..typing import Array, Shape
from .assembly import assemble
from .backend import Backend
from .cpu.backend import CPU
from .exclusive import Exclusive
from .facts import Modes
from .flat import Layout
from .outputs import Outputs
from .plan_memory import MemoryUse, PlanMemory
from .plan_weights import PlanWeights
from .rehearsal import calls
from .runs import Runs, Way
from .step import Step
from .table import table

__all__ = ["Plan", "compile"]


class Plan:
    """A model compiled to a list of steps; called like the model.

    Every step reads earlier values, number 0 being the images, and makes one. All are buffers,
    which share memory where they are not in use at once, and which the next call overwrites: a plan
    serves one thread at a time, and copying it compiles it again. Only the plan's outputs, and the
    gradient of the images, last until the next call.

    While no layer is in training mode, a call keeps nothing for a backward. The first backward
    after such a call runs forward once more; from then on every call keeps what backward needs,
    until the plan is frozen again.

    Attributes
    ----------
    model : Layer
    batch_size : int
        The largest number of images per call; of a shared batch, the images of all processes.
    images : int
        The number of images in the last call.
    steps : list of Step
    backend : Backend
    share : Share
        Which images of a batch this process computes. If it is not alone, it must begin
        (`Share.begin`) each batch before the plan is called in training, and every process must
        call the plan, even one without images.
    repeatable : bool
        Whether backward may run several times after one forward.
    recompute : bool
        Whether outputs that are cheap to compute again are forgotten until backward.
    precision : str
        What the factors of products are rounded to where that is faster; "float32" if the backend
        cannot do what was asked for.
    approximate : list of str
        Paths of the layers whose gradients are correct, but whose last bits depend on the number of
        processes: they have no step that sums over chunks.
    replays : bool
        Whether kernels are called without Python between them, from the third call on with as many
        images, forward and backward. Then the steps' ``seconds`` are not measured. A step runs with
        Python if it is not made for that (`Step.repeats`), and so do all of them in training with
        ``after_step``, or if processes share the batch.
    after_step : callable, optional
        Called in `backward` with each step that has run, once the gradients of the step's
        parameters lie in `gradients`, such as to send them while the steps before it compute.
    poison : bool
        Whether to fill, after each step, all shared memory that is not in use with NaN: a step
        that says too little of what it reads then shows, slowly, in the results.

    Raises
    ------
    ArgumentError
        If processes share the batch, and a layer that computes statistics of it has no step that
        could do so over all of them.
    """

    def __init__(
        self, model: Layer, input_shape: Shape, batch_size: int, backend: Backend = CPU,
        share: Share | None = None, *, repeatable: bool = True, precision: str = "float32",
        recompute: bool = False,
    ) -> None:  # fmt: skip
        self.asked = require_precision(precision)
        batch_size = require_count(batch_size, "batch_size")
        self.model, self.input_shape, self.batch_size = model, tuple(input_shape), batch_size
        self.backend, self.share = backend, share or Share()
        self.precision = offered(self.asked, getattr(backend, "precisions", ()))
        self._most = self.share.largest(batch_size)  # images of this process
        model.output_shape(self.input_shape)  # raises if a layer does not fit the images
        # The kernels compute in float32; a model of another dtype runs its own layers.
        self.single = all(p.data.dtype == np.float32 for p in model.parameters().values())
        self.images = 0
        self._given: list[Shape] = []  # the shapes of the last outputs
        self._exclusive = Exclusive()
        self.steps, outputs = assemble(
            model,
            self.input_shape,
            batch_size,
            fast=self.single,
            backend=backend,
            share=self.share,
            precision=self.precision,
        )
        self._outputs = Outputs(outputs, several=model.output_names is not None)
        self.repeatable, self.recompute = repeatable, recompute
        self._memory = PlanMemory(
            self.steps, outputs, self.input_shape, self._most, backend,
            repeatable=repeatable, recompute=recompute,
        )  # fmt: skip
        layers = [layer for _, layer in model.layers()]
        self._modes = Modes(layers)
        self._training = self._frozen = False  # what memory is laid out for
        self._images: Array | None = None  # of a call that kept nothing for backward
        self._parameters = list(model.parameters().values())
        self._weights = PlanWeights(self._parameters, self.steps, backend, single=self.single)
        self._runs = Runs(
            self.steps, self._memory, backend, layers, self._parameters, single=self.single
        )
        self.approximate = self._approximate()
        self.after_step: Callable[[Step], object] | None = None
        self.replays = True
        self.poison = False

    @property
    def weights(self) -> Array:
        """All weights in one float32 array: the ``data`` of each parameter is a view of it.

        So one message sends all weights to another process. The first backward, or this attribute,
        moves the parameters there, and moves them again after a parameter's ``data`` was replaced.
        Between parameters there may be zeros as padding. Plans of one model share the array.

        Raises
        ------
        ArgumentError
            If the parameters cannot share one array.
        """
        return self._weights.laid_out().whole

    @property
    def gradients(self) -> Array:
        """The gradients of the last backward in one float32 array, laid out as `weights` are.

        The ``grad`` of each parameter that is not frozen is a view of it; the rest is not written.
        Change it in place between `backward` and an update, to sum over processes or to clip.

        Examples
        --------
        >>> from pellucid.models import SimpleConvNet
        >>> model = SimpleConvNet((1, 8, 8))
        >>> plan = compile(model, (1, 8, 8), 2)
        >>> _ = plan(np.ones((2, 1, 8, 8), np.float32))
        >>> _ = plan.backward(np.ones((2, 10), np.float32))
        >>> plan.gradients[:] *= 0.5
        >>> plan.gradients.shape == plan.weights.shape
        True
        """
        self._weights.laid_out()
        return self._weights.gradients

    @property
    def layout(self) -> Layout:
        """Where each parameter of the model lies in `weights` and `gradients`."""
        return self._weights.laid_out().layout

    @property
    def memory(self) -> MemoryUse:
        """How much memory the plan's buffers take: in its last use, or before it in the next."""
        gradients = sum(p.data.nbytes for p in self._parameters if p.rate)
        return self._memory.use(training=self._trains(), gradients=gradients)

    def _prepare(self) -> None:
        """Lay out memory for what the model's mode asks for."""
        self._training = self._trains()
        if self._memory.lay_out(training=self._training, frozen=self._frozen):
            self._runs.forget()

    def _trains(self) -> bool:
        return self._training or any(self._modes.now())

    def __call__(self, x: Array) -> Any:
        """Return the scores for ``x`` (N, C, H, W), N up to the batch size, in a buffer.

        A tuple of arrays if the model is a graph of several outputs.

        A plan computes in float32, or in the dtype of the model if that differs; real numbers of
        any type are converted.

        Raises
        ------
        ArgumentError
            If the images, or the model's weights by now, are not real numbers.
        ShapeError
            If the plan was made for other images, or the model's weights have changed their shapes.
        """
        return self._exclusive.call(self._run, np.asarray(x))

    def _run(self, x: Array) -> Any:
        if x.shape[1:] != self.input_shape or len(x) > self._most:
            raise ShapeError(
                f"was made for at most {self._most} images {self.input_shape}, received "
                f"{x.shape}. Compile another plan.",
                where="Plan",
            )
        if self.share.alone:
            self.share.begin(len(x))
        elif self.model.training:
            self._require_begun(len(x))
        self.images, self._given = 0, []  # if a step fails, backward must be refused
        self._prepare()
        if not len(x):
            self._attended = [step for step in self.steps if step.communicates]
            for step in self._attended:
                step.forward(self._no_images(step))
            self._given = self._outputs.of_no_images(self.model.output_shape(self.input_shape))
            dtype = self._fit(x, "images").dtype
            return self._outputs.returned([np.empty(shape, dtype=dtype) for shape in self._given])
        with expecting(lambda: calls(self, len(x))):
            values = self._runs.forward(
                self._fit(x, "images"), self._way, frozen=self._frozen and not self._training,
                mode=self.model.training,
            )  # fmt: skip
        outputs = [values[k] for k in self._outputs.values]
        self.images, self._given = len(x), [output.shape for output in outputs]
        self._images = None if self._training else values[0]
        return self._outputs.returned([self.backend.to_host(output) for output in outputs])

    @property
    def _way(self) -> Way:
        alone = self.share.alone or not self._training
        return Way(self.replays and alone, self.poison, self.after_step)

    def backward(self, dy: Any, *, need_dx: bool = False) -> Array | None:
        """Compute the gradients of all parameters that are not frozen, and the input's on request.

        The gradients may be buffers that the next backward overwrites. For several outputs, ``dy``
        is a tuple, with None for an output that has none.

        Raises
        ------
        ShapeError
            If ``dy`` is not shaped like the last output.
        """
        with expecting(lambda: calls(self, self.images)):
            return self._exclusive.call(self._backward, dy, need_dx)

    def _backward(self, dy: Any, need_dx: bool) -> Array | None:
        if not self._given:
            raise ArgumentError(
                "backward needs a forward first: call the plan."
                + " It keeps nothing for a second backward; one compiled with `repeatable=True` "
                "does." * (not self.repeatable),
                where="Plan",
            )
        parts = self._outputs.gradients(dy, self._given)
        given = [(k, self._fit(part, "dy")) for k, part in parts if part is not None]
        if not self.images or len(given) < len(parts):
            for p in self._parameters:
                p.grad = np.zeros_like(p.data)
        if not self.share.alone:
            self._require_begun(self.images)
        if not self.images:
            if not self.share.alone:
                self._weights.place()
            self._weights.collect()
            self._attend_backward({k for k, _ in given}, need_dx)
            return np.zeros((0, *self.input_shape), given[0][1].dtype) if need_dx else None
        self._runs.find_trained()
        self._weights.place()
        if self._images is not None:  # the last call kept nothing
            self._training = True
            self._run(self._images)
        if not self.repeatable:
            self._given = []
        gradients: dict[int, Array] = {}
        for k, part in given:
            gradients[k] = self._runs.sum(k, gradients[k], part) if k in gradients else part
        self._runs.backward(gradients, self._way, need_dx=need_dx, collect=self._weights.collect)
        self._weights.collect()
        return self.backend.to_host(gradients[0]) if need_dx else None

    def _attend_backward(self, reached: set[int], need_dx: bool) -> None:
        """Do, without images, what communicates with processes that have some.

        ``reached`` are the outputs that have a gradient. The same steps run as with images, which
        ``need_dx`` adds to.
        """
        self._runs.find_trained()
        for step in reversed(self.steps):
            if step.makes not in reached or not (need_dx or step.makes in self._runs.trained):
                continue
            if step in self._attended:
                step.backward(self._no_images(step), need_dx=False)
            reached.update(step.reads)
            if self.after_step is not None:
                self._weights.collect(step.parameters)
                self.after_step(step)

    def _no_images(self, step: Step) -> Array:
        """Return an empty batch of a step's outputs."""
        shape = step.output_shape
        if step.channels_last and len(shape) == 3:
            shape = (*shape[1:], shape[0])
        return self.backend.zeros((0, *shape))

    def _require_begun(self, images: int) -> None:
        """Refuse images that are not those of the batch that the share has begun."""
        if images != self.share.own or not self.share.images:
            raise ArgumentError(
                f"shares batches with other processes: {self.share.own} of the "
                f"{self.share.images} images of this one are this process's, received {images}. "
                "Call `share.begin(images)` on every process before each batch, and pass the "
                "images that it returns.",
                where="Plan",
            )

    def _approximate(self) -> list[str]:
        """Return the layers whose last bits depend on the number of processes."""
        found = []
        for step in self.steps:
            if step.sums_by_share:
                continue
            for name, layer in step.layer.layers():
                if layer.batch_statistics and not self.share.alone:
                    path = ".".join(part for part in (step.name, name) if part)
                    raise ArgumentError(
                        f"{path or type(layer).__name__} computes statistics of a batch, but no "
                        "compiled step does so over several processes. Use a normalization of each "
                        "image, such as GroupNorm, or train in one process.",
                        where="Plan",
                    )
            if step.parameters:
                found.append(step.name)
        return found

    def _fit(self, a: Array, name: str) -> Array:
        """Return ``a`` converted for the steps."""
        require_real(a, "Plan", name)
        if self.single:
            return self.backend.from_host(a, np.float32)
        return self.backend.from_host(widened(a, self._parameters))

    def __reduce__(self) -> tuple[Any, ...]:
        share = Share(chunks=self.share.chunks)  # a copy is another plan, of one process
        of = self.model, self.input_shape, self.batch_size, self.backend, share
        plan = partial(
            Plan, repeatable=self.repeatable, precision=self.asked, recompute=self.recompute
        )
        return plan, of

    def freeze(self) -> None:
        """Declare that the weights will not change, as in inference.

        Packed or transformed filters are then computed only once more.
        """
        self._training, self._frozen = False, True
        self._runs.forget()
        self._memory.forget(training=False, frozen=True)
        for step in self.steps:
            step.freeze()

    def __str__(self) -> str:
        memory, images = self.memory, self.images or self.batch_size
        return f"{table(self.steps, images, again=memory.recomputed)}\n{memory}"


def compile(
    model: Layer, input_shape: Shape, batch_size: int, *, backend: Backend = CPU,
    share: Share | None = None, repeatable: bool = True, precision: Precision = "float32",
    recompute: bool = False,
) -> Plan:  # fmt: skip
    """Return a plan that runs ``model`` on up to ``batch_size`` images of ``input_shape``.

    Parameters
    ----------
    model : Layer
    input_shape : (C, H, W) or (F,)
    batch_size : int
    backend : Backend
        The machine to run on.
    share : Share, optional
        Which images of each batch this process computes, where several share a training.
    repeatable : bool
        Whether backward may run several times after one forward. Without that, gradients take the
        place of what backward has read, and the plan needs up to a quarter less memory.
    precision : "float32" or "bf16"
        With "bf16", the factors of products are rounded to bfloat16 (8 bits of mantissa) where that
        is faster: in fully connected layers and convolutions with enough channels, but for those
        that Winograd's algorithm makes faster, such as 3x3 with stride 1. `print` shows which
        outputs are computed so; gradients of filters are even where the channels are too few.
        Weights, sums and everything else stay float32. Where the processor has no instructions for
        it, or slow ones, a warning says so, and the plan computes in float32.
    recompute : bool
        Whether to forget, in training, outputs of steps without products (activations,
        normalizations, sums, pooling, concatenation), as many as lower the peak, and compute them
        again in backward. The gradients are the same bits. `print` shows the peak, and which.

    Raises
    ------
    ArgumentError
        If the precision is not one of these.
    ShapeError
        If the model does not take images of this shape.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> plan = compile(SimpleConvNet(), (1, 28, 28), 100)
    >>> [step.kernel for step in plan.steps]
    ['view', 'convolution + relu + max 2x2', 'view', 'product + relu', 'product']
    """
    return Plan(
        model, input_shape, batch_size, backend, share,
        repeatable=repeatable, precision=precision, recompute=recompute,
    )  # fmt: skip
