"""Decoding a picture file with Pillow: upright, opaque, grey or RGB, and never too large.

The one way from the bytes of a file to the numbers of an image: training, evaluation and prediction
see the same pixels because there is no other.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FileFormatError
from ..preparation import Drawing
from ..typing import Array
from .drawing import find_drawing
from .picture_kinds import FORMATS, HEAD, kind_of
from .plain_picture import Stored, is_plain, own_channels, plain_picture

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MAX_PIXELS", "decode"]

MAX_PIXELS = 2**24  # 4096x4096: any photograph to classify, and no more than 200 MB on the way


def decode(
    content: bytes,
    name: str,
    *,
    channels: int | None = None,
    size: tuple[int, int] | None = None,
    longest: int | None = None,
    drawing: Drawing | None = None,
    tell: Callable[[str], None] | None = None,
) -> Array:
    """Return the picture in ``content`` as uint8 (C, H, W).

    Parameters
    ----------
    content : bytes
        A file in one of ``FORMATS``; its first bytes tell which.
    name : str
        What errors call it.
    channels : {1, 3}, optional
        Grey or RGB; by default as the picture is.
    size : (H, W), optional
        Make it fit, smoothly and with its proportions kept; what is free on two sides gets the
        colour of the picture's border. By default it stays as large as it is.
    longest : int, optional
        Without ``size``: make a picture whose longer side has more pixels than this smaller.
    drawing : Drawing, optional
        Find the drawing in the picture; needs ``size``.
    tell : callable, optional
        Called with a sentence where ``drawing`` changed the picture, or found nothing; and where
        a white picture on transparent ground vanishes (`plain_picture.ERASED`).

    Raises
    ------
    FileFormatError
        If it is damaged, too large, or of another format.

    Notes
    -----
    A JPEG file could be decoded at an 8th to a half of its size in less time. It is not: the pixels
    on the borders, and the averages everywhere, would be others than those of the same picture as
    PNG.

    Colour profiles and gamma are not applied: the numbers are those in the file.

    Pillow warns of odd files by Python's warnings, which threads share: whoever calls this in
    several threads silences them once for all.
    """
    with _opened(content, name) as picture:
        stored = Stored.of(picture, name)
        picture.load()
        own = own_channels(picture)
        channels = channels or own
        same = size in (None, (picture.height, picture.width))
        same &= longest is None or max(picture.size) <= longest
        if same and channels == own and drawing is None and is_plain(picture, stored):
            pixels = np.asarray(picture)
            return pixels[np.newaxis] if own == 1 else pixels.transpose(2, 0, 1)
        if drawing is not None and size is not None:
            grey = plain_picture(picture, stored, name, 1, tell)
            found, account = find_drawing(_unit(grey), drawing, size)
            if account and tell is not None:
                tell(account)
            if found is not None:
                return _stacked(found, channels)
            tell = None  # it was told
        upright = plain_picture(picture, stored, name, channels, tell)
        if size is None and longest is not None:
            size = _shrunk(upright, longest)
        if size is None or size == (upright.height, upright.width):
            return _stacked(np.asarray(upright), channels)
        image = np.empty((channels, *size), np.uint8)
        image[:] = _border_colours(upright)[:, np.newaxis, np.newaxis]
        fitted, top, left = _fit(upright, *size)
        rows, columns = fitted.shape[:2]
        image[:, top : top + rows, left : left + columns] = _stacked(fitted, channels)
        return image


@contextmanager
def _opened(content: bytes, name: str) -> Iterator[Image.Image]:
    """Open a picture; whatever goes wrong with it inside the block becomes a FileFormatError."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise _too_large(name, f"{picture.width}x{picture.height} pixels")
            yield picture
    except FileFormatError:
        raise
    except UnidentifiedImageError as error:
        raise FileFormatError(_not_a_picture(content, name)) from error
    except Image.DecompressionBombError as error:
        raise _too_large(name, "far too many pixels") from error
    # A hostile file makes a decoder raise almost anything; all of it means the same here.
    except Exception as error:
        raise FileFormatError(
            f"{name} is damaged and cannot be decoded ({error}). Save or copy it again."
        ) from error


def _border_colours(picture: Image.Image) -> Array:
    """Return the median of each channel's outermost pixels as bytes, (C,) or (1,)."""
    w, h = picture.size
    sides = ((0, 0, w, 1), (0, h - 1, w, h), (0, 0, 1, h), (w - 1, 0, w, h))
    edges = [np.asarray(picture.crop(side)).reshape(-1, len(picture.getbands())) for side in sides]
    medians = np.median(np.concatenate(edges), axis=0)
    return _as_bytes(medians if picture.mode == "F" else medians / 255)


def _fit(picture: Image.Image, h: int, w: int) -> tuple[Array, int, int]:
    """Return the picture resized into h x w with its proportions kept, and where it begins.

    Returns
    -------
    fitted : array (rows, columns) or (rows, columns, 3)
    top, left : int
        Rows and columns that are free above and to the left, if it is put in the middle.
    """
    from PIL import Image

    scale = min(h / picture.height, w / picture.width)
    size = (_length(picture.width, scale, w), _length(picture.height, scale, h))
    fitted = np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
    return fitted, (h - size[1]) // 2, (w - size[0]) // 2


def _shrunk(picture: Image.Image, longest: int) -> tuple[int, int]:
    """Return the size (H, W) with ``longest`` pixels on the longer side, at most."""
    scale = min(1.0, longest / max(picture.size))
    return max(round(picture.height * scale), 1), max(round(picture.width * scale), 1)


def _unit(picture: Image.Image) -> Array:
    """Return a grey picture as float32 in [0, 1]."""
    pixels = np.asarray(picture)
    return pixels if picture.mode == "F" else pixels.astype(np.float32) / np.float32(255)


def _stacked(pixels: Array, channels: int) -> Array:
    """Return pixels (H, W) or (H, W, 3) as bytes (C, H, W); grey ones in each channel."""
    pixels = _as_bytes(pixels)
    if pixels.ndim == 3:
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return np.repeat(pixels[np.newaxis], channels, axis=0)


def _as_bytes(pixels: Array) -> Array:
    """Return floats in [0, 1] as bytes; bytes stay."""
    if pixels.dtype.kind != "f":
        return pixels
    return np.rint(pixels * 255).clip(0, 255).astype(np.uint8)


def _length(length: int, scale: float, limit: int) -> int:
    return min(max(round(length * scale), 1), limit)


def _too_large(name: str, size: str) -> FileFormatError:
    return FileFormatError(
        f"{name} declares {size}; at most {MAX_PIXELS} are read. Make it smaller first."
    )


def _not_a_picture(content: bytes, name: str) -> str:
    from ..formats.sniff import describe_known  # here, as most pictures are pictures

    if not content:
        return f"{name} is empty. Copy it again."
    kind = kind_of(content[:HEAD])
    if kind is not None and kind.read:
        rare = " (as with 64-bit numbers or five channels)" if kind.name == "TIFF" else ""
        return (
            f"{name} begins like a {kind.name} file, but is damaged, or of a rare kind that is not "
            f"read{rare}. Copy it again, or save it as PNG."
        )
    what = kind.name if kind is not None else describe_known(content[:4096], Path(name.strip("'")))
    do = "Save the picture" if kind is not None or not what else "Give a picture, saved"
    known = f"{what}, not" if what else "not"
    seen = "" if what else f": it begins with {content[:8]!r}"
    *first, last = FORMATS
    return f"{name} is {known} {', '.join(first)} or {last}{seen}. {do} as one of them."
