"""Global pooling: pooling with one window, the whole image. See `pellucid.ops.pooling`."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError
from ..shapes import Windows
from ..typing import Array
from .checks import require_images, require_real, require_shape
from .pooling import lp_pool2d, lp_pool2d_backward, pool2d_windows
from .sums import mean

__all__ = [
    "global_avg_pool2d",
    "global_avg_pool2d_backward",
    "global_lp_pool2d",
    "global_lp_pool2d_backward",
    "global_max_pool2d",
    "global_max_pool2d_backward",
]


def global_avg_pool2d(x: Array) -> Array:
    """Average each channel of (N, C, H, W) over its image; returns (N, C, 1, 1).

    Lin et al. 2013, "Network In Network", section 3.2.
    """
    _require_some_cells(x, "global_avg_pool2d")
    return mean(x, (2, 3), keepdims=True)


def global_avg_pool2d_backward(dy: Array, x_shape: tuple[int, ...]) -> Array:
    """Spread ``dy`` (N, C, 1, 1) evenly over images of ``x_shape``."""
    _require_global_gradient(dy, x_shape, "global_avg_pool2d_backward")
    return np.broadcast_to(dy / (x_shape[2] * x_shape[3]), x_shape).copy()


def global_max_pool2d(x: Array) -> tuple[Array, Array]:
    """Return the maximum of each channel and its argmax within H·W, both (N, C, 1, 1)."""
    _require_some_cells(x, "global_max_pool2d")
    flat = x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])
    arg_max = flat.argmax(axis=2, keepdims=True)
    y = np.take_along_axis(flat, arg_max, axis=2)
    return y[..., np.newaxis], arg_max[..., np.newaxis]


def global_max_pool2d_backward(dy: Array, arg_max: Array, x_shape: tuple[int, ...]) -> Array:
    """Scatter ``dy`` (N, C, 1, 1) to the argmax of each channel."""
    _require_global_gradient(dy, x_shape, "global_max_pool2d_backward")
    flat = np.zeros((x_shape[0], x_shape[1], x_shape[2] * x_shape[3]), dtype=dy.dtype)
    np.put_along_axis(flat, arg_max[..., 0], dy[..., 0], axis=2)
    return flat.reshape(x_shape)


def global_lp_pool2d(x: Array, p: float = 2.0) -> Array:
    """Take the Lp norm ``(Σ |x|^p)^(1/p)`` of each channel; returns (N, C, 1, 1)."""
    _require_some_cells(x, "global_lp_pool2d")
    return lp_pool2d(x, _whole(x.shape), p)


def global_lp_pool2d_backward(dy: Array, x: Array, y: Array, p: float = 2.0) -> Array:
    """Return the gradient (N, C, H, W): ``dy · sign(x) · (|x| / y)^(p-1)``."""
    _require_global_gradient(dy, x.shape, "global_lp_pool2d_backward")
    return lp_pool2d_backward(dy, x, y, _whole(x.shape), p)


def _whole(x_shape: tuple[int, ...]) -> Windows:
    """Return the one window that is the whole image."""
    return pool2d_windows(x_shape[1:], (x_shape[2], x_shape[3]))


def _require_some_cells(x: Array, where: str) -> None:
    """Refuse images without a single cell."""
    require_images(x, where)
    if 0 in x.shape[2:]:
        raise ShapeError(
            f"needs images of at least one row and one column, received shape {x.shape}.",
            where=where,
        )


def _require_global_gradient(dy: Array, x_shape: tuple[int, ...], where: str) -> None:
    require_real(dy, where, "dy")
    if len(x_shape) != 4:
        raise ShapeError(f"expects x_shape (N, C, H, W), received {tuple(x_shape)}.", where=where)
    require_shape(dy, (*x_shape[:2], 1, 1), "an output gradient", "(N, C, 1, 1)", where)
