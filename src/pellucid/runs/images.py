"""The images of a run: a data set by its name, or a folder of images."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..data.limiting import first_images
from ..distributed import Communicator, Solo, by_first, in_turns
from ..errors import ArgumentError, ContradictionError, renamed
from ..names import plain
from .listener import Listener
from .settings import Settings

if TYPE_CHECKING:
    from ..data import Drawing, Parts, Split
    from ..distributed import Communicator

__all__ = ["first_images", "image_size", "is_folder", "load_images"]


def is_folder(data: str) -> bool:
    """Return whether ``data`` is a path rather than the name of a data set."""
    from ..data.catalogue import CATALOGUE
    from ..data.file_tree import ARCHIVES

    if data in CATALOGUE:
        return False
    path = os.sep in data or "/" in data or data.lower().endswith(ARCHIVES)
    return path or Path(data).exists()


def load_images(
    settings: Settings,
    *,
    split: Split | None = None,
    new_images: Literal["leave", "draw"] = "leave",
    drawing: Drawing | None = None,
    download: bool = True,
    listener: Listener | None = None,
    communicator: Communicator | None = None,
) -> Parts:
    """Return the training, validation and test set that the setting ``data`` names.

    Parameters
    ----------
    settings : Settings
    split : Split, optional
        Which image was used for what in an earlier training.
    new_images : {"leave", "draw"}
        With ``split``, whether images that were not there then are left out or divided.
    drawing : Drawing, optional
        How a drawing is found in each image, instead of as in MNIST.
    download : bool
        Whether a data set may be fetched.
    listener : Listener, optional
        Hears of the images of a folder as they are decoded, and of what is left out.
    communicator : Communicator, optional
        Of ranks that all call this: they decode a folder together, and a data set is fetched by one
        rank of each host.

    Raises
    ------
    ArgumentError, DataError
        Naming settings: ``data``, ``data_dir``, ``size``, ... With a communicator on all ranks.
    """
    from .. import data as datasets
    from ..data.division import require_share, with_validation
    from ..distributed import agreed

    ranks: Communicator = communicator or Solo()
    listener = listener or Listener()
    size = image_size(settings.size)
    if not settings.data.strip():
        raise ArgumentError(
            "is empty; perhaps a variable is not set. Give a data set's name, or a folder or zip "
            "archive of images.",
            where="data",
        )
    seed = settings.seed if settings.split_seed is None else settings.split_seed
    if settings.validation is not None:
        require_share(settings.validation, "validation")  # before anything is read
    # As rank 0 sees it: a folder 'photos' may be missing where another rank runs.
    if not by_first(ranks, lambda: is_folder(settings.data)):
        _refuse_options_of_folders(settings)
        try:
            with listener.reading(), renamed(name="data", root="data_dir"):
                fetch = partial(datasets.load, settings.data, settings.data_dir, download=download)
                train, test = in_turns(ranks, fetch)
        except ArgumentError as error:
            if error.where == "data":
                error.message += " Or give a folder or zip archive of images."
            raise
        roles = None if split is None else split.roles
        return with_validation(train, test, settings.validation, seed, roles)
    if settings.data_dir is not None:
        raise ContradictionError(
            f"needs a data set's name; {settings.data!r} is a path.",
            where="data_dir",
            against="data",
        )
    options: dict[str, Any] = {"size": size, "channels": settings.channels, "seed": seed}
    if drawing or settings.drawings:
        options["drawing"] = drawing or datasets.Drawing()
    options |= {} if split is None else {"split": split, "new_images": new_images}
    options |= {"held_out": settings.held_out, "validation": settings.validation}
    options |= {"corrupt": "skip"} if settings.skip_corrupt else {}
    options |= {} if settings.limit is None else {"limit": settings.limit}
    options |= {} if settings.cache is None else {"cache": settings.cache}
    options |= {"skip_empty": True} if settings.skip_empty else {}
    notes: list[str] = []
    with (
        listener.reading() as advance,
        renamed(drawing="drawings", corrupt=("skip_corrupt", True)),
    ):
        read = partial(
            datasets.image_parts, settings.data, **options, on_progress=advance, tell=notes.append,
            communicator=ranks,
        )  # fmt: skip
        parts = agreed(ranks, read)
    for note in notes:
        listener.note(f"note: {plain(note)}")
    return parts


def _refuse_options_of_folders(settings: Settings) -> None:
    for name in ("size", "channels", "held_out", "skip_corrupt", "drawings", "skip_empty"):
        if getattr(settings, name) not in (None, False):
            raise ContradictionError(
                f"needs a folder or zip archive of images; {settings.data!r} is a data set whose "
                "images are fixed.",
                where=name,
                against="data",
            )


def image_size(text: str | None) -> tuple[int, int] | None:
    """Return the rows and columns that the setting ``size`` gives.

    Raises
    ------
    ArgumentError
        If it is not one or two positive integers.

    Examples
    --------
    >>> image_size("32"), image_size("48x64")
    ((32, 32), (48, 64))
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.strip().isdigit() and int(part) for part in parts):
        raise ArgumentError(
            f"must be one number, such as 32, or rows x columns, such as 48x64; received {text!r}.",
            where="size",
        )
    return int(parts[0]), int(parts[-1])
