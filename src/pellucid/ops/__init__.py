"""The mathematics: pure functions on NumPy arrays, forward and backward side by side.

Written as the textbook writes it: slow, short, right. Images are (N, C, H, W), filters
(FN, C, FH, FW); the dtype that comes in goes out (integers become float64 where fractions can
arise); nothing that comes in is written to.
"""

# ruff: noqa: F403 - each module's `__all__` says what is public

from ..exports import exported
from .activations import *
from .conv import *
from .conv_transpose import *
from .convolution_matrix import *
from .dropout import dropout as dropout
from .dropout import dropout_backward as dropout_backward
from .dropout import dropout_book as dropout_book
from .global_pooling import *
from .im2col import *
from .linear import linear as linear
from .linear import linear_backward as linear_backward
from .local_response import *
from .locally_connected import *
from .losses import *
from .normalization import *
from .pooling import *

__all__ = exported(globals())
