"""The images that commands run a model on: of a data set, a folder, or one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import renamed
from ..runs.fields import option_names
from ..runs.settings import Settings
from .terminal import Terminal

if TYPE_CHECKING:
    from ..data import Dataset, Parts
    from ..distributed import Communicator
    from ..nn import Layer
    from ..typing import Array

__all__ = ["drawing_note", "images_of", "load_images", "part_of", "picture"]


def images_of(
    model: Layer,
    run: Path | None,
    data: str | None,
    data_dir: Path | None,
    communicator: Communicator | None = None,
) -> Parts:
    """Return the sets of ``--data``, or those the model was trained on."""
    from ..runs import trained_model

    with renamed(**option_names(Settings)):
        return trained_model.images_of(
            model, run, data, data_dir, listener=Terminal(), communicator=communicator
        )


def part_of(
    model: Layer,
    run: Path | None,
    data: str | None,
    data_dir: Path | None,
    split: str,
    communicator: Communicator | None = None,
) -> Dataset:
    """Return the set of ``--data`` that ``--split`` names."""
    with renamed(split="--split"):
        return images_of(model, run, data, data_dir, communicator).part(split)


def load_images(data: str, data_dir: Path | None) -> Parts:
    """Return the sets of ``--data``."""
    from ..runs import images

    with renamed(**option_names(Settings)):
        return images.load_images(Settings(data=data, data_dir=data_dir), listener=Terminal())


def picture(
    model: Layer, path: Path, shape: tuple[int, int, int], *, as_is: bool = False
) -> tuple[Array, list[str]]:
    """Return a picture (C, H, W) as the model sees it, and notes on how it was prepared."""
    from ..runs.prepared import prepared

    with renamed(image="IMAGE"):
        x, notes = prepared(model, path, shape, as_is=as_is)
    return x, [drawing_note(path, note) for note in notes]


def drawing_note(path: Path, note: str) -> str:
    """Return a note on how a picture was prepared, with its name and what to do about it."""
    from ..data.plain_picture import ERASED

    return f"{path}: {note}{'' if note is ERASED else ' (--as-is: leave it as it is)'}"
