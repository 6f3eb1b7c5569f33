"""Layers that resize images: `Resize` in ONNX's terms, `Upsample` in PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from numbers import Real
from typing import Any, Literal, TypeAlias, get_args

from .. import ops
from ..errors import ArgumentError, ShapeError
from ..ops.checks import require_image_shape, require_images, require_real, require_shape
from ..ops.resizing import (
    Coordinates,
    NearestMode,
    ResizeMode,
    Resizing,
    resized,
    resizing_matrix,
)
from ..receptive import ReceptiveField
from ..shapes import pair
from ..typing import Array, Pair, Shape
from .layer import Layer

__all__ = ["Resize", "Upsample"]

Policy: TypeAlias = Literal["stretch", "not_larger", "not_smaller"]
UpsampleMode: TypeAlias = Literal["nearest", "bilinear", "bicubic"]
Scale: TypeAlias = float | tuple[float, float]


class _Resampled(Layer):
    """Base class: one matrix for each axis, which make the output and the gradient."""

    how: Resizing

    def sizes_and_scales(self, image: Sequence[int]) -> list[tuple[int, float]]:
        """Return the length of each axis of the output, and by how much it grows."""
        raise NotImplementedError

    def matrices(self, input_shape: Shape) -> tuple[Array, Array]:
        """Return the matrices (OH, H) and (OW, W) that resize an image (C, H, W)."""
        _, *image = require_image_shape(input_shape, "resizing")
        rows, columns = (
            resizing_matrix(size, out, scale, self.how)
            for size, (out, scale) in zip(image, self._sizes(input_shape), strict=True)
        )
        return rows, columns

    def forward(self, x: Array) -> Array:
        """Return the resized images (N, C, OH, OW)."""
        require_images(x, "resizing")
        matrices = self.matrices(x.shape[1:])
        y = ops.resample2d(x, *matrices)
        self.remember(matrices, y.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W): the same with the transposed matrices."""
        matrices, shape = self.recall()
        require_real(dy, "resizing", "dy")
        require_shape(dy, shape, "an output gradient", "(N, C, OH, OW)", "resizing")
        return ops.resample2d_backward(dy, *matrices)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C, OH, OW)."""
        c, _, _ = require_image_shape(input_shape, "resizing")
        return c, *(out for out, _ in self._sizes(input_shape))

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, its step divided by the scale."""
        reads, steps = [], []
        for matrix in self.matrices(input_shape):
            used = matrix != 0
            last = matrix.shape[1] - 1 - used[:, ::-1].argmax(axis=1)
            reads.append(list(zip(used.argmax(axis=1).tolist(), last.tolist(), strict=True)))
            steps.append(Fraction(matrix.shape[1], matrix.shape[0]))
        return field.through_cells((reads[0], reads[1]), (steps[0], steps[1]))

    def _sizes(self, input_shape: Shape) -> list[tuple[int, float]]:
        image = input_shape[1:]
        if min(image) < 1:
            raise ShapeError(
                "needs images of at least one row and one column, received shape "
                f"{tuple(input_shape)}."
            )
        sizes = self.sizes_and_scales(image)
        if min(out for out, _ in sizes) < 1:
            raise ShapeError(
                f"leaves nothing of an image of {image[0]}x{image[1]}. Use a larger scale."
            )
        return sizes


class Resize(_Resampled):
    """Resize images as ONNX's Resize does, by interpolation.

        y = R·x·Qᵀ for each channel,    dx = Rᵀ·dy·Q

    Input (N, C, H, W), output (N, C, OH, OW), with ``OH = ⌊H · scale⌋``, or as given. How R and Q
    come about: `pellucid.ops.resizing`. All names are ONNX's; "tf_crop_and_resize" is not offered.

    Parameters
    ----------
    scales : float or (float, float), optional
        Vertical and horizontal.
    sizes : int or (int, int), optional
        OH and OW, in place of ``scales``.
    mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, exclude_outside, antialias
        As in `pellucid.ops.Resizing`.
    keep_aspect_ratio_policy : {"stretch", "not_larger", "not_smaller"}
        With ``sizes``: these sizes, or the largest image within them, or the smallest around them,
        of the proportions of the input.

    Examples
    --------
    >>> import numpy as np
    >>> Resize(2, mode="linear")(np.array([[[[0.0, 8.0]]]]))[0, 0, 0]
    array([0., 2., 6., 8.])
    """

    short_name = "resize"

    def __init__(
        self,
        scales: Scale | None = None,
        sizes: Pair | None = None,
        mode: ResizeMode = "nearest",
        coordinate_transformation_mode: Coordinates = "half_pixel",
        nearest_mode: NearestMode = "round_prefer_floor",
        *,
        cubic_coeff_a: float = -0.75,
        exclude_outside: bool = False,
        antialias: bool = False,
        keep_aspect_ratio_policy: Policy = "stretch",
    ) -> None:
        self.scales, self.sizes = _scales_or_sizes(scales, sizes, "scales", "sizes")
        self.how = Resizing(
            mode,
            coordinate_transformation_mode,
            nearest_mode,
            cubic_coeff_a,
            exclude_outside,
            antialias,
        )
        vars(self).update(asdict(self.how))
        if keep_aspect_ratio_policy not in get_args(Policy):
            raise ArgumentError(
                "must be 'stretch', 'not_larger' or 'not_smaller', received "
                f"{keep_aspect_ratio_policy!r}.",
                where="keep_aspect_ratio_policy",
            )
        self.keep_aspect_ratio_policy = keep_aspect_ratio_policy
        self.one_size = self.sizes is not None

    def sizes_and_scales(self, image: Sequence[int]) -> list[tuple[int, float]]:
        """Return the length of each axis of the output, and by how much it grows."""
        if self.sizes is None:
            return [(resized(n, s), s) for n, s in zip(image, _two(self.scales), strict=True)]
        wanted = pair(self.sizes)
        scales = [out / size for out, size in zip(wanted, image, strict=True)]
        if self.keep_aspect_ratio_policy == "stretch":
            return list(zip(wanted, scales, strict=True))
        scale = (min if self.keep_aspect_ratio_policy == "not_larger" else max)(scales)
        return [(math.floor(scale * size + 0.5), scale) for size in image]


