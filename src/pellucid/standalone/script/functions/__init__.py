"""The functions of a file of NumPy: real ones, of which it gets a copy of those it calls."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from . import arrays, connected, norms, pointwise, quantized, windows

__all__ = ["FUNCTIONS", "MODULES"]

MODULES: tuple[ModuleType, ...] = (windows, connected, quantized, norms, pointwise, arrays)

# By name; add, subtract, multiply, divide and matmul are operators of Python.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: function
    for module in MODULES
    for name, function in vars(module).items()
    if getattr(function, "__module__", None) == module.__name__
}
