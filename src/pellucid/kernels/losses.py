"""Softmax, and the losses with their gradient in one pass: twins of `pellucid.ops`, to 1e-6.

Scores ``x`` (n, K), float32, C-contiguous; labels (n,), int64; ``dy`` (n, K) and ``losses``, one
number a task, are allocated by the engine. A task is a chunk of the rows between ``bounds``
(tasks + 1,), int64 (`pellucid.kernels.tree`), and writes those rows of ``dy`` and the sum of their
losses, in float64, which the engine adds up and divides by N: the ``images`` of the whole batch, of
which these rows may be a part. So the bits depend neither on the threads nor on the processes. A
label outside [0, K) makes the loss NaN, and is not used as an index.
"""

from __future__ import annotations

import math

import numpy as np

from ..typing import Array
from .exp import decay
from .jit import kernel
from .pool.threads import share
from .simd import flat

__all__ = [
    "cross_entropy",
    "multiclass_hinge",
    "soft_cross_entropy",
    "softmax",
    "softmax_backward",
    "squared_error",
]

ONE, ZERO = np.float32(1), np.float32(0)


@kernel
def _largest(row: Array) -> np.float32:
    """Return the largest number of ``row``, by four maxima that do not wait for each other."""
    a = b = c = d = row[0]
    whole = len(row) // 4
    for k in range(whole):
        a, b = max(a, row[4 * k]), max(b, row[4 * k + 1])
        c, d = max(c, row[4 * k + 2]), max(d, row[4 * k + 3])
    for k in range(4 * whole, len(row)):
        a = max(a, row[k])
    return max(max(a, b), max(c, d))


@kernel
def _decays(z: Array) -> None:
    """Replace ``z`` by ``e^z``, across its rows: a row may be shorter than a vector."""
    numbers = flat(z)
    for i in range(len(numbers)):
        numbers[i] = decay(numbers[i])


@kernel
def softmax(queue: Array, x: Array, y: Array, tasks: int) -> None:
    """``y[n,k] = e^(x[n,k] - max x[n]) / Σ_j e^(x[n,j] - max x[n])``."""
    for task in share(queue):
        low, high = task * len(x) // tasks, (task + 1) * len(x) // tasks
        for n in range(low, high):
            xs, ys, top = x[n], y[n], _largest(x[n])
            for k in range(len(xs)):
                ys[k] = xs[k] - top
        _decays(y[low:high])
        for n in range(low, high):
            ys, total = y[n], ZERO
            for k in range(len(ys)):
                total += ys[k]
            scale = ONE / total
            for k in range(len(ys)):
                ys[k] *= scale


@kernel
def softmax_backward(queue: Array, dy: Array, y: Array, dx: Array, tasks: int) -> None:
    """``dx[n,k] = y[n,k] · (dy[n,k] - Σ_j dy[n,j] · y[n,j])``."""
    for task in share(queue):
        for n in range(task * len(y) // tasks, (task + 1) * len(y) // tasks):
            dys, ys, dxs, total = dy[n], y[n], dx[n], ZERO
            for k in range(len(ys)):
                total += dys[k] * ys[k]
            for k in range(len(ys)):
                dxs[k] = ys[k] * (dys[k] - total)


@kernel
def cross_entropy(
    queue: Array, x: Array, labels: Array, dy: Array, losses: Array, bounds: Array, images: int
) -> None:
    """``L = -1/N Σ_n log softmax(x)[n, label]``; ``dy = (softmax(x) - t) / N``."""
    classes = x.shape[1]
    for task in share(queue):
        low, high, loss = bounds[task], bounds[task + 1], 0.0
        for n in range(low, high):
            xs, dys, top, label = x[n], dy[n], _largest(x[n]), labels[n]
            loss += top - xs[label] if 0 <= label < classes else np.nan
            for k in range(classes):
                dys[k] = xs[k] - top
        _decays(dy[low:high])
        for n in range(low, high):
            dys, total, label = dy[n], ZERO, labels[n]
            for k in range(classes):
                total += dys[k]
            loss += math.log(total)
            scale = ONE / (total * np.float32(images))
            for k in range(classes):
                dys[k] *= scale
            if 0 <= label < classes:
                dys[label] -= ONE / np.float32(images)
        losses[task] = loss


@kernel
def soft_cross_entropy(
    queue: Array, x: Array, q: Array, dy: Array, losses: Array, bounds: Array, total: float
) -> None:
    """``L = -1/W Σ_n Σ_k q[n,k] · log softmax(x)[n,k]``; ``dy = (softmax(x)·Σ_k q[n,k] - q) / W``.

    Targets ``q`` (N, K), float32, and ``total`` W are `pellucid.ops.cross_entropy_targets`.
    """
    classes, share_of_one = x.shape[1], np.float32(1 / total)
    for task in share(queue):
        low, high, loss = bounds[task], bounds[task + 1], 0.0
        for n in range(low, high):
            xs, dys, top = x[n], dy[n], _largest(x[n])
            for k in range(classes):
                dys[k] = xs[k] - top
        _decays(dy[low:high])
        for n in range(low, high):
            xs, qs, dys, top = x[n], q[n], dy[n], _largest(x[n])
            exponentials, weight, lost = ZERO, ZERO, 0.0
            for k in range(classes):
                exponentials += dys[k]
                weight += qs[k]
            log_total = math.log(exponentials)
            for k in range(classes):
                # A target of 0 may have probability 0; NaN shows in `exponentials`.
                lost += qs[k] * (log_total + top - xs[k]) if qs[k] != ZERO else 0.0
            loss += lost + (log_total if log_total != log_total else 0.0)
            scale = weight / exponentials
            for k in range(classes):
                dys[k] = (dys[k] * scale - qs[k]) * share_of_one
        losses[task] = loss


@kernel
def multiclass_hinge(
    queue: Array, x: Array, labels: Array, dy: Array, losses: Array, bounds: Array, images: int,
    margin: float,
) -> None:  # fmt: skip
    """``L = 1/N Σ_n Σ_{k≠label} max(0, x[n,k] - x[n,label] + Δ)``.

    ``dy`` is 1/N where a term is above 0, and at the label -1/N times the number of such terms.
    """
    classes, ahead = x.shape[1], np.float32(margin)
    one = ONE / np.float32(images)
    for task in share(queue):
        low, high, loss = bounds[task], bounds[task + 1], 0.0
        for n in range(low, high):
            xs, dys, label = x[n], dy[n], labels[n]
            if not 0 <= label < classes:
                loss = np.nan
                continue
            violated = 0
            for k in range(classes):
                z = xs[k] - xs[label] + ahead
                wrong = not z <= 0 and k != label  # a NaN counts, and so shows in the loss
                loss += z if wrong else 0.0
                violated += wrong
                dys[k] = one if wrong else ZERO
            dys[label] = -one * np.float32(violated)
        losses[task] = loss


@kernel
def squared_error(
    queue: Array, x: Array, labels: Array, dy: Array, losses: Array, bounds: Array, images: int
) -> None:
    """``L = mean((x - t)²)``; ``dy = 2 (x - t) / size``, where t is 1 at the label, else 0."""
    classes = x.shape[1]
    two = np.float32(2 / (images * classes))
    for task in share(queue):
        low, high, loss = bounds[task], bounds[task + 1], 0.0
        for n in range(low, high):
            xs, dys, label = x[n], dy[n], labels[n]
            loss = loss if 0 <= label < classes else np.nan
            for k in range(classes):
                z = xs[k] - (ONE if k == label else ZERO)
                loss += z * z
                dys[k] = two * z
        losses[task] = loss / classes
