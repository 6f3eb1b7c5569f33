"""The mathematics: pure functions on NumPy arrays, forward and backward side by side.

Written as in the textbook: slow, short, correct. Images are (N, C, H, W), filters
(FN, C, FH, FW). The output has the dtype of the input (integers become float64 where fractions can
arise); inputs are never modified.
"""

# ruff: noqa: F403 - each module's `__all__` says what is public

from ..exports import exported
from .activations import *
from .adaptive_pooling import *
from .affine import *
from .broadcasting import *
from .conv import *
from .conv_transpose import *
from .convolution_matrix import *
from .dropout import dropout as dropout
from .dropout import dropout_backward as dropout_backward
from .dropout import dropout_book as dropout_book
from .dropout import stochastic_depth as stochastic_depth
from .dropout import stochastic_depth_backward as stochastic_depth_backward
from .elementwise import *
from .global_pooling import *
from .im2col import *
from .layer_norm import *
from .linear import channel_linear as channel_linear
from .linear import channel_linear_backward as channel_linear_backward
from .linear import linear as linear
from .linear import linear_backward as linear_backward
from .local_response import *
from .locally_connected import *
from .losses import *
from .normalization import *
from .padding import pad2d as pad2d
from .padding import pad2d_backward as pad2d_backward
from .pixel_shuffle import pixel_shuffle as pixel_shuffle
from .pixel_shuffle import pixel_unshuffle as pixel_unshuffle
from .pooling import *
from .quantized import *
from .rectifiers import *
from .reductions import *
from .resampling import *
from .resizing import *
from .smooth_activations import *

__all__ = exported(globals())
