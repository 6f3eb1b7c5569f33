"""Pooling over windows, over bins, and over whole images."""

from __future__ import annotations

import math
from typing import Any

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import Images
from .activations import first
from .convolution import each_axis

__all__: list[str] = []


def _window(call: Call, axes: int) -> dict[str, Any]:
    kernel = each_axis(call["kernel_size"], axes)
    return {
        "kernel_shape": kernel,
        "strides": each_axis(call["stride"], axes) if call["stride"] else kernel,
        "pads": each_axis(call["padding"], axes) * 2,
        "ceil_mode": int(bool(call["ceil_mode"])),
    }


@translates("aten.max_pool2d", "aten.max_pool1d")
def _max_pool(call: Call) -> Images:
    x = call.batch("self")
    axes = len(x.sizes) - 1
    dilation = each_axis(call["dilation"], axes)
    return call.made(call.emit("MaxPool", x.name, dilations=dilation, **_window(call, axes)))


@translates("aten.max_pool2d_with_indices")
def _max_pool_with_indices(call: Call) -> list[Images]:
    x = call.batch("self")
    axes = len(x.sizes) - 1
    dilation = each_axis(call["dilation"], axes)
    name = call.emit("MaxPool", x.name, dilations=dilation, **_window(call, axes))
    return [call.made(name, 0)]


@translates("aten.avg_pool2d", "aten.avg_pool1d")
def _avg_pool(call: Call) -> Images:
    x = call.batch("self")
    window = _window(call, len(x.sizes) - 1)
    divisor = call["divisor_override"]
    count = bool(call["count_include_pad"]) or divisor is not None
    if divisor is not None and window["ceil_mode"]:
        raise Unsupported("it has both divisor_override and ceil_mode")
    name = call.emit("AveragePool", x.name, count_include_pad=int(count), **window)
    if divisor is not None:
        factor = math.prod(window["kernel_shape"]) / divisor
        name = call.emit("Mul", name, call.constant(factor))
    return call.made(name)


@translates("aten.avg_pool3d")
def _avg_pool_of_channels(call: Call) -> Images:
    """Say an average over neighbouring channels, as F.local_response_norm computes it."""
    x = call.batch("self")
    kernel, stride, padding = (
        each_axis(call[name], 3) for name in ("kernel_size", "stride", "padding")
    )
    plain = padding == [0, 0, 0] and call["divisor_override"] is None and not call["ceil_mode"]
    if kernel[1:] != [1, 1] or stride != [1, 1, 1] or not plain or len(x.sizes) != 4:
        raise Unsupported("it averages over three axes; over two, one, or the first are read")
    _, channels, h, w = x.sizes
    rows = call.shaped(x.name, (1, channels, h * w))
    means = call.emit("AveragePool", rows, kernel_shape=[kernel[0], 1], strides=[1, 1])
    layout = call.layout()
    return call.made(call.shaped(means, layout.sizes))


def _adaptive(call: Call, whole: str, bins: str) -> Images:
    x = call.batch("self")
    sizes = call.layout().sizes[1:]
    if sizes == x.sizes[1:]:
        return x
    if all(size == 1 for size in sizes):
        return call.made(call.emit(whole, x.name))
    name = call.emit(bins, x.name, domain="pellucid", output_size=list(sizes))
    return call.made(name)


@translates("aten.adaptive_avg_pool2d", "aten.adaptive_avg_pool1d", "aten._adaptive_avg_pool2d")
def _adaptive_avg_pool(call: Call) -> Images:
    return _adaptive(call, "GlobalAveragePool", "AdaptiveAveragePool")


@translates("aten.adaptive_max_pool2d", "aten.adaptive_max_pool1d")
def _adaptive_max_pool(call: Call) -> list[Images]:
    x = call.batch("self")
    layout = call.layout(0)
    if all(size == 1 for size in layout.sizes[1:]):
        return [call.made(call.emit("GlobalMaxPool", x.name), 0)]
    name = call.emit(
        "AdaptiveMaxPool", x.name, domain="pellucid", output_size=list(layout.sizes[1:])
    )
    return [call.made(name, 0)]


@translates("aten.channel_shuffle", "aten.native_channel_shuffle")
def _channel_shuffle(call: Call) -> Images:
    x, groups = first(call), int(call["groups"])
    c, *rest = x.sizes
    apart = call.shaped(x.name, (groups, c // groups, *rest))
    order = [0, 2, 1, *range(3, 3 + len(rest))]
    turned = call.emit("Transpose", apart, perm=order)
    return call.made(call.shaped(turned, x.sizes))
