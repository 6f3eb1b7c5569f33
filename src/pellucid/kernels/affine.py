"""Affine maps of images: the twin of `pellucid.ops.affine`, to 1e-6.

Images ``x`` and ``y`` (N, C, H, W), float32, C-contiguous, and matrices ``m`` (N, 2, 2), float64;
``y`` is allocated by the engine. A task is a run of rows of the output over all images, and writes
those rows of all channels. 100 RGB images of 32 x 32 take 0.5 ms on two cores, 13 ms in NumPy.
"""

from __future__ import annotations

import numpy as np

from ..typing import Array
from .jit import kernel
from .pool.threads import share

__all__ = ["affine"]

ONE = np.float32(1)


@kernel
def affine(queue: Array, x: Array, m: Array, y: Array, tasks: int) -> None:
    """``y[n,c,i,j] = x[n,c,i',j']``, bilinear, with ``(i', j') = m[n]·(i - ci, j - cj) + (ci, cj)``.

    What lies outside the image is the nearest pixel of its edge.
    """  # noqa: E501
    images, channels, h, w = x.shape
    ci, cj = (h - 1) / 2, (w - 1) / 2
    for task in share(queue):
        for row in range(task * images * h // tasks, (task + 1) * images * h // tasks):
            n, i = row // h, row % h
            a, b, d, e = m[n, 0, 0], m[n, 0, 1], m[n, 1, 0], m[n, 1, 1]
            for j in range(w):
                r = min(max(a * (i - ci) + b * (j - cj) + ci, 0.0), h - 1.0)
                s = min(max(d * (i - ci) + e * (j - cj) + cj, 0.0), w - 1.0)
                i0, j0 = np.uintp(r), np.uintp(s)
                i1, j1 = np.uintp(min(i0 + 1, h - 1)), np.uintp(min(j0 + 1, w - 1))
                down, right = np.float32(r - i0), np.float32(s - j0)
                for c in range(channels):
                    image = x[n, c]
                    top = image[i0, j0] * (ONE - right) + image[i0, j1] * right
                    bottom = image[i1, j0] * (ONE - right) + image[i1, j1] * right
                    y[n, c, i, j] = top * (ONE - down) + bottom * down