class Upsample(_Resampled):
    """Enlarge images (or shrink them) as PyTorch's Upsample does.

    Input (N, C, H, W), output (N, C, OH, OW). Equations: `pellucid.ops.resizing`.

    Parameters
    ----------
    scale_factor : float or (float, float), optional
        Vertical and horizontal: ``OH = ⌊H · scale_factor⌋``.
    size : int or (int, int), optional
        OH and OW, in place of ``scale_factor``.
    mode : {"nearest", "bilinear", "bicubic"}
    align_corners : bool, optional
        Whether the corner pixels of both images lie on each other, in the modes other than
        "nearest"; by default both images cover the same area.

    Examples
    --------
    >>> import numpy as np
    >>> Upsample(scale_factor=2)(np.array([[[[1.0, 5.0]]]]))[0, 0]
    array([[1., 1., 5., 5.],
           [1., 1., 5., 5.]])
    """

    short_name = "upsample"

    def __init__(
        self,
        *,
        scale_factor: Scale | None = None,
        size: Pair | None = None,
        mode: UpsampleMode = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        self.scale_factor, self.size = _scales_or_sizes(scale_factor, size, "scale_factor", "size")
        if mode not in get_args(UpsampleMode):
            raise ArgumentError(
                f"must be 'nearest', 'bilinear' or 'bicubic', received {mode!r}.", where="mode"
            )
        if align_corners is not None and mode == "nearest":
            raise ArgumentError(
                "is for the modes 'bilinear' and 'bicubic'. Leave it out.", where="align_corners"
            )
        self.mode, self.align_corners = mode, align_corners
        names: dict[str, Any] = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}
        between: Coordinates = "align_corners" if align_corners else "half_pixel"
        self.how = Resizing(names[mode], "asymmetric" if mode == "nearest" else between, "floor")
        self.one_size = self.size is not None

    def sizes_and_scales(self, image: Sequence[int]) -> list[tuple[int, float]]:
        """Return the length of each axis of the output, and by how much it grows."""
        if self.size is None:
            return [(resized(n, s), s) for n, s in zip(image, _two(self.scale_factor), strict=True)]
        return [(out, out / n) for out, n in zip(pair(self.size), image, strict=True)]


def _scales_or_sizes(
    scales: Any, sizes: Any, scales_name: str, sizes_name: str
) -> tuple[Scale | None, Pair | None]:
    """Return both as they are kept; refuse both at once, and none."""
    if (scales is None) == (sizes is None):
        raise ArgumentError(
            f"takes either {scales_name} or {sizes_name}, received {scales!r} and {sizes!r}.",
            where=sizes_name,
        )
    if scales is None:
        rows, columns = pair(sizes, sizes_name)
        return None, rows if rows == columns else (rows, columns)
    both = tuple(scales) if isinstance(scales, Sequence) else (scales, scales)
    numbers = all(isinstance(s, Real) and not isinstance(s, bool) for s in both)
    if isinstance(scales, str) or len(both) != 2 or not numbers or not 0 < min(both) <= max(both):
        raise ArgumentError(
            "must be a number above 0, or two of them (vertical, horizontal); received "
            f"{scales!r}.",
            where=scales_name,
        )
    if not math.isfinite(max(both)):
        raise ArgumentError(f"must be finite, received {scales!r}.", where=scales_name)
    return both[0] if both[0] == both[1] else both, None


def _two(scales: Any) -> tuple[float, float]:
    return scales if isinstance(scales, tuple) else (scales, scales)
