"""Operators over known values, in NumPy: the arithmetic of shapes that exporters write.

Each function takes the operator's attributes and arrays, and follows the specification of all
opsets from 7 on. What makes large arrays out of small ones is bounded by `LARGEST`.
"""

from __future__ import annotations

from . import arithmetic as arithmetic
from .rearranging import shape_slice, slice_arguments
from .table import FOLDS, UNFIT, fold

__all__ = ["FOLDS", "UNFIT", "fold", "shape_slice", "slice_arguments"]
