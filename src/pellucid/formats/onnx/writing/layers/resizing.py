"""Resizing of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..... import nn
from .....ops.resizing import Resizing
from .....typing import Array
from ..registry import writes
from ..sheet import Sheet, Value
from .shapes import sliced

__all__ = ["multiplied"]

FIRST = 11  # opset of the first Resize that says how
OF_AXES = 18  # of the first whose sizes may be of rows and columns only


@writes(nn.Resize, nn.Upsample)
def _resize(sheet: Sheet, layer: nn.Resize | nn.Upsample, x: Value) -> str:
    """Write Resize; what an opset cannot express, as a product with a matrix for each axis."""
    policy = getattr(layer, "keep_aspect_ratio_policy", "stretch")
    least, what = _needed(layer.how, policy)
    if sheet.opset < least and not x.sized:
        sheet.require_opset(least, f"{what} for images of any size")
    if sheet.opset < least or (layer.how.exclude_outside and layer.how.mode != "cubic"):
        return multiplied(sheet, x, *layer.matrices(x.require_size("a weight beyond the end")))
    given = layer.sizes if isinstance(layer, nn.Resize) else layer.size
    scales = layer.scales if isinstance(layer, nn.Resize) else layer.scale_factor
    options = _attributes(layer.how)
    nothing = "" if sheet.opset >= 13 else sheet.constant(np.zeros(0, np.float32), "nothing")
    if given is None:
        factors = np.array([1, 1, *_two(scales)], dtype=np.float32)
        return sheet.op("Resize", x, nothing, sheet.constant(factors, "scales"), **options)
    sizes = [int(size) for size in _two(given)]
    if sheet.opset >= OF_AXES:
        wanted = sheet.integers(sizes, "sizes")
        options |= {"axes": [2, 3], "keep_aspect_ratio_policy": policy}
    else:
        batch = sliced(sheet, sheet.op("Shape", x), [0], [0], [2], [1])
        wanted = sheet.op("Concat", batch, sheet.integers(sizes, "sizes"), axis=0)
    return sheet.op("Resize", x, nothing, nothing, wanted, **options)


def _needed(how: Resizing, policy: str) -> tuple[int, str]:
    """Return the first opset whose Resize has these options, and the option that needs it."""
    mode = how.coordinate_transformation_mode
    if mode == "half_pixel_symmetric":
        return 19, f"the mode {mode!r}"
    if how.antialias:
        return OF_AXES, "antialiasing"
    if policy != "stretch":
        return OF_AXES, f"the policy {policy!r}"
    return FIRST, "resizing"


def _attributes(how: Resizing) -> dict[str, Any]:
    options: dict[str, Any] = {
        "mode": how.mode,
        "coordinate_transformation_mode": how.coordinate_transformation_mode,
    }
    if how.mode == "nearest":
        options["nearest_mode"] = how.nearest_mode
    if how.mode == "cubic":
        options["cubic_coeff_a"] = float(how.cubic_coeff_a)
        options["exclude_outside"] = int(how.exclude_outside)
    if how.antialias:
        options["antialias"] = 1
    return options


def multiplied(sheet: Sheet, x: Value | str, rows: Array, columns: Array) -> str:
    """Multiply each channel by matrices from both sides: ``R·x·Qᵀ``."""
    left = sheet.op("MatMul", sheet.number(rows, "rows"), x)
    return sheet.op("MatMul", left, sheet.number(columns.T, "columns"))


def _two(values: Any) -> tuple[Any, Any]:
    return tuple(values) if isinstance(values, tuple | list) else (values, values)
