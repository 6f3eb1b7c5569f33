"""Operators that give the numbers of an image another shape or order."""

from __future__ import annotations

import math
from dataclasses import replace

from .....nn import Flatten, Permute, PixelShuffle, Reshape
from ..node import N, Reading
from ..registry import Unsupported, reads
from ..values import Image

__all__ = ["reshaped"]

_MIXES = "it mixes the numbers of several images"


def reshaped(node: Reading, x: Image, shape: tuple[int, ...], part: str = "") -> Image:
    """Add the layer that gives each image ``shape``, if it differs."""
    if shape == x.shape:
        return x
    return node.add(Flatten() if len(shape) == 1 else Reshape(shape), x, part=part)


@reads("Reshape")
def _reshape(node: Reading) -> Image:
    x = node.image()
    zero_is_copied = not node.attribute("allowzero", 0)
    target = node.sizes(1)
    dims: list[int | str] = [N, *x.shape]
    for k, size in enumerate(target):
        if size == 0 and zero_is_copied and k < len(dims):
            target[k] = dims[k]
    if not target:
        raise Unsupported("it makes one number of all images")
    first, rest = target[0], target[1:]
    if N in rest:
        raise Unsupported(
            f"it makes the shape {_shape(target)}: N, the number of images, must be the first axis"
        )
    shape = [int(size) for size in rest]
    # A first size of 1, or that of the file's own batch, is N: nothing else would fit.
    if first not in (N, -1, 1, node.batch):
        raise Unsupported(f"it makes the shape {_shape(target)} of {_of(x)}: {_MIXES}")
    if -1 in shape and first != -1:
        others = math.prod(size for size in shape if size != -1)
        shape[shape.index(-1)] = x.size // others if others else -1
    if math.prod(shape) != x.size or min(shape, default=1) < 0:
        raise Unsupported(f"it makes the shape {_shape(target)} of {_of(x)}: {_MIXES}")
    return reshaped(node, x, tuple(shape))


@reads("Flatten")
def _flatten(node: Reading) -> Image:
    x = node.image()
    axis = int(node.attribute("axis", 1))
    axis += x.rank * (axis < 0)
    if axis == 0 or math.prod(x.shape[: axis - 1]) != 1:
        raise Unsupported(f"its attribute axis is {axis} for {_of(x)}: {_MIXES}")
    return reshaped(node, x, (x.size,))


@reads("Squeeze")
def _squeeze(node: Reading) -> Image:
    x = node.image(moved=True)
    axes = node.axes(1, x.rank, x.place)
    if axes is None:
        axes = tuple(k for k, size in enumerate(x.shape, 1) if size == 1)
    long = [k for k in axes if x.shape[k - 1] != 1]
    if long:
        raise Unsupported(f"axis {long[0]} of {_of(x)} does not have length 1")
    y = reshaped(node, x, tuple(s for k, s in enumerate(x.shape, 1) if k not in axes))
    return replace(y, place=x.place - sum(k <= x.place for k in axes))


@reads("Unsqueeze")
def _unsqueeze(node: Reading) -> Image:
    x = node.image()
    given = node.integers("axes")
    array = node.known(1)
    wanted = given if array is None else tuple(int(a) for a in array.ravel())
    if wanted is None:
        raise Unsupported("it has no axes")
    rank = x.rank + len(wanted)
    axes = sorted(node.axis(axis, rank) for axis in wanted)
    shape = list(x.shape)
    for axis in axes:
        shape.insert(axis - 1, 1)
    return reshaped(node, x, tuple(shape))


@reads("Transpose")
def _transpose(node: Reading) -> Image:
    x = node.image(moved=True)
    order = node.integers("perm", tuple(range(x.rank))[::-1])
    if sorted(order) != list(range(x.rank)):
        raise Unsupported(f"its attribute perm is {order} for {x.rank} axes")
    # N stays first in the graph: what the file moves it past is remembered.
    others = tuple(k + (k < x.place) for k in order if k != x.place)
    y = x if others == tuple(range(1, x.rank)) else node.add(Permute(0, *others), x)
    return replace(y, place=order.index(x.place))


@reads("DepthToSpace")
def _depth_to_space(node: Reading) -> Image:
    """Convert both modes: the block's place is the slowest part of a channel's number, or not."""
    r = int(node.attribute("blocksize"))
    mode = node.require("mode", "DCR", "CRD")
    x = node.image()
    if mode == "CRD":
        return node.add(PixelShuffle(r), x)
    c, h, w = _three(x)
    if r < 1 or c % (r * r):
        raise Unsupported(f"{c} channels are not a multiple of the block's {r} · {r}")
    blocks = node.add(Reshape(r, r, c // (r * r), h, w), x, part="blocks")
    moved = node.add(Permute(0, 3, 4, 1, 5, 2), blocks, part="moved")
    return node.add(Reshape(c // (r * r), h * r, w * r), moved)


@reads("SpaceToDepth")
def _space_to_depth(node: Reading) -> Image:
    r = int(node.attribute("blocksize"))
    mode = node.require("mode", "DCR", "CRD")
    x = node.image()
    c, h, w = _three(x)
    if r < 1 or h % r or w % r:
        raise Unsupported(f"images of {h}x{w} are not made of blocks of {r}x{r}")
    blocks = node.add(Reshape(c, h // r, r, w // r, r), x, part="blocks")
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    moved = node.add(Permute(*order), blocks, part="moved")
    return node.add(Reshape(c * r * r, h // r, w // r), moved)


@reads("Expand")
def _expand(node: Reading) -> Image:
    """Repeat axes of length 1, by adding zeros of the wanted shape."""
    import numpy as np

    from ..values import Known
    from .arithmetic import shifted

    x = node.image()
    target = node.sizes(1)
    if len(target) > x.rank or (len(target) == x.rank and target[0] not in (N, 1, node.batch)):
        raise Unsupported(f"it makes the shape {_shape(target)} of {_of(x)}: {_MIXES}")
    sizes = [1] * (x.rank - len(target)) + [1 if size == N else int(size) for size in target]
    sizes[0] = 1
    if all(size in (1, own) for size, own in zip(sizes[1:], x.shape, strict=True)):
        return x
    return shifted(node, x, Known.of(np.zeros(sizes[1:], dtype=np.float32)))


def _three(x: Image) -> tuple[int, int, int]:
    if len(x.shape) != 3:
        raise Unsupported(f"it reads {_of(x)}, where images (N, C, H, W) are needed")
    return x.shape[0], x.shape[1], x.shape[2]


def _shape(target: list[int | str]) -> str:
    return f"({', '.join(map(str, target))})"


def _of(x: Image) -> str:
    return f"(N, {', '.join(map(str, x.shape))})"
