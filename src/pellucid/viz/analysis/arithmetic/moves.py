"""Layers that move numbers, or repeat them: each number of the output is one of the input.

Which one the layer itself says: it moves the places of the numbers in their stead.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np

from .... import nn
from .explaining import Explained, Place, explains
from .parts import Copy, Number

__all__: list[str] = []

NOTHING = -1.0  # where a number would be that is of no input


@explains(
    nn.Concat,
    nn.Flatten,
    nn.Permute,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.Reshape,
    nn.Slice,
)
def _moved(layer: nn.Layer, at: Place) -> Explained:
    found = origin(layer, at)
    assert found is not None
    return Explained("y = x", [Copy(input=found.input, unit=found.unit, result=found.value)])


@explains(nn.Pad2d)
def _padded(layer: nn.Pad2d, at: Place) -> Explained:
    places = copy(layer)
    places.value = NOTHING
    found = origin(places, at)
    text = f"y = x inside, {layer.value} around it" if layer.mode == "constant" else "y = x"
    if found is None:
        return Explained(text, [Copy(input=None, unit=None, result=float(layer.value))])
    return Explained(text, [Copy(input=found.input, unit=found.unit, result=found.value)])


@explains(nn.ZeroPadShortcut)
def _zero_channels(layer: nn.ZeroPadShortcut, at: Place) -> Explained:
    text = "y[c,i,j] = x[c, s·i, s·j], and 0 in the channels that are added"
    if at.unit[0] >= layer.in_channels:
        return Explained(text, [Copy(input=None, unit=None, result=0.0)])
    return replace(_moved(layer, at), equation=text)


def origin(layer: nn.Layer, at: Place) -> Number | None:
    """Return the number of an input that the layer puts at the unit's place; None for padding.

    The layer runs on arrays that hold the number of each place, counted through all inputs. A copy
    of it does, so that it keeps what it has cached.
    """
    ends = np.cumsum([x.size for x in at.inputs])
    numbered = [
        np.arange(end - x.size, end, dtype=np.float64).reshape(1, *x.shape)
        for x, end in zip(at.inputs, ends, strict=True)
    ]
    place = copy(layer).forward(*numbered)[0][at.unit]
    if place == NOTHING:
        return None
    k = int(np.searchsorted(ends, place, side="right"))
    shape = at.inputs[k].shape
    unit = np.unravel_index(int(place) - int(ends[k] - at.inputs[k].size), shape)
    return at.input_number("x", [int(i) for i in unit], k)
