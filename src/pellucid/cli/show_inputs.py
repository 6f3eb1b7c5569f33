"""The images that ``pellucid show`` runs a network on: the user's own, or one of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError
from .options import is_name
from .trained import images_of, settings_of

if TYPE_CHECKING:
    from ..data import Dataset
    from ..nn import Layer

__all__ = [
    "IndexOption",
    "dataset_of",
    "known_input",
    "refuse_beside_image",
]

IndexOption = Annotated[
    int | None,
    typer.Option(
        "--index",
        metavar="N",
        min=0,
        help="Without an IMAGE: which of the data set. [dim]Default: 0, the first one.[/dim]",
    ),
]


def dataset_of(
    model: str, net: Layer, data: str | None, data_dir: Path | None, split: str, index: int
) -> Dataset:
    """Return the part of the data set that has image ``index``.

    Raises
    ------
    ArgumentError
        If nothing says which data set, or it has no such image.
    """
    if is_name(model) and data is None:
        raise ArgumentError(
            "a new network was trained on nothing: give an IMAGE, or --data.", where="IMAGE"
        )
    train, test = images_of(net, {} if is_name(model) else settings_of(Path(model)), data, data_dir)
    dataset = train if split == "train" else test
    if index >= len(dataset):
        raise ArgumentError(
            f"there is no image {index}: '{dataset.name}' has {len(dataset):,} {dataset.split} "
            "images, counted from 0.",
            where="--index",
        )
    return dataset


def known_input(net: Layer, model: str) -> tuple[int, int, int]:
    """Return the images (C, H, W) that a network was built for; refuse one that does not say."""
    if net.input_shape is None:
        raise ArgumentError(
            "does not say for which images it was built. Save it with its `input_shape` set.",
            where=model,
        )
    c, h, w = net.input_shape
    return c, h, w


def refuse_beside_image(index: int | None, data: str | None) -> None:
    """Refuse the options of a data set where an IMAGE was given."""
    for option, value in (("--index", index), ("--data", data)):
        if value is not None:
            raise ArgumentError("belongs to a data set; leave the IMAGE out.", where=option)
