"""Animated GIFs of a sequence of figures."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError
from ...formats.files import atomic_write
from ...typing import PathLike
from ..analysis.asked import asking

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

__all__ = ["save_animation"]

WIDEST = 1400  # pixels
DENSEST = 90  # dots an inch
NEAR = 30  # in red, green and blue together; not told apart from white, or from black
LONGEST = 327  # seconds: a GIF holds hundredths in 16 bits, and the last frame is shown for twice
COLOURS = 64  # drawings of numbers have few; the file is a third of one with 256


@asking
def save_animation(figures: Iterable[Figure], path: PathLike, *, seconds: float = 1.0) -> None:
    """Write ``figures`` as the frames of an animated GIF that loops.

    The file is written completely or not at all.

    Parameters
    ----------
    figures : iterable of Figure
        At least one, all of one size; each is drawn when its turn comes.
    path : str or path
        Ends in .gif.
    seconds : float
        How long each frame is shown; the last one twice as long.

    Raises
    ------
    ArgumentError
        For another suffix, a duration below 0.02 or above 327, figures of different sizes or none;
        for a place that cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from pellucid.viz import window
    >>> x, w = np.eye(3), np.ones((2, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_animation((window(x, w, step=k) for k in (1, 2, 3, 4)), f"{folder}/w.gif")
    ...     with Image.open(f"{folder}/w.gif") as gif:
    ...         gif.n_frames, gif.info["loop"]
    (4, 0)
    """
    if Path(path).suffix.lower() != ".gif":
        raise ArgumentError(f"must end in .gif, received '{path}'.", where="save_animation")
    if not 0.02 <= seconds <= LONGEST:
        raise ArgumentError(f"must be from 0.02 to {LONGEST}, received {seconds}.", where="seconds")
    drawn = [_drawn(figure) for figure in figures]
    sizes = {size for size, _ in drawn}
    if len(sizes) != 1:
        received = ", ".join(sorted(f"{w}x{h}" for w, h in sizes)) or "none"
        raise ArgumentError(
            f"needs at least one figure, all of one size; received {received}.",
            where="save_animation",
        )
    colours = _colours(drawn[0][1], drawn[-1][1])
    frames = [_reduced(png, colours) for _, png in drawn]
    first, *others = frames
    shown = [round(1000 * seconds)] * len(others) + [round(2000 * seconds)]
    with atomic_write(path) as part:
        first.save(
            part, format="GIF", save_all=True, append_images=others, duration=shown, loop=0,
            optimize=False, disposal=1,
        )  # fmt: skip


def _drawn(figure: Figure) -> tuple[tuple[int, int], bytes]:
    """Return size and pixels, as PNG: a hundred large frames would fill the memory otherwise."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(min(DENSEST, WIDEST / figure.get_size_inches()[0]))
    canvas: Any = FigureCanvasAgg(figure)
    png = io.BytesIO()
    canvas.print_png(png)
    return canvas.get_width_height(), png.getvalue()


def _opened(png: bytes) -> Image:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        return picture.convert("RGB")


def _reduced(png: bytes, colours: Image) -> Image:
    from PIL import Image

    return _opened(png).quantize(palette=colours, dither=Image.Dither.NONE)


def _colours(first: bytes, last: bytes) -> Image:
    """Return a picture whose palette all frames share, so that only what changes is stored.

    It is made of the first and the last frame, with the white of the paper and black in it.
    """
    from PIL import Image

    one, two = _opened(first), _opened(last)
    both = Image.new("RGB", (one.width, one.height + two.height))
    both.paste(one, (0, 0))
    both.paste(two, (0, one.height))
    reduced = both.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE)
    palette = np.array(reduced.getpalette()).reshape(-1, 3)
    for ideal in (0, 255):
        # All of its neighbours too: Pillow finds the nearest colour only roughly.
        away = np.abs(palette - ideal).sum(axis=1)
        palette[away <= max(away.min(), NEAR)] = ideal
    reduced.putpalette(palette.ravel().tolist())
    return reduced
