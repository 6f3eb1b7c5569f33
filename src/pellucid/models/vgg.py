"""VGG: nothing but 3x3 convolutions and 2x2 poolings, many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..nn import Conv2d, Dropout, Flatten, Layer, Linear, MaxPool2d, ReLU, Sequential
from ..nn.init import WeightInit
from .sizes import features, image_shape

__all__ = ["VGG11", "VGG16"]


class _VGG(Sequential):
    """What the columns of the paper's table share; they differ in the convolutions per stage."""

    filters: ClassVar[Sequence[Sequence[int]]]  # of the convolutions between two poolings

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (3, 224, 224),
        classes: int = 1000,
        hidden_size: int = 4096,
        weight_init: WeightInit = "he",
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_shape = (channels, _, _) = image_shape(input_shape)
        self.classes = classes
        self.hidden_size = hidden_size
        self.weight_init = weight_init
        rng = np.random.default_rng() if rng is None else rng

        def linear(inputs: int, outputs: int) -> Linear:
            return Linear(inputs, outputs, weight_init=weight_init, rng=rng)

        convolutions: list[Layer] = []
        for stage in self.filters:
            for filters in stage:
                conv = Conv2d(channels, filters, 3, padding=1, weight_init=weight_init, rng=rng)
                convolutions += [conv, ReLU()]
                channels = filters
            convolutions.append(MaxPool2d(2))
        seen = Sequential(*convolutions)
        super().__init__(
            features=seen,
            flatten=Flatten(),
            classifier=Sequential(
                linear(features({"features": seen}, self.input_shape), hidden_size),
                ReLU(),
                Dropout(0.5, rng=rng),
                linear(hidden_size, hidden_size),
                ReLU(),
                Dropout(0.5, rng=rng),
                linear(hidden_size, classes),
            ),
        )


class VGG11(_VGG):
    """VGG with 11 layers that have weights (Simonyan & Zisserman 2014, table 1, column A).

    Eight 3x3 convolutions with a border of one, a 2x2 pooling after the 1st, 2nd, 4th, 6th and
    8th; then three fully connected layers, the first two with dropout. The keys are torchvision's,
    whose weights fit for images of 224x224 and 1000 classes.

    Parameters
    ----------
    input_shape : (C, H, W)
        The images, 32x32 or larger.
    classes, hidden_size : int
        Outputs of the last and of the other fully connected layers.
    weight_init : "he", "xavier", float or callable
        Initial weights. The paper draws them with a deviation of 0.1 (section 3.1) for column A,
        and begins the deeper networks with what this one has learned.
    rng : numpy.random.Generator
        Draws them, and the dropout.

    Raises
    ------
    ArgumentError, ShapeError
        If these are not images; if they are too small.

    Examples
    --------
    >>> from pellucid.nn.init import without_values
    >>> with without_values():
    ...     model = VGG11()
    >>> model.parameter_count(), model["features"].output_shape((3, 224, 224))
    (132863336, (512, 7, 7))
    """

    filters = ((64,), (128,), (256, 256), (512, 512), (512, 512))


class VGG16(_VGG):
    """VGG with 16 layers that have weights (Simonyan & Zisserman 2014, table 1, column D).

    As `VGG11`, with two or three convolutions before each pooling. Two 3x3 see as much as one 5x5,
    three as much as one 7x7, with fewer weights and a ReLU between them (section 2.3).

    Examples
    --------
    >>> from pellucid.nn.init import without_values
    >>> with without_values():
    ...     model = VGG16()
    >>> model.parameter_count(), model.multiply_adds((3, 224, 224))
    (138357544, 15470264320)
    """

    filters = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
