"""Convolutions and transposed convolutions, over one axis or two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import Images

__all__ = ["each_axis"]


def each_axis(values: Sequence[int], axes: int) -> list[int]:
    """Return one number for each axis of a window; PyTorch takes one for all."""
    return [int(v) for v in values] * (axes if len(values) == 1 else 1)


@translates("aten.conv2d", "aten.conv1d")
def _conv(call: Call) -> Images:
    axes = len(call.batch("input").sizes) - 1
    padding = call["padding"]
    weight = call.fixed("weight")
    assert weight is not None
    stride, dilation = (each_axis(call[name], axes) for name in ("stride", "dilation"))
    if padding == "same":  # an odd number of zeros has one more at the end
        totals = [d * (f - 1) for d, f in zip(dilation, weight.tensor.shape[2:], strict=True)]
        before = [total // 2 for total in totals]
        pads = before + [total - half for total, half in zip(totals, before, strict=True)]
    else:
        pads = [0] * (2 * axes) if padding == "valid" else each_axis(padding, axes) * 2
    return _convolved(call, "Conv", stride, pads, dilation, [])


@translates("aten.conv_transpose2d", "aten.conv_transpose1d")
def _conv_transpose(call: Call) -> Images:
    axes = len(call.batch("input").sizes) - 1
    stride, padding, dilation, more = (
        each_axis(call[name], axes) for name in ("stride", "padding", "dilation", "output_padding")
    )
    return _convolved(call, "ConvTranspose", stride, padding * 2, dilation, more)


@translates("aten.convolution")
def _convolution(call: Call) -> Images:
    axes = len(call.batch("input").sizes) - 1
    stride, padding, dilation, more = (
        each_axis(call[name], axes) for name in ("stride", "padding", "dilation", "output_padding")
    )
    operator = "ConvTranspose" if call["transposed"] else "Conv"
    return _convolved(call, operator, stride, padding * 2, dilation, more)


def _convolved(
    call: Call,
    operator: str,
    stride: list[int],
    pads: list[int],
    dilation: list[int],
    more: list[int],
) -> Images:
    x, weight, bias = call.batch("input"), call.fixed("weight"), call.fixed("bias")
    assert weight is not None
    if len(x.sizes) not in (2, 3):
        raise Unsupported(
            f"it slides over {len(x.sizes) - 1} axes; images (N, C, H, W) and signals (N, C, L) "
            "are read"
        )
    inputs = [x.name, call.constant(weight)] + ([call.constant(bias)] if bias else [])
    attributes: dict[str, Any] = {
        "kernel_shape": [int(size) for size in weight.tensor.shape[2:]],
        "strides": stride,
        "pads": pads,
        "dilations": dilation,
        "group": int(call["groups"]),
    }
    if operator == "ConvTranspose" and any(more):
        attributes["output_padding"] = more
    return call.made(call.emit(operator, *inputs, **attributes))
