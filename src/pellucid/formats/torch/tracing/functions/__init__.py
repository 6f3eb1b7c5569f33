"""Translators of PyTorch's functions, one module for each family."""

from __future__ import annotations

import importlib

__all__ = ["ADVICE", "SHAPES", "load"]

_MODULES = (
    "activations",
    "arithmetic",
    "attention",
    "convolution",
    "joining",
    "layout",
    "normalization",
    "padding",
    "parts",
    "pooling",
    "products",
    "reductions",
    "resizing",
)

# Functions of shapes: they may be told N, and the shape of what they make says all.
SHAPES = {
    "aten.view", "aten.reshape", "aten._unsafe_view", "aten.flatten", "aten.unflatten",
    "aten.expand", "aten.slice", "aten.view_as", "aten.reshape_as", "aten.expand_as",
}  # fmt: skip

# What would do instead of functions that are often met and not translated.
ADVICE = {
    "aten.where": "Write the choice by clamp, maximum or a product with a mask.",
    "aten.grid_sampler": "Resize and slices are read; a grid of other places is not.",
    "aten.topk": "Give the module up to its scores.",
    "aten.argmax": "Give the module up to its scores; `pellucid.predict` gives the class.",
    "aten.lstm": "Networks of images are converted; a recurrent one is not.",
    "aten.gru": "Networks of images are converted; a recurrent one is not.",
    "aten.embedding": "Networks of images are converted; one of words is not.",
    "aten.conv3d": "Convolutions over two axes and over one are converted.",
    "aten.bernoulli": "Trace it with the random part off: it is traced in evaluation mode.",
}


def load() -> None:
    """Import all modules, which register their translators."""
    for name in _MODULES:
        importlib.import_module(f".{name}", __name__)
