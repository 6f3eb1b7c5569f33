"""A user's picture as a model sees it: read with the preparation that is saved in the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ArgumentError

if TYPE_CHECKING:
    from ..data import Preparation
    from ..nn import Layer
    from ..typing import Array

__all__ = ["preparation_of", "prepared", "require_pictures"]


def preparation_of(
    model: Layer, shape: tuple[int, int, int], *, as_is: bool = False
) -> Preparation:
    """Return how a picture becomes an image (C, H, W) for ``model``: as its training images did.

    ``as_is`` leaves a drawing where it is, and as it is.
    """
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
    """Return a picture (C, H, W) as ``model`` sees it, and notes on how a drawing was found in it.

    Raises
    ------
    ArgumentError
        If the model takes images with neither 1 nor 3 channels.
    DataError
        As `pellucid.data.read_image`.
    """
    from ..data import read_image

    require_pictures(shape)
    notes: list[str] = []
    x = read_image(path, preparation_of(model, shape, as_is=as_is), tell=notes.append)
    return x[0], notes


def require_pictures(shape: tuple[int, int, int]) -> None:
    """Refuse images (C, H, W) that no picture file can become.

    Raises
    ------
    ArgumentError
        If they have neither 1 nor 3 channels.
    """
    if shape[0] not in (1, 3):
        raise ArgumentError(
            f"the network takes images of {shape[0]} channels; a picture file has 1 or 3. Give "
            "none, and take one of the data set.",
            where="image",
        )
