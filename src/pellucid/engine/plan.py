"""From a model to a plan: a flat list of steps over numbered values, and their buffers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from ..distributed import Share
from ..errors import ArgumentError, PellucidError, ShapeError
from ..kernels.ahead.crew import expecting
from ..nn import Layer, Parameter
from ..nn.state import widened
from ..ops.checks import require_count, require_real
from ..precision import Precision, offered, require_precision
from ..typing import Array, Shape
from .assembly import assemble
from .backend import Backend
from .cpu.backend import CPU
from .flat import FlatWeights, Layout, flat_weights
from .outputs import Outputs
from .plan_memory import MemoryUse, PlanMemory
from .rehearsal import calls
from .replay import Replay
from .step import Step
from .table import table

__all__ = ["Plan", "compile"]

_trains = attrgetter("training")


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
    precision : str
        What the factors of products are rounded to where that is faster; "float32" if the backend
        cannot do what was asked for.
    approximate : list of str
        Paths of the layers whose gradients are correct, but whose last bits depend on the number of
        processes: they have no step that sums over chunks.
    replays : bool
        Whether a frozen plan calls kernels without Python between them, from the third call on
        with as many images. Then the steps' ``seconds`` are not measured.
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
        self._at_work: dict[str, object] = {}
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
        self.repeatable = repeatable
        self._memory = PlanMemory(
            self.steps, outputs, self.input_shape, self._most, backend, repeatable=repeatable
        )
        self._layers = [layer for _, layer in model.layers()]
        self._training = self._frozen = False  # what memory is laid out for
        self._images: Array | None = None  # of a call that kept nothing for backward
        self._parameters = list(model.parameters().values())
        self._flat: FlatWeights | None = None  # allocated by the first backward
        self._gradients = backend.zeros(0)
        self._views: list[Array] = []
        self._gradient_of: dict[Parameter, Array] = {}
        for step in self.steps:
            step.gradients = self._gradient_of
        self.approximate = self._approximate()
        self.after_step: Callable[[Step], object] | None = None
        self.replays = True
        self._replays: dict[int, Replay | None] = {}  # by the number of images; None: run once
        self.poison = False
        self._find_trained()

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
        return self._lay_out().whole

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
        self._lay_out()
        return self._gradients

    @property
    def layout(self) -> Layout:
        """Where each parameter of the model lies in `weights` and `gradients`."""
        return self._lay_out().layout

    @property
    def memory(self) -> MemoryUse:
        """How much memory the plan's buffers take: in its last use, or before it in the next."""
        gradients = sum(p.data.nbytes for p in self._parameters if p.rate)
        return self._memory.use(training=self._trains(), gradients=gradients)

    def _prepare(self) -> None:
        """Lay out memory for what the model's mode asks for."""
        self._training = self._trains()
        self._memory.lay_out(training=self._training, frozen=self._frozen)

    def _trains(self) -> bool:
        return self._training or any(map(_trains, self._layers))

    def _lay_out(self) -> FlatWeights:
        self._place_gradients()
        if self._flat is None:
            raise ArgumentError(
                "keeps weights and gradients in one array only if all are float32 and writable, "
                "and share no memory. Use the parameters of the model.",
                where="Plan",
            )
        return self._flat

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
        return self._exclusively(self._run, np.asarray(x))

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
        values = self._values(self._fit(x, "images"))
        outputs = [values[k] for k in self._outputs.values]
        self.images, self._given = len(x), [output.shape for output in outputs]
        self._images = None if self._training else values[0]
        return self._outputs.returned([self.backend.to_host(output) for output in outputs])

    def _values(self, x: Array) -> dict[int, Array]:
        """Return all values for the images ``x``, by their numbers."""
        make = getattr(self.backend, "recording", None)
        if self._frozen and self.replays and make is not None and not self._training:
            n, replay = len(x), self._replays.get(len(x))
            if replay is not None and replay.holds:
                if replay(x):
                    return replay.values
                del self._replays[n]  # and run into the error once more, where it says more
            elif n in self._replays and replay is None:
                self._replays[n] = replay = Replay(self._memory.turns(n), make, x)
                return replay.values
            else:
                self._replays[n] = None
        else:
            self._replays.clear()
        values = {0: x}
        if self.poison:
            self._memory.poison(-1)
        with expecting(lambda: calls(self, len(x))):
            for turn in self._memory.turns(len(x)):
                step, begin = turn.step, time.perf_counter()
                values[step.makes] = turn.run(values)
                before = 0.0 if turn.begins else step.seconds[0]
                step.seconds[0] = before + time.perf_counter() - begin
                if self.poison:
                    self._memory.poison(turn.number)
        return values

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
            return self._exclusively(self._backward, dy, need_dx)

    def _backward(self, dy: Any, need_dx: bool) -> Array | None:
        self._replays.clear()
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
                self._place_gradients()
            self._collect_gradients()
            self._attend_backward({k for k, _ in given}, need_dx)
            return np.zeros((0, *self.input_shape), given[0][1].dtype) if need_dx else None
        self._find_trained()
        self._place_gradients()
        if self._images is not None:  # the last call kept nothing
            self._training = True
            self._run(self._images)
        if not self.repeatable:
            self._given = []
        gradients: dict[int, Array] = {}
        for k, part in given:
            gradients[k] = self._sum(k, gradients[k], part) if k in gradients else part
        for k, step in enumerate(reversed(self.steps), len(self.steps)):
            if step.makes not in gradients or not (need_dx or step.makes in self._trained):
                continue
            begin = time.perf_counter()
            below = step.backward(gradients.pop(step.makes), need_dx=need_dx or not step.first)
            for read, dx in zip(
                step.reads, below if isinstance(below, tuple) else (below,), strict=True
            ):
                if dx is not None:
                    more = self._sum(read, gradients[read], dx) if read in gradients else dx
                    gradients[read] = more
            step.seconds[1] = time.perf_counter() - begin
            if self.poison:
                self._memory.poison(k)
            if self.after_step is not None:
                self._collect_gradients(step.parameters)
                self.after_step(step)
        self._collect_gradients()
        return self.backend.to_host(gradients[0]) if need_dx else None

    def _attend_backward(self, reached: set[int], need_dx: bool) -> None:
        """Do, without images, what communicates with processes that have some.

        ``reached`` are the outputs that have a gradient. The same steps run as with images, which
        ``need_dx`` adds to.
        """
        self._find_trained()
        for step in reversed(self.steps):
            if step.makes not in reached or not (need_dx or step.makes in self._trained):
                continue
            if step in self._attended:
                step.backward(self._no_images(step), need_dx=False)
            reached.update(step.reads)
            if self.after_step is not None:
                self._collect_gradients(step.parameters)
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

    def _place_gradients(self) -> None:
        """Lay out the parameters in one array, and give each step its view of the gradients."""
        if self._flat is not None and self._flat.hold(self._parameters):
            return
        before = None if self._flat is None else self._flat.layout
        flat = flat_weights(self._parameters, self.backend.zeros) if self.single else None
        if flat is None and before is not None:
            self._gradient_of.clear()
        elif flat is not None and flat.layout != before:
            self._gradients = self.backend.zeros(flat.layout.size)
            self._views = flat.layout.views(self._gradients)
            self._gradient_of.update(zip(self._parameters, self._views, strict=True))
        self._flat = flat  # last, so that Ctrl-C leaves a consistent state

    def _collect_gradients(self, parameters: Sequence[Parameter] | None = None) -> None:
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
        self._flat.gradients = self._gradients, self._views

    def _exclusively(self, work: Callable[..., Any], *args: Any) -> Any:
        """Call ``work``, or refuse if another thread is running in the same buffers."""
        me = object()
        try:
            try:
                if self._at_work.setdefault("call", me) is not me:
                    raise PellucidError(
                        "is already running in another thread; its buffers are not thread-safe. "
                        "Compile one for each thread.",
                        where="Plan",
                    )
                return work(*args)
            finally:
                self._end(me)
        finally:  # Ctrl-C may come at any point, also within the first `_end`
            self._end(me)

    def _end(self, me: object) -> None:
        if self._at_work.get("call") is me:
            del self._at_work["call"]

    def _fit(self, a: Array, name: str) -> Array:
        """Return ``a`` converted for the steps."""
        require_real(a, "Plan", name)
        if self.single:
            return self.backend.from_host(a, np.float32)
        return self.backend.from_host(widened(a, self._parameters))

    def __reduce__(self) -> tuple[Any, ...]:
        share = Share(chunks=self.share.chunks)  # a copy is another plan, of one process
        of = self.model, self.input_shape, self.batch_size, self.backend, share
        return partial(Plan, repeatable=self.repeatable, precision=self.asked), of

    def _find_trained(self) -> None:
        """Find the values that need a gradient: those that depend on a trainable parameter."""
        self._trained: set[int] = set()
        for step in self.steps:
            step.first = self._trained.isdisjoint(step.reads)
            if not step.first or step.learns:
                self._trained.add(step.makes)

    def freeze(self) -> None:
        """Declare that the weights will not change, as in inference.

        Packed or transformed filters are then computed only once more. From the third call in
        inference on, most kernels are called without Python between them.
        """
        self._training, self._frozen = False, True
        self._replays.clear()
        self._memory.forget(training=False, frozen=True)
        for step in self.steps:
            step.freeze()

    def _sum(self, value: int, a: Array, b: Array) -> Array:
        """Return the sum of two gradients of a value, in the plan's buffer, not a step's."""
        if not self.single:
            return a + b
        total = self._memory.sum_of(value, a)
        self.backend.add(a, b, total)
        return total

    def __str__(self) -> str:
        return f"{table(self.steps, self.images or self.batch_size)}\n{self.memory}"


def compile(
    model: Layer, input_shape: Shape, batch_size: int, *, backend: Backend = CPU,
    share: Share | None = None, repeatable: bool = True, precision: Precision = "float32",
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
        that Winograd's algorithm makes faster, such as 3x3 with stride 1. `print` shows which.
        Weights, sums and everything else stay float32. Where the processor has no instructions for
        it, a warning says so, and the plan computes in float32.

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
        model, input_shape, batch_size, backend, share, repeatable=repeatable, precision=precision
    )
