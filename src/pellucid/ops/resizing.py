"""The matrices that resize an axis: nearest neighbour, linear and cubic, as ONNX's Resize has them.

Cell i of the output lies at the coordinate x(i) of the input, and is the weighted sum of the cells
around it:

    nearest   the cell x rounds to
    linear    k(t) = 1 - |t|                             for |t| < 1
    cubic     k(t) = (a+2)·|t|³ - (a+3)·|t|² + 1         for |t| < 1
                     a·|t|³ - 5a·|t|² + 8a·|t| - 4a      for |t| < 2

with the weights k(h - x). A cell beyond the end is the last one. With antialiasing the kernel is
wider by 1 / scale where the image shrinks, and its weights are divided by their sum. (Keys 1981,
"Cubic convolution interpolation for digital image processing", eq. 15; "ONNX operators", Resize.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal, TypeAlias, get_args

import numpy as np

from ..errors import ArgumentError
from ..typing import Array

__all__ = ["Coordinates", "NearestMode", "ResizeMode", "Resizing", "resized", "resizing_matrix"]

ResizeMode: TypeAlias = Literal["nearest", "linear", "cubic"]
Coordinates: TypeAlias = Literal[
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
]
NearestMode: TypeAlias = Literal["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


@dataclass(frozen=True)
class Resizing:
    """How images are resized; all names are those of ONNX's Resize.

    Attributes
    ----------
    mode : {"nearest", "linear", "cubic"}
    coordinate_transformation_mode : str
        Where in the input, of length I, cell i of the output, of length O, lies:

        - "half_pixel": ``(i + 0.5) / scale - 0.5``, so that both images cover the same area;
        - "half_pixel_symmetric": the same, with the centres of both images in one place where
          I·scale is not a whole number;
        - "pytorch_half_pixel": as "half_pixel", but 0 if O = 1;
        - "align_corners": ``i · (I-1) / (O-1)``, so that the corner pixels lie on each other;
        - "asymmetric": ``i / scale``;
        - "tf_half_pixel_for_nn": ``(i + 0.5) / scale``.

        An axis of scale 1 stays as it is.
    nearest_mode : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}
        How "nearest" rounds a coordinate; the first two differ in what they do with halves.
    cubic_coeff_a : float
        The a of the cubic kernel.
    exclude_outside : bool
        Give cells beyond the end no weight, and the others so much more.
    antialias : bool
        Average over all cells that an output cell covers, where the image shrinks.
    """

    mode: ResizeMode = "nearest"
    coordinate_transformation_mode: Coordinates = "half_pixel"
    nearest_mode: NearestMode = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False

    def __post_init__(self) -> None:
        """Refuse any other names.

        Raises
        ------
        ArgumentError
        """
        for name, allowed in (
            ("mode", ResizeMode),
            ("coordinate_transformation_mode", Coordinates),
            ("nearest_mode", NearestMode),
        ):
            value = getattr(self, name)
            if value not in get_args(allowed):
                names = ", ".join(map(repr, get_args(allowed)))
                raise ArgumentError(f"must be one of {names}; received {value!r}.", where=name)
        a = self.cubic_coeff_a
        if not isinstance(a, Real) or not math.isfinite(a):
            raise ArgumentError(f"must be a finite number, received {a!r}.", where="cubic_coeff_a")


def resized(size: int, scale: float) -> int:
    """Return the length ``⌊size · scale⌋`` of a resized axis, in ONNX's float32.

    Examples
    --------
    >>> resized(10, 0.7), int(10 * float(np.float32(0.7)))
    (7, 6)
    """
    return math.floor(np.float32(size) * np.float32(scale))


def resizing_matrix(size: int, output: int, scale: float, how: Resizing) -> Array:
    """Return the float64 matrix (output, size) that resizes an axis.

    Parameters
    ----------
    size, output : int
        The lengths I and O of the axis.
    scale : float
        By how much it grows: about ``output / size``.
    how : Resizing

    Examples
    --------
    >>> resizing_matrix(2, 4, 2.0, Resizing("linear"))
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]])
    """
    matrix = np.zeros((output, size))
    if how.mode == "nearest":
        # Which of two cells is nearer is often a matter of the last bit.
        x = _coordinates(size, output, scale, how, np.float32)
        matrix[np.arange(output), _rounded(x, how.nearest_mode).clip(0, size - 1)] = 1
        return matrix
    x = _coordinates(size, output, scale, how, np.float64)
    wider = min(scale, 1.0) if how.antialias else 1.0
    reach = math.ceil((1 if how.mode == "linear" else 2) / wider)
    cells = np.floor(x).astype(np.intp)[:, np.newaxis] + np.arange(1 - reach, reach + 1)
    t = np.abs(cells - x[:, np.newaxis]) * wider
    weights = np.maximum(1 - t, 0) if how.mode == "linear" else _cubic(t, how.cubic_coeff_a)
    if how.exclude_outside:
        weights *= (cells >= 0) & (cells < size)
    if how.exclude_outside or how.antialias:
        weights /= weights.sum(axis=1, keepdims=True)
    np.add.at(matrix, (np.arange(output)[:, np.newaxis], cells.clip(0, size - 1)), weights)
    return matrix


def _coordinates(size: int, output: int, scale: float, how: Resizing, dtype: type) -> Array:
    """Return where in the input each cell of the output lies."""
    i: Array = np.arange(output, dtype=dtype)
    s, half = dtype(scale), dtype(0.5)
    mode = how.coordinate_transformation_mode
    if scale == 1 and output == size:
        return i
    if mode == "asymmetric":
        return i / s
    if mode == "align_corners":
        return i * dtype(size - 1) / dtype(max(output - 1, 1))
    if mode == "tf_half_pixel_for_nn":
        return (i + half) / s
    if mode == "pytorch_half_pixel" and output == 1:
        return i
    offset = dtype(0)
    if mode == "half_pixel_symmetric":
        offset = dtype(size) / 2 * (1 - dtype(output) / (s * dtype(size)))
    return offset + (i + half) / s - half


def _rounded(x: Array, mode: NearestMode) -> Array:
    below = np.floor(x)
    rest = x - below
    if mode == "round_prefer_floor":
        x = below + (rest > 0.5)
    elif mode == "round_prefer_ceil":
        x = below + (rest >= 0.5)
    else:
        x = below if mode == "floor" else np.ceil(x)
    return x.astype(np.intp)


def _cubic(t: Array, a: float) -> Array:
    near = ((a + 2) * t - (a + 3)) * t**2 + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))
