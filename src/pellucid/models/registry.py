"""Networks by name, sized for given images and classes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError, did_you_mean
from ..networks import NETWORKS, Network
from ..nn import Layer
from ..nn.init import WeightInit, without_values
from .simple import SimpleConvNet

__all__ = ["NAMES", "by_name", "published_for"]

Shape = tuple[int, int, int]

SMALL = 16  # rows or columns; on smaller images a 5x5 filter leaves too little
LARGE = 512  # no network needs larger images


NAMES = tuple(NETWORKS)


def simple(input_shape: Shape, classes: int, **options: Any) -> Layer:
    """Build `SimpleConvNet`, on small images with 3x3 filters and a border of one."""
    if min(input_shape[1:]) < SMALL:
        options |= {"kernel_size": 3, "padding": 1}
    return SimpleConvNet(input_shape, classes, **options)


def by_name(
    name: str,
    input_shape: Shape,
    classes: int,
    *,
    weight_init: WeightInit | None = None,
    rng: np.random.Generator | None = None,
) -> Layer:
    """Return a new network called ``name`` for images (C, H, W) of ``classes`` classes.

    ``"simple"`` is `SimpleConvNet` with 30 filters of 5x5, on images below 16x16 of 3x3 with a
    border of one; the others are those of this package, as they are by default. Without
    ``weight_init``, the initial weights are "he", or those published with the network.

    Raises
    ------
    ArgumentError
        If there is no network of that name.
    ShapeError
        If the images are too small for it; the message says which size it needs.

    Examples
    --------
    >>> by_name("simple", (1, 28, 28), 10).output_shape((1, 28, 28))
    (10,)
    >>> by_name("alexnet", (3, 32, 32), 10)
    Traceback (most recent call last):
    pellucid.errors.ShapeError: model: 'alexnet' needs images of at least 67x67, received 32x32. For these there are: allconv, convnext-tiny, deep, efficientnet-b0, googlenet, lenet, lenet-1998, mobilenet-v2, mobilenet-v3-small, resnet18, resnet20, simple, squeezenet, vgg11, vgg16.
    """  # noqa: E501
    network = _named(name)
    weight_init = network.init if weight_init is None else weight_init
    try:
        return _build(network, input_shape, classes, weight_init=weight_init, rng=rng)
    except ShapeError as error:
        least = _least(network, input_shape[0])
        if least is None or min(input_shape[1:]) >= least:
            raise
        others = sorted(key for key, other in NETWORKS.items() if _fits(other, input_shape))
        raise ShapeError(
            f"{name!r} needs images of at least {least}x{least}, received "
            f"{input_shape[1]}x{input_shape[2]}."
            + (f" For these there are: {', '.join(others)}." if others else " Enlarge the images."),
            where="model",
        ) from error


def published_for(name: str) -> tuple[Shape, int]:
    """Return the images (C, H, W) and the number of classes that a network was published for.

    Examples
    --------
    >>> published_for("resnet20")
    ((3, 32, 32), 10)
    """
    network = _named(name)
    return network.images, network.classes


def _named(name: str) -> Network:
    if name not in NETWORKS:
        raise ArgumentError(f"{name!r} is unknown. {did_you_mean(name, NAMES)}", where="model")
    return NETWORKS[name]


def _build(network: Network, input_shape: Shape, classes: int, **options: Any) -> Layer:
    module, _, name = network.builder.partition(":")
    builder = getattr(import_module(f".{module}", __package__), name)
    return builder(input_shape, classes, **network.options, **options)


def _fits(network: Network, input_shape: Shape) -> bool:
    try:
        with without_values():
            _build(network, input_shape, 2, weight_init=network.init, rng=None)
    except ShapeError:
        return False
    return True


def _least(network: Network, channels: int) -> int | None:
    """Return the size of the smallest square images that a network takes."""
    sizes = range(1, LARGE + 1)
    return next((size for size in sizes if _fits(network, (channels, size, size))), None)
