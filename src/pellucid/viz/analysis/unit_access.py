"""Units of a network: their layers, their receptive fields, and the mode to inspect them in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil, floor

import numpy as np

from ...errors import ArgumentError, did_you_mean
from ...nn import Layer, layer_at, trunk, walk
from ...nn.checks import require_one_output
from ...receptive import ReceptiveField
from ...typing import Array, Shape
from .asked import asking

__all__ = [
    "crop",
    "field_of",
    "looked_at",
    "part_of",
    "required_shape",
    "seen",
    "unit_layers",
    "with_activation",
]

MOST_LAYERS = 5


@asking
def unit_layers(model: Layer, most: int = MOST_LAYERS) -> list[str]:
    """Return the names of up to ``most`` convolutions, evenly spaced from the first to the last.

    Convolutions in the shortcut of a residual block are omitted.

    Examples
    --------
    >>> from pellucid.models import DeepConvNet
    >>> unit_layers(DeepConvNet(), 3)
    ['conv1', 'conv3', 'conv6']
    """
    names = [
        name
        for name, layer in model.layers()
        if layer.image_filters() is not None and "downsample" not in name.split(".")
    ]
    if len(names) <= most:
        return names
    places = np.linspace(0, len(names) - 1, most)
    return [names[int(k)] for k in places]


def with_activation(model: Layer, name: str | None) -> str | None:
    """Return the name of the activation after a layer (and its normalization), or ``name``.

    Examples
    --------
    >>> from pellucid.models import ResNet20
    >>> with_activation(ResNet20(), "layer1.0.conv1")
    'layer1.0.relu'
    >>> with_activation(ResNet20(), "layer1.0.conv2")             # the addition comes first
    'layer1.0.conv2'
    """
    if not name:
        return name
    *outer, own = walk.steps_to(model, name) or [name]
    above = ".".join(outer)
    parent = layer_at(model, above)
    nodes = parent.nodes()
    if nodes is None:  # it does not say how its layers run; most run in the order of their names
        nodes = walk.line(dict(parent.children()))
    names = [node.name for node in nodes]
    if own not in names:
        return name
    made = names.index(own) + 1
    while True:
        readers = [(k, node) for k, node in enumerate(nodes, 1) if made in node.reads]
        if len(readers) != 1:
            return name
        made, node = readers[0]
        if node.layer.is_activation:
            return walk.path_of(above, node.name)
        if not node.layer.is_normalization:
            return name


def required_shape(model: Layer, where: str) -> tuple[int, int, int]:
    """Return (C, H, W) of the images ``model`` was built for, or raise."""
    if model.input_shape is None:
        raise ArgumentError(
            "the model does not say which images it was built for. Set its `input_shape` to "
            "(C, H, W).",
            where=where,
        )
    c, h, w = model.input_shape
    return c, h, w


def part_of(model: Layer, name: str | None) -> Layer:
    """Return the network up to the layer ``name``; all of it for None."""
    if not name:
        require_one_output(model, "layer")
        return model
    known = [path for path, _ in model.layers() if path]
    if name not in known:
        raise ArgumentError(
            f"there is no layer {name!r}. {did_you_mean(name, known)}", where="layer"
        )
    return trunk(model, name)


def field_of(model: Layer, name: str | None, shape: Shape) -> ReceptiveField:
    """Return the receptive field of the first cell of a layer's output."""
    return part_of(model, name).receptive_field(ReceptiveField(), shape)


def seen(
    field: ReceptiveField, cell: tuple[int, int], shape: Shape
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (first, end) rows and columns of the input that one output cell sees.

    They may begin below 0 and end beyond the image, in the padding.

    Examples
    --------
    >>> from pellucid.models import DeepConvNet
    >>> model = DeepConvNet()
    >>> seen(field_of(model, "conv2", (1, 28, 28)), (0, 3), (1, 28, 28))
    ((-2, 3), (1, 6))
    """
    if field.everything:
        return (0, shape[1]), (0, shape[2])
    both = []
    for a in (0, 1):
        first = field.start[a] + cell[a] * field.stride[a]
        both.append((floor(first), ceil(first + field.size[a])))
    return both[0], both[1]


def crop(image: Array, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
    """Return a crop of an image (C, H, W), with NaN outside the image.

    Along an axis where the crop is larger than the image, the whole image is returned, with NaN
    outside the crop.

    Examples
    --------
    >>> crop(np.arange(4.0).reshape(1, 2, 2), (-1, 1), (0, 2))
    array([[[nan, nan],
            [ 0.,  1.]]])
    >>> crop(np.arange(4.0).reshape(1, 2, 2), (-4, 1), (0, 2))
    array([[[ 0.,  1.],
            [nan, nan]]])
    """
    c, h, w = image.shape
    shown = [(0, n) if b - a > n else (a, b) for (a, b), n in ((rows, h), (columns, w))]
    (top, bottom), (left, right) = shown
    part = np.full((c, bottom - top, right - left), np.nan, dtype=image.dtype)
    y = slice(max(rows[0], 0), max(min(rows[1], h), 0))
    x = slice(max(columns[0], 0), max(min(columns[1], w), 0))
    found = image[:, y, x]
    part[
        :,
        y.start - top : y.start - top + found.shape[1],
        x.start - left : x.start - left + found.shape[2],
    ] = found
    return part


@contextmanager
def looked_at(model: Layer) -> Iterator[None]:
    """Put ``model`` into evaluation mode, with all parameters frozen, within a block.

    Modes, gradients and rates are restored at its end.
    """
    parameters = list(model.parameters().values())
    kept = [(p, p.grad, p.rate) for p in parameters]
    try:
        for p in parameters:
            p.rate = 0.0
        with model.evaluating():
            yield
    finally:
        for p, grad, rate in kept:
            p.grad, p.rate = grad, rate
