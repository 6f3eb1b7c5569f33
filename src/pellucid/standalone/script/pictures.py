"""How a file of NumPy reads a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data.decoding import _border_colours, _fit, _stacked
from ...typing import Array
from .network import SHAPE

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["read_image"]


def read_image(path: str) -> Array:
    """Return a picture as one image of the network, bytes (1, C, H, W).

    It is resized to fit, bilinearly and with its aspect ratio kept; two sides get the colour of its
    border.
    """
    channels, height, width = SHAPE
    return fitted(opened(path, "L" if channels == 1 else "RGB"), channels, height, width)


def fitted(picture: Image.Image, channels: int, height: int, width: int) -> Array:
    """Return a picture resized to fit, bytes (1, C, H, W)."""
    image = np.empty((channels, height, width), np.uint8)
    if picture.size == (width, height):
        image[:] = _stacked(np.asarray(picture), channels)
        return image[np.newaxis]
    image[:] = _border_colours(picture)[:, np.newaxis, np.newaxis]
    pixels, top, left = _fit(picture, height, width)
    rows, columns = pixels.shape[:2]
    image[:, top : top + rows, left : left + columns] = _stacked(pixels, channels)
    return image[np.newaxis]


def opened(path: str, mode: str) -> Image.Image:
    """Return a picture upright, on white where it is transparent, in grey ("L") or "RGB"."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ImportError(
            "pictures are read by Pillow: pip install pillow. Or give an array, in a .npy."
        ) from None
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.mode.startswith("I"):  # 16 bits a pixel
        return Image.fromarray((np.asarray(picture) / 65535).astype(np.float32))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert(mode)
