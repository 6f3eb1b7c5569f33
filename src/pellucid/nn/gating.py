"""Squeeze and excitation: a gate for each channel, from the whole image."""

from __future__ import annotations

import numpy as np

from .activations import ReLU, Sigmoid
from .arithmetic import Multiply
from .checks import require_count
from .conv import Conv2d
from .graph import Graph
from .init import WeightInit
from .layer import Layer
from .pooling import GlobalAvgPool2d

__all__ = ["SqueezeExcitation"]


class SqueezeExcitation(Graph):
    """Multiply each channel by a gate that is computed from the means of all channels.

        s = mean of x over the image,    y = x · gate(w2 · act(w1 · s + b1) + b2)

    Input and output (N, C, H, W). The two products are 1x1 convolutions with the keys of
    torchvision's, ``fc1`` and ``fc2``. Source: Hu et al. 2018, "Squeeze-and-excitation networks",
    section 3, with the sigmoid as gate; MobileNetV3 has another.

    The gates depend on the whole image; `receptive_field` of the product then covers it.

    Parameters
    ----------
    in_channels, squeeze_channels : int
        C, and the number of outputs of the first product.
    activation, scale_activation : Layer, optional
        After the first and after the second product; by default ReLU and the sigmoid.
    weight_init : "he", "xavier", float or callable
        Initial weights, see `pellucid.nn.init`. The biases start at 0.
    rng : numpy.random.Generator
        Draws them.

    Examples
    --------
    >>> gate = SqueezeExcitation(16, 4)
    >>> gate.output_shape((16, 8, 8)), list(gate.parameters())
    ((16, 8, 8), ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'])
    """

    def __init__(
        self,
        in_channels: int,
        squeeze_channels: int,
        activation: Layer | None = None,
        scale_activation: Layer | None = None,
        *,
        weight_init: WeightInit = "he",
        rng: np.random.Generator | None = None,
    ) -> None:
        self.in_channels = require_count(in_channels, "in_channels")
        self.squeeze_channels = require_count(squeeze_channels, "squeeze_channels")
        self.weight_init = weight_init
        self.activation = ReLU() if activation is None else activation
        self.scale_activation = Sigmoid() if scale_activation is None else scale_activation
        rng = np.random.default_rng() if rng is None else rng

        def product(inputs: int, outputs: int) -> Conv2d:
            return Conv2d(inputs, outputs, 1, weight_init=weight_init, rng=rng)

        means = GlobalAvgPool2d()
        means.one_size = False  # the gates are multiplied with images of any size
        super().__init__(
            {
                "avgpool": (means, "x"),
                "fc1": product(in_channels, squeeze_channels),
                "activation": self.activation,
                "fc2": product(squeeze_channels, in_channels),
                "scale_activation": self.scale_activation,
                "scale": (Multiply(), "x", "scale_activation"),
            }
        )

    def __repr__(self) -> str:
        return Layer.__repr__(self)  # the constructor's call, not that of a graph
