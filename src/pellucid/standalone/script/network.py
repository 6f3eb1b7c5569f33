"""What differs from network to network in a file of NumPy, for the modules beside this one.

These are stand-ins: a file has its own constants and its own ``forward`` instead.
"""

from __future__ import annotations

from ...preparation import Drawing
from ...typing import Array

__all__ = ["CLASSES", "DRAWING", "SHAPE", "WEIGHTS", "forward", "read_image"]

WEIGHTS = "model.npz"
SHAPE: tuple[int, ...] = (1, 28, 28)
CLASSES: tuple[str, ...] = ()
DRAWING = Drawing()


def forward(x: Array, w: dict[str, dict[str, Array]]) -> Array | tuple[Array, ...]:
    """Return the output of the network."""
    raise NotImplementedError


def read_image(path: str) -> Array:
    """Return a picture as an image of the network, bytes (1, C, H, W)."""
    raise NotImplementedError
