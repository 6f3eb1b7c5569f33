"""The layers of layer normalisation. Equations: `pellucid.ops.layer_norm`."""

from __future__ import annotations

from .. import ops
from ..errors import ShapeError
from ..ops.checks import require_count, require_image_shape, require_real
from ..ops.layer_norm import require_last_axes
from ..typing import Array, Shape
from .checks import require_number
from .init import constant
from .layer import Layer
from .parameter import Parameter
from .pattern_words import PatternWord

__all__ = ["LayerNorm", "LayerNorm2d"]


class LayerNorm(Layer):
    """Normalise over the last axes to mean 0 and variance 1, then scale and shift.

        y = γ · (x - μ) / √(σ² + ε) + β

    Input and output (N, ..., *normalized_shape). μ and σ² are those of the last axes together, for
    each image and each position along the axes before them. For the channels of each pixel of
    images (N, C, H, W) there is `LayerNorm2d`. Source: Ba, Kiros & Hinton 2016, "Layer
    normalization", eq. 3 and 4.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The sizes of the last axes.
    eps : float
        Added to the variance, so that nothing is divided by 0.
    elementwise_affine : bool
        Whether to scale and shift.
    bias : bool
        Whether to shift; False without ``elementwise_affine``.

    Attributes
    ----------
    weight, bias : Parameter of ``normalized_shape``, or None
        γ and β.

    Examples
    --------
    >>> import numpy as np
    >>> LayerNorm(2, eps=0.0)(np.array([[1.0, 3.0], [10.0, 30.0]]))
    array([[-1.,  1.],
           [-1.,  1.]])
    """

    is_normalization = True
    one_size = True
    short_name = "layer norm"

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        sizes = normalized_shape if isinstance(normalized_shape, tuple) else (normalized_shape,)
        self.normalized_shape = tuple(require_count(n, "normalized_shape") for n in sizes)
        if not sizes:
            require_count(0, "normalized_shape")
        require_number(eps, "eps", 0)
        self.eps = eps
        self.elementwise_affine = bool(elementwise_affine)
        ones, zeros = (constant(self.normalized_shape, value) for value in (1, 0))
        self.weight = Parameter(ones, decay=0.0) if elementwise_affine else None
        self.bias = Parameter(zeros, decay=0.0) if elementwise_affine and bias else None

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        require_real(x, "layer_norm")
        gamma, beta = (None if p is None else p.data for p in (self.weight, self.bias))
        y, x_hat, inverse = ops.layer_norm(x, self.normalized_shape, gamma, beta, self.eps)
        self.remember(x_hat, inverse)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx``, also through the statistics."""
        x_hat, inverse = self.recall()
        gamma = None if self.weight is None else self.weight.data
        dx, dgamma, dbeta = ops.layer_norm_backward(
            dy, x_hat, self.normalized_shape, gamma, inverse
        )
        for parameter, gradient in ((self.weight, dgamma), (self.bias, dbeta)):
            if parameter is not None:
                parameter.grad = gradient
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        require_last_axes(input_shape, self.normalized_shape)
        return input_shape


class LayerNorm2d(Layer):
    """Normalise the channels of each pixel to mean 0 and variance 1, then scale and shift them.

        y[n,c,i,j] = γ[c] · (x[n,c,i,j] - μ[n,i,j]) / √(σ²[n,i,j] + ε) + β[c]

    Input and output (N, C, H, W). The normalisation of ConvNeXt: Liu et al. 2022, "A ConvNet for
    the 2020s", section 2.6.

    Parameters
    ----------
    num_channels : int
        C.
    eps : float
        Added to the variance, so that nothing is divided by 0.

    Attributes
    ----------
    weight, bias : Parameter (C,)
        γ and β.

    Examples
    --------
    >>> import numpy as np
    >>> norm = LayerNorm2d(6)
    >>> x = np.random.default_rng(0).normal(5, 3, size=(1, 6, 4, 4))
    >>> bool(abs(norm(x).mean(axis=1)).max() < 1e-6), sorted(norm.state_dict())
    (True, ['bias', 'weight'])
    """

    per_pixel = True
    is_normalization = True
    short_name = "layer norm"
    pattern_word = PatternWord(
        "LN", channels="num_channels", takes="images", layer_name="norm", also=("LAYERNORM",)
    )

    def __init__(self, num_channels: int, eps: float = 1e-6) -> None:
        self.num_channels = require_count(num_channels, "num_channels")
        require_number(eps, "eps", 0)
        self.eps = eps
        self.weight = Parameter(constant((self.num_channels,), 1), decay=0.0)
        self.bias = Parameter(constant((self.num_channels,), 0), decay=0.0)

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        require_real(x, "layer_norm2d")
        self.output_shape(x.shape[1:])
        y, x_hat, inverse = ops.layer_norm2d(x, self.weight.data, self.bias.data, self.eps)
        self.remember(x_hat, inverse)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx``, also through the statistics."""
        x_hat, inverse = self.recall()
        dx, self.weight.grad, self.bias.grad = ops.layer_norm2d_backward(
            dy, x_hat, self.weight.data, inverse
        )
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        require_image_shape(input_shape, "layer_norm2d")
        if input_shape[0] != self.num_channels:
            raise ShapeError(
                f"expects {self.num_channels} channels, received shape {tuple(input_shape)}. Build "
                f"it as `LayerNorm2d({input_shape[0]})`."
            )
        return input_shape
