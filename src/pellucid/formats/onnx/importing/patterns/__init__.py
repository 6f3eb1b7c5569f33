"""Rewrite what exporters take apart: several operations become the one they stand for.

A pattern is replaced only where it matches exactly, with the constants of the definition to 1e-5,
and where nothing else reads what is inside. All else remains as it is written, and runs as single
layers.
"""

from __future__ import annotations

from .passes import rewritten

__all__ = ["rewritten"]
