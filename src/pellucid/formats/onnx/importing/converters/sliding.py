"""What all sliding windows share: kernel, strides, dilations, padding, and signals of one axis.

A signal (N, C, L) is treated as an image of one row.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .....nn import Layer, Reshape
from .....shapes import Misfit, Padding
from ..node import Reading
from ..registry import Unsupported
from ..values import Image

__all__ = ["Sliding", "as_image", "back", "compact", "require_image", "slid", "sliding"]

Two = tuple[int, int]

_SAME = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower"}


class Sliding(NamedTuple):
    """How a window moves, in the arguments of the layers."""

    kernel_size: Two
    stride: Two
    dilation: Two
    padding: Padding
    misfit: Misfit


def as_image(node: Reading, x: Image) -> Image:
    """Return a signal (C, L) as an image (C, 1, L); images as they are."""
    if require_image(x) == 2:
        return x
    return node.add(Reshape(x.shape[0], 1, x.shape[1]), x, part="image")


def require_image(x: Image) -> int:
    """Return the number of axes that a window moves over: 2, or 1 of a signal."""
    if len(x.shape) not in (2, 3):
        raise Unsupported(
            f"it slides over {len(x.shape) - 1} axes; images (N, C, H, W) and signals (N, C, L) "
            "are read"
        )
    return len(x.shape) - 1


def back(node: Reading, y: Image, x: Image) -> Image:
    """Return an image that was made of a signal ``x`` as a signal; others as they are."""
    return y if len(x.shape) == 3 else node.add(Reshape(y.shape[0], y.shape[2]), y, part="signal")


def slid(node: Reading, layer: Layer) -> Image:
    """Add a layer that takes images, over an image or a signal."""
    x = node.image()
    return back(node, node.add(layer, as_image(node, x)), x)


def sliding(node: Reading, kernel: tuple[int, ...] | None = None) -> Sliding:
    """Read the attributes of a window that moves over the node's image.

    Parameters
    ----------
    node : Reading
    kernel : tuple of int, optional
        The window's size where the attribute is left out.
    """
    axes = require_image(node.image())
    size = node.integers("kernel_shape", kernel)
    if size is None:
        raise Unsupported("it has no attribute kernel_shape")
    ones = (1,) * axes
    stride, dilation = node.integers("strides", ones), node.integers("dilations", ones)
    pads = node.integers("pads", (0,) * (2 * axes))
    mode = node.attribute("auto_pad", "NOTSET")
    misfit: Misfit = "pad" if node.attribute("ceil_mode", 0) else "floor"
    for name, values in (("kernel_shape", size), ("strides", stride), ("dilations", dilation)):
        if len(values) != axes:
            raise Unsupported(f"its attribute {name} is {values} for {axes} axes")
    if len(pads) != 2 * axes:
        raise Unsupported(f"its attribute pads is {pads} for {axes} axes")
    padding = _padding(mode, pads)
    if axes == 1:
        padding = padding if isinstance(padding, str) else (0, 0, *padding)
        size, stride, dilation = (1, *size), (1, *stride), (1, *dilation)
    if mode != "NOTSET":
        misfit = "floor"  # which sets the output's size
    return Sliding(size, stride, dilation, padding, misfit)


def _padding(mode: str, pads: tuple[int, ...]) -> Any:
    """Return the padding: a word, one number, or (top, bottom, left, right)."""
    axes = len(pads) // 2
    if mode == "NOTSET":
        sides = [pads[k + end * axes] for k in range(axes) for end in (0, 1)]
        return compact(tuple(sides)) if axes == 2 else tuple(sides)
    if mode == "VALID":
        return compact((0,) * (2 * axes)) if axes == 2 else (0, 0)
    if mode not in _SAME:
        raise Unsupported(
            f"its attribute auto_pad is {mode!r}; NOTSET, VALID, SAME_UPPER and SAME_LOWER exist"
        )
    return _SAME[mode]


def compact(sides: tuple[int, ...]) -> Padding:
    """Return (top, bottom, left, right) as one number or two where these say the same.

    Examples
    --------
    >>> compact((1, 1, 1, 1)), compact((0, 0, 3, 3)), compact((0, 1, 0, 1))
    (1, (0, 3), (0, 1, 0, 1))
    """
    top, bottom, left, right = sides
    if (top, left) != (bottom, right):
        return top, bottom, left, right
    return top if top == left else (top, left)
