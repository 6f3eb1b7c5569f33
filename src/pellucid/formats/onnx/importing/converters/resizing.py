"""Resize and Upsample, over the two axes of the images."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from .....nn import Resize
from ..node import N, Reading
from ..registry import Unsupported, reads
from ..values import Image
from .sliding import as_image, back

__all__: list[str] = []


@reads("Resize")
def _resize(node: Reading) -> Image:
    if node.opset < 11:
        mode = str(node.attribute("mode", "nearest"))
        return _older(node, mode, _scales(node, 1))
    coordinates = str(node.attribute("coordinate_transformation_mode", "half_pixel"))
    node.attribute("extrapolation_value")
    if coordinates == "tf_crop_and_resize":
        raise Unsupported(
            "its attribute coordinate_transformation_mode is 'tf_crop_and_resize'",
            "Crop by Slice, and resize by another mode.",
        )
    how: dict[str, Any] = {
        "mode": node.attribute("mode", "nearest"),
        "coordinate_transformation_mode": coordinates,
        "nearest_mode": node.attribute("nearest_mode", "round_prefer_floor"),
        "cubic_coeff_a": float(node.attribute("cubic_coeff_a", -0.75)),
        "exclude_outside": bool(node.attribute("exclude_outside", 0)),
        "antialias": bool(node.attribute("antialias", 0)),
    }
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    if _has_numbers(node, 3):
        sizes = _of_axes(node, node.sizes(3), [N, *node.image().shape])
        return _of_sizes(node, sizes, policy, **how)
    return _resized(node, scales=_of_axes(node, _scales(node, 2), [1.0] * node.image().rank), **how)


def _of_sizes(node: Reading, sizes: list[int | str], policy: str, **how: Any) -> Image:
    """Resize to ``sizes``; a policy gives all ``axes`` one scale, the least or the largest."""
    x = node.image()
    axes = _axes(node, x.rank)
    rows = [axis for axis in axes if axis > 1]
    if policy != "stretch" and len(rows) < len(axes):  # the number of images stays: a scale of 1
        ratios = [1.0, *(float(sizes[axis]) / x.shape[axis - 1] for axis in rows)]
        if (min if policy == "not_larger" else max)(ratios) == 1:
            return x
        raise Unsupported(
            f"its policy {policy!r} resizes images and channels, too",
            "Give it the axes of rows and columns: axes=[2, 3].",
        )
    if len(rows) == 1:
        policy = "stretch"  # one axis has no proportions
    return _resized(node, sizes=sizes, keep_aspect_ratio_policy=policy, **how)


@reads("Upsample")
def _upsample(node: Reading) -> Image:
    mode = str(node.attribute("mode", "nearest"))
    given = node.attribute("scales")
    scales = _scales(node, 1) if given is None else [float(s) for s in np.ravel(given)]
    return _older(node, mode, scales)


def _older(node: Reading, mode: str, scales: list[float]) -> Image:
    """Resize as before opset 11: cells lie at i / scale."""
    if mode in ("bilinear", "linear"):
        mode = "linear"
    elif mode != "nearest":
        raise Unsupported(f"its attribute mode is {mode!r}; nearest and linear are read")
    # Where the image shrinks, as onnxruntime has it: the specification does not say.
    nearest = "ceil" if mode == "nearest" and min(scales) < 1 else "floor"
    if len(scales) != node.image().rank:
        raise Unsupported(f"it has {len(scales)} scales for {node.image().rank} axes")
    return _resized(
        node, scales=scales, mode=mode, coordinate_transformation_mode="asymmetric",
        nearest_mode=nearest,
    )  # fmt: skip


def _resized(
    node: Reading,
    *,
    scales: list[float] | None = None,
    sizes: list[int | str] | None = None,
    **how: Any,
) -> Image:
    x = node.image()
    y = as_image(node, x)
    if scales is not None:
        if any(scale != 1 for scale in scales[:2]):
            raise Unsupported(f"its scales {scales} resize images or channels; those are read "
                              "that resize rows and columns")  # fmt: skip
        rows, columns = [1.0] * (4 - len(scales)) + scales[2:]
        if rows == columns == 1:
            return x
        return back(node, node.add(Resize(scales=(rows, columns), **how), y), x)
    assert sizes is not None
    if sizes[0] not in (N, node.batch, 1) or sizes[1] != x.shape[0]:
        raise Unsupported(f"its sizes {sizes} resize images or channels; those are read that "
                          "resize rows and columns")  # fmt: skip
    image = cast("list[int]", [1] * (4 - len(sizes)) + sizes[2:])
    if tuple(image) == y.shape[1:] and how.get("keep_aspect_ratio_policy") == "stretch":
        return x
    return back(node, node.add(Resize(sizes=(image[0], image[1]), **how), y), x)


def _has_numbers(node: Reading, k: int) -> bool:
    """Return whether an input is given, and not an empty array in the place of none."""
    return node.given(k) and len(node.sizes(k)) > 0


def _scales(node: Reading, k: int) -> list[float]:
    array = node.known(k)
    if array is None or not array.size:
        raise Unsupported("it has neither scales nor sizes")
    return [float(scale) for scale in array.ravel()]


def _of_axes(node: Reading, given: list[Any], whole: list[Any]) -> list[Any]:
    """Return one entry for each axis: ``given`` at the attribute ``axes``, others of ``whole``."""
    axes = _axes(node, len(whole))
    if len(axes) != len(given):
        raise Unsupported(f"it has {len(given)} sizes or scales for {len(axes)} axes")
    filled = list(whole)
    for axis, value in zip(axes, given, strict=True):
        filled[axis] = value
    return filled


def _axes(node: Reading, rank: int) -> tuple[int, ...]:
    """Return the attribute ``axes``, by default all, counted from 0 and from N."""
    axes: tuple[int, ...] = node.integers("axes", tuple(range(rank)))
    return tuple(node.place(axis, rank) for axis in axes)
