"""Joins, and layers that move numbers or reduce axes."""

from __future__ import annotations

import math

import numpy as np

from ... import nn
from ...models.lenet_parts import (
    IN,
    OUT,
    A,
    RadialBasis,
    S,
    ScaleAndShift,
    ScaledTanh,
    TableConv2d,
)
from ...typing import Shape
from ..calls import Call, becomes

__all__: list[str] = []

JOINS: dict[type[nn.Layer], str] = {
    nn.Add: "add",
    nn.Multiply: "multiply",
    nn.Subtract: "subtract",
    nn.Divide: "divide",
    nn.MatMul: "matmul",
    nn.Maximum: "maximum",
    nn.Minimum: "minimum",
}
REDUCED: dict[type[nn.Layer], str] = {
    nn.Sum: "sum_over",
    nn.Mean: "mean_over",
    nn.Max: "max_over",
    nn.Min: "min_over",
}


@becomes(*JOINS)
def _join(layer: nn.Layer, *shapes: Shape) -> Call:
    return Call(next(JOINS[kind] for kind in type(layer).__mro__ if kind in JOINS))


@becomes(nn.Concat)
def _concat(layer: nn.Concat, *shapes: Shape) -> Call:
    axis = layer.axis(shapes[0])
    assert axis is not None
    return Call("concat", options={"axis": 1 + axis})


@becomes(nn.Scale)
def _scale(layer: nn.Scale, shape: Shape) -> Call:
    return Call("scale", {"weight": layer.weight})


@becomes(nn.Shift)
def _shift(layer: nn.Shift, shape: Shape) -> Call:
    return Call("shift", {"bias": layer.bias})


@becomes(nn.Flatten)
def _flatten(layer: nn.Flatten, shape: Shape) -> Call | None:
    return Call("reshape", options={"shape": (math.prod(shape),)}) if len(shape) > 1 else None


@becomes(nn.Reshape)
def _reshape(layer: nn.Reshape, shape: Shape) -> Call:
    return Call("reshape", options={"shape": tuple(map(int, layer.output_shape(shape)))})


@becomes(nn.Permute)
def _permute(layer: nn.Permute, shape: Shape) -> Call:
    rank = 1 + len(shape)
    return Call("permute", options={"axes": tuple(int(axis) % rank for axis in layer.dims)})


@becomes(nn.Slice)
def _slice(layer: nn.Slice, shape: Shape) -> Call:
    """Translate; ends that are outside are those of the axis, as Python has it."""
    axis = layer.dim % (1 + len(shape))
    chosen = {"axis": axis, "start": layer.start, "stop": layer.stop, "step": layer.step or 1}
    return Call("part", options={k: v if v is None else int(v) for k, v in chosen.items()})


@becomes(*REDUCED)
def _reduce(layer: nn.Sum | nn.Mean | nn.Max | nn.Min, shape: Shape) -> Call:
    name = next(REDUCED[kind] for kind in type(layer).__mro__ if kind in REDUCED)
    axes = tuple(sorted(int(axis) % (1 + len(shape)) for axis in layer.axes))
    return Call(name, options={"axes": axes, "keep": bool(layer.keepdims)})


@becomes(nn.Pad2d)
def _pad(layer: nn.Pad2d, shape: Shape) -> Call:
    sides = tuple(map(int, layer.sides))
    return Call("pad2d", options={"sides": sides, "mode": layer.mode, "value": float(layer.value)})


@becomes(nn.ZeroPadShortcut)
def _zero_pad_shortcut(layer: nn.ZeroPadShortcut, shape: Shape) -> Call:
    stride = int(layer.stride[0]), int(layer.stride[1])
    return Call("zero_pad_shortcut", options={"stride": stride, "channels": layer.out_channels})


@becomes(nn.PixelShuffle)
def _pixel_shuffle(layer: nn.PixelShuffle, shape: Shape) -> Call:
    return Call("pixel_shuffle", options={"factor": int(layer.upscale_factor), "mode": layer.mode})


@becomes(nn.PixelUnshuffle)
def _pixel_unshuffle(layer: nn.PixelUnshuffle, shape: Shape) -> Call:
    options = {"factor": int(layer.downscale_factor), "mode": layer.mode}
    return Call("pixel_unshuffle", options=options)


# The layers that only the LeNet-5 of 1998 has ---------------------------------------------------


@becomes(ScaledTanh)
def _scaled_tanh(layer: ScaledTanh, shape: Shape) -> Call:
    return Call("scaled_tanh", options={"outside": A, "inside": S})


@becomes(ScaleAndShift)
def _scale_and_shift(layer: ScaleAndShift, shape: Shape) -> Call:
    return Call("scale_and_shift", {"weight": layer.weight, "bias": layer.bias})


@becomes(TableConv2d)
def _table_conv(layer: TableConv2d, shape: Shape) -> Call:
    """Translate to a convolution in which the missing connections are zeros."""
    filters = np.zeros((16, 6, 5, 5), dtype=layer.weight.data.dtype)
    filters[OUT, IN] = layer.weight.data
    return Call("conv2d", {"weight": filters, "bias": layer.bias})


@becomes(RadialBasis)
def _radial_basis(layer: RadialBasis, shape: Shape) -> Call:
    return Call("radial_basis", {"codes": layer.codes})
