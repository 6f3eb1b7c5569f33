"""The mathematics: pure functions on NumPy arrays, forward and backward side by side.

Written as the textbook writes it: slow, short, right. Images are (N, C, H, W), filters
(FN, C, FH, FW); the dtype that comes in goes out (integers become float64 where fractions can
arise); nothing that comes in is written to.
"""

from .activations import (
    leaky_relu,
    leaky_relu_backward,
    log_softmax,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    tanh,
    tanh_backward,
)
from .conv import conv2d, conv2d_backward, conv2d_backward_as_convolutions, conv2d_windows
from .conv_transpose import (
    conv_transpose2d,
    conv_transpose2d_backward,
    conv_transpose2d_windows,
)
from .convolution_matrix import convolution_matrix
from .dropout import dropout, dropout_backward, dropout_book
from .global_pooling import (
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
)
from .im2col import col2im, im2col
from .linear import linear, linear_backward
from .locally_connected import (
    locally_connected2d,
    locally_connected2d_backward,
    locally_connected2d_windows,
)
from .losses import (
    mean_squared_error,
    mean_squared_error_backward,
    multiclass_hinge,
    multiclass_hinge_backward,
    one_hot,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
)
from .normalization import (
    batch_norm,
    batch_norm_backward,
    batch_norm_fixed_backward,
    batch_statistics,
    local_response_norm,
    local_response_norm_backward,
)
from .pooling import (
    avg_pool2d,
    avg_pool2d_backward,
    lp_pool2d,
    lp_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
    pool2d_windows,
)

__all__ = [
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_fixed_backward",
    "batch_statistics",
    "col2im",
    "conv2d",
    "conv2d_backward",
    "conv2d_backward_as_convolutions",
    "conv2d_windows",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "conv_transpose2d_windows",
    "convolution_matrix",
    "dropout",
    "dropout_backward",
    "dropout_book",
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
    "im2col",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "local_response_norm",
    "local_response_norm_backward",
    "locally_connected2d",
    "locally_connected2d_backward",
    "locally_connected2d_windows",
    "log_softmax",
    "lp_pool2d",
    "lp_pool2d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "mean_squared_error",
    "mean_squared_error_backward",
    "multiclass_hinge",
    "multiclass_hinge_backward",
    "one_hot",
    "pool2d_windows",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "tanh",
    "tanh_backward",
]
