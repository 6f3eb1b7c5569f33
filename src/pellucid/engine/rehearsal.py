"""Which kernels a plan will call: a copy of it goes through its steps, and nothing is computed."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from ..kernels.ahead.rehearsal import Call, rehearsal
from ..nn import Layer
from ..typing import Array
from .cpu.steps.plain import PlainStep

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["calls"]


def calls(plan: Plan, images: int) -> list[Call]:
    """Return the calls of kernels by ``plan`` on N ``images``, and in training for gradients.

    Layers without a step, which run code of their own, are left out. If anything fails, as it will
    again when the plan runs, the calls until then are returned.
    """
    with rehearsal() as noted, suppress(Exception), np.errstate(all="ignore"):
        twin = type(plan)(
            _light(plan.model), plan.input_shape, plan.batch_size, plan.backend,
            precision=plan.precision,
        )  # fmt: skip
        if plan.steps and all(step.frozen for step in plan.steps):
            twin.freeze()
        _take_a_step(twin, images)
    return list(noted)


def _light(model: Layer) -> Layer:
    """Return a copy of a model whose weights are zeros, which take no memory until read."""
    arrays = [a for p in model.parameters().values() for a in (p.data, p.grad) if a is not None]
    return copy.deepcopy(model, {id(a): np.zeros(a.shape, a.dtype) for a in arrays})


def _take_a_step(plan: Plan, images: int) -> None:
    dtype = np.float32 if plan.single else np.float64
    values: dict[int, Array] = {0: np.zeros((images, *plan.input_shape), dtype)}
    plan.share.begin(images)
    plan._prepare()
    for turn in plan._memory.turns(images):
        step = turn.step
        if isinstance(step, PlainStep):
            values[step.makes] = np.zeros((images, *step.output_shape), dtype)
        else:
            values[step.makes] = turn.run(values)
    if not plan.model.training:
        return
    gradients = {k: np.zeros_like(values[k]) for k in plan._outputs.values}
    for step in reversed(plan.steps):
        if step.makes not in gradients or step.makes not in plan._runs.trained:
            continue
        dy = gradients.pop(step.makes)
        if step.adds_gradient and not step.first and step.reads[0] in gradients:
            gradients[step.reads[0]] = step.backward_adding(dy, gradients[step.reads[0]])
            continue
        if isinstance(step, PlainStep):
            below: object = tuple(np.zeros_like(values[k]) for k in step.reads)
        else:
            below = step.backward(dy, need_dx=not step.first)
        for k, dx in zip(step.reads, below if isinstance(below, tuple) else (below,), strict=True):
            if dx is not None:
                gradients[k] = plan._runs.sum(k, gradients[k], dx) if k in gradients else dx
