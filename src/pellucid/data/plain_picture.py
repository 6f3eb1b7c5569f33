"""Convert an opened picture to an upright, opaque, grey or RGB one.

This covers what Pillow leaves to its callers or leaves out: which number is white, and which pixels
are transparent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FileFormatError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ERASED", "Stored", "is_plain", "own_channels", "plain_picture"]

# What may rotate a picture or make it transparent; without these, pixels are used as stored.
_SPECIAL = {"exif", "transparency", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}
_GREY = {"1", "L", "LA", "La", "F"}  # Pillow's grey modes, besides all that begin with I
_NO_COLOURS = {"LAB": "CIELAB", "HSV": "HSV"}  # Pillow converts these to RGB wrongly or not at all
_WHITE_IS_ZERO = 0  # TIFF 6.0, section 8, PhotometricInterpretation
_BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLE_FORMAT = 258, 262, 274, 339  # tags of TIFF and EXIF
_SIGNED = 2  # TIFF 6.0, section 19, SampleFormat
_NEARLY_WHITE = 250  # pixels at least this light are invisible on white
ERASED = "all of it that is not transparent is white, and invisible on a white background"
_LEVELS = {"L;2": 3, "L;4": 15}  # the largest value of a grey pixel of 2 or 4 bits


@dataclass(frozen=True, slots=True)
class Stored:
    """How the pixels are stored in a file, which Pillow forgets once they are loaded.

    Attributes
    ----------
    layout : str
        Pillow's name of the layout, such as ``"L;4"``; empty if it has none.
    box : (left, top, right, bottom)
        The area of the first frame; the whole picture, except in GIF.
    """

    layout: str
    box: tuple[int, int, int, int]

    @classmethod
    def of(cls, picture: Image.Image, name: str) -> Stored:
        """Return this of an opened picture, before its pixels are loaded.

        Raises
        ------
        FileFormatError
            If its bytes are signed, which Pillow ignores.
        """
        whole = (0, 0, picture.width, picture.height)
        tiles = getattr(picture, "tile", None)
        signed = _SIGNED in tuple(getattr(picture, "tag_v2", {}).get(_SAMPLE_FORMAT, ()))
        if signed and picture.mode != "I":
            raise FileFormatError(
                f"{name} has signed bytes, whose black and white are unknown. Save it with 8 or 16 "
                "unsigned bits."
            )
        if not tiles or picture.format not in ("GIF", "PNG"):
            return cls("", whole)
        _, extents, _, layout = tiles[0][:4]
        box = tuple(extents) if picture.format == "GIF" and extents else whole
        return cls(layout if isinstance(layout, str) else "", box)


def own_channels(picture: Image.Image) -> int:
    """Return 1 for a grey picture, 3 for a coloured one."""
    return 1 if picture.mode in _GREY or picture.mode.startswith("I") else 3


def is_plain(picture: Image.Image, stored: Stored) -> bool:
    """Return whether the pixels of a loaded picture are bytes that can be used as they are."""
    covered = stored.box == (0, 0, picture.width, picture.height)
    return picture.mode in ("L", "RGB") and covered and not _SPECIAL & picture.info.keys()


def plain_picture(
    picture: Image.Image,
    stored: Stored,
    name: str,
    c: int,
    tell: Callable[[str], None] | None = None,
) -> Image.Image:
    """Return the picture upright and opaque: grey or RGB in bytes, or grey as floats in [0, 1].

    Parameters
    ----------
    picture : Image
        Loaded.
    stored : Stored
        As read before loading.
    name : str
        Its name in errors.
    c : {1, 3}
    tell : callable, optional
        Called with ``ERASED`` if that is the case.

    Raises
    ------
    FileFormatError
        If its colours or numbers are of an unsupported kind.
    """
    from PIL import Image

    if picture.mode in _NO_COLOURS:
        raise FileFormatError(
            f"{name} has {_NO_COLOURS[picture.mode]} colours, which are not read. Save it as RGB."
        )
    upright = _upright(picture)
    if upright.mode.startswith("I") or upright.mode == "F":  # Pillow's conversion would clip them
        return _deep_grey(picture, upright, name)
    if stored.box != (0, 0, picture.width, picture.height):
        upright = _within(upright, stored.box)
    _mend_transparency(upright, stored.layout)
    no_alpha = picture.format == "BMP" and upright.mode == "RGBA"
    if no_alpha and upright.getchannel("A").getextrema() == (0, 0):
        upright = upright.convert("RGB")  # the fourth byte is unused, not transparency
    if upright.has_transparency_data:
        over = upright.convert("LA").convert("RGBA") if upright.mode == "La" else upright
        over = over.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
        drawn = over.getchannel("A").getextrema() != (0, 0)
        if tell is not None and drawn and np.asarray(upright)[..., :3].min() >= _NEARLY_WHITE:
            tell(ERASED)
    mode = "L" if c == 1 else "RGB"
    return upright if upright.mode == mode else upright.convert(mode)


def _upright(picture: Image.Image) -> Image.Image:
    """Return the picture rotated by its EXIF orientation; as it is if that is damaged."""
    from PIL.Image import Transpose

    turns = dict(
        enumerate(
            (
                *(Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM),
                *(Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE),
                Transpose.ROTATE_90,
            ),
            2,
        )
    )
    try:
        turn = turns.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # EXIF may hold anything; the pixels are right regardless
        return picture
    return picture if turn is None else picture.transpose(turn)


def _deep_grey(picture: Image.Image, upright: Image.Image, name: str) -> Image.Image:
    """Return a grey picture of more than 8 bits as floats in [0, 1]."""
    from PIL import Image

    deep, tags = np.asarray(upright), getattr(picture, "tag_v2", {})
    peak = 1 if upright.mode == "F" else 4095 if tuple(tags.get(_BITS, ())) == (12,) else 65535
    low, high = float(deep.min()), float(deep.max())
    unknown = picture.format == "TIFF" and picture.mode == "I"  # 32 bits, or signed
    if unknown or not 0 <= low <= high <= peak:  # NaN, too
        kind = "unsigned 16-bit numbers" if unknown else "numbers of its kind"
        raise FileFormatError(
            f"{name} has pixels from {low:g} to {high:g}, whose black and white are unknown: "
            f"{kind} are read from 0 to {peak}. Save it with 8 or 16 bits."
        )
    grey = (deep / np.float32(peak)).astype(np.float32)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 1 - grey
    transparent = picture.info.get("transparency")
    if transparent is not None and upright.mode != "F":
        grey[deep == transparent] = 1
    return Image.fromarray(grey)


def _within(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return the picture transparent outside ``box``, as browsers show it."""
    from PIL import Image

    over = Image.new("RGBA", picture.size)
    over.paste(picture.convert("RGBA").crop(box), box[:2])
    return over


def _mend_transparency(picture: Image.Image, layout: str) -> None:
    """Convert the transparent colour of a PNG file to 8 bits, as its pixels were.

    PNG specification, section 11.3.2.1: the colour is stored at the file's own bit depth.
    """
    colour = picture.info.get("transparency")
    if isinstance(colour, int) and layout in _LEVELS:
        peak = _LEVELS[layout]
        picture.info["transparency"] = (colour & peak) * (255 // peak)
    elif isinstance(colour, tuple) and layout == "RGB;16B":
        picture.info["transparency"] = tuple(part >> 8 for part in colour)
