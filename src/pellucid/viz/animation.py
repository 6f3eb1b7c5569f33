"""Moving pictures: figures one after the other as an animated GIF."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..formats.files import atomic_write
from ..typing import PathLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

__all__ = ["save_animation"]

WIDEST = 1400  # pixels
DENSEST = 90  # dots an inch
COLOURS = 64  # drawings of numbers have few; the file is a third of one with 256


def save_animation(figures: Iterable[Figure], path: PathLike, *, seconds: float = 1.0) -> None:
    """Write ``figures`` as the frames of an animated GIF that begins again at its end.

    All of it is written, or nothing.

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
        For another suffix, a duration below 0.02, figures of different sizes or none; for a place
        that cannot be written.

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
    if seconds < 0.02:
        raise ArgumentError(f"must be 0.02 or more, received {seconds}.", where="seconds")
    frames: list[Image] = []
    for figure in figures:
        frames.append(_drawn(figure, frames[0] if frames else None))
    if len({frame.size for frame in frames}) != 1:
        sizes = ", ".join(sorted({f"{w}x{h}" for w, h in (frame.size for frame in frames)}))
        raise ArgumentError(
            f"needs one figure at least, all of one size; received {sizes or 'none'}.",
            where="save_animation",
        )
    first, *others = frames
    shown = [round(1000 * seconds)] * len(others) + [round(2000 * seconds)]
    with atomic_write(path) as part:
        first.save(
            part, format="GIF", save_all=True, append_images=others, duration=shown, loop=0,
            optimize=False, disposal=1,
        )  # fmt: skip


def _drawn(figure: Figure, first: Image | None) -> Image:
    """Return the pixels, in the colours of the first frame: so only what changes is stored."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(min(DENSEST, WIDEST / figure.get_size_inches()[0]))
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    # Colours that are there, not means of some: the paper stays white.
    how = Image.Quantize.MAXCOVERAGE
    return picture.quantize(COLOURS, method=how, palette=first, dither=Image.Dither.NONE)
