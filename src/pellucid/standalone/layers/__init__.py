"""What each layer of `pellucid.nn` becomes in a program; every module registers its own."""

from __future__ import annotations

from . import arrays, norms, pointwise, quantized, windows

__all__ = ["arrays", "norms", "pointwise", "quantized", "windows"]
