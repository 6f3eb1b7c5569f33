"""What a studio opens when nothing is named."""

from __future__ import annotations

from pathlib import Path

from ..runs.folder import RunFolder
from ..runs.new_folder import RUNS
from ..typing import PathLike
from .opening import Studio

__all__ = ["newest_run", "open_something"]

NETWORK, DATA = "simple", "digits"
IMAGE, CLASSES = (1, 8, 8), 10


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


def open_something(studio: Studio) -> str:
    """Open the newest run, or a network with fresh weights on the embedded digits.

    Returns what was opened, as a sentence.
    """
    run = newest_run()
    if run is not None:
        studio.open(str(run))
        return f"opened {run}, the newest run; name another one, a model or a network if you like"
    studio.open(NETWORK, image=IMAGE, classes=CLASSES, data=DATA)
    return (
        f"opened the network '{NETWORK}' with fresh weights on the embedded digits, as there is "
        f"no run in {RUNS}: it has learned nothing yet"
    )
