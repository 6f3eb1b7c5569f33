"""GoogLeNet: branches with filters of several sizes, joined again."""

from __future__ import annotations

import numpy as np

from ..nn import (
    Branches,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    ReLU,
    Sequential,
)
from ..nn.init import WeightInit
from .sizes import image_shape

__all__ = ["GoogLeNet"]

# The columns of the paper's table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
POOLED = ("3b", "4e")  # a pooling follows them


class GoogLeNet(Sequential):
    """GoogLeNet, or Inception v1 (Szegedy et al. 2014, section 5 and table 1).

    Two convolutions, nine Inception modules (figure 2b), the average over the image, dropout, one
    fully connected layer. In a module, 1x1 convolutions make images thinner before the larger
    filters. Left out are the auxiliary classifiers after 4a and 4d, which serve only to train: the
    parameters are those of the main network. A pooling whose windows do not reach the end is padded
    there, which gives the table's sizes.

    Parameters
    ----------
    input_shape : (C, H, W)
        The images, 31x31 or larger.
    classes : int
    weight_init : "he", "xavier", float or callable
        Initial weights.
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
    ...     model = GoogLeNet()
    >>> model.parameter_count(), model["inception4a"]["threes"]["reduce"]
    (6998552, Conv2d(480, 96, 1))
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (3, 224, 224),
        classes: int = 1000,
        weight_init: WeightInit = "he",
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_shape = (channels, _, _) = image_shape(input_shape)
        self.classes = classes
        self.weight_init = weight_init
        rng = np.random.default_rng() if rng is None else rng

        def conv(inputs: int, filters: int, size: int, stride: int = 1) -> Conv2d:
            same = (size - 1) // 2
            return Conv2d(inputs, filters, size, stride, same, weight_init=weight_init, rng=rng)

        def module(inputs: int, sizes: tuple[int, ...]) -> Branches:
            ones, reduce3, threes, reduce5, fives, after_pool = sizes
            return Branches(
                ones=Sequential(conv=conv(inputs, ones, 1), relu=ReLU()),
                threes=Sequential(
                    reduce=conv(inputs, reduce3, 1),
                    relu1=ReLU(),
                    conv=conv(reduce3, threes, 3),
                    relu2=ReLU(),
                ),
                fives=Sequential(
                    reduce=conv(inputs, reduce5, 1),
                    relu1=ReLU(),
                    conv=conv(reduce5, fives, 5),
                    relu2=ReLU(),
                ),
                pool=Sequential(
                    pool=MaxPool2d(3, 1, 1), conv=conv(inputs, after_pool, 1), relu=ReLU()
                ),
            )

        layers: dict[str, Layer] = {
            "conv1": conv(channels, 64, 7, 2),
            "relu1": ReLU(),
            "pool1": _halved(),
            "norm1": LocalResponseNorm(5),
            "reduce2": conv(64, 64, 1),
            "relu2": ReLU(),
            "conv2": conv(64, 192, 3),
            "relu3": ReLU(),
            "norm2": LocalResponseNorm(5),
            "pool2": _halved(),
        }
        channels = 192
        for name, sizes in MODULES.items():
            layers[f"inception{name}"] = module(channels, sizes)
            channels = sizes[0] + sizes[2] + sizes[4] + sizes[5]
            if name in POOLED:
                layers[f"pool{name[0]}"] = _halved()
        super().__init__(
            **layers,
            average=GlobalAvgPool2d(),
            flatten=Flatten(),
            dropout=Dropout(0.4, rng=rng),
            fc=Linear(channels, classes, weight_init=weight_init, rng=rng),
        )
        self.output_shape(self.input_shape)  # refuses images that are too small


def _halved() -> MaxPool2d:
    return MaxPool2d(3, 2, misfit="pad")
