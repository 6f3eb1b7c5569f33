"""Instance normalisation: group normalisation with a group for each channel."""

from __future__ import annotations

import numpy as np

from .. import ops
from ..errors import ShapeError
from ..ops.checks import require_count, require_image_shape, require_images
from ..typing import Array, Shape
from .checks import require_number
from .init import constant
from .layer import Layer
from .parameter import Parameter

__all__ = ["InstanceNorm2d"]


class InstanceNorm2d(Layer):
    """Normalise each channel of each image to mean 0 and variance 1.

        y = (x - μ) / √(σ² + ε),   with ``affine``: γ · that + β

    Input and output (N, C, H, W). μ and σ² are those of the H·W values of an image's channel:
    images do not affect each other, and training and evaluation are the same. Source: Ulyanov et
    al. 2016, "Instance normalization: the missing ingredient for fast stylization", section 2.

    Its statistics depend on the whole image; `receptive_field` counts windows only.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance, so that nothing is divided by 0.
    affine : bool
        Whether to scale and shift each channel by learned numbers.

    Attributes
    ----------
    weight, bias : Parameter (C,), or None
        γ and β.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(5, 3, size=(1, 6, 4, 4))
    >>> bool(abs(InstanceNorm2d(6)(x).mean(axis=(2, 3))).max() < 1e-6)
    True
    """

    is_normalization = True
    short_name = "instance norm"

    def __init__(self, num_features: int, eps: float = 1e-5, affine: bool = False) -> None:
        self.num_features = require_count(num_features, "num_features")
        require_number(eps, "eps", 0)
        self.eps = eps
        self.affine = bool(affine)
        ones, zeros = (constant((self.num_features,), value) for value in (1, 0))
        self.weight = Parameter(ones, decay=0.0) if affine else None
        self.bias = Parameter(zeros, decay=0.0) if affine else None

    @property
    def num_groups(self) -> int:
        """The groups of the group normalisation that it is: C."""
        return self.num_features

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        require_images(x, "instance_norm")
        self.output_shape(x.shape[1:])
        gamma = np.ones(self.num_features, np.float16) if self.weight is None else self.weight.data
        beta = np.zeros_like(gamma) if self.bias is None else self.bias.data
        y, x_hat, inverse = ops.group_norm(x, self.num_features, gamma, beta, self.eps)
        self.remember(x_hat, inverse, gamma)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx``, also through the statistics."""
        x_hat, inverse, gamma = self.recall()
        dx, dgamma, dbeta = ops.group_norm_backward(dy, x_hat, self.num_features, gamma, inverse)
        for parameter, gradient in ((self.weight, dgamma), (self.bias, dbeta)):
            if parameter is not None:
                parameter.grad = gradient
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        c, h, w = require_image_shape(input_shape, "instance_norm")
        if c != self.num_features:
            raise ShapeError(
                f"expects {self.num_features} channels, received shape {tuple(input_shape)}. Build "
                f"it as `InstanceNorm2d({c})`."
            )
        if h * w == 1:
            raise ShapeError(
                "needs more than one value per channel, received images of one pixel, shape "
                f"{tuple(input_shape)}. Pool less before it, or normalise groups of channels: "
                "`GroupNorm`."
            )
        return input_shape
