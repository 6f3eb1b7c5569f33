"""LeNet-5, as published and as used today."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import ArgumentError
from ..nn import AvgPool2d, Conv2d, Flatten, Layer, Linear, MaxPool2d, ReLU, Sequential
from ..nn.init import WeightInit
from .lenet_parts import RadialBasis, ScaleAndShift, ScaledTanh, TableConv2d
from .sizes import features, image_shape

__all__ = ["LeNet5"]


class LeNet5(Sequential):
    """LeNet-5 (LeCun et al. 1998, section II.B and figure 2).

    Two 5x5 convolutions with 6 and 16 filters, each followed by a 2x2 pooling, then layers of 120,
    84 and ``classes`` outputs. The output is the scores (N, ``classes``).

    As published, every layer squashes with 1.7159·tanh(2x/3); pooling is an average times a learned
    coefficient plus a learned bias; C3 sees its input through a table of connections; C5 is a
    convolution; the output scores by the distance from a fixed code for each class. These are
    60,000 parameters. Three things are simpler: the codes are random instead of drawn, the initial
    weights are ``weight_init`` (the paper: uniform within ±2.4 / fan-in, appendix A), and softmax
    cross-entropy is the paper's loss (section II.C, eq. 9) without its constant.

    Parameters
    ----------
    input_shape : (C, H, W)
        The images.
    classes : int
    variant : {"modern", "published"}
        ReLU, max pooling and fully connected layers, as used today; or as published.
    padding : int
        Zeros around the images. Two of them make MNIST's 28x28 the paper's 32x32.
    weight_init : "he", "xavier", float or callable
        Initial weights.
    rng : numpy.random.Generator
        Draws them, and the codes.

    Raises
    ------
    ArgumentError, ShapeError
        If these are not images; for an unknown variant; if the images are too small.

    Examples
    --------
    >>> LeNet5().parameter_count(), LeNet5(variant="published").parameter_count()
    (61706, 60000)
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (1, 28, 28),
        classes: int = 10,
        variant: Literal["modern", "published"] = "modern",
        padding: int = 2,
        weight_init: WeightInit = "he",
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        if variant not in ("modern", "published"):
            raise ArgumentError(
                f"must be 'modern' or 'published', received {variant!r}.", where="variant"
            )
        self.input_shape = images = image_shape(input_shape)
        self.classes = classes
        self.variant = variant
        self.padding = padding
        self.weight_init = weight_init
        layers = self._modern if variant == "modern" else self._published
        super().__init__(**layers(images, np.random.default_rng() if rng is None else rng))

    def _modern(self, images: tuple[int, int, int], rng: np.random.Generator) -> dict[str, Layer]:
        init = self.weight_init
        seen: dict[str, Layer] = {
            "conv1": Conv2d(images[0], 6, 5, padding=self.padding, weight_init=init, rng=rng),
            "relu1": ReLU(),
            "pool1": MaxPool2d(2),
            "conv2": Conv2d(6, 16, 5, weight_init=init, rng=rng),
            "relu2": ReLU(),
            "pool2": MaxPool2d(2),
        }
        return seen | {
            "flatten": Flatten(),
            "fc1": Linear(features(seen, images), 120, weight_init=init, rng=rng),
            "relu3": ReLU(),
            "fc2": Linear(120, 84, weight_init=init, rng=rng),
            "relu4": ReLU(),
            "fc3": Linear(84, self.classes, weight_init=init, rng=rng),
        }

    def _published(
        self, images: tuple[int, int, int], rng: np.random.Generator
    ) -> dict[str, Layer]:
        init = self.weight_init
        seen: dict[str, Layer] = {
            "c1": Conv2d(images[0], 6, 5, padding=self.padding, weight_init=init, rng=rng),
            "squash1": ScaledTanh(),
            "s2": Sequential(average=AvgPool2d(2), scale=ScaleAndShift(6)),
            "squash2": ScaledTanh(),
            "c3": TableConv2d(weight_init=init, rng=rng),
            "squash3": ScaledTanh(),
            "s4": Sequential(average=AvgPool2d(2), scale=ScaleAndShift(16)),
            "squash4": ScaledTanh(),
            "c5": Conv2d(16, 120, 5, weight_init=init, rng=rng),
            "squash5": ScaledTanh(),
        }
        return seen | {
            "flatten": Flatten(),
            "f6": Linear(features(seen, images), 84, weight_init=init, rng=rng),
            "squash6": ScaledTanh(),
            "output": RadialBasis(84, self.classes, rng=rng),
        }
