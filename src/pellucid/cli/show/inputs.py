"""The image that ``pellucid show`` runs a network on: the user's own, or one of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ...errors import ArgumentError
from ...runs.networks import is_name
from ..images import part_of
from ..images import picture as read_picture
from ..messages import note

if TYPE_CHECKING:
    from ...data import Dataset
    from ...nn import Layer
    from ...typing import Array

__all__ = [
    "IndexOption",
    "Shown",
    "dataset_of",
    "image_to_show",
    "known_input",
    "refuse_beside_image",
]

IndexOption = Annotated[
    int | None,
    typer.Option(
        "--index",
        metavar="N",
        min=0,
        help="Without an IMAGE: its number in the data set. [dim]Default: 0, the first.[/dim]",
    ),
]


def dataset_of(
    model: str, net: Layer, data: str | None, data_dir: Path | None, split: str, index: int
) -> Dataset:
    """Return the part of the data set that has image ``index``.

    Raises
    ------
    ArgumentError
        If no data set is known, or it has no such image.
    """
    if is_name(model) and data is None:
        raise ArgumentError(
            "a new network has no data set of its own: give an IMAGE, or --data.", where="IMAGE"
        )
    dataset = part_of(net, None if is_name(model) else Path(model), data, data_dir, split)
    if index >= len(dataset):
        raise ArgumentError(
            f"there is no image {index}: '{dataset.name}' has {len(dataset):,} {dataset.split} "
            "images, counted from 0.",
            where="--index",
        )
    return dataset


def known_input(net: Layer, model: str) -> tuple[int, int, int]:
    """Return the shape (C, H, W) that a network was built for, or refuse."""
    if net.input_shape is None:
        raise ArgumentError(
            "does not say which images it was built for. Save it with its `input_shape` set.",
            where=model,
        )
    c, h, w = net.input_shape
    return c, h, w


class Shown(NamedTuple):
    """An image (C, H, W) as a network takes it, with its label and classes if known."""

    image: Array
    label: int | None
    classes: tuple[str, ...] | None


def image_to_show(
    model: str,
    net: Layer,
    image: Path | None,
    index: int | None,
    data: str | None,
    data_dir: Path | None,
    split: str,
    *,
    as_is: bool = False,
) -> Shown:
    """Return the user's picture, or else the image ``index`` of the data set.

    Raises
    ------
    ArgumentError
        If options of a data set are given with a picture, the network takes no pictures, or there
        is no such image.
    """
    if image is None:
        dataset = dataset_of(model, net, data, data_dir, split, index or 0)
        images, labels = dataset.batch([index or 0])
        return Shown(images[0], int(labels[0]), dataset.classes)
    refuse_beside_image(index, data, data_dir)
    picture, notes = read_picture(net, image, known_input(net, model), as_is=as_is)
    for told in notes:
        note(f"note: {told}")
    return Shown(picture, None, net.card.classes if net.card else None)


def refuse_beside_image(index: int | None, data: str | None, data_dir: Path | None) -> None:
    """Refuse the options of a data set where an IMAGE was given."""
    for option, value in (("--index", index), ("--data", data), ("--data-dir", data_dir)):
        if value is not None:
            raise ArgumentError("belongs to a data set; leave the IMAGE out.", where=option)
