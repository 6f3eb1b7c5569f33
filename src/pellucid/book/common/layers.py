"""The book's `common.layers`, with all names that a star import of it defines.

The layers compute in float32 by the engine's kernels, one layer at a time, so that a script may do
anything between two of them. `pellucid.book.settings` describes when they compute in float64.
"""

from __future__ import annotations

import numpy as np

from ..layers.affine import Affine
from ..layers.batch_normalization import BatchNormalization
from ..layers.convolution import Convolution
from ..layers.pointwise import Dropout, Relu, Sigmoid
from ..layers.pooling import Pooling
from ..layers.softmax import SoftmaxWithLoss
from .functions import (
    cross_entropy_error,
    identity_function,
    mean_squared_error,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    softmax,
    softmax_loss,
    step_function,
    sum_squared_error,
)
from .util import col2im, im2col

__all__ = [
    "Affine",
    "BatchNormalization",
    "Convolution",
    "Dropout",
    "Pooling",
    "Relu",
    "Sigmoid",
    "SoftmaxWithLoss",
    "col2im",
    "cross_entropy_error",
    "identity_function",
    "im2col",
    "mean_squared_error",
    "np",
    "relu",
    "relu_grad",
    "sigmoid",
    "sigmoid_grad",
    "softmax",
    "softmax_loss",
    "step_function",
    "sum_squared_error",
]
