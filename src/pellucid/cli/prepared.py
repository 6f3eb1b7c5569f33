"""A user's picture as a model sees it: read with the preparation that the model has kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ..errors import ArgumentError

if TYPE_CHECKING:
    from ..data import Preparation
    from ..nn import Layer
    from ..typing import Array

__all__ = ["AsIsOption", "preparation_of", "prepared"]

AsIsOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--as-is",
        help="Take a picture as it is, where the model would look for a drawing in it, invert and "
        "centre it.",
    ),
]


def preparation_of(
    model: Layer, shape: tuple[int, int, int], *, as_is: bool = False
) -> Preparation:
    """Return what makes a picture an image (C, H, W) for ``model``: what the model has kept."""
    from ..data import Preparation

    kept = model.card.preparation if model.card is not None else None
    if kept is None:
        return Preparation.of_shape(shape)
    channels, h, w = shape
    kept = replace(kept, size=(h, w), channels=channels)
    return kept.plain() if as_is else kept


def prepared(
    model: Layer, path: Path, shape: tuple[int, int, int], *, as_is: bool = False
) -> tuple[Array, list[str]]:
    """Return a picture (C, H, W) as ``model`` sees it, and what was done to find a drawing in it.

    Raises
    ------
    ArgumentError
        If the model takes images of other than 1 or 3 channels.
    DataError
        As `pellucid.data.read_image`.
    """
    from ..data import read_image
    from ..data.plain_picture import ERASED

    if shape[0] not in (1, 3):
        raise ArgumentError(
            f"the network takes images of {shape[0]} channels; a picture file has 1 or 3. Give "
            "none, and take one of the data set.",
            where="IMAGE",
        )
    done: list[str] = []
    x = read_image(path, preparation_of(model, shape, as_is=as_is), tell=done.append)
    return x[0], [
        f"{path}: {note}" + ("" if note is ERASED else " (--as-is: leave it as it is)")
        for note in done
    ]
