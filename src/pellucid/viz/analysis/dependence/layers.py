"""How the layers of the package read their inputs: channels, rows, and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .... import nn
from ....models.lenet_parts import ScaleAndShift, ScaledTanh
from ....ops.reductions import reduced_axes
from ....ops.resampling import bins
from ....typing import Array, Shape
from ..studied import copied
from .axis import Axis
from .reading import Copies, Reading, reads_as

__all__: list[str] = []

Shapes = tuple[Shape, ...]


def _mixing(shape: Shape, output: Shape, *mixed: int) -> Reading:
    """Return a reading of the same cells, except along the axes ``mixed``, read as a whole."""
    return Reading(
        tuple(
            Axis.every(size, output[a]) if a in mixed else Axis.same(size)
            for a, size in enumerate(shape)
        )
    )


def _axis(dim: int, output: Shape) -> int:
    """Return which axis without N is ``dim``, which counts N, or from the end."""
    return dim - 1 if dim > 0 else len(output) + dim


@reads_as(nn.BatchNorm2d, nn.Normalize, nn.PReLU, ScaledTanh, ScaleAndShift)
def _same(layer: nn.Layer, shapes: Shapes, output: Shape) -> list[Reading]:
    return [_mixing(shapes[0], output)]


@reads_as(
    nn.Add, nn.Multiply, nn.Subtract, nn.Divide, nn.Maximum, nn.Minimum, nn.Scale, nn.Shift
)  # fmt: skip
def _broadcast(layer: nn.Layer, shapes: Shapes, output: Shape) -> list[Reading]:
    return [
        _mixing(shape, output, *(a for a, size in enumerate(shape) if size != output[a]))
        for shape in shapes
    ]


@reads_as(nn.Concat)
def _concat(layer: nn.Concat, shapes: Shapes, output: Shape) -> list[Reading]:
    a = _axis(layer.dim, output)
    found, offset = [], 0
    for shape in shapes:
        cells = [(k - offset,) * 2 if 0 <= k - offset < shape[a] else (0, -1)
                 for k in range(output[a])]  # fmt: skip
        axes = list(_mixing(shape, shape).axes)
        axes[a] = Axis(cells, shape[a])
        found.append(Reading(tuple(axes)))
        offset += shape[a]
    return found


@reads_as(nn.MatMul)
def _matmul(layer: nn.MatMul, shapes: Shapes, output: Shape) -> list[Reading]:
    (first, second), last = shapes, len(output) - 1
    readings = [_mixing(first, output, last), _mixing(second, output, last - 1)]
    return [
        replace(reading, axes=tuple(
            Axis.every(axis.size, output[a]) if axis.size != output[a] else axis
            for a, axis in enumerate(reading.axes)
        ))
        for reading in readings
    ]  # fmt: skip


# Windows ------------------------------------------------------------------------------------


def _windows(layer: Any, shape: Shape, channels: Axis) -> list[Reading]:
    windows = layer.windows(shape)
    return [Reading((channels, Axis.sliding(windows, 0), Axis.sliding(windows, 1)))]


@reads_as(nn.Conv2d)
def _conv(layer: nn.Conv2d, shapes: Shapes, output: Shape) -> list[Reading]:
    channels = Axis.grouped(layer.in_channels, layer.out_channels, layer.groups)
    return _windows(layer, shapes[0], channels)


@reads_as(nn.LocallyConnected2d)
def _local(layer: nn.LocallyConnected2d, shapes: Shapes, output: Shape) -> list[Reading]:
    return _windows(layer, shapes[0], Axis.every(shapes[0][0], output[0]))


@reads_as(nn.ConvTranspose2d)
def _transposed(layer: nn.ConvTranspose2d, shapes: Shapes, output: Shape) -> list[Reading]:
    windows = layer.windows(shapes[0])
    channels = Axis.grouped(layer.in_channels, layer.out_channels, layer.groups)
    return [Reading((channels, Axis.transposed(windows, 0), Axis.transposed(windows, 1)))]


@reads_as(nn.MaxPool2d, nn.AvgPool2d, nn.LpPool2d)
def _pool(layer: nn.Layer, shapes: Shapes, output: Shape) -> list[Reading]:
    return _windows(layer, shapes[0], Axis.same(output[0]))


@reads_as(nn.GlobalAvgPool2d, nn.GlobalMaxPool2d, nn.GlobalLpPool2d, nn.InstanceNorm2d)
def _whole_maps(layer: nn.Layer, shapes: Shapes, output: Shape) -> list[Reading]:
    return [_mixing(shapes[0], output, 1, 2)]


@reads_as(nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
def _adaptive(layer: nn.Layer, shapes: Shapes, output: Shape) -> list[Reading]:
    axes = [
        Axis([(first, end - 1) for first, end in bins(size, out)], size)
        for size, out in zip(shapes[0][1:], output[1:], strict=True)
    ]
    return [Reading((Axis.same(output[0]), *axes))]


@reads_as(nn.Resize, nn.Upsample)
def _resized(layer: nn.Upsample, shapes: Shapes, output: Shape) -> list[Reading]:
    axes = [Axis.same(output[0])]
    for matrix in layer.matrices(shapes[0]):
        used = [np.flatnonzero(row) for row in matrix]
        cells = [(int(k[0]), int(k[-1])) if k.size else (0, -1) for k in used]
        axes.append(Axis(cells, matrix.shape[1]))
    return [Reading(tuple(axes))]


# Channels and rows of numbers ---------------------------------------------------------------


@reads_as(nn.Linear)
def _linear(layer: nn.Linear, shapes: Shapes, output: Shape) -> list[Reading]:
    return [_mixing(shapes[0], output, len(output) - 1)]


@reads_as(nn.ChannelLinear, nn.LayerNorm2d)
def _pixels(layer: nn.Layer, shapes: Shapes, output: Shape) -> list[Reading]:
    return [_mixing(shapes[0], output, 0)]


@reads_as(nn.Softmax)
def _softmax(layer: nn.Softmax, shapes: Shapes, output: Shape) -> list[Reading]:
    return [_mixing(shapes[0], output, _axis(layer.dim, output))]


@reads_as(nn.LayerNorm)
def _layer_norm(layer: nn.LayerNorm, shapes: Shapes, output: Shape) -> list[Reading]:
    axes = len(output)
    return [_mixing(shapes[0], output, *range(axes - len(layer.normalized_shape), axes))]


@reads_as(nn.GroupNorm)
def _group_norm(layer: nn.GroupNorm, shapes: Shapes, output: Shape) -> list[Reading]:
    groups = Axis.grouped(output[0], output[0], layer.num_groups)
    rest = (Axis.every(size, size) for size in output[1:])
    return [Reading((groups, *rest))]


@reads_as(nn.LocalResponseNorm)
def _neighbours(layer: nn.LocalResponseNorm, shapes: Shapes, output: Shape) -> list[Reading]:
    before, after, end = layer.size // 2, (layer.size - 1) // 2, output[0] - 1
    cells = [(max(k - before, 0), min(k + after, end)) for k in range(output[0])]
    return [Reading((Axis(cells, output[0]), *map(Axis.same, output[1:])))]


@reads_as(nn.Mean, nn.Sum, nn.Max, nn.Min)
def _reduced(layer: nn.Mean, shapes: Shapes, output: Shape) -> list[Reading]:
    axes = [a - 1 for a in reduced_axes(layer.axes, len(shapes[0]) + 1)]
    whole = tuple(1 if a in axes else size for a, size in enumerate(shapes[0]))
    kept = None if layer.keepdims else tuple(a for a in range(len(whole)) if a not in axes)
    return [replace(_mixing(shapes[0], whole, *axes), kept=kept)]


# Copies -------------------------------------------------------------------------------------


@reads_as(
    nn.Flatten, nn.Reshape, nn.Permute, nn.Slice, nn.PixelShuffle, nn.PixelUnshuffle,
    nn.ZeroPadShortcut,
)  # fmt: skip
def _copied(layer: nn.Layer, shapes: Shapes, output: Shape) -> Sequence[Reading | Copies]:
    return [Copies(_positions(layer, shapes[0]), shapes[0])]


@reads_as(nn.Pad2d)
def _padded(layer: nn.Pad2d, shapes: Shapes, output: Shape) -> Sequence[Reading | Copies]:
    if layer.mode != "constant":
        return [Copies(_positions(layer, shapes[0]), shapes[0])]
    (channels, *image), (top, _, left, _) = shapes[0], layer.sides
    sides = zip(image, output[1:], (top, left), strict=True)
    return [Reading((Axis.same(channels), *(Axis.shifted(*side) for side in sides)))]


def _positions(layer: nn.Layer, shape: Shape) -> Array:
    """Return the flat position that each output is a copy of; -1 where it is a constant.

    The layer itself moves the positions, counted from 1, as if they were an image.
    """
    counted = np.arange(1.0, np.prod(shape) + 1).reshape(1, *shape)
    return copied(layer).forward(counted)[0].astype(np.int64) - 1
