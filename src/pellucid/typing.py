"""Type aliases shared by signatures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # help texts of the command line do not need NumPy
    import numpy.typing as npt

__all__ = ["Array", "Pair", "PathLike", "Shape"]

Array: TypeAlias = "npt.NDArray[Any]"
Pair: TypeAlias = int | tuple[int, int]
PathLike: TypeAlias = str | os.PathLike[str]
Shape: TypeAlias = tuple[int, ...]
