"""Resizing of images, as F.interpolate says it."""

from __future__ import annotations

from typing import Any

from ..call import Call
from ..registry import translates
from ..values import Images
from .activations import first

__all__: list[str] = []

_LINEAR = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
_CUBIC = {"mode": "cubic", "coordinate_transformation_mode": "half_pixel", "cubic_coeff_a": -0.75}


def _resize(functions: tuple[str, ...], **how: Any) -> None:
    @translates(*functions)
    def translate(call: Call) -> Images:
        x = first(call)
        modes = dict(how)
        if call["align_corners"]:
            modes["coordinate_transformation_mode"] = "align_corners"
        made = call.layout()
        scales = _scales(call)
        if scales is not None and not call["align_corners"]:
            given = ["", call.constant(_float32([1.0, 1.0, *scales]))]
        else:
            given = ["", "", call.integers([1, *made.sizes])]
        return call.made(call.emit("Resize", x.name, *given, **modes))


def _scales(call: Call) -> list[float] | None:
    """Return the factors by which PyTorch finds places: those given, not the ratio of sizes."""
    given = call["scale_factors"]
    if given is None:
        names = [name for name in ("scales", "scales_h", "scales_w") if name in call.arguments]
        given = [call[name] for name in names]
    if not given or any(scale is None for scale in given):
        return None
    return [float(scale) for scale in given]


def _float32(values: list[float]) -> Any:
    import numpy as np

    return np.array(values, dtype=np.float32)


_resize(
    ("aten.upsample_nearest2d", "aten.upsample_nearest1d"), mode="nearest",
    coordinate_transformation_mode="asymmetric", nearest_mode="floor",
)  # fmt: skip
_resize(
    ("aten._upsample_nearest_exact2d", "aten._upsample_nearest_exact1d"), mode="nearest",
    coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil",
)  # fmt: skip
_resize(("aten.upsample_bilinear2d", "aten.upsample_linear1d"), **_LINEAR)
_resize(("aten.upsample_bicubic2d",), **_CUBIC)
_resize(("aten._upsample_bilinear2d_aa",), **_LINEAR, antialias=1)
_resize(("aten._upsample_bicubic2d_aa",), **(_CUBIC | {"cubic_coeff_a": -0.5}), antialias=1)
