"""MobileNets: separable convolutions, for few products and little memory."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..nn import (
    BatchNorm2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Hardsigmoid,
    Hardswish,
    Layer,
    ReLU,
    ReLU6,
    Residual,
    Sequential,
)
from ..nn.init import WeightInit
from .inverted_residual import Block, Maker, divisible
from .sizes import image_shape, multiplier

__all__ = ["MobileNetV2", "MobileNetV3Small"]

# The paper's table 2: expansion t, channels c, blocks n, stride s of the first of them.
V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# The paper's table 2: filter size, expanded channels, channels, squeeze-and-excite, non-linearity,
# stride.
V3_SMALL = (
    (3, 16, 16, True, ReLU, 2),
    (3, 72, 24, False, ReLU, 2),
    (3, 88, 24, False, ReLU, 1),
    (5, 96, 40, True, Hardswish, 2),
    (5, 240, 40, True, Hardswish, 1),
    (5, 240, 40, True, Hardswish, 1),
    (5, 120, 48, True, Hardswish, 1),
    (5, 144, 48, True, Hardswish, 1),
    (5, 288, 96, True, Hardswish, 2),
    (5, 576, 96, True, Hardswish, 1),
    (5, 576, 96, True, Hardswish, 1),
)


class MobileNetV2(Sequential):
    """MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381, section 4 and table 2).

    A convolution, seventeen inverted residual blocks, a 1x1 convolution to 1280 channels, the
    average over the image, dropout, one fully connected layer. A block expands the channels,
    filters each of them alone, and projects them to the few that the next block reads. The keys are
    torchvision's, whose weights fit for 1000 classes and images of any size.

    It halves the images five times: of 32x32 pixels one cell is left.

    Parameters
    ----------
    input_shape : (C, H, W)
        The images.
    classes : int
    width : float
        Multiplies the number of channels of every layer (the paper's section 4, from Howard et al.
        2017, section 3.3), of the last convolution only above 1.
    weight_init : "he", "xavier", float or callable, optional
        Initial weights; by default "he", and a deviation of 0.01 in the last layer.
    rng : numpy.random.Generator
        Draws them, and the dropout.

    Raises
    ------
    ArgumentError
        If these are not images; if the width is not a positive number.

    Examples
    --------
    >>> from pellucid.nn.init import without_values
    >>> with without_values():
    ...     model = MobileNetV2()
    >>> model.parameter_count(), model["features"]["2"]["conv"]["1"]["0"]
    (3504872, Conv2d(96, 96, 3, stride=2, padding=1, groups=96, bias=False))
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (3, 224, 224),
        classes: int = 1000,
        width: float = 1.0,
        weight_init: WeightInit | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_shape = (channels, _, _) = image_shape(input_shape)
        self.classes = classes
        self.width = multiplier(width, "width")
        self.weight_init = weight_init
        make = Maker(weight_init, 0.01, rng=rng)
        inputs, last = divisible(32 * width), divisible(1280 * max(1.0, width))
        layers: list[Layer] = [make.unit(make.conv(channels, inputs, 3, 2), ReLU6)]
        for expansion, filters, blocks, first_stride in V2:
            outputs = divisible(filters * width)
            for k in range(blocks):
                stride = 1 if k else first_stride
                layers.append(_block(make, inputs, expansion * inputs, outputs, stride))
                inputs = outputs
        super().__init__(
            features=Sequential(*layers, make.unit(make.conv(inputs, last), ReLU6)),
            avgpool=GlobalAvgPool2d(),
            flatten=Flatten(),
            classifier=Sequential(Dropout(0.2, rng=make.rng), make.linear(last, classes)),
        )


class MobileNetV3Small(Sequential):
    """MobileNetV3-Small (Howard et al. 2019, arXiv 1905.02244, section 5 and table 2).

    As `MobileNetV2`, with blocks that a search has chosen: with filters of 5x5, squeeze-and-excite,
    and the hard swish, which approximates `SiLU` by pieces of lines. The keys are torchvision's,
    whose weights fit for 1000 classes and images of any size.

    Parameters
    ----------
    input_shape, classes, width, rng
        As for `MobileNetV2`; the last layers also become narrower.
    weight_init : "he", "xavier", float or callable, optional
        Initial weights; by default "he", and a deviation of 0.01 in the two last layers.

    Raises
    ------
    ArgumentError
        As `MobileNetV2`.

    Examples
    --------
    >>> from pellucid.nn.init import without_values
    >>> with without_values():
    ...     model = MobileNetV3Small()
    >>> model.parameter_count(), model["features"]["1"]["block"]["1"]["fc1"]
    (2542856, Conv2d(16, 8, 1))
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (3, 224, 224),
        classes: int = 1000,
        width: float = 1.0,
        weight_init: WeightInit | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_shape = (channels, _, _) = image_shape(input_shape)
        self.classes = classes
        self.width = multiplier(width, "width")
        self.weight_init = weight_init
        norm = partial(BatchNorm2d, eps=0.001, momentum=0.01)
        make = Maker(weight_init, 0.01, norm=norm, gate=(ReLU, Hardsigmoid), rng=rng)
        inputs = divisible(16 * width)
        layers: list[Layer] = [make.unit(make.conv(channels, inputs, 3, 2), Hardswish)]
        for size, expanded, outputs, gated, activation, stride in V3_SMALL:
            inside = divisible(expanded * width)
            squeezed = divisible(inside // 4) if gated else 0
            block = Block(
                inputs, inside, divisible(outputs * width), size, stride, activation, squeezed
            )
            layers.append((Residual if block.residual else Sequential)(block=make.gated(block)))
            inputs = block.outputs
        last = make.unit(make.conv(inputs, 6 * inputs), Hardswish)
        hidden = divisible(1024 * width)
        super().__init__(
            features=Sequential(*layers, last),
            avgpool=GlobalAvgPool2d(),
            flatten=Flatten(),
            classifier=Sequential(
                make.linear(6 * inputs, hidden),
                Hardswish(),
                Dropout(0.2, rng=make.rng),
                make.linear(hidden, classes),
            ),
        )


def _block(make: Maker, inputs: int, expanded: int, outputs: int, stride: int) -> Layer:
    """Return a block of `MobileNetV2`, with the keys of torchvision's."""
    block = Block(inputs, expanded, outputs, 3, stride, ReLU6)
    projection = [make.conv(expanded, outputs), make.norm(outputs)]
    chain = Sequential(*make.expansion(block), *projection)
    return Residual(conv=chain) if block.residual else Sequential(conv=chain)
