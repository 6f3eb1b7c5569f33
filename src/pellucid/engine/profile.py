"""Measure each step of a model's training and inference."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .. import optim
from ..kernels.pool.thread_count import get_num_threads
from ..nn import Layer, SoftmaxCrossEntropy
from ..nn.checks import require_one_output
from ..typing import Array
from .peak import peak_gflops
from .plan import Plan, compile
from .table import StepTime, step_times, table

__all__ = ["Profile", "profile"]

PARTS = ("forward", "loss", "backward", "update")
WARM = 3  # untimed steps: the first ones compile, and touch new memory


@dataclass(frozen=True)
class Profile:
    """The result of `profile`; printing it gives two tables.

    Attributes
    ----------
    training, inference : str
        The steps, as `table` shows them.
    step_seconds : dict of str to float
        Median seconds of the parts of one training step: forward, loss, backward, update. Empty
        for a quantized network, which has no training.
    call_seconds : float
        Median seconds of one inference call.
    images, threads : int
        Images per batch; threads of the engine.
    training_steps, inference_steps : tuple of StepTime
        The same steps as numbers.
    """

    training: str
    inference: str
    step_seconds: dict[str, float]
    call_seconds: float
    images: int
    threads: int
    training_steps: tuple[StepTime, ...] = ()
    inference_steps: tuple[StepTime, ...] = ()

    def __str__(self) -> str:
        lines = [*self._training(), f"inference, {self.images} images a call", self.inference]
        lines += [
            f"one call: {1000 * self.call_seconds:.3f} ms; "
            f"{self.images / self.call_seconds:,.0f} images/s",
            "",
            f"{self.threads} threads; NumPy's matrix product: {peak_gflops():.0f} GFLOP/s",
        ]
        return "\n".join(lines)

    def _training(self) -> list[str]:
        if not self.step_seconds:
            return []
        step = sum(self.step_seconds.values())
        parts = ", ".join(f"{part} {1000 * s:.3f}" for part, s in self.step_seconds.items())
        return [
            f"training, {self.images} images a step",
            self.training,
            f"one step: {1000 * step:.3f} ms ({parts}); {self.images / step:,.0f} images/s",
            "",
        ]


def profile(
    model: Layer,
    images: Array,
    labels: Array,
    *,
    steps: int = 30,
    optimizer: str = "adam",
) -> Profile:
    """Measure ``steps`` training steps and as many inferences of a copy of ``model``.

    Of a quantized network, only inferences.

    Parameters
    ----------
    model : Layer
        Is not changed.
    images : float array (N, C, H, W)
        One batch.
    labels : integer array (N,)
    steps : int
        Number of timed steps, of which medians are returned.
    optimizer : str
        A name as in `pellucid.optim.by_name`.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> x, labels = np.zeros((50, 1, 8, 8), np.float32), np.zeros(50, np.int64)
    >>> measured = profile(SimpleConvNet((1, 8, 8)), x, labels, steps=3)
    >>> list(measured.step_seconds)
    ['forward', 'loss', 'backward', 'update']
    """
    require_one_output(model, "profile")
    model = copy.deepcopy(model).train()
    trains = not any(layer.inference_only for _, layer in model.layers())
    plan = compile(model, images.shape[1:], len(images))
    loss = plan.backend.loss(SoftmaxCrossEntropy())
    rule = optim.by_name(optimizer)

    def train() -> list[float]:
        clock = [time.perf_counter()]
        scores = plan(images)
        clock.append(time.perf_counter())
        loss(scores, labels)
        clock.append(time.perf_counter())
        plan.backward(loss.backward())
        clock.append(time.perf_counter())
        plan.backend.update(rule, model.parameters())
        clock.append(time.perf_counter())
        return [after - before for before, after in pairwise(clock)]

    def infer() -> list[float]:
        begin = time.perf_counter()
        plan(images)
        return [time.perf_counter() - begin]

    plan.replays = False  # so that each step is measured
    parts = _medians(train, plan, steps) if trains else []
    step_seconds = dict(zip(PARTS, parts, strict=False))
    training = [list(step.seconds) for step in plan.steps]
    model.eval()
    plan.freeze()
    for step in plan.steps:
        step.seconds[1] = 0.0
    _medians(infer, plan, steps)
    plan.replays = True
    (call_seconds,) = _medians(infer, plan, steps, of_steps=False)
    inference_steps = step_times(plan.steps, len(images))
    inference = table(plan.steps, len(images))  # starts NumPy's threads: after measuring
    for step, seconds in zip(plan.steps, training, strict=True):
        step.seconds[:] = seconds
    return Profile(
        table(plan.steps, len(images)) if trains else "",
        inference,
        step_seconds,
        call_seconds,
        len(images),
        get_num_threads(),
        step_times(plan.steps, len(images)) if trains else (),
        inference_steps,
    )


def _medians(
    run: Callable[[], list[float]], plan: Plan, times: int, *, of_steps: bool = True
) -> list[float]:
    """Return the medians of what ``run`` returns, and store those ``of_steps`` in the plan."""
    for _ in range(WARM):
        run()
    whole, each = [], []
    for _ in range(times):
        whole.append(run())
        each.append([list(step.seconds) for step in plan.steps])
    if of_steps:
        for step, seconds in zip(plan.steps, np.median(each, axis=0), strict=True):
            step.seconds[:] = seconds.tolist()
    return [statistics.median(part) for part in zip(*whole, strict=True)]
