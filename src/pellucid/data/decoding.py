"""Decoding a picture file with Pillow: upright, opaque, grey or RGB, and never too large."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ..errors import FileFormatError
from ..typing import Array

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FORMATS", "MAX_PIXELS", "bands", "border_colours", "decode", "fit", "opened"]

MAX_PIXELS = 2**24  # 4096x4096: any photograph to classify, and no more than 200 MB on the way
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP")

# What may turn a picture or let something shine through it; without these, pixels are as stored.
_SPECIAL = {"exif", "transparency", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}


def decode(
    content: bytes, name: str, *, channels: int | None = None, size: tuple[int, int] | None = None
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

    Raises
    ------
    FileFormatError
        If it is damaged, too large, or of another format.

    Notes
    -----
    Pillow warns of odd files by Python's warnings, which threads share: whoever calls this in
    several threads silences them once for all.
    """
    with opened(io.BytesIO(content), name, FORMATS) as picture:
        if size is not None and picture.format == "JPEG":
            # A JPEG file can be decoded at an 8th to a half of its size, in as much less time.
            picture.draft(None, (2 * max(size),) * 2)
        picture.load()
        plain = picture.mode in ("L", "RGB") and not _SPECIAL & picture.info.keys()
        own = 1 if picture.mode[:1] in ("1", "L", "I", "F") else 3
        channels = channels or own
        if plain and channels == own and size in (None, (picture.height, picture.width)):
            pixels = np.asarray(picture)
            return pixels[np.newaxis] if own == 1 else pixels.transpose(2, 0, 1)
        layers = bands(picture, channels)
        if size is None or size == (layers[0].height, layers[0].width):
            return np.stack([_as_bytes(np.asarray(layer)) for layer in layers])
        image = np.empty((channels, *size), np.uint8)
        image[:] = _as_bytes(border_colours(layers)[:, np.newaxis, np.newaxis], layers)
        fitted, top, left = fit(layers, *size)
        _, rows, columns = fitted.shape
        image[:, top : top + rows, left : left + columns] = _as_bytes(fitted)
        return image


@contextmanager
def opened(source: Path | BinaryIO, name: str, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Open a picture; whatever goes wrong with it inside the block becomes a FileFormatError.

    Parameters
    ----------
    source : path or binary file
    name : str
        What errors call it.
    formats : sequence of str
        Pillow's names of what may be read.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source, formats=formats) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise _too_large(name, f"{picture.width}x{picture.height} pixels")
            yield picture
    except FileFormatError:
        raise
    except UnidentifiedImageError as error:
        raise FileFormatError(_not_a_picture(source, name, formats)) from error
    except Image.DecompressionBombError as error:
        raise _too_large(name, "far too many pixels") from error
    # A hostile file makes a decoder raise almost anything; all of it means the same here.
    except Exception as error:
        raise FileFormatError(
            f"{name} is damaged and cannot be decoded ({error}). Save or copy it again."
        ) from error


def bands(picture: Image.Image, c: int) -> list[Image.Image]:
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


def border_colours(layers: Sequence[Image.Image]) -> Array:
    """Return the median of each band's outermost pixels, (C,)."""
    return np.array([np.median(_edges(np.asarray(band))) for band in layers])


def fit(layers: Sequence[Image.Image], h: int, w: int) -> tuple[Array, int, int]:
    """Return the bands resized into h x w with their proportions kept, and where they begin.

    Returns
    -------
    fitted : array (C, rows, columns)
    top, left : int
        Rows and columns that are free above and to the left, if it is put in the middle.
    """
    from PIL import Image

    scale = min(h / layers[0].height, w / layers[0].width)
    size = (_length(layers[0].width, scale, w), _length(layers[0].height, scale, h))
    fitted = np.stack([np.asarray(b.resize(size, Image.Resampling.BILINEAR)) for b in layers])
    return fitted, (h - size[1]) // 2, (w - size[0]) // 2


def _as_bytes(pixels: Array, layers: Sequence[Image.Image] = ()) -> Array:
    """Return what is in [0, 1] as bytes; what came of bytes stays."""
    deep = layers[0].mode == "F" if layers else pixels.dtype.kind == "f"
    return np.rint(pixels * 255 if deep else pixels).clip(0, 255).astype(np.uint8)


def _length(length: int, scale: float, limit: int) -> int:
    return min(max(round(length * scale), 1), limit)


def _edges(band: Array) -> Array:
    return np.concatenate([band[0], band[-1], band[:, 0], band[:, -1]])


def _too_large(name: str, size: str) -> FileFormatError:
    return FileFormatError(
        f"{name} declares {size}; at most {MAX_PIXELS} are read. Make it smaller first."
    )


def _not_a_picture(source: Path | BinaryIO, name: str, formats: tuple[str, ...]) -> str:
    from ..formats.sniff import describe_known  # here, as most pictures are pictures

    if isinstance(source, Path):
        with source.open("rb") as file:
            content = file.read(4096)
    else:
        source.seek(0)
        content = source.read(4096)
    start = content[:8]
    if not start:
        return f"{name} is empty."
    if start.startswith((b"\x89PNG", b"\xff\xd8")):
        return f"{name} begins like a PNG or JPEG file, but is damaged. Save or copy it again."
    known = describe_known(content, Path(name.strip("'")))
    begins = f"begins with {start!r}{f', as {known} does' if known else ''}"
    do = "Give a picture, saved" if known and "picture" not in known else "Save the picture"
    if len(formats) == 2:
        return f"{name} is neither PNG nor JPEG: it {begins}. {do} as one of the two."
    return f"{name} is none of {', '.join(formats)}: it {begins}. {do} as one of them."
