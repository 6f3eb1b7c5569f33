"""Shapes and places: what rearranges, repeats, or takes parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .....typing import Array
from .table import Attributes, bounded, folds

__all__ = ["shape_slice", "slice_arguments"]


@folds("Shape")
def _shape(attributes: Attributes, x: Array) -> Array:
    return shape_slice(np.array(x.shape, dtype=np.int64), attributes)


def shape_slice(dims: Array, attributes: Attributes) -> Array:
    """Return the part of a shape that Shape's attributes ``start`` and ``end`` choose."""
    return dims[slice(attributes.get("start", 0), attributes.get("end"))]


@folds("Size")
def _size(attributes: Attributes, x: Array) -> Array:
    return np.array(x.size, dtype=np.int64)


@folds("Gather")
def _gather(attributes: Attributes, x: Array, indices: Array) -> Array:
    axis: int = attributes.get("axis", 0)
    bounded(x.shape[:axis] + indices.shape + x.shape[axis + 1 or x.ndim :])
    return np.take(x, indices, axis=axis)


@folds("Concat")
def _concat(attributes: Attributes, *arrays: Array) -> Array:
    return np.concatenate(arrays, axis=attributes["axis"])


@folds("Slice")
def _slice(attributes: Attributes, x: Array, *inputs: Array | None) -> Array:
    starts, ends, axes, steps = slice_arguments(attributes, inputs, x.ndim)
    chosen = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        past = step < 0 and end < -x.shape[axis]
        chosen[axis] = slice(start, None if past else end, step)
    return x[tuple(chosen)]


def slice_arguments(
    attributes: Attributes, inputs: Sequence[Array | None], rank: int
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Return Slice's starts, ends, axes and steps: attributes before opset 10, then inputs."""
    given = [None if each is None else [int(k) for k in each.ravel()] for each in inputs]
    given += [None] * (4 - len(given))
    starts = given[0] if given[0] is not None else [int(k) for k in attributes["starts"]]
    ends = given[1] if given[1] is not None else [int(k) for k in attributes["ends"]]
    axes = given[2] if given[2] is not None else attributes.get("axes", range(len(starts)))
    steps = given[3] if given[3] is not None else [1] * len(starts)
    axes = [int(axis) for axis in axes]
    if len({len(starts), len(ends), len(axes), len(steps)}) > 1:
        raise ValueError(f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes and "
                         f"{len(steps)} steps")  # fmt: skip
    if any(not -rank <= axis < rank for axis in axes) or 0 in steps:
        raise ValueError(f"axes {axes} of {rank}, with steps of {steps}")
    return starts, ends, [axis % rank for axis in axes], steps


@folds("Split")
def _split(attributes: Attributes, x: Array, split: Array | None = None) -> list[Array]:
    axis = int(attributes.get("axis", 0))
    sizes = attributes.get("split") if split is None else split
    if sizes is None:
        parts = int(attributes["num_outputs"])
        each = -(-x.shape[axis] // parts)
        return np.split(x, range(each, each * parts, each), axis=axis)
    return np.split(x, np.cumsum([int(s) for s in sizes])[:-1], axis=axis)


@folds("Squeeze")
def _squeeze(attributes: Attributes, x: Array, axes: Array | None = None) -> Array:
    wanted = attributes.get("axes") if axes is None else axes
    return np.squeeze(x, None if wanted is None else tuple(int(a) for a in np.ravel(wanted)))


@folds("Unsqueeze")
def _unsqueeze(attributes: Attributes, x: Array, axes: Array | None = None) -> Array:
    wanted = attributes["axes"] if axes is None else axes
    return np.expand_dims(x, tuple(int(a) for a in np.ravel(wanted)))


@folds("Reshape")
def _reshape(attributes: Attributes, x: Array, shape: Array) -> Array:
    copied = not attributes.get("allowzero")
    sizes = [x.shape[k] if s == 0 and copied else int(s) for k, s in enumerate(shape)]
    return x.reshape(sizes)


@folds("Flatten")
def _flatten(attributes: Attributes, x: Array) -> Array:
    axis = int(attributes.get("axis", 1))
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), -1)


@folds("Transpose")
def _transpose(attributes: Attributes, x: Array) -> Array:
    return np.transpose(x, attributes.get("perm"))


@folds("Expand")
def _expand(attributes: Attributes, x: Array, shape: Array) -> Array:
    sizes = np.broadcast_shapes(x.shape, bounded(shape))
    return np.broadcast_to(x, bounded(sizes))


@folds("Tile")
def _tile(attributes: Attributes, x: Array, repeats: Array) -> Array:
    bounded([size * int(times) for size, times in zip(x.shape, repeats, strict=True)])
    return np.tile(x, [int(times) for times in repeats])


@folds("ConstantOfShape")
def _constant_of_shape(attributes: Attributes, shape: Array) -> Array:
    value = np.ravel(attributes.get("value", np.zeros(1, dtype=np.float32)))
    return np.broadcast_to(value[0], bounded(shape))


@folds("Range")
def _range(attributes: Attributes, start: Array, limit: Array, delta: Array) -> Array:
    if delta == 0:
        raise ValueError("a step of 0")
    bounded([max(0, math.ceil((limit - start) / delta))])
    return np.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)
