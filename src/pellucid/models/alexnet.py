"""AlexNet: with it, convolutional networks won ImageNet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ..errors import ArgumentError
from ..nn import (
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    ReLU,
    Sequential,
)
from ..nn.init import WeightInit
from .sizes import features, image_shape

__all__ = ["AlexNet"]

Variant = Literal["original", "one-tower", "torchvision"]
SIZES = {"original": 227, "one-tower": 227, "torchvision": 224}


class AlexNet(Sequential):
    """AlexNet (Krizhevsky et al. 2012, section 3.5 and figure 2).

    Five convolutions and three fully connected layers with ReLU (section 3.1), local response
    normalisation after the first two (3.3), overlapping poolings (3.4) after the first, second and
    fifth, dropout (4.2) in the first two fully connected layers.

    Parameters
    ----------
    input_shape : (C, H, W), optional
        The images; 3 channels of 227x227 by default, of 224x224 for torchvision's variant. The
        paper's 224 contradicts its own sizes (CS231n, "Convolutional Layer").
    classes, hidden_size : int
        Outputs of the last and of the other fully connected layers.
    variant : {"original", "one-tower", "torchvision"}
        Convolutions 2, 4 and 5 in two groups, as the paper's two GPUs had it; the same without
        groups; or the network of Krizhevsky 2014 ("One weird trick", arXiv 1404.5997), with fewer
        filters and no normalisation, whose keys are torchvision's, so that its weights load.
    weight_init : "he", "xavier", float or callable
        Initial weights. The paper draws them with a deviation of 0.01 (section 5), and begins some
        biases at 1; here all begin at 0.
    rng : numpy.random.Generator
        Draws them, and the dropout.

    Raises
    ------
    ArgumentError, ShapeError
        If these are not images; for an unknown variant; if the images are too small.

    Examples
    --------
    >>> from pellucid.nn.init import without_values
    >>> with without_values():
    ...     model = AlexNet()
    >>> model.parameter_count(), model["conv1"].output_shape((3, 227, 227))
    (60965224, (96, 55, 55))
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] | None = None,
        classes: int = 1000,
        hidden_size: int = 4096,
        variant: Variant = "original",
        weight_init: WeightInit = "he",
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        if variant not in SIZES:
            raise ArgumentError(
                f"must be one of {', '.join(map(repr, SIZES))}, received {variant!r}.",
                where="variant",
            )
        size = SIZES[variant]
        shape = image_shape((3, size, size) if input_shape is None else input_shape)
        self.input_shape = shape
        self.classes = classes
        self.hidden_size = hidden_size
        self.variant = variant
        self.weight_init = weight_init
        rng = np.random.default_rng() if rng is None else rng

        def conv(inputs: int, filters: int, kernel: int, **options: Any) -> Conv2d:
            return Conv2d(inputs, filters, kernel, weight_init=weight_init, rng=rng, **options)

        def linear(inputs: int, outputs: int) -> Linear:
            return Linear(inputs, outputs, weight_init=weight_init, rng=rng)

        if variant == "torchvision":
            seen = {"features": Sequential(*_one_weird_trick(shape[0], conv))}
            super().__init__(
                **seen,
                flatten=Flatten(),
                classifier=Sequential(
                    Dropout(0.5, rng=rng),
                    linear(features(seen, shape), hidden_size),
                    ReLU(),
                    Dropout(0.5, rng=rng),
                    linear(hidden_size, hidden_size),
                    ReLU(),
                    linear(hidden_size, classes),
                ),
            )
            return
        layers = _towers(shape[0], 2 if variant == "original" else 1, conv)
        super().__init__(
            **layers,
            flatten=Flatten(),
            fc6=linear(features(layers, shape), hidden_size),
            relu6=ReLU(),
            drop6=Dropout(0.5, rng=rng),
            fc7=linear(hidden_size, hidden_size),
            relu7=ReLU(),
            drop7=Dropout(0.5, rng=rng),
            fc8=linear(hidden_size, classes),
        )


def _towers(channels: int, groups: int, conv: Callable[..., Conv2d]) -> dict[str, Layer]:
    """Return the layers up to the last pooling; only conv3 connects the ``groups``."""
    return {
        "conv1": conv(channels, 96, 11, stride=4),
        "relu1": ReLU(),
        "norm1": LocalResponseNorm.krizhevsky(),
        "pool1": MaxPool2d(3, 2),
        "conv2": conv(96, 256, 5, padding=2, groups=groups),
        "relu2": ReLU(),
        "norm2": LocalResponseNorm.krizhevsky(),
        "pool2": MaxPool2d(3, 2),
        "conv3": conv(256, 384, 3, padding=1),
        "relu3": ReLU(),
        "conv4": conv(384, 384, 3, padding=1, groups=groups),
        "relu4": ReLU(),
        "conv5": conv(384, 256, 3, padding=1, groups=groups),
        "relu5": ReLU(),
        "pool5": MaxPool2d(3, 2),
    }


def _one_weird_trick(channels: int, conv: Callable[..., Conv2d]) -> list[Layer]:
    """Return the layers up to the last pooling, in torchvision's order."""
    return [
        conv(channels, 64, 11, stride=4, padding=2), ReLU(), MaxPool2d(3, 2),
        conv(64, 192, 5, padding=2), ReLU(), MaxPool2d(3, 2),
        conv(192, 384, 3, padding=1), ReLU(),
        conv(384, 256, 3, padding=1), ReLU(),
        conv(256, 256, 3, padding=1), ReLU(), MaxPool2d(3, 2),
    ]  # fmt: skip
