"""Convolutions and transposed convolutions."""

from __future__ import annotations

from typing import Any

from .....nn import Conv2d, ConvTranspose2d
from .....typing import Array
from ..node import Reading, holding
from ..registry import Unsupported, reads
from ..values import Image
from .sliding import as_image, back, compact, require_image, slid, sliding

__all__: list[str] = []


def _weight(node: Reading) -> tuple[Array, Array]:
    """Return a convolution's weight as the file has it, and with two axes of a window."""
    weight = node.weight(1).array
    if weight.ndim != node.image().rank:
        raise Unsupported(
            f"its weight has the shape {weight.shape} for images of {node.image().rank} axes"
        )
    return weight, weight[:, :, None] if weight.ndim == 3 else weight


@reads("Conv")
def _conv(node: Reading) -> Image:
    given, weight = _weight(node)
    groups = int(node.attribute("group", 1))
    bias = node.known(2)
    window = sliding(node, given.shape[2:])
    channels = node.image().shape[0]
    if groups < 1 or weight.shape[1] * groups != channels:
        raise Unsupported(
            f"its weight {given.shape} in {groups} groups reads {weight.shape[1] * groups} "
            f"channels, and the images have {channels}"
        )
    if window.kernel_size != weight.shape[2:]:
        raise Unsupported(f"its kernel_shape {window.kernel_size} is not that of {given.shape}")
    layer = Conv2d(
        channels, len(weight), window.kernel_size, window.stride, window.padding, window.dilation,
        groups, bias is not None,
    )  # fmt: skip
    return slid(node, holding(layer, weight=weight, bias=bias))


@reads("ConvTranspose")
def _conv_transpose(node: Reading) -> Image:
    given, weight = _weight(node)
    groups = int(node.attribute("group", 1))
    bias = node.known(2)
    x = node.image()
    axes = require_image(x)
    size = node.integers("kernel_shape", given.shape[2:])
    stride, dilation = (node.integers(name, (1,) * axes) for name in ("strides", "dilations"))
    if any(len(each) != axes for each in (size, stride, dilation)):
        raise Unsupported(f"its attributes do not fit images with {axes} axes")
    whole = [
        (length - 1) * s + d * (f - 1) + 1
        for length, f, s, d in zip(x.shape[1:], size, stride, dilation, strict=True)
    ]
    sides, more = _cropped(node, whole, stride)
    one, nothing = (1,) * (2 - axes), (0,) * (2 - axes)
    padding = compact((*nothing, *nothing, *(side for both in sides for side in both)))
    added: Any = (*nothing, *more)
    layer = ConvTranspose2d(
        len(weight), weight.shape[1] * groups, (*one, *size), (*one, *stride), padding,
        added, groups, bias is not None, (*one, *dilation),
    )  # fmt: skip
    holding(layer, weight=weight, bias=bias)
    return back(node, node.add(layer, as_image(node, x)), x)


def _cropped(
    node: Reading, whole: list[int], stride: tuple[int, ...]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Return what is cropped on both sides of each axis of the whole output, and what is added."""
    axes = len(whole)
    more = list(node.integers("output_padding", (0,) * axes))
    pads = node.integers("pads", (0,) * (2 * axes))
    mode = node.attribute("auto_pad", "NOTSET")
    wanted = node.integers("output_shape")
    if len(more) != axes or len(pads) != 2 * axes:
        raise Unsupported(f"its attributes do not fit images with {axes} axes")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(node.image().shape[1:], stride, strict=True)]
    if wanted is None:
        pads = (0,) * (2 * axes) if mode == "VALID" else pads
        return [(pads[k], pads[k + axes]) for k in range(axes)], more
    sides = []
    for k, length in enumerate(wanted[-axes:]):
        total = whole[k] + more[k] - length
        more[k] -= min(total, 0)
        less, rest = max(total, 0) // 2, max(total, 0) - max(total, 0) // 2
        sides.append((less, rest) if mode == "SAME_UPPER" else (rest, less))
    return sides, more
