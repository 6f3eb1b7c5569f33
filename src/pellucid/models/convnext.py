"""ConvNeXt: a convolutional network with the choices of vision transformers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..errors import ArgumentError
from ..nn import (
    GELU,
    ChannelLinear,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    LayerNorm2d,
    LayerScale,
    Linear,
    Residual,
    Sequential,
    StochasticDepth,
)
from ..nn.init import WeightInit
from .sizes import image_shape

__all__ = ["ConvNeXt"]

LEFT_OUT = 0.1  # probability with which the last block is left out (the paper's table 5)


class ConvNeXt(Sequential):
    """ConvNeXt-T (Liu et al. 2022, arXiv 2201.03545, section 2 and figure 4).

    A 4x4 convolution with stride 4, four stages with 3, 3, 9 and 3 blocks of 96, 192, 384 and 768
    channels, the average over the image, one fully connected layer. A block: depthwise filters of
    7x7, a norm over the channels of each pixel, a 1x1 convolution to four times the channels, GELU,
    and one back, scaled by `pellucid.nn.LayerScale` and added to the block's input. In training
    blocks are left out at random, later ones more often. The keys are torchvision's, whose weights
    fit for 1000 classes and images of any size.

    Parameters
    ----------
    input_shape : (C, H, W)
        The images, 32x32 or larger with four stages.
    classes : int
    depths, widths : tuple of int
        Blocks and channels of each stage; by default those of the smallest, ConvNeXt-T.
    weight_init : "he", "xavier", float or callable, optional
        Initial weights; by default a deviation of 0.02 (the paper's appendix A.1).
    rng : numpy.random.Generator
        Draws them, and which blocks are left out.

    Raises
    ------
    ArgumentError, ShapeError
        If these are not images; if there are not as many widths as depths; if the images are too
        small.

    Examples
    --------
    >>> from pellucid.nn.init import without_values
    >>> with without_values():
    ...     model = ConvNeXt()
    >>> model.parameter_count(), model["features"]["1"]["0"]["block"]["0"]
    (28589128, Conv2d(96, 96, 7, padding=3, groups=96, weight_init=0.02))
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (3, 224, 224),
        classes: int = 1000,
        depths: tuple[int, ...] = (3, 3, 9, 3),
        widths: tuple[int, ...] = (96, 192, 384, 768),
        weight_init: WeightInit | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        if len(depths) != len(widths) or not depths:
            raise ArgumentError(
                f"must be the blocks of each stage, as many as there are widths; received {depths} "
                f"for the widths {widths}.",
                where="depths",
            )
        self.input_shape = (channels, _, _) = image_shape(input_shape)
        self.classes = classes
        self.depths, self.widths = tuple(depths), tuple(widths)
        self.weight_init = weight_init
        rng = np.random.default_rng() if rng is None else rng
        init: WeightInit = 0.02 if weight_init is None else weight_init

        def conv(inputs: int, filters: int, size: int) -> Conv2d:
            return Conv2d(inputs, filters, size, size, weight_init=init, rng=rng)

        def block(width: int, p: float) -> Residual:
            deep = Conv2d(width, width, 7, 1, 3, groups=width, weight_init=init, rng=rng)
            layers = {  # torchvision has transposes at 1 and 6
                "0": deep,
                "2": LayerNorm2d(width),
                "3": ChannelLinear(width, 4 * width, weight_init=init, rng=rng),
                "4": GELU(),
                "5": ChannelLinear(4 * width, width, weight_init=init, rng=rng),
            }
            return Residual(
                block=Sequential(**layers),
                layer_scale=LayerScale(width),
                stochastic_depth=StochasticDepth(p, rng=rng),
            )

        smaller = [Sequential(conv(channels, widths[0], 4), LayerNorm2d(widths[0]))]
        for before, width in pairwise(widths):
            smaller.append(Sequential(LayerNorm2d(before), conv(before, width, 2)))
        Sequential(*smaller).output_shape(self.input_shape)  # refuses images that are too small
        left_out = iter(np.linspace(0, LEFT_OUT, sum(depths)).tolist())
        layers: list[Layer] = []
        for first, depth, width in zip(smaller, depths, widths, strict=True):
            layers += [first, Sequential(*(block(width, next(left_out)) for _ in range(depth)))]
        super().__init__(
            features=Sequential(*layers),
            avgpool=GlobalAvgPool2d(),
            classifier=Sequential(
                LayerNorm2d(widths[-1]),
                Flatten(),
                Linear(widths[-1], classes, weight_init=init, rng=rng),
            ),
        )
