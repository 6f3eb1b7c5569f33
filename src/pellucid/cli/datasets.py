"""Load what ``--data`` names: a data set of the catalogue, or a folder of images."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ArgumentError, PellucidError
from ..names import plain
from .interrupts import stoppable
from .messages import as_options, echo

if TYPE_CHECKING:
    from ..data import Dataset, Drawing, Split

__all__ = ["image_size", "is_folder", "joined", "load_images"]

# The library's arguments in messages, and the options that stand for them here.
SAID = {
    "corrupt='skip'": "--skip-corrupt",
    "skip_empty=True": "--skip-empty",
    "channels=": "--channels ",
    ", or raise max_bytes=....": ".",
}


def is_folder(data: str) -> bool:
    """Return whether ``data`` is a path rather than the name of a data set."""
    from ..data.catalogue import CATALOGUE
    from ..data.file_tree import ARCHIVES

    if data in CATALOGUE:
        return False
    path = os.sep in data or "/" in data or data.lower().endswith(ARCHIVES)
    return path or Path(data).exists()


def load_images(
    data: str,
    data_dir: Path | None,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    held_out: float | None = None,
    skip_corrupt: bool = False,
    skip_empty: bool = False,
    seed: int = 0,
    split: Split | None = None,
    new_images: Literal["leave", "draw"] = "leave",
    drawing: Drawing | bool | None = None,
    download: bool = True,
) -> tuple[Dataset, Dataset]:
    """Return the training and the test set that ``--data`` names.

    ``split`` is that of an earlier training; ``drawing`` says how to find a drawing in each image
    (True: as in MNIST). While a folder is decoded a progress bar is drawn if standard error is a
    terminal; then a note is printed for what was left out. Ctrl-C ends the program.
    """
    from .. import data as datasets

    if not data.strip():
        raise ArgumentError(
            "is empty; perhaps a variable is not set. Give a data set's name, or a folder or zip "
            "archive of images.",
            where="--data",
        )
    if not is_folder(data):
        for option, value in (
            ("--size", size),
            ("--channels", channels),
            ("--held-out", held_out),
            ("--skip-corrupt", skip_corrupt or None),
            ("--drawings", drawing or None),
            ("--skip-empty", skip_empty or None),
        ):
            if value is not None:
                raise ArgumentError(
                    f"needs a folder or zip archive of images; {data!r} is a data set whose images "
                    "are fixed.",
                    where=option,
                )
        try:
            with (
                stoppable("stopped while the data set was read; nothing was written"),
                as_options(name="--data", root="--data-dir"),
            ):
                return datasets.load(data, data_dir, download=download)
        except ArgumentError as error:
            if error.where == "--data":
                error.message += " Or give a folder or zip archive of images."
            raise
    if data_dir is not None:
        raise ArgumentError(f"needs a data set's name; {data!r} is a path.", where="--data-dir")
    options: dict[str, Any] = {"size": size, "channels": channels, "seed": seed}
    if drawing:
        options["drawing"] = datasets.Drawing() if drawing is True else drawing
    options |= {} if split is None else {"split": split, "new_images": new_images}
    options |= {} if held_out is None else {"held_out": held_out}
    options |= {"corrupt": "skip"} if skip_corrupt else {}
    options |= {"skip_empty": True} if skip_empty else {}
    try:
        with as_options(
            drawing="--drawings", size="--size", channels="--channels", held_out="--held-out"
        ):
            return _read(Path(data), options)
    except PellucidError as error:
        for argument, option in SAID.items():
            error.message = error.message.replace(argument, option)
        raise


def joined(one: Dataset, other: Dataset) -> Dataset:
    """Return the images of both parts of a folder as one data set."""
    import numpy as np

    return replace(
        other,
        images=np.concatenate([one.images, other.images]),
        labels=np.concatenate([one.labels, other.labels]),
        files=(*(one.files or ()), *(other.files or ())),
        held_out=None,
    )


def image_size(text: str | None) -> tuple[int, int] | None:
    """Parse ``--size`` as (rows, columns).

    Raises
    ------
    ArgumentError
        If it is not one or two positive integers.
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.strip().isdigit() and int(part) for part in parts):
        raise ArgumentError(
            f"must be one number, such as 32, or rows x columns, such as 48x64; received {text!r}.",
            where="--size",
        )
    return int(parts[0]), int(parts[-1])


def _read(path: Path, options: dict[str, Any]) -> tuple[Dataset, Dataset]:
    from rich.console import Console
    from rich.progress import Progress

    from ..data import image_folder

    console = Console(stderr=True)
    notes: list[str] = []
    with (
        stoppable("stopped while the images were read; nothing was written"),
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("reading images", total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        sets = image_folder(path, **options, on_progress=advance, tell=notes.append)
    for note in notes:
        echo(f"note: {plain(note)}")
    return sets
