"""Layers, losses, summaries, gradient checks and network surgery."""

# ruff: noqa: F403 - each module's `__all__` says what is public

from typing import TYPE_CHECKING

from ..exports import exported
from ..other_names import lookup
from .activations import *
from .adaptive_pooling import *
from .arithmetic import *
from .branching import *
from .card import *
from .channel_linear import *
from .containers import Sequential as Sequential
from .conv import *
from .conv_transpose import *
from .dense_scores import *
from .dropout import *
from .elementwise import *
from .fields import *
from .gating import *
from .gradient_check import *
from .graph import *
from .input_normalization import *
from .instance_norm import *
from .joins import Add as Add
from .joins import Concat as Concat
from .layer import *
from .layer_norm import *
from .learning_rates import *
from .linear import *
from .locally_connected import *
from .losses import *
from .normalization import *
from .padding import *
from .parameter import *
from .pixel_shuffle import *
from .pooling import *
from .quantized import *
from .rearrangement import *
from .rectifiers import *
from .reductions import *
from .resizing import *
from .scaling import *
from .shortcut import *
from .smooth_activations import *
from .summaries import *
from .surgery import *
from .temperature import Temperature as Temperature
from .to_convolutional import to_convolutional as to_convolutional
from .walk import Node as Node

__all__ = exported(globals())

if not TYPE_CHECKING:  # or a type checker would accept every name
    __getattr__ = lookup(
        __name__, __all__, " Your own layer takes twenty lines: see `pellucid.nn.Layer`."
    )
