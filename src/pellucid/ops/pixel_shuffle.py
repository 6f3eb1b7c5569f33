"""Pixel shuffle: blocks of R x R cells from R² channels, and back.

    y[n, c, R·i + u, R·j + v] = x[n, R²·c + R·u + v, i, j]        mode "CRD", PyTorch's
    y[n, c, R·i + u, R·j + v] = x[n, C·(R·u + v) + c, i, j]       mode "DCR"

Each is a permutation of the numbers, so that the gradient of one is the other. (Shi et al. 2016,
"Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
network", section 3.2; the modes are those of ONNX's DepthToSpace.)
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from ..errors import ArgumentError, ShapeError
from ..typing import Array
from .checks import require_count, require_image_shape, require_images

__all__ = [
    "ShuffleMode",
    "pixel_shuffle",
    "pixel_unshuffle",
    "require_shuffle_mode",
    "shuffled_shape",
    "unshuffled_shape",
]

ShuffleMode: TypeAlias = Literal["CRD", "DCR"]


def pixel_shuffle(x: Array, factor: int, mode: ShuffleMode = "CRD") -> Array:
    """Rearrange (N, C·R², H, W) to (N, C, H·R, W·R).

    Examples
    --------
    >>> import numpy as np
    >>> pixel_shuffle(np.arange(4.0).reshape(1, 4, 1, 1), 2)[0, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    require_images(x, "pixel_shuffle")
    require_shuffle_mode(mode)
    c, oh, ow = shuffled_shape(x.shape[1:], factor)
    n, _, h, w = x.shape
    if mode == "CRD":
        blocks = x.reshape(n, c, factor, factor, h, w).transpose(0, 1, 4, 2, 5, 3)
    else:
        blocks = x.reshape(n, factor, factor, c, h, w).transpose(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, c, oh, ow)


def pixel_unshuffle(x: Array, factor: int, mode: ShuffleMode = "CRD") -> Array:
    """Rearrange (N, C, H·R, W·R) to (N, C·R², H, W): undo `pixel_shuffle`."""
    require_images(x, "pixel_unshuffle")
    require_shuffle_mode(mode)
    channels, h, w = unshuffled_shape(x.shape[1:], factor)
    n, c = x.shape[:2]
    cells = x.reshape(n, c, h, factor, w, factor)
    order = (0, 1, 3, 5, 2, 4) if mode == "CRD" else (0, 3, 5, 1, 2, 4)
    return cells.transpose(order).reshape(n, channels, h, w)


def require_shuffle_mode(mode: str) -> None:
    """Refuse any other mode than the two."""
    if mode not in ("CRD", "DCR"):
        raise ArgumentError(f"must be 'CRD' or 'DCR', received {mode!r}.", where="mode")


def shuffled_shape(image_shape: tuple[int, ...], factor: int) -> tuple[int, int, int]:
    """Return (C, H·R, W·R) for an image (C·R², H, W).

    Raises
    ------
    ShapeError
        If the channels do not make whole blocks.
    """
    c, h, w = require_image_shape(image_shape, "pixel_shuffle")
    cells = require_count(factor, "upscale_factor") ** 2
    if c % cells:
        raise ShapeError(
            f"expects a multiple of {factor}² = {cells} channels, received shape "
            f"{tuple(image_shape)}. Give the layer before it {cells * -(-c // cells)} outputs.",
            where="pixel_shuffle",
        )
    return c // cells, h * factor, w * factor


def unshuffled_shape(image_shape: tuple[int, ...], factor: int) -> tuple[int, int, int]:
    """Return (C·R², H, W) for an image (C, H·R, W·R).

    Raises
    ------
    ShapeError
        If the image does not consist of whole blocks.
    """
    c, h, w = require_image_shape(image_shape, "pixel_unshuffle")
    require_count(factor, "downscale_factor")
    if h % factor or w % factor:
        raise ShapeError(
            f"expects images of whole blocks of {factor}x{factor}, received shape "
            f"{tuple(image_shape)}. Pad or crop them to multiples of {factor} with Pad2d.",
            where="pixel_unshuffle",
        )
    return c * factor**2, h // factor, w // factor
