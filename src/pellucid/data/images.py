"""A user's picture: as it is, or made to look like the images a network was trained on."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import ArgumentError, DataNotFoundError, FileFormatError
from ..typing import Array, PathLike
from .decoding import MAX_PIXELS, bands, border_colours, fit, opened

__all__ = ["MAX_PIXELS", "read_image", "read_photo"]


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
    path = _existing(path)
    fitted, border, top, left = _decode(path, c, h, w)
    x = np.empty((1, c, h, w), dtype=np.float32)
    x[0] = border[:, np.newaxis, np.newaxis]
    _, rows, columns = fitted.shape
    x[0, :, top : top + rows, left : left + columns] = fitted
    if c == 1 and background and background != ("light" if border[0] >= 0.5 else "dark"):
        np.subtract(1, x, out=x)
    return x


def read_photo(path: PathLike, channels: int, *, longest: int | None = None) -> Array:
    """Read a PNG or JPEG file in its own proportions, for networks that take images of any size.

    The camera's orientation is applied, transparency laid over white, and colours become grey or
    RGB as in `read_image`. Nothing is inverted.

    Parameters
    ----------
    path : str or path
        A PNG or JPEG file of at most 2**24 pixels.
    channels : {1, 3}
    longest : int, optional
        Make a picture whose longer side has more pixels than this smaller, smoothly.

    Returns
    -------
    float32 array (C, H, W)
        In [0, 1].

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is damaged, too large, or neither PNG nor JPEG.
    ArgumentError
        If the channels are neither 1 nor 3, or ``longest`` is below 1.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (200, 100), color="white").save(f"{folder}/photo.png")
    ...     read_photo(f"{folder}/photo.png", 1, longest=50).shape
    (1, 25, 50)
    """
    if channels not in (1, 3):
        raise ArgumentError(
            f"must be 1 (grey) or 3 (RGB): a picture file has no {channels} channels.",
            where="channels",
        )
    if longest is not None and longest < 1:
        raise ArgumentError(f"must be 1 pixel or more, received {longest}.", where="longest")
    path = _existing(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with opened(path, f"'{path}'", ("PNG", "JPEG")) as picture:
            layers = bands(picture, channels)
            peak = 1 if layers[0].mode == "F" else 255
            h, w = layers[0].height, layers[0].width
            scale = 1.0 if longest is None else min(1.0, longest / max(h, w))
            fitted, *_ = fit(layers, max(round(h * scale), 1), max(round(w * scale), 1))
            return fitted.astype(np.float32) / np.float32(peak)


def _existing(path: PathLike) -> Path:
    path = Path(path)
    if path.is_dir():
        raise FileFormatError(f"'{path}' is a folder, not a picture.")
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    return path


def _decode(path: Path, c: int, h: int, w: int) -> tuple[Array, Array, int, int]:
    """Return the picture fitted into h x w, its border colour, free rows above, columns left."""
    # What Pillow warns of (bombs, odd EXIF data) is either refused here or does no harm.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with opened(path, f"'{path}'", ("PNG", "JPEG")) as picture:
            layers = bands(picture, c)
            peak = 1 if layers[0].mode == "F" else 255
            border = border_colours(layers) / peak
            fitted, top, left = fit(layers, h, w)
            return fitted.astype(np.float32) / np.float32(peak), border, top, left


def _require_shape(image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    if len(image_shape) != 3 or image_shape[0] not in (1, 3) or min(image_shape) < 1:
        raise ArgumentError(
            f"must be (C, H, W) with 1 or 3 channels, received {tuple(image_shape)}.",
            where="image_shape",
        )
    c, h, w = image_shape
    return c, h, w
