"""Compile ahead the kernels that a model needs."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import optim
from ..data import Dataset
from ..image_random import ImageRandom
from ..nn import Layer, SoftmaxCrossEntropy
from ..typing import Array
from .plan import Plan, compile

__all__ = ["kernels_of", "warm_up"]


def warm_up(
    model: Layer,
    input_shape: tuple[int, ...],
    batch_size: int = 100,
    *,
    optimizers: Iterable[str] = ("adam",),
) -> None:
    """Compile, or load, every kernel that trains and runs ``model`` on images of ``input_shape``.

    Kernels are cached on disk, so each machine compiles them once. A copy of the model takes a step
    with each of the ``optimizers``; the model itself, its random generators and its running
    statistics are not changed.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> warm_up(SimpleConvNet((1, 8, 8)), (1, 8, 8), optimizers=["sgd"])
    """
    model = copy.deepcopy(model).train()
    plan = compile(model, input_shape, batch_size)
    loss = plan.backend.loss(SoftmaxCrossEntropy())
    smoothed = plan.backend.loss(SoftmaxCrossEntropy(label_smoothing=0.1))
    stored = np.zeros((batch_size, *input_shape), dtype=np.uint8)
    labels = np.zeros(batch_size, dtype=np.int64)
    x = stored.astype(np.float32)
    if len(input_shape) == 3:
        x, _ = plan.backend.gather()(
            Dataset(stored, labels, ("all",), "zeros"), np.arange(batch_size)
        )
    drawing: list[Any] = [layer for _, layer in model.layers() if hasattr(layer, "rng")]
    for layer in drawing:
        layer.rng = ImageRandom(0, "warm-up")  # as in a Trainer
    with np.errstate(all="ignore"):
        for n in (batch_size, 1):  # some kernels are for few images
            for layer in drawing:
                layer.rng.at(0, np.arange(n))
            y = plan(x[:n])
            if y.ndim == 2:
                smoothed(y, labels[:n])
                loss(y, labels[:n])
            plan.backward(loss.backward() if y.ndim == 2 else np.zeros_like(y))
        _use_extras(plan.backend, x)
        for name in optimizers:
            plan.backend.update(optim.by_name(name), model.parameters())
        model.eval()
        plan.freeze()
        for n in (batch_size, 1, 1, 1):  # the third time it replays the second (`Plan.replays`)
            plan(x[:n])


def _use_extras(backend: Any, x: Array) -> None:
    """Run what a backend may have beyond its protocol: an average of weights, a resampling."""
    if hasattr(backend, "average"):
        w = np.zeros(1, dtype=np.float32)
        backend.average(w, w.copy(), 0.5)
    if hasattr(backend, "affine") and x.ndim == 4:
        backend.affine(x[:1], np.eye(2)[np.newaxis])


def kernels_of(plan: Plan, *, training: bool = True) -> list[Any]:
    """Return the distinct kernels that the steps of ``plan`` run."""
    found = {id(kernel): kernel for step in plan.steps for kernel in step.uses(training=training)}
    return list(found.values())
