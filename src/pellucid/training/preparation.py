"""What a Trainer settles before the first batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..data import Dataset
from ..errors import ArgumentError, DataError
from ..nn import Layer, Parameter
from ..optim import Optimizer

__all__ = ["require_fit", "runner", "seeded_generators"]


def runner(
    engine: str, model: Layer, image_shape: tuple[int, ...], batch_size: int
) -> tuple[Any, Callable[[Optimizer, Mapping[str, Parameter]], None]]:
    """Return what is called for the scores and for an update: the plain layers, or a plan."""
    if engine == "reference":
        return model, lambda optimizer, parameters: optimizer.step(parameters)
    if engine != "fast":
        raise ArgumentError(f"must be 'reference' or 'fast', received {engine!r}.", where="engine")
    from ..engine import compile, update

    return compile(model, image_shape, batch_size), update


def seeded_generators(model: Layer, seed: int) -> dict[str, np.random.Generator]:
    """Return the generators by name, having given each layer that draws one of its own."""
    drawing = [(path, layer) for path, layer in model.layers() if hasattr(layer, "rng")]
    root = np.random.SeedSequence(seed)
    shuffle, *rest = (np.random.default_rng(s) for s in root.spawn(1 + len(drawing)))
    for (_, layer), generator in zip(drawing, rest, strict=True):
        layer.rng = generator
    return {"shuffle": shuffle} | {
        path: generator for (path, _), generator in zip(drawing, rest, strict=True)
    }


def require_fit(model: Layer, train: Dataset, test: Dataset | None) -> None:
    """Refuse data that the model's last layer, or the two sets each other, do not fit."""
    outputs = model.output_shape(train.image_shape)
    if outputs != (len(train.classes),):
        raise DataError(
            f"'{train.name}' has {len(train.classes)} classes, but the model's output for one "
            f"image has shape {outputs}. Its last layer must have {len(train.classes)} outputs.",
            where="Trainer",
        )
    if test is not None and (test.image_shape, test.classes) != (train.image_shape, train.classes):
        raise DataError(
            f"the test set has images {test.image_shape} of {len(test.classes)} classes, the "
            f"training set {train.image_shape} of {len(train.classes)}. Use one kind for both.",
            where="Trainer",
        )
