"""EfficientNet: depth, width and image size scaled together."""

from __future__ import annotations

import math

import numpy as np

from ..nn import (
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    StochasticDepth,
)
from ..nn.init import WeightInit
from ..typing import Array, Shape
from .inverted_residual import Block, Maker, divisible
from .sizes import image_shape, multiplier

__all__ = ["EfficientNet"]

# The paper's table 1: expansion, filter size, stride of the first block, channels, blocks.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
PUBLISHED_CLASSES = 1000
LEFT_OUT = 0.2  # probability with which the last block is left out (the paper's section 5.2)


class EfficientNet(Sequential):
    """EfficientNet-B0 (Tan & Le 2019, arXiv 1905.11946, section 4 and table 1), and its scaling.

    A convolution, sixteen inverted residual blocks with squeeze-and-excite and SiLU, a 1x1
    convolution, the average over the image, dropout, one fully connected layer. In training, blocks
    are left out at random, later ones more often (`pellucid.nn.StochasticDepth`). The keys are
    torchvision's, whose weights fit for 1000 classes and images of any size.

    It halves the images five times: of 32x32 pixels one cell is left.

    Parameters
    ----------
    input_shape : (C, H, W)
        The images.
    classes : int
    width, depth : float
        Multiply the channels of each layer, and the blocks of each stage (section 3.3): 1 and 1 is
        B0, 1 and 1.1 B1, 1.1 and 1.2 B2, 1.2 and 1.4 B3, 1.4 and 1.8 B4.
    dropout : float
        Probability before the last layer; 0.2 up to B1, 0.3 up to B3, 0.4 for B4.
    weight_init : "he", "xavier", float or callable, optional
        Initial weights; by default "he", and in the last layer uniform up to 1 / √1000.
    rng : numpy.random.Generator
        Draws them, the dropout, and which blocks are left out.

    Raises
    ------
    ArgumentError
        If these are not images; if width or depth is not a positive number.

    Examples
    --------
    >>> from pellucid.nn.init import without_values
    >>> with without_values():
    ...     model = EfficientNet()
    >>> model.parameter_count(), model["features"]["2"]["1"]["stochastic_depth"]
    (5288548, StochasticDepth(p=0.025))
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (3, 224, 224),
        classes: int = 1000,
        width: float = 1.0,
        depth: float = 1.0,
        dropout: float = 0.2,
        weight_init: WeightInit | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_shape = (channels, _, _) = image_shape(input_shape)
        self.classes = classes
        self.width, self.depth = multiplier(width, "width"), multiplier(depth, "depth")
        self.dropout = dropout
        self.weight_init = weight_init
        make = Maker(weight_init, uniform_by_outputs, gate=(SiLU, Sigmoid), rng=rng)
        counts = [math.ceil(blocks * depth) for *_, blocks in STAGES]
        left_out = iter(np.arange(sum(counts)) / sum(counts) * LEFT_OUT)
        inputs = divisible(32 * width)
        layers: list[Layer] = [make.unit(make.conv(channels, inputs, 3, 2), SiLU)]
        for (expansion, size, first_stride, filters, _), count in zip(STAGES, counts, strict=True):
            outputs, stage = divisible(filters * width), []
            for k in range(count):
                expanded, stride = divisible(expansion * inputs), 1 if k else first_stride
                block = Block(inputs, expanded, outputs, size, stride, SiLU, max(1, inputs // 4))
                stage.append(_residual(make, block, float(next(left_out))))
                inputs = outputs
            layers.append(Sequential(*stage))
        layers.append(make.unit(make.conv(inputs, 4 * inputs), SiLU))
        super().__init__(
            features=Sequential(*layers),
            avgpool=GlobalAvgPool2d(),
            flatten=Flatten(),
            classifier=Sequential(Dropout(dropout, rng=make.rng), make.linear(4 * inputs, classes)),
        )


def _residual(make: Maker, block: Block, p: float) -> Layer:
    """Return a block; where its input is added, it is left out with probability ``p``."""
    if not block.residual:
        return Sequential(block=make.gated(block))
    return Residual(block=make.gated(block), stochastic_depth=StochasticDepth(p, rng=make.rng))


def uniform_by_outputs(shape: Shape, *, rng: np.random.Generator) -> Array:
    """Return weights (outputs, inputs) from a uniform distribution up to 1 / √outputs.

    As published for 1000 classes; the bound of four would be 0.5, and the first loss above 10.
    """
    bound = 1 / math.sqrt(max(shape[0], PUBLISHED_CLASSES))
    return rng.uniform(-bound, bound, shape).astype(np.float32)
