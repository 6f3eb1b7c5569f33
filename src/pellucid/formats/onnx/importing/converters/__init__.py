"""Converters of ONNX's operators, one module for each family."""

from __future__ import annotations

import importlib

__all__ = ["ADVICE", "load"]

_MODULES = (
    "activations",
    "adaptive",
    "arithmetic",
    "convolution",
    "layout",
    "normalization",
    "parts",
    "pooling",
    "products",
    "reductions",
    "resizing",
)

_QUANTISED = "Give the file before quantisation: weights are float32 here."

# What would do instead of operators that are often met and not converted.
ADVICE = {
    **dict.fromkeys(
        (
            "QuantizeLinear",
            "DequantizeLinear",
            "DynamicQuantizeLinear",
            "QLinearConv",
            "QLinearMatMul",
            "ConvInteger",
            "MatMulInteger",
        ),
        _QUANTISED,
    ),
    "Einsum": "Write the product as a matmul, and export again.",
    "If": "Export with fixed shapes and without conditions, or simplify the file "
    "(onnxsim model.onnx simple.onnx).",
    "Loop": "A graph runs each node once: export a network without loops.",
    "Scan": "A graph runs each node once: export a network without loops.",
    "NonMaxSuppression": "Export the network up to its scores, without detection's last step.",
    "TopK": "Export the network up to its scores.",
    "ArgMax": "Export the network up to its scores; `pellucid predict` gives the class.",
    "LSTM": "Networks of images are converted; a recurrent one is not.",
    "GRU": "Networks of images are converted; a recurrent one is not.",
    "GridSample": "Resize and Slice are converted; a grid of other places is not.",
    "Attention": "Export for opset 22 or older, which writes it as MatMul and Softmax.",
}


def load() -> None:
    """Import all modules, which register their converters."""
    for name in _MODULES:
        importlib.import_module(f".{name}", __name__)
