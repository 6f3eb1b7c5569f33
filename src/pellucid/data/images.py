"""A user's picture, made to look like the images that a network was trained on."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import ArgumentError, DataNotFoundError, FileFormatError
from ..typing import Array, PathLike

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MAX_PIXELS", "read_image"]

MAX_PIXELS = 2**24  # 4096x4096: any photograph to classify, and no more than 200 MB on the way


def read_image(
    path: PathLike,
    image_shape: tuple[int, int, int],
    background: Literal["dark", "light"] | None = None,
) -> Array:
    """Read a PNG or JPEG file as one image for a network.

    In this order: the camera's orientation is applied; transparency is laid over white; colours
    become grey (C = 1; ITU-R 601 luma) or RGB (C = 3); the picture is made to fit, smoothly and
    with its proportions kept, and what is free on two sides gets the colour of the picture's
    border. A grey picture whose border is light is inverted where the network knows a dark
    background, and the reverse: so black ink on white paper becomes white on black, as in MNIST.

    Parameters
    ----------
    path : str or path
        A PNG or JPEG file of at most 2**24 pixels.
    image_shape : (int, int, int)
        (C, H, W) that the network expects, C being 1 or 3.
    background : {"dark", "light"}, optional
        That of the training images, `Dataset.background`. Without it nothing is inverted.

    Returns
    -------
    float32 array (1, C, H, W)
        In [0, 1].

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is damaged, too large, or neither PNG nor JPEG.
    ArgumentError
        If the shape or the background is not one of the above.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (20, 10), color=255).save(f"{folder}/paper.png")
    ...     x = read_image(f"{folder}/paper.png", (1, 28, 28), background="dark")
    >>> x.shape, x.dtype, float(x.max())
    ((1, 1, 28, 28), dtype('float32'), 0.0)
    """
    c, h, w = _require_shape(image_shape)
    if background not in (None, "dark", "light"):
        raise ArgumentError(
            f"must be 'dark', 'light' or None, received {background!r}.", where="background"
        )
    path = Path(path)
    if path.is_dir():
        raise FileFormatError(f"'{path}' is a folder, not a picture.")
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    bands, border = _decode(path, c, h, w)
    x = np.empty((1, c, h, w), dtype=np.float32)
    x[0] = border[:, np.newaxis, np.newaxis]
    _, rows, columns = bands.shape
    top, left = (h - rows) // 2, (w - columns) // 2
    x[0, :, top : top + rows, left : left + columns] = bands
    if c == 1 and background and background != ("light" if border[0] >= 0.5 else "dark"):
        np.subtract(1, x, out=x)
    return x


def _decode(path: Path, c: int, h: int, w: int) -> tuple[Array, Array]:
    """Return the picture fitted into h x w, (C, rows, columns), and its border colour, (C,)."""
    from PIL import Image, UnidentifiedImageError

    try:
        # What Pillow warns of (bombs, odd EXIF data) is either refused here or does no harm.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("PNG", "JPEG")) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise _too_large(path, f"{picture.width}x{picture.height} pixels")
                bands = _bands(picture, c)
            border = np.array([np.median(_edges(np.asarray(band))) for band in bands])
            scale = min(h / bands[0].height, w / bands[0].width)
            size = (_fit(bands[0].width, scale, w), _fit(bands[0].height, scale, h))
            fitted = [np.asarray(b.resize(size, Image.Resampling.BILINEAR)) for b in bands]
    except FileFormatError:
        raise
    except UnidentifiedImageError as error:
        raise FileFormatError(_not_a_picture(path)) from error
    except Image.DecompressionBombError as error:
        raise _too_large(path, "far too many pixels") from error
    # A hostile file makes a decoder raise almost anything; all of it means the same here.
    except Exception as error:
        raise FileFormatError(
            f"'{path}' is damaged and cannot be decoded ({error}). Save or copy it again."
        ) from error
    peak = 1 if bands[0].mode == "F" else 255
    return np.stack(fitted).astype(np.float32) / np.float32(peak), border / peak


def _bands(picture: Image.Image, c: int) -> list[Image.Image]:
    """Return the channels of the upright, opaque picture: C bands, bytes or floats in [0, 1]."""
    from PIL import Image, ImageOps

    transparent = picture.info.get("transparency")
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):  # 16 bits: Pillow's own conversion would clip them
        deep = np.asarray(upright)
        grey = (deep / np.float32(65535)).astype(np.float32)
        if transparent is not None:
            grey[deep == transparent] = 1
        return [Image.fromarray(grey)] * c
    if upright.has_transparency_data:
        over = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
    return list(upright.convert("L" if c == 1 else "RGB").split())


def _fit(length: int, scale: float, limit: int) -> int:
    return min(max(round(length * scale), 1), limit)


def _edges(band: Array) -> Array:
    return np.concatenate([band[0], band[-1], band[:, 0], band[:, -1]])


def _require_shape(image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    if len(image_shape) != 3 or image_shape[0] not in (1, 3) or min(image_shape) < 1:
        raise ArgumentError(
            f"must be (C, H, W) with 1 or 3 channels, received {tuple(image_shape)}.",
            where="image_shape",
        )
    c, h, w = image_shape
    return c, h, w


def _too_large(path: Path, size: str) -> FileFormatError:
    return FileFormatError(
        f"'{path}' declares {size}; at most {MAX_PIXELS} are read. Make it smaller first."
    )


def _not_a_picture(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        return f"'{path}' is empty."
    if start.startswith((b"\x89PNG", b"\xff\xd8")):
        return f"'{path}' begins like a PNG or JPEG file, but is damaged. Save or copy it again."
    return (
        f"'{path}' is neither PNG nor JPEG: it begins with {start!r}. Save the picture as one of "
        "the two."
    )
