"""Moves of pixels and channels: a pixel shuffle's blocks, another order, every S-th pixel.

The shuffles are twins of `pellucid.ops.pixel_shuffle`, bit for bit. Images are channels-last,
(N, H, W, C), float32, C-contiguous, allocated by the caller. A task is a band of ``per`` rows, and
writes to what belongs to them only.
"""

from __future__ import annotations

from ..typing import Array
from .jit import kernel
from .pool.threads import share

__all__ = ["reorder", "shuffle", "subsample", "unshuffle"]


@kernel
def shuffle(queue: Array, x: Array, y: Array, apart: int, blocks: int, per: int) -> None:
    """Write each R² channels of ``x`` as a block of R x R cells of ``y``.

    Channel c of cell (u, v) of a block is the channel ``c·apart + (R·u + v)·blocks`` of ``x``.
    """
    (images, h, w, depth), c = x.shape, y.shape[3]
    xs, ys, r = x.reshape(x.size), y.reshape(y.size), y.shape[1] // h
    for task in share(queue):
        for row in range(task * per, min(images * h, (task + 1) * per)):
            for u in range(r):
                to = (row * r + u) * w * r * c
                for j in range(w):
                    for v in range(r):
                        at = (row * w + j) * depth + (u * r + v) * blocks
                        for k in range(c):
                            ys[to + k] = xs[at + k * apart]
                        to += c


@kernel
def unshuffle(queue: Array, x: Array, y: Array, apart: int, blocks: int, per: int) -> None:
    """Undo `shuffle`: write each block of ``x`` as channels of ``y``."""
    (images, h, w, depth), c = y.shape, x.shape[3]
    xs, ys, r = x.reshape(x.size), y.reshape(y.size), x.shape[1] // h
    for task in share(queue):
        for row in range(task * per, min(images * h, (task + 1) * per)):
            for u in range(r):
                at = (row * r + u) * w * r * c
                for j in range(w):
                    for v in range(r):
                        to = (row * w + j) * depth + (u * r + v) * blocks
                        for k in range(c):
                            ys[to + k * apart] = xs[at + k]
                        at += c


@kernel
def reorder(queue: Array, x: Array, y: Array, sources: Array, per: int) -> None:
    """Write ``y[..., k] = x[..., sources[k]]``; here ``per`` counts pixels."""
    c = len(sources)
    xs, ys = x.reshape(x.size), y.reshape(y.size)
    pixels = x.size // c
    for task in share(queue):
        for pixel in range(task * per, min(pixels, (task + 1) * per)):
            before, after = xs[pixel * c : (pixel + 1) * c], ys[pixel * c : (pixel + 1) * c]
            for k in range(c):
                after[k] = before[sources[k]]


@kernel
def subsample(queue: Array, x: Array, y: Array, down: int, right: int, per: int) -> None:
    """Write every ``down``-th row and ``right``-th column of ``x``, and zeros as more channels."""
    (images, oh, ow, depth), (_, h, w, c) = y.shape, x.shape
    xs, ys = x.reshape(x.size), y.reshape(y.size)
    for task in share(queue):
        for row in range(task * per, min(images * oh, (task + 1) * per)):
            n, i = row // oh, row % oh
            for j in range(ow):
                at, to = ((n * h + i * down) * w + j * right) * c, (row * ow + j) * depth
                of_y, of_x = ys[to : to + depth], xs[at : at + c]  # whose indices LLVM vectorizes
                for k in range(len(of_x)):
                    of_y[k] = of_x[k]
                for k in range(len(of_x), len(of_y)):
                    of_y[k] = 0
