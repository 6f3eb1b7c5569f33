"""The normalisation layers. Equations: `pellucid.ops.normalization`, `local_response`."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError
from ..ops.checks import require_real
from ..ops.normalization import require_groups
from ..typing import Array, Shape
from .checks import require_count, require_number
from .init import constant
from .layer import Layer
from .parameter import Buffer, Parameter
from .pattern_words import Argument, PatternWord

__all__ = ["BatchNorm2d", "GroupNorm", "LocalResponseNorm"]


class LocalResponseNorm(Layer):
    """Divide each number by a power of the sum of squares over neighbouring channels.

        b[i] = a[i] / (k + α/size · Σ_{j near i} a[j]²)^β

    Input and output (N, C, ...). Source: Krizhevsky et al. 2012, section 3.3. The arguments are
    those of PyTorch, where α is divided by ``size``; the paper's own equation does not divide:
    `LocalResponseNorm.krizhevsky` builds it with the paper's constants.

    Parameters
    ----------
    size : int
        Number of neighbouring channels, itself included.
    alpha, beta, k : float

    Examples
    --------
    >>> LocalResponseNorm.krizhevsky()
    LocalResponseNorm(5, alpha=0.0005, k=2.0)
    """

    KRIZHEVSKY: ClassVar[dict[str, Any]] = {"size": 5, "alpha": 5 * 1e-4, "beta": 0.75, "k": 2.0}

    per_pixel = True
    is_normalization = True
    short_name = "LRN"
    pattern_word = PatternWord("LRN", constants=KRIZHEVSKY)

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size = require_count(size, "size")
        for name, value in (("alpha", alpha), ("beta", beta), ("k", k)):
            require_number(value, name)
        self.alpha = alpha
        self.beta = beta
        self.k = k

    @classmethod
    def krizhevsky(cls) -> Self:
        """Return the layer with the paper's k = 2, n = 5, α = 1e-4, β = 0.75."""
        return cls(**cls.KRIZHEVSKY)

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        y, s = ops.local_response_norm(x, self.size, self.k, self.alpha / self.size, self.beta)
        self.remember(x, s)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx``, shaped like ``dy``."""
        a, s = self.recall()
        return ops.local_response_norm_backward(
            dy, a, s, self.size, self.alpha / self.size, self.beta
        )


class BatchNorm2d(Layer):
    """Normalise each channel to mean 0 and variance 1 over the batch, then scale and shift it.

        y = γ · (x - μ) / √(σ² + ε) + β

    Input and output (N, C, H, W), or (N, C) after a Linear. γ and β are learned. In
    training μ and σ² are the batch's, and running averages of them are updated (of the unbiased
    variance, as in PyTorch); evaluation uses those, and so does a frozen layer (weight and bias of
    rate 0) in training, without updating them. Source: Ioffe & Szegedy 2015, algorithms 1 and 2,
    and section 3.2.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance, so that nothing is divided by 0.
    momentum : float
        Weight of the newest batch in the running averages.

    Attributes
    ----------
    weight, bias : Parameter (C,)
        γ and β.
    running_mean, running_var : Buffer (C,)
    num_batches_tracked : Buffer ()

    Examples
    --------
    >>> norm = BatchNorm2d(2)
    >>> x = np.random.default_rng(0).normal(5, 3, size=(8, 2, 4, 4))
    >>> bool(abs(norm(x).mean()) < 1e-6), sorted(norm.state_dict())
    (True, ['bias', 'num_batches_tracked', 'running_mean', 'running_var', 'weight'])
    """

    per_pixel = True
    is_normalization = True
    batch_statistics = True
    short_name = "batch norm"
    pattern_word = PatternWord(
        "BN", channels="num_features", layer_name="norm", also=("BATCHNORM",)
    )

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        self.num_features = require_count(num_features, "num_features")
        require_number(eps, "eps", 0)
        require_number(momentum, "momentum", 0, 1)
        self.eps = eps
        self.momentum = momentum
        self.weight = Parameter(constant((self.num_features,), 1), decay=0.0)
        self.bias = Parameter(constant((self.num_features,), 0), decay=0.0)
        self.running_mean = Buffer(constant((self.num_features,), 0))
        self.running_var = Buffer(constant((self.num_features,), 1))
        self.num_batches_tracked = Buffer(np.zeros((), dtype=np.int64))

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        require_real(x, "batch_norm")
        self._require_channels(x.shape[1:])
        if self.training:
            mean, var = ops.batch_statistics(x)
            self.track(mean, var, x.size // self.num_features)
        else:
            mean, var = self.running_mean.data, self.running_var.data
        y, x_hat = ops.batch_norm(x, self.weight.data, self.bias.data, mean, var, self.eps)
        self.remember(x_hat, var, self.training)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx``, also through the statistics if they were the batch's."""
        x_hat, var, training = self.recall()
        gradient = ops.batch_norm_backward if training else ops.batch_norm_fixed_backward
        dx, self.weight.grad, self.bias.grad = gradient(dy, x_hat, self.weight.data, var, self.eps)
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        self._require_channels(input_shape)
        return input_shape

    def trains_in(self, mode: bool) -> bool:
        """Return ``mode``, or False if weight and bias are frozen."""
        return mode and bool(self.weight.rate or self.bias.rate)

    def track(self, mean: Array, var: Array, m: int) -> None:
        """Take a batch's mean and variance of ``m`` numbers a channel into the running ones."""
        share, unbiased = self.momentum, var * (m / (m - 1))
        for running, batch in ((self.running_mean, mean), (self.running_var, unbiased)):
            running.data[...] = (1 - share) * running.data.astype(np.float64) + share * batch
        self.num_batches_tracked.data += 1

    def _require_channels(self, shape: Shape) -> None:
        if len(shape) not in (1, 3) or shape[0] != self.num_features:
            raise ShapeError(
                f"expects {self.num_features} channels, (C, H, W) or (C,), received shape "
                f"{tuple(shape)}."
                + (f" Build it as `BatchNorm2d({shape[0]})`." if len(shape) in (1, 3) else "")
            )


