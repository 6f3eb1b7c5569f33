"""A network by its name, its pattern, or its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ArgumentError, did_you_mean, renamed
from ..networks import NETWORKS
from .folder import model_path

if TYPE_CHECKING:
    from ..nn import Layer

__all__ = ["is_name", "network"]


def is_name(model: str) -> bool:
    """Return whether ``model`` is the name or the pattern of a network, not a file."""
    from ..models import is_pattern

    return is_pattern(model) or (model in NETWORKS and not Path(model).exists())


def network(
    model: str, input_shape: tuple[int, int, int] | None = None, classes: int | None = None
) -> Layer:
    """Return a new network called ``model``, or the one in a run folder or a file.

    Parameters
    ----------
    model : str
    input_shape, classes
        The images and the number of their classes; by default, for a name, those it was published
        for. A model from a file has its own.

    Raises
    ------
    ArgumentError
        If there is neither, or the images do not fit.

    Examples
    --------
    >>> network("lenet").output_shape((1, 28, 28))
    (10,)
    """
    from .. import models
    from ..formats import load

    if is_name(model):
        with renamed(input_dim="input_shape", model="input_shape", pattern="model"):
            if models.is_pattern(model):
                return models.from_pattern(model, input_shape or (1, 28, 28), classes or 10)
            images, outputs = models.published_for(model)
            return models.by_name(model, input_shape or images, classes or outputs)
    if Path(model).exists():
        return load(model_path(model))
    raise ArgumentError(
        f"there is no file or folder {model!r}, and no network of that name. "
        f"{did_you_mean(model, NETWORKS)}",
        where="model",
    )
