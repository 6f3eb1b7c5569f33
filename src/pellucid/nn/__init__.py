"""Layers, losses, and what can be asked of a model without training it."""

from .activations import LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from .branching import Branches, Residual
from .card import Card
from .containers import Sequential
from .conv import Conv2d
from .dropout import Dropout
from .gradient_check import GradientReport, GradientRow, gradcheck, numerical_gradient
from .layer import Layer, LayerRow
from .linear import Flatten, Linear
from .losses import Loss, MeanSquaredError, MulticlassHinge, SoftmaxCrossEntropy
from .normalization import BatchNorm2d, LocalResponseNorm
from .parameter import Buffer, Parameter
from .pooling import AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, LpPool2d, MaxPool2d
from .shortcut import ZeroPadShortcut
from .summaries import Summary, summary

__all__ = [
    "AvgPool2d",
    "BatchNorm2d",
    "Branches",
    "Buffer",
    "Card",
    "Conv2d",
    "Dropout",
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
    "Loss",
    "LpPool2d",
    "MaxPool2d",
    "MeanSquaredError",
    "MulticlassHinge",
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
    "gradcheck",
    "numerical_gradient",
    "summary",
]
