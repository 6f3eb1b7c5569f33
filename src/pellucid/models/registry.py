"""Networks by name, sized for given images and classes."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, did_you_mean
from ..nn import Layer
from ..nn.init import WeightInit
from .simple import SimpleConvNet

__all__ = ["NAMES", "by_name"]

SMALL = 16  # rows or columns; on smaller images a 5x5 filter leaves too little


def by_name(
    name: str,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    weight_init: WeightInit = "he",
    rng: np.random.Generator | None = None,
) -> Layer:
    """Return a new network called ``name`` for images (C, H, W) and so many classes.

    ``"simple"`` is `SimpleConvNet` with 30 filters of 5x5, on images below 16x16 of 3x3 with a
    border of one.

    Raises
    ------
    ArgumentError
        If there is no network of that name.

    Examples
    --------
    >>> by_name("simple", (1, 28, 28), 10).output_shape((1, 28, 28))
    (10,)
    """
    if name not in NAMES:
        raise ArgumentError(f"{name!r} is unknown. {did_you_mean(name, NAMES)}", where="model")
    small = min(input_shape[1:]) < SMALL
    return SimpleConvNet(
        input_shape,
        {"filter_size": 3, "pad": 1} if small else {},
        output_size=classes,
        weight_init_std=weight_init,
        rng=rng,
    )


NAMES = ("simple",)
