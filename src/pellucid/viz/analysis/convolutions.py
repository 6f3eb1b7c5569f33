"""The convolutions of a model."""

from __future__ import annotations

from ...errors import ArgumentError
from ...nn import Layer
from ...typing import Array
from .asked import asking

__all__ = ["convolutions"]


@asking
def convolutions(model: Layer) -> dict[str, Array]:
    """Return the filters of each convolution of ``model`` by its dotted path, in order.

    Raises
    ------
    ArgumentError
        If it has none.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> {name: filters.shape for name, filters in convolutions(SimpleConvNet()).items()}
    {'conv1': (30, 1, 5, 5)}
    """
    asked = ((path, layer.image_filters()) for path, layer in model.layers())
    found = {path: filters for path, filters in asked if filters is not None}
    if not found:
        raise ArgumentError(
            "has no convolution, so there are no filters to show.", where=type(model).__name__
        )
    return found
