"""Residual networks: each block learns what to add to its input."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import ArgumentError
from ..nn import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    ZeroPadShortcut,
)
from ..nn.init import WeightInit
from .sizes import image_shape

__all__ = ["ResNet18", "ResNet20"]

Option = Literal["A", "B"]


class ResNet18(Sequential):
    """ResNet with 18 layers that have weights (He et al. 2015, section 3.3, table 1).

    A 7x7 convolution, a pooling, four stages of two blocks with 64, 128, 256 and 512 filters, the
    average over the image, one fully connected layer. A block: 3x3 convolution, batch norm, ReLU,
    3x3 convolution, batch norm, plus its input, ReLU (figure 2). Where a stage begins with half the
    size, the input goes through a 1x1 convolution ("option B"). The keys are torchvision's, whose
    weights fit for 1000 classes and images of any size.

    Parameters
    ----------
    input_shape : (C, H, W)
        The images.
    classes : int
    weight_init : "he", "xavier", float or callable
        Initial weights.
    rng : numpy.random.Generator
        Draws them.

    Raises
    ------
    ArgumentError
        If these are not images.

    Examples
    --------
    >>> from pellucid.nn.init import without_values
    >>> with without_values():
    ...     model = ResNet18()
    >>> model.parameter_count(), model["layer2"]["0"]["downsample"]["0"]
    (11689512, Conv2d(64, 128, 1, stride=2, bias=False))
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
        make = _Maker(weight_init, rng)
        super().__init__(
            conv1=make.conv(channels, 64, 7, 2),
            bn1=BatchNorm2d(64),
            relu=ReLU(),
            maxpool=MaxPool2d(3, 2, 1),
            layer1=make.stage(64, 64, 2),
            layer2=make.stage(64, 128, 2, stride=2),
            layer3=make.stage(128, 256, 2, stride=2),
            layer4=make.stage(256, 512, 2, stride=2),
            avgpool=GlobalAvgPool2d(),
            flatten=Flatten(),
            fc=Linear(512, classes, weight_init=weight_init, rng=make.rng),
        )


class ResNet20(Sequential):
    """ResNet with 20 layers for small images (He et al. 2015, section 4.2, n = 3).

    A 3x3 convolution, three stages of three blocks with 16, 32 and 64 filters, the average over the
    image, one fully connected layer: 0.27 million parameters. The blocks are those of `ResNet18`.

    Parameters
    ----------
    input_shape : (C, H, W)
        The images; the paper's are CIFAR's.
    classes : int
    option : {"A", "B"}
        Which shortcut a block has that halves the size: one without parameters, as in the paper
        (see `pellucid.nn.ZeroPadShortcut`), or a 1x1 convolution.
    weight_init : "he", "xavier", float or callable
        Initial weights.
    rng : numpy.random.Generator
        Draws them.

    Raises
    ------
    ArgumentError
        If these are not images; for an unknown option.

    Examples
    --------
    >>> model = ResNet20()
    >>> model.parameter_count(), model["layer2"]["0"]["downsample"]
    (269722, ZeroPadShortcut(16, 32, stride=2))
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (3, 32, 32),
        classes: int = 10,
        option: Option = "A",
        weight_init: WeightInit = "he",
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        if option not in ("A", "B"):
            raise ArgumentError(f"must be 'A' or 'B', received {option!r}.", where="option")
        self.input_shape = (channels, _, _) = image_shape(input_shape)
        self.classes = classes
        self.option = option
        self.weight_init = weight_init
        make = _Maker(weight_init, rng, option)
        super().__init__(
            conv1=make.conv(channels, 16, 3),
            bn1=BatchNorm2d(16),
            relu=ReLU(),
            layer1=make.stage(16, 16, 3),
            layer2=make.stage(16, 32, 3, stride=2),
            layer3=make.stage(32, 64, 3, stride=2),
            avgpool=GlobalAvgPool2d(),
            flatten=Flatten(),
            fc=Linear(64, classes, weight_init=weight_init, rng=make.rng),
        )


class _Maker:
    """Makes the parts, all with weights from one generator."""

    def __init__(
        self, weight_init: WeightInit, rng: np.random.Generator | None, option: Option = "B"
    ) -> None:
        self.weight_init, self.option = weight_init, option
        self.rng = np.random.default_rng() if rng is None else rng

    def conv(self, inputs: int, filters: int, size: int, stride: int = 1) -> Conv2d:
        """Return a convolution; the batch norm after it has the bias."""
        return Conv2d(
            inputs, filters, size, stride, (size - 1) // 2, bias=False,
            weight_init=self.weight_init, rng=self.rng,
        )  # fmt: skip

    def stage(self, inputs: int, filters: int, blocks: int, stride: int = 1) -> Sequential:
        """Return blocks named by number, as in torchvision, each with the ReLU after its sum."""
        layers: dict[str, Layer] = {}
        for k in range(blocks):
            layers[f"{k}"] = self.block(inputs, filters, stride)
            layers[f"relu{k}"] = ReLU()
            inputs, stride = filters, 1
        return Sequential(**layers)

    def block(self, inputs: int, filters: int, stride: int) -> Residual:
        """Return the basic block, with a shortcut where the shape changes."""
        return Residual(
            conv1=self.conv(inputs, filters, 3, stride),
            bn1=BatchNorm2d(filters),
            relu=ReLU(),
            conv2=self.conv(filters, filters, 3),
            bn2=BatchNorm2d(filters),
            shortcut=None if stride == 1 else self.shortcut(inputs, filters, stride),
        )

    def shortcut(self, inputs: int, filters: int, stride: int) -> Layer:
        """Return a shortcut that gives the block's input the shape of its output."""
        if self.option == "A":
            return ZeroPadShortcut(inputs, filters, stride)
        return Sequential(self.conv(inputs, filters, 1, stride), BatchNorm2d(filters))
