"""What a studio opens when nothing is named, and what it does before it is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..runs.folder import RunFolder
from ..runs.new_folder import RUNS
from ..typing import PathLike
from .opened import Opened
from .opening import Studio
from .registry import answer

__all__ = ["newest_run", "open_something", "warm"]

NETWORK, DATA = "simple", "digits"


def newest_run(folder: PathLike = RUNS) -> Path | None:
    """Return the run in ``folder`` whose model was written last; None if there is none.

    Examples
    --------
    >>> newest_run("no such folder") is None
    True
    """
    found: list[tuple[float, Path]] = []
    for path in Path(folder).glob("*"):
        run = RunFolder.of(path)
        if run is not None and run.used.is_file():
            found.append((run.used.stat().st_mtime, path))
    return max(found)[1] if found else None


def open_something(
    studio: Studio,
    *,
    image: tuple[int, int, int] | None = None,
    classes: int | None = None,
    data: str | None = None,
    data_dir: Path | None = None,
) -> str:
    """Open the newest run, or a network with fresh weights on ``data``: the embedded digits.

    Returns what was opened, as a sentence. The arguments are those of `Studio.open`.
    """
    run = newest_run()
    if run is not None:
        studio.open(str(run), data=data, data_dir=data_dir)
        return f"opened {run}, the newest run; SOURCE names another one, a model or a network"
    studio.open(NETWORK, image=image, classes=classes, data=data or DATA, data_dir=data_dir)
    return (
        f"opened the network '{NETWORK}' with fresh weights on {data or 'the embedded digits'}, as "
        f"there is no run in {RUNS}: it has learned nothing yet"
    )


def warm(opened: Opened) -> None:
    """Have a network look at an empty image, so that kernels are loaded before a page asks."""
    _, h, w = opened.image_shape
    empty = {"picture": np.zeros((h, w, 4), np.uint8)}  # and what decodes a picture
    opened.values(answer("see", opened, empty)["image"])
