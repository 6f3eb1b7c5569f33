"""How a file of NumPy reads a picture of a drawing, such as a digit on paper."""

from __future__ import annotations

import sys

import numpy as np

from ...data.decoding import _stacked, _unit
from ...data.drawing import find_drawing
from ...typing import Array
from .network import DRAWING, SHAPE
from .pictures import fitted, opened

__all__ = ["read_image"]


def read_image(path: str) -> Array:
    """Return a picture as one image of the network, bytes (1, C, H, W).

    A drawing on plain ground is found, made white on black, cropped and centred, as those were that
    the network was trained on. Otherwise the picture is resized to fit.
    """
    channels, height, width = SHAPE
    found, account = find_drawing(_unit(opened(path, "L")), DRAWING, (height, width))
    if account:
        print(f"{path}: {account}", file=sys.stderr)
    if found is not None:
        return _stacked(found, channels)[np.newaxis]
    return fitted(opened(path, "L" if channels == 1 else "RGB"), channels, height, width)
