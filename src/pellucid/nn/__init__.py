"""Layers, losses, and what can be asked of a model without training it."""

from typing import TYPE_CHECKING

from ..other_names import lookup
from .activations import LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from .branching import Branches, Residual
from .card import Card
from .containers import Sequential
from .conv import Conv2d
from .conv_transpose import ConvTranspose2d
from .dense_scores import sliding_scores
from .dropout import Dropout
from .fields import FieldTable, receptive_field
from .gradient_check import GradientReport, GradientRow, gradcheck, numerical_gradient
from .input_normalization import Normalize
from .layer import Layer, LayerRow
from .learning_rates import freeze, set_rates
from .linear import Flatten, Linear
from .locally_connected import LocallyConnected2d
from .losses import Loss, MeanSquaredError, MulticlassHinge, SoftmaxCrossEntropy
from .normalization import BatchNorm2d, LocalResponseNorm
from .parameter import Buffer, Parameter
from .pooling import AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, LpPool2d, MaxPool2d
from .shortcut import ZeroPadShortcut
from .summaries import Summary, summary
from .surgery import head_name, layer_at, replaced, trunk, with_head
from .to_convolutional import to_convolutional

__all__ = [
    "AvgPool2d",
    "BatchNorm2d",
    "Branches",
    "Buffer",
    "Card",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "FieldTable",
    "Flatten",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "GradientReport",
    "GradientRow",
    "Layer",
    "LayerRow",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LocallyConnected2d",
    "Loss",
    "LpPool2d",
    "MaxPool2d",
    "MeanSquaredError",
    "MulticlassHinge",
    "Normalize",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Summary",
    "Tanh",
    "ZeroPadShortcut",
    "freeze",
    "gradcheck",
    "head_name",
    "layer_at",
    "numerical_gradient",
    "receptive_field",
    "replaced",
    "set_rates",
    "sliding_scores",
    "summary",
    "to_convolutional",
    "trunk",
    "with_head",
]

if not TYPE_CHECKING:  # which would take every name for known
    __getattr__ = lookup(
        __name__, __all__, " A layer of your own takes twenty lines: see `pellucid.nn.Layer`."
    )
