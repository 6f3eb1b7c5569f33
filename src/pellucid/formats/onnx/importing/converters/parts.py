"""Operators that take parts of images, join images, and pad them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from .....nn import Concat, Pad2d, Slice
from ..folding import slice_arguments
from ..node import MIXES, N, Reading
from ..registry import Unsupported, reads
from ..values import BATCHES, Image, Known
from .arithmetic import shifted, zeros
from .layout import reshaped

__all__: list[str] = []

MOST_RUNS = 64


@reads("Slice")
def _slice(node: Reading) -> Image:
    x = node.image(moved=True)
    attributes = {
        name: value
        for name in ("starts", "ends", "axes")
        if (value := node.integers(name)) is not None
    }
    inputs = [_bounds(node, k) for k in range(1, 5)]
    starts, ends, axes, steps = slice_arguments(attributes, inputs, x.rank)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if axis == x.place and (start, step) == (0, 1) and end >= 2**30:
            continue  # all images
        at = node.axis(axis, x.rank, x.place)
        x = _part(node, x, at, range(x.shape[at - 1])[_slice_of(start, end, step)])
    return x


def _bounds(node: Reading, k: int) -> np.ndarray | None:
    """Return Slice's input, with a very large number for the number of images."""
    if not node.given(k):
        return None
    return np.array([2**31 if size == N else size for size in node.sizes(k)], dtype=np.int64)


def _slice_of(start: int, end: int, step: int) -> slice:
    return slice(start, None if step < 0 and end < -(2**30) else end, step)


def _part(node: Reading, x: Image, axis: int, places: range, part: str = "") -> Image:
    """Take the numbers at ``places`` along an axis."""
    if not places:
        raise Unsupported("it takes an empty part")
    if places == range(x.shape[axis - 1]):
        return x
    start, step = places[0], places.step if len(places) > 1 else 1
    if step < 0:
        return _joined(node, x, axis, list(places), part)
    y = node.add(Slice(axis, start, places[-1] + 1, step), x, part=part or f"axis{axis}")
    return replace(y, place=x.place)


@reads("Split")
def _split(node: Reading) -> list[Image | None]:
    x = node.image(moved=True)
    axis = node.axis(int(node.attribute("axis", 0)), x.rank, x.place)
    length, outputs = x.shape[axis - 1], len(node.operation.outputs)
    given, array = node.integers("split"), node.known(1)
    node.attribute("num_outputs")
    sizes = given if array is None else tuple(int(size) for size in array.ravel())
    if sizes is None:
        each = math.ceil(length / outputs)
        sizes = (*(each,) * (outputs - 1), length - each * (outputs - 1))
    if len(sizes) != outputs or sum(sizes) != length or min(sizes) < 1:
        raise Unsupported(f"it splits a length of {length} into {sizes}")
    ends = np.cumsum(sizes).tolist()
    return [
        _part(node, x, axis, range(end - size, end), part=f"part{k}") if name else None
        for k, (name, size, end) in enumerate(zip(node.operation.outputs, sizes, ends, strict=True))
    ]


@reads("Gather")
def _gather(node: Reading) -> Image:
    """Convert indices into parts of neighbours, which are joined."""
    x = node.image(moved=True, merged=True)
    if x.merged:
        return _viewed(node, x)
    axis = node.axis(int(node.attribute("axis", 0)), x.rank, x.place)
    indices = node.weight(1).array
    length = x.shape[axis - 1]
    if not indices.size or not (-length <= indices.min() and indices.max() < length):
        raise Unsupported(f"it takes places that are not among the {length} of its axis")
    y = _joined(node, x, axis, [int(k) % length for k in indices.ravel()])
    shape = (*x.shape[: axis - 1], *indices.shape, *x.shape[axis:])
    place = x.place + (indices.ndim - 1) * (axis <= x.place)
    return replace(reshaped(node, y, shape, part="row"), place=place)


def _viewed(node: Reading, x: Image) -> Image:
    """Convert indices that take the numbers of all images in their order, as as_strided's do."""
    value = node.value(1)
    if isinstance(value, Image) or len(x.shape) != 1 or node.attribute("axis", 0) != 0:
        raise Unsupported(f"it reads N and an axis of {x.shape[0]} as one: {MIXES}")
    for n, places in zip(BATCHES, value.arrays, strict=True):
        if places.shape[:1] != (n,) or (places.ravel() != np.arange(n * x.size)).any():
            raise Unsupported(f"it takes numbers of all images in another order: {MIXES}")
    return reshaped(node, x, value.arrays[0].shape[1:])


