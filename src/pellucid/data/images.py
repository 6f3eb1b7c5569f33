"""Read a picture file: prepared as a network's training images were, or in its own size."""

from __future__ import annotations

import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import ArgumentError, DataNotFoundError, FileFormatError
from ..preparation import Preparation
from ..typing import Array, PathLike
from .decoding import MAX_PIXELS, decode
from .picture_kinds import FORMATS, MAX_FILE

__all__ = ["MAX_PIXELS", "as_floats", "read_image", "read_photo", "read_pixels"]


def read_image(
    path: PathLike,
    preparation: Preparation | tuple[int, int, int],
    *,
    tell: Callable[[str], None] | None = None,
) -> Array:
    """Read a picture file as one image for a network.

    Parameters
    ----------
    path : str or path
        PNG, JPEG, BMP, PPM, WebP, TIFF or GIF, whatever its name, of at most 2**24 pixels.
    preparation : Preparation or (C, H, W)
        How to prepare it, normally ``model.card.preparation``. A shape stands for a preparation
        that only resizes the picture to fit.
    tell : callable, optional
        Called with a sentence on the search for a drawing (what was done, or that none was found),
        and if a white picture on a transparent background is invisible on white.

    Returns
    -------
    float32 array (1, C, H, W)
        In [0, 1]: the same numbers as in training on this file.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is damaged, too large, or not a supported picture.
    ArgumentError
        If the network's images have neither 1 nor 3 channels.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (20, 10), color=51).save(f"{folder}/paper.png")
    ...     x = read_image(f"{folder}/paper.png", (1, 28, 28))
    >>> x.shape, x.dtype, float(x.max())
    ((1, 1, 28, 28), dtype('float32'), 0.20000000298023224)
    """
    if not isinstance(preparation, Preparation):
        preparation = Preparation.of_shape(_require_shape(preparation))
    with _silenced():
        return as_floats(read_pixels(path, preparation, tell=tell))[np.newaxis]


def read_pixels(
    path: PathLike, preparation: Preparation, *, tell: Callable[[str], None] | None = None
) -> Array:
    """Read a picture file as `read_image` does; return its bytes, uint8 (C, H, W).

    Pillow's warnings are not silenced: all threads share Python's filters, and a caller with
    several threads sets them once for all. See `as_floats`.
    """
    return _decoded(
        path,
        channels=_require_channels(preparation.channels),
        size=preparation.size,
        drawing=preparation.drawing,
        tell=tell,
    )


def read_photo(path: PathLike, channels: int, *, longest: int | None = None) -> Array:
    """Read a picture file with its own aspect ratio, for networks that take images of any size.

    Parameters
    ----------
    path : str or path
        As for `read_image`.
    channels : {1, 3}
    longest : int, optional
        Shrink a picture whose longer side has more pixels than this.

    Returns
    -------
    float32 array (C, H, W)
        In [0, 1].

    Raises
    ------
    DataNotFoundError, FileFormatError
        As `read_image`.
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
    if longest is not None and longest < 1:
        raise ArgumentError(f"must be 1 pixel or more, received {longest}.", where="longest")
    channels = _require_channels(channels)
    with _silenced():
        return as_floats(_decoded(path, channels=channels, longest=longest))


def _decoded(path: PathLike, **wanted: object) -> Array:
    path = Path(path)
    content = b""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            with path.open("rb") as file:
                content = file.read(MAX_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise DataNotFoundError(f"there is no file '{path}'.") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileFormatError(f"'{path}' cannot be read ({reason}).") from error
    if stat.S_ISDIR(mode):
        raise FileFormatError(f"'{path}' is a folder, not a picture.")
    if not stat.S_ISREG(mode):
        raise FileFormatError(f"'{path}' is a pipe or a device, not a regular file.")
    if len(content) > MAX_FILE:
        raise FileFormatError(f"'{path}' has more than {MAX_FILE} bytes; at most that are read.")
    return decode(content, f"'{path}'", **wanted)  # type: ignore[arg-type]


@contextmanager
def _silenced() -> Iterator[None]:
    """Silence what Pillow warns of (bombs, odd EXIF data): it is either refused or harmless."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def as_floats(pixels: Array) -> Array:
    """Return bytes divided by 255, as `pellucid.data.Dataset.batch` does."""
    return np.divide(pixels, 255, dtype=np.float32)


def _require_channels(channels: int) -> int:
    if channels not in (1, 3):
        raise ArgumentError(
            f"must be 1 (grey) or 3 (RGB), received {channels}: picture files "
            f"({', '.join(FORMATS)}) are read as one of the two.",
            where="channels",
        )
    return channels


def _require_shape(image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    if len(image_shape) != 3 or image_shape[0] not in (1, 3) or min(image_shape) < 1:
        raise ArgumentError(
            f"must be (C, H, W) with 1 or 3 channels, received {tuple(image_shape)}.",
            where="image_shape",
        )
    c, h, w = image_shape
    return c, h, w
