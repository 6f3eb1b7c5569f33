"""The functions of a file of NumPy: real ones, of which it gets a copy of those it calls."""

from __future__ import annotations

from types import ModuleType

from . import arrays, connected, norms, pointwise, windows

__all__ = ["MODULES"]

MODULES: tuple[ModuleType, ...] = (windows, connected, norms, pointwise, arrays)
