"""Decode a picture file with Pillow: upright, opaque, grey or RGB, within a pixel limit.

Training, evaluation and prediction all decode here, and therefore see the same pixels.
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

SMALL = 2**11  # pixels, below which three calls of Pillow take longer than a transposition
MAX_PIXELS = 2**24  # 4096x4096: enough for any photograph to classify, at most 200 MB in between


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
        Its name in errors.
    channels : {1, 3}, optional
        Grey or RGB; by default as the picture is.
    size : (H, W), optional
        Resize it to fit, bilinearly and with its aspect ratio kept; two sides are padded with the
        colour of the picture's border. By default its size is kept.
    longest : int, optional
        Without ``size``: shrink a picture whose longer side has more pixels than this.
    drawing : Drawing, optional
        Find the drawing in the picture; needs ``size``.
    tell : callable, optional
        Called with a sentence if ``drawing`` changed the picture or found nothing, and if a white
        picture on a transparent background vanishes (`plain_picture.ERASED`).

    Raises
    ------
    FileFormatError
        If it is damaged, too large, or of another format.

    Notes
    -----
    A JPEG file could be decoded faster at 1/8 to 1/2 of its size. It is not, since its pixels would
    then differ from those of the same picture as PNG.

    Colour profiles and gamma are not applied: the numbers are those in the file.

    Pillow reports odd files as Python warnings, whose filters all threads share: a caller with
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
            return _planes(picture)
        if drawing is not None and size is not None:
            grey = plain_picture(picture, stored, name, 1, tell)
            found, account = find_drawing(_unit(grey), drawing, size)
            if account and tell is not None:
                tell(account)
            if found is not None:
                return _stacked(found, channels)
            tell = None  # called already
        upright = plain_picture(picture, stored, name, channels, tell)
        if size is None and longest is not None:
            size = _shrunk(upright, longest)
        if size is None or size == (upright.height, upright.width):
            plain = upright.mode in ("L", "RGB") and len(upright.getbands()) == channels
            return _planes(upright) if plain else _stacked(np.asarray(upright), channels)
        image = np.empty((channels, *size), np.uint8)
        image[:] = _border_colours(upright)[:, np.newaxis, np.newaxis]
        fitted, top, left = _fit(upright, *size)
        rows, columns = fitted.shape[:2]
        image[:, top : top + rows, left : left + columns] = _stacked(fitted, channels)
        return image


@contextmanager
def _opened(content: bytes, name: str) -> Iterator[Image.Image]:
    """Open a picture; any exception inside the block becomes a FileFormatError."""
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
    # A hostile file can make a decoder raise almost anything; here it all means damaged.
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
    """Return the picture resized to fit h x w with its aspect ratio kept, and its offset.

    Returns
    -------
    fitted : array (rows, columns) or (rows, columns, 3)
    top, left : int
        Rows above and columns to the left of it, if it is centred.
    """
    from PIL import Image

    scale = min(h / picture.height, w / picture.width)
    size = (_length(picture.width, scale, w), _length(picture.height, scale, h))
    fitted = np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
    return fitted, (h - size[1]) // 2, (w - size[0]) // 2


def _shrunk(picture: Image.Image, longest: int) -> tuple[int, int]:
    """Return the size (H, W) with at most ``longest`` pixels on the longer side."""
    scale = min(1.0, longest / max(picture.size))
    return max(round(picture.height * scale), 1), max(round(picture.width * scale), 1)


def _unit(picture: Image.Image) -> Array:
    """Return a grey picture as float32 in [0, 1]."""
    pixels = np.asarray(picture)
    return pixels if picture.mode == "F" else pixels.astype(np.float32) / np.float32(255)


def _stacked(pixels: Array, channels: int) -> Array:
    """Return pixels (H, W) or (H, W, 3) as bytes (C, H, W); grey is repeated per channel."""
    pixels = _as_bytes(pixels)
    if pixels.ndim == 3:
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return np.repeat(pixels[np.newaxis], channels, axis=0)


def _planes(picture: Image.Image) -> Array:
    """Return the bytes (C, H, W) of a picture of mode L or RGB."""
    h, w, bands = picture.height, picture.width, picture.getbands()
    if len(bands) == 1 or h * w < SMALL:
        pixels = np.asarray(picture).reshape(h, w, len(bands))
        return pixels.transpose(2, 0, 1)
    planes = np.empty((len(bands), h * w), np.uint8)
    for plane, band in zip(planes, bands, strict=True):
        plane[:] = np.frombuffer(picture.tobytes("raw", band), np.uint8)
    return planes.reshape(-1, h, w)


def _as_bytes(pixels: Array) -> Array:
    """Return floats in [0, 1] as bytes; bytes are returned as they are."""
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
            f"{name} begins like a {kind.name} file, but is damaged or of a rare kind that is not "
            f"read{rare}. Copy it again, or save it as PNG."
        )
    what = kind.name if kind is not None else describe_known(content[:4096], Path(name.strip("'")))
    do = "Save the picture" if kind is not None or not what else "Give a picture, saved"
    known = f"{what}, not" if what else "not"
    seen = "" if what else f": it begins with {content[:8]!r}"
    *first, last = FORMATS
    return f"{name} is {known} {', '.join(first)} or {last}{seen}. {do} as one of them."