def _joined(node: Reading, x: Image, axis: int, places: list[int], part: str = "") -> Image:
    """Take the numbers at places in any order along an axis."""
    runs = _runs(places)
    if len(runs) > MOST_RUNS:
        raise Unsupported(f"it takes {len(places)} places in an order with {len(runs)} gaps")
    parts = [_part(node, x, axis, run, part="place") for run in runs]
    if len(parts) == 1:
        return parts[0]
    return replace(node.add(Concat(dim=axis), *parts, part=part), place=x.place)


def _runs(places: list[int]) -> list[range]:
    """Return places as ranges of neighbours.

    Examples
    --------
    >>> _runs([3, 4, 0, 2])
    [range(3, 5), range(0, 1), range(2, 3)]
    """
    runs: list[range] = []
    for k in places:
        if runs and runs[-1].stop == k:
            runs[-1] = range(runs[-1].start, k + 1)
        else:
            runs.append(range(k, k + 1))
    return runs


@reads("Concat")
def _concat(node: Reading) -> Image:
    values = [node.value(k) for k in range(len(node.inputs))]
    first = next(value for value in values if isinstance(value, Image))
    axis = node.axis(int(node.attribute("axis", 1)), first.rank)
    images = [
        value if isinstance(value, Image) else _constant(node, first, axis, node.weight(k))
        for k, value in enumerate(values)
    ]
    if len(images) == 1:
        return images[0]
    return node.add(Concat() if axis == 1 else Concat(dim=axis), *images)


def _constant(node: Reading, x: Image, axis: int, constant: Known) -> Image:
    """Return a constant that is the same for each image, as the token of a class."""
    if constant.array.ndim != x.rank:
        raise Unsupported(
            f"it joins images of {x.rank} axes with a constant of shape {constant.array.shape}"
        )
    one = _part(node, x, axis, range(1), part="any")
    return shifted(node, zeros(node, one), constant, part="constant")


@reads("Pad")
def _pad(node: Reading) -> Image:
    x = node.image()
    mode = node.attribute("mode", "constant")
    pads = node.integers("pads")
    pads = tuple(int(p) for p in node.sizes(1)) if pads is None else pads
    value = node.number(2, float(node.attribute("value", 0.0)))
    axes = tuple(range(x.rank))
    if node.given(3):
        axes = tuple(node.place(int(axis), x.rank) for axis in node.sizes(3))
    if len(pads) != 2 * len(axes):
        raise Unsupported(f"it has {len(pads)} pads for {len(axes)} axes")
    sides = [(0, 0)] * x.rank
    for k, axis in enumerate(axes):
        sides[axis] = pads[k], pads[k + len(axes)]
    if sides[0] != (0, 0):
        node.axis(0, x.rank)
    for axis, (before, after) in enumerate(sides):  # negative pads cut off
        if before < 0 or after < 0:
            stop = x.shape[axis - 1] + min(after, 0)
            x = _part(node, x, axis, range(max(-before, 0), stop), part=f"cut{axis}")
    padded = [(max(before, 0), max(after, 0)) for before, after in sides]
    return _padded(node, x, padded, mode, float(value or 0.0))


def _padded(
    node: Reading, x: Image, sides: list[tuple[int, int]], mode: Any, value: float
) -> Image:
    """Pad the last two axes at once, others one by one as rows of a plane."""
    if len(x.shape) == 3 and any(map(any, sides[2:])):
        x = node.add(Pad2d((*sides[2], *sides[3]), mode, value), x, part="image")
        sides = [*sides[:2], (0, 0), (0, 0)]
    for axis, (before, after) in enumerate(sides):
        if (before, after) == (0, 0):
            continue
        shape = x.shape
        plane = (math.prod(shape[: axis - 1]), shape[axis - 1], math.prod(shape[axis:]))
        y = reshaped(node, x, plane, part=f"plane{axis}")
        y = node.add(Pad2d((before, after, 0, 0), mode, value), y, part=f"axis{axis}")
        new = (*shape[: axis - 1], shape[axis - 1] + before + after, *shape[axis:])
        x = reshaped(node, y, new, part=f"shaped{axis}")
    return x
