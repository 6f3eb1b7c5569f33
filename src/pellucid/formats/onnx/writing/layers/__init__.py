"""What writes each layer of `pellucid.nn` as ONNX's operators; every module registers its own."""

from __future__ import annotations

from . import (
    activations,
    adaptive,
    connected,
    joins,
    lenet,
    norms,
    padding,
    pools,
    quantized,
    rectifiers,
    resizing,
    shapes,
    windows,
)

__all__ = [
    "activations",
    "adaptive",
    "connected",
    "joins",
    "lenet",
    "norms",
    "padding",
    "pools",
    "quantized",
    "rectifiers",
    "resizing",
    "shapes",
    "windows",
]
