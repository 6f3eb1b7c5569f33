"""What a classifier trains with: a new network, the weights of its classes, a validation set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight

from .. import models
from ..data import Dataset
from ..errors import ArgumentError
from ..nn import Layer
from ..nn.init import WeightInit
from ..typing import Array
from .arrays import ImageShape

__all__ = ["Builder", "class_weights", "divided", "new_network"]

Builder: TypeAlias = Callable[[ImageShape, int, np.random.Generator], Layer]

# The network of `simple` for images too narrow for its pooling: a row of pixels.
NARROW = "INPUT -> CONV3-30 -> RELU -> POOL? -> FC100 -> RELU -> FC"


def new_network(
    model: Any, shape: ImageShape, classes: int, init: WeightInit, rng: np.random.Generator
) -> Layer:
    """Return the network that the parameter ``model`` names, describes or builds.

    Raises
    ------
    ArgumentError
        If it is an object of a network, which each `fit` would train on.
    """
    if callable(model) and not isinstance(model, Layer):
        return model(shape, classes, rng)
    if not isinstance(model, str):
        raise ArgumentError(
            "must be a network's name, a pattern, or a function that builds a new network, "
            f"received an object of {type(model).__name__}. Write "
            "`lambda shape, classes, rng: ...`: each fit trains a network of its own.",
            where="model",
        )
    name = NARROW if model == "simple" and min(shape[1:]) < 2 else model
    build = models.from_pattern if models.is_pattern(name) else models.by_name
    return build(name, shape, classes, weight_init=init, rng=rng)


def class_weights(
    given: str | Mapping[Any, float] | None, images: Dataset, classes: Array
) -> tuple[float, ...] | None:
    """Return the weight of each class in the loss, by scikit-learn's `compute_class_weight`."""
    if given is None:
        return None
    labels = classes[images.labels]
    return tuple(compute_class_weight(given, classes=classes, y=labels).tolist())


def divided(
    images: Dataset, fraction: float, random: np.random.RandomState
) -> tuple[Dataset, Dataset]:
    """Return the images to train on and those to stop by, stratified by class."""
    places = train_test_split(
        np.arange(len(images)), test_size=fraction, stratify=images.labels, random_state=random
    )
    train, held = (images.subset(part) for part in places)
    return train, replace(held, split="validation")
