"""The all-convolutional network: strides instead of poolings."""

from __future__ import annotations

import numpy as np

from ..nn import Conv2d, Dropout, Flatten, GlobalAvgPool2d, Layer, ReLU, Sequential
from ..nn.init import WeightInit
from .sizes import image_shape

__all__ = ["AllConvolutionalNet"]

# Filters, their size, stride and padding; the last convolution has one filter a class.
CONVOLUTIONS = (
    (96, 3, 1, 1), (96, 3, 1, 1), (96, 3, 2, 1),
    (192, 3, 1, 1), (192, 3, 1, 1), (192, 3, 2, 1),
    (192, 3, 1, 0), (192, 1, 1, 0),
)  # fmt: skip


class AllConvolutionalNet(Sequential):
    """Nothing but convolutions; where others pool, one has stride 2 (All-CNN-C).

    Nine convolutions, each with a ReLU, then every class's average over the image. Dropout comes
    before the first (20 %) and after those with stride 2 (50 %). Source: Springenberg et al. 2014,
    "Striving for Simplicity: The All Convolutional Net" (arXiv 1412.6806), tables 1 and 2, section
    3.1. Any image of 9x9 or larger fits, with the same weights.

    Parameters
    ----------
    input_shape : (C, H, W)
        The images; the paper's are CIFAR's.
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
    >>> model = AllConvolutionalNet()
    >>> model["conv9"], model.parameter_count()
    (Conv2d(192, 10, 1), 1369738)
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int] = (3, 32, 32),
        classes: int = 10,
        weight_init: WeightInit = "he",
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.input_shape = (channels, _, _) = image_shape(input_shape)
        self.classes = classes
        self.weight_init = weight_init
        rng = np.random.default_rng() if rng is None else rng
        layers: dict[str, Layer] = {"drop0": Dropout(0.2, rng=rng)}
        for k, (filters, size, stride, padding) in enumerate(
            (*CONVOLUTIONS, (classes, 1, 1, 0)), 1
        ):
            layers[f"conv{k}"] = Conv2d(
                channels, filters, size, stride, padding, weight_init=weight_init, rng=rng
            )
            layers[f"relu{k}"] = ReLU()
            if stride > 1:
                layers[f"drop{k}"] = Dropout(0.5, rng=rng)
            channels = filters
        super().__init__(**layers, average=GlobalAvgPool2d(), flatten=Flatten())
        self.output_shape(self.input_shape)  # refuses images that are too small
