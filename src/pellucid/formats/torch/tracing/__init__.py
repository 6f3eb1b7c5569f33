"""Modules of PyTorch as graphs of layers: traced, said in ONNX's operators, and imported as those.

Each function of PyTorch has a translator, registered by `translates`. The way of a module:
`exporting` traces it, `translation` asks the translator of each call for operations, and what
imports ONNX files makes layers of these.
"""

from __future__ import annotations

from .from_module import from_torch
from .registry import translates

__all__ = ["from_torch", "translates"]
