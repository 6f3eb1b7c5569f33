"""Operators that give the numbers of an image another shape or order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from .....nn import Flatten, Permute, PixelShuffle, Reshape
from ..node import MIXES, N, Reading
from ..registry import Unsupported, reads
from ..values import Image

__all__ = ["reshaped"]


def reshaped(node: Reading, x: Image, shape: tuple[int, ...], part: str = "") -> Image:
    """Add the layer that gives each image ``shape``, if it differs."""
    if shape == x.shape:
        return replace(x, merged=False)
    return node.add(Flatten() if len(shape) == 1 else Reshape(shape), x, part=part)


@reads("Reshape")
def _reshape(node: Reading) -> Image:
    x = node.image(merged=True)
    zero_is_copied = not node.attribute("allowzero", 0)
    target = node.multiples(1)
    own = [(0, x.shape[0] if x.merged else 1), *((size, 0) for size in x.shape[x.merged :])]
    for k, entry in enumerate(target):
        if entry == (0, 0) and zero_is_copied and k < len(own):
            target[k] = own[k]
    if not target:
        raise Unsupported("it makes one number of all images")
    (first, times), rest = target[0], target[1:]
    told = f"it makes the shape {_shape(target)} of {_of(x)}"
    if any(multiple for _, multiple in rest):
        raise Unsupported(f"{told}: N, the number of images, must be the first axis")
    shape = [size for size, _ in rest]
    if not times and first != -1:  # a number: 1 or the file's own batch, or a multiple, is N's
        times, left = divmod(first, node.batch or 1)
        times = 0 if left else times
    others = math.prod(size for size in shape if size != -1)
    if first == -1 and others and x.size % others == 0:
        times = x.size // others
    if -1 in shape and first != -1 and times * others and x.size % (times * others) == 0:
        shape[shape.index(-1)] = x.size // (times * others)
    if times < 1 or times * math.prod(shape) != x.size or min(shape, default=1) < 0:
        raise Unsupported(f"{told}: {MIXES}")
    if times == 1:
        return reshaped(node, x, tuple(shape))
    return replace(reshaped(node, x, (times, *shape)), merged=True)


@reads("Flatten")
def _flatten(node: Reading) -> Image:
    x = node.image()
    axis = int(node.attribute("axis", 1))
    axis += x.rank * (axis < 0)
    if axis == 0 or math.prod(x.shape[: axis - 1]) != 1:
        raise Unsupported(f"its attribute axis is {axis} for {_of(x)}: {MIXES}")
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
    x = node.image(moved=True, merged=True)
    order = node.integers("perm", tuple(range(x.rank))[::-1])
    if sorted(order) != list(range(x.rank)):
        raise Unsupported(f"its attribute perm is {order} for {x.rank} axes")
    if x.merged:
        if order[0] != 0:
            raise Unsupported(f"its attribute perm is {order} for {_of(x)}: {MIXES}")
        return replace(node.add(Permute(0, 1, *(k + 1 for k in order[1:])), x), merged=True)
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
        raise Unsupported(f"it makes the shape {_shape(target)} of {_of(x)}: {MIXES}")
    _, *rest = [1] * (x.rank - len(target)) + target
    if N in rest:
        raise Unsupported(f"it makes the shape {_shape(target)} of {_of(x)}: {MIXES}")
    sizes = [int(size) for size in rest]
    if all(size in (1, own) for size, own in zip(sizes, x.shape, strict=True)):
        return x
    return shifted(node, x, Known.of(np.zeros(sizes, dtype=np.float32)))


def _three(x: Image) -> tuple[int, int, int]:
    if len(x.shape) != 3:
        raise Unsupported(f"it reads {_of(x)}, where images (N, C, H, W) are needed")
    return x.shape[0], x.shape[1], x.shape[2]


def _shape(target: Sequence[int | str | tuple[int, int]]) -> str:
    """Return sizes as text: -1, 48, N, 3·N."""
    texts = []
    for size in target:
        number, times = size if isinstance(size, tuple) else (size, 0)
        texts.append(str(number) if not times else "N" if times == 1 else f"{times}·N")
    return f"({', '.join(texts)})"


def _of(x: Image) -> str:
    first = f"{x.shape[0]}·N" if x.merged else "N"
    return f"({', '.join([first, *map(str, x.shape[x.merged :])])})"
