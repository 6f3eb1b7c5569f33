"""Convolutions, and how windows move."""

from __future__ import annotations

from typing import Any

from ..... import nn
from ..registry import writes
from ..sheet import Sheet, Value

__all__ = ["both", "same", "sliding"]

SAME = {"same": "SAME_UPPER", "same_lower": "SAME_LOWER"}


@writes(nn.Conv2d)
def _conv(sheet: Sheet, layer: nn.Conv2d, x: Value) -> str:
    return sheet.op(
        "Conv", x, *_weights(sheet, layer), group=layer.groups, **sliding(sheet, layer, x)
    )


@writes(nn.ConvTranspose2d)
def _conv_transpose(sheet: Sheet, layer: nn.ConvTranspose2d, x: Value) -> str:
    (top, bottom), (left, right) = layer.windows(x.example).padding  # of images of any size
    return sheet.op(
        "ConvTranspose",
        x,
        *_weights(sheet, layer),
        group=layer.groups,
        kernel_shape=both(layer.kernel_size),
        strides=both(layer.stride),
        dilations=both(layer.dilation),
        pads=[top, left, bottom, right],
        output_padding=both(layer.output_padding),
    )


def _weights(sheet: Sheet, layer: nn.Conv2d | nn.ConvTranspose2d) -> list[str]:
    return [sheet.weight(p) for p in (layer.weight, layer.bias) if p is not None]


def sliding(sheet: Sheet, layer: Any, x: Value) -> dict[str, Any]:
    """Return the attributes that say how the window of ``layer`` moves over ``x``.

    For images of a known size the padding is written out; for others it must not depend on the
    size, except that "same" with a stride has a word in ONNX.
    """
    moves = {
        "kernel_shape": both(layer.kernel_size),
        "strides": both(layer.stride),
        "dilations": both(layer.dilation),
    }
    if not x.sized and same(layer) and max(layer.stride) > 1:
        if max(layer.dilation) > 1:  # which runtimes leave out of account, or refuse
            x.require_size("the padding of a dilated window with a stride")
        return {**moves, "auto_pad": same(layer)}
    if not x.sized and layer.misfit == "pad":
        x.require_size("the padding of misfit='pad'")
    (top, bottom), (left, right) = layer.windows(x.example).padding
    return {**moves, "pads": [top, left, bottom, right]}


def same(layer: Any) -> str | None:
    """Return ONNX's word for the padding of ``layer``, if it is one that depends on the size."""
    return SAME.get(layer.padding) if isinstance(layer.padding, str) else None


def both(pair: tuple[int, int]) -> list[int]:
    """Return a pair as the list that an attribute takes."""
    return [int(number) for number in pair]
