"""The weights that a unit is multiplied by in the units that read it, for layers linear in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .... import nn
from ....nn.by_class import ByClass
from ....typing import Array, Shape

__all__ = ["weights_of"]

Weights = Callable[..., Array]
_BY_CLASS: ByClass[Weights] = ByClass("weighs", "def my_layer(layer, shape, unit, readers)")
weighs = _BY_CLASS.register


def weights_of(
    layer: nn.Layer, shape: Shape, unit: tuple[int, ...], readers: Sequence[Sequence[int]]
) -> Array | None:
    """Return ``∂y[o]/∂x[unit]`` for the outputs o on the grid ``readers``, from the weights.

    None if the class of the layer is not registered here: `Studied.column` computes it then.
    """
    weigh = _BY_CLASS.of(layer)
    return None if weigh is None else weigh(layer, shape, unit, readers)


@weighs(nn.Conv2d)
def _conv(
    layer: nn.Conv2d, shape: Shape, unit: tuple[int, ...], readers: Sequence[Sequence[int]]
) -> Array:
    windows, (c, *cell), (filters, *cells) = layer.windows(shape), unit, readers
    rows, columns = (
        (cell[a] + windows.padding[a][0] - windows.stride[a] * np.array(cells[a], int))
        // windows.dilation[a]
        for a in (0, 1)
    )
    own = layer.weight.data[:, c % (layer.in_channels // layer.groups)]
    return own[np.ix_(np.array(filters), rows, columns)]


@weighs(nn.ConvTranspose2d)
def _transposed(
    layer: nn.ConvTranspose2d, shape: Shape, unit: tuple[int, ...], readers: Sequence[Sequence[int]]
) -> Array:
    windows, (c, *cell), (filters, *cells) = layer.windows(shape), unit, readers
    rows, columns = (
        (np.array(cells[a], int) + windows.padding[a][0] - windows.stride[a] * cell[a])
        // windows.dilation[a]
        for a in (0, 1)
    )
    own = np.array(filters) % (layer.out_channels // layer.groups)
    return layer.weight.data[c][np.ix_(own, rows, columns)]


@weighs(nn.Linear)
def _linear(
    layer: nn.Linear, shape: Shape, unit: tuple[int, ...], readers: Sequence[Sequence[int]]
) -> Array:
    column = layer.weight.data[:, unit[-1]]
    return column.reshape([len(cells) for cells in readers])


@weighs(nn.ChannelLinear)
def _pixels(
    layer: nn.ChannelLinear, shape: Shape, unit: tuple[int, ...], readers: Sequence[Sequence[int]]
) -> Array:
    return layer.weight.data[:, unit[0]].reshape(-1, 1, 1)