class GroupNorm(Layer):
    """Normalise each group of channels of each image, then scale and shift each channel.

        y = γ · (x - μ) / √(σ² + ε) + β

    Input and output (N, C, H, W), or (N, C). μ and σ² are those of the (C/G)·H·W values of
    an image and one of its G groups of neighbouring channels: images do not affect each other,
    training and evaluation are the same, and batches may be small. With one group this is layer
    normalisation, with C groups instance normalisation. Source: Wu & He 2018, "Group
    normalization", section 3.

    Its statistics depend on the whole image; `receptive_field` counts windows only.

    Parameters
    ----------
    num_groups : int
        G.
    num_channels : int
        C; a multiple of G.
    eps : float
        Added to the variance, so that nothing is divided by 0.

    Attributes
    ----------
    weight, bias : Parameter (C,)
        γ and β.

    Examples
    --------
    >>> norm = GroupNorm(2, 6)
    >>> x = np.random.default_rng(0).normal(5, 3, size=(1, 6, 4, 4))
    >>> bool(abs(norm(x)[0, :3].mean()) < 1e-6), sorted(norm.state_dict())
    (True, ['bias', 'weight'])
    """

    is_normalization = True
    short_name = "group norm"
    pattern_word = PatternWord(
        "GN",
        (Argument("num_groups", "", lambda known: math.gcd(32, known["num_channels"]), "groups"),),
        channels="num_channels",
        layer_name="norm",
        example="GN8",
        also=("GROUPNORM",),
    )

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5) -> None:
        self.num_groups = require_count(num_groups, "num_groups")
        self.num_channels = require_count(num_channels, "num_channels")
        require_number(eps, "eps", 0)
        if num_channels % num_groups:
            raise ArgumentError(
                f"must divide the {num_channels} channels evenly, received {num_groups}.",
                where="num_groups",
            )
        self.eps = eps
        self.weight = Parameter(constant((self.num_channels,), 1), decay=0.0)
        self.bias = Parameter(constant((self.num_channels,), 0), decay=0.0)

    def forward(self, x: Array) -> Array:
        """Return the normalised ``x``."""
        require_real(x, "group_norm")
        self.output_shape(x.shape[1:])
        weight, bias = self.weight.data, self.bias.data
        y, x_hat, inverse = ops.group_norm(x, self.num_groups, weight, bias, self.eps)
        self.remember(x_hat, inverse)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx``, also through the statistics."""
        x_hat, inverse = self.recall()
        dx, self.weight.grad, self.bias.grad = ops.group_norm_backward(
            dy, x_hat, self.num_groups, self.weight.data, inverse
        )
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        if len(input_shape) not in (1, 3) or input_shape[0] != self.num_channels:
            raise ShapeError(
                f"expects {self.num_channels} channels, (C, H, W) or (C,), received shape "
                f"{tuple(input_shape)}."
            )
        require_groups(input_shape, self.num_groups, "group_norm")
        return input_shape
