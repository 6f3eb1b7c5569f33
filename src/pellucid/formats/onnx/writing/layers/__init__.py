"""What writes each layer of `pellucid.nn` as ONNX's operators; every module registers its own."""

from __future__ import annotations

from . import activations, connected, joins, lenet, norms, pools, rectifiers, shapes, windows

__all__ = [
    "activations",
    "connected",
    "joins",
    "lenet",
    "norms",
    "pools",
    "rectifiers",
    "shapes",
    "windows",
]
