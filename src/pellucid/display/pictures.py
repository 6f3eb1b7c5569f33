"""Images and sheets of filters as PNG inside the page."""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING

from .html import escaped

if TYPE_CHECKING:
    from ..typing import Array

__all__ = ["image", "pixels", "sheet"]

SMALL = 96  # pixels: larger images are reduced, to keep the page small


def image(pixels: Array, alt: str) -> str:
    """Return an image element whose PNG is inside the page.

    Parameters
    ----------
    pixels : uint8 array (H, W), (H, W, 3) or (H, W, 4)
    alt : str
        A description, for readers who cannot see it.
    """
    from PIL import Image

    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, format="png", optimize=True)
        text = base64.b64encode(file.getvalue()).decode("ascii")
    h, w = pixels.shape[:2]
    return f'<img src="data:image/png;base64,{text}" width="{w}" height="{h}" alt="{escaped(alt)}">'


def sheet(weight: Array, extent: float) -> Array:
    """Lay filters (FN, C, FH, FW) out in a near-square grid, as pixels (H, W, 4).

    Middle grey is 0, white ``extent`` and black ``-extent``; three channels are colours, otherwise
    the first channel is drawn. The gaps between the filters are transparent.
    """
    import numpy as np

    fn, c, fh, fw = weight.shape
    columns = math.ceil(math.sqrt(fn))
    rows = math.ceil(fn / columns)
    grid = np.zeros((rows * (fh + 1) - 1, columns * (fw + 1) - 1, 4), dtype=np.uint8)
    shown = weight if c == 3 else weight[:, :1].repeat(3, axis=1)
    values = np.nan_to_num(127.5 * (1 + shown / extent)).clip(0, 255).round().astype(np.uint8)
    for k, filter_ in enumerate(values):
        i, j = (k // columns) * (fh + 1), (k % columns) * (fw + 1)
        grid[i : i + fh, j : j + fw, :3] = filter_.transpose(1, 2, 0)
        grid[i : i + fh, j : j + fw, 3] = 255
    return grid


def pixels(picture: Array, peak: float) -> Array:
    """Return an image (C, H, W) as uint8 (H, W) or (H, W, 3), reduced to about 96x96 at most.

    Parameters
    ----------
    picture : array (C, H, W)
        Of other than three channels the first is drawn.
    peak : float
        The value that is drawn white.
    """
    import numpy as np

    x = picture.astype(np.float32) / peak
    step = -(-max(x.shape[1:]) // SMALL)
    if step > 1:  # average blocks of step x step pixels
        c, h, w = x.shape
        x = x[:, : h // step * step, : w // step * step]
        x = x.reshape(c, h // step, step, w // step, step).mean(axis=(2, 4))
    shades = (255 * x).clip(0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(shades.transpose(1, 2, 0)) if len(x) == 3 else shades[0]
