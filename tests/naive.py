"""The oracle: every operation as nested loops over single numbers, in float64.

It imports nothing of ours, and nothing in it is clever: a reader can check each loop against the
equation. ``pad`` is ((top, bottom), (left, right)) everywhere. Gradients are in scatter form:
walk over the forward loops again and add to every number what the chain rule gives it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Two: TypeAlias = tuple[int, int]
Pad: TypeAlias = tuple[Two, Two]

NO_PAD: Pad = ((0, 0), (0, 0))


def numerical_gradient(f: Callable[[Array], float], x: Array, h: float = 1e-5) -> Array:
    """Return the central difference ``(f(x + h) - f(x - h)) / 2h`` for every number of ``x``."""
    gradient = np.zeros(x.shape)
    for index in np.ndindex(*x.shape):
        above, below = x.astype(np.float64), x.astype(np.float64)
        above[index] += h
        below[index] -= h
        gradient[index] = (f(above) - f(below)) / (above[index] - below[index])
    return gradient


def count_windows(size: int, window: int, stride: int, pad: Two, dilation: int) -> int:
    """Move the window along one axis and count, until its last cell would fall off the end."""
    count, first = 0, -pad[0]
    while first + dilation * (window - 1) < size + pad[1]:
        count, first = count + 1, first + stride
    return count


def output_shape(image: Two, window: Two, stride: Two, pad: Pad, dilation: Two) -> Two:
    """Count the windows along both axes."""
    rows = count_windows(image[0], window[0], stride[0], pad[0], dilation[0])
    return rows, count_windows(image[1], window[1], stride[1], pad[1], dilation[1])


def taps(
    i: int, j: int, image: Two, window: Two, stride: Two, pad: Pad, dilation: Two
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (u, v, row, column) for those cells of window (i, j) that are not padding."""
    for u in range(window[0]):
        for v in range(window[1]):
            row = stride[0] * i + dilation[0] * u - pad[0][0]
            column = stride[1] * j + dilation[1] * v - pad[1][0]
            if 0 <= row < image[0] and 0 <= column < image[1]:
                yield u, v, row, column


def im2col(
    x: Array, window: Two, stride: Two = (1, 1), pad: Pad = NO_PAD, dilation: Two = (1, 1)
) -> Array:
    """Copy each window of each image into one row, cell by cell."""
    (n_, c_), image = x.shape[:2], (x.shape[2], x.shape[3])
    oh, ow = output_shape(image, window, stride, pad, dilation)
    col = np.zeros((n_ * oh * ow, c_ * window[0] * window[1]), dtype=x.dtype)
    for n in range(n_):
        for i in range(oh):
            for j in range(ow):
                for c in range(c_):
                    for u, v, row, column in taps(i, j, image, window, stride, pad, dilation):
                        place = (c * window[0] + u) * window[1] + v
                        col[(n * oh + i) * ow + j, place] = x[n, c, row, column]
    return col


def convolution(
    x: Array,
    w: Array,
    b: Array | None = None,
    stride: Two = (1, 1),
    pad: Pad = NO_PAD,
    dilation: Two = (1, 1),
    groups: int = 1,
) -> Array:
    """Seven loops, and for every one of them a letter of the equation."""
    (n_, c_), image = x.shape[:2], (x.shape[2], x.shape[3])
    fn, depth, window = w.shape[0], w.shape[1], (w.shape[2], w.shape[3])
    assert c_ == depth * groups
    oh, ow = output_shape(image, window, stride, pad, dilation)
    y = np.zeros((n_, fn, oh, ow))
    for n in range(n_):
        for o in range(fn):
            first = o // (fn // groups) * depth
            for i in range(oh):
                for j in range(ow):
                    total = 0.0 if b is None else float(b[o])
                    for c in range(depth):
                        for u, v, row, column in taps(i, j, image, window, stride, pad, dilation):
                            total += float(w[o, c, u, v]) * float(x[n, first + c, row, column])
                    y[n, o, i, j] = total
    return y


def convolution_gradients(
    dy: Array,
    x: Array,
    w: Array,
    stride: Two = (1, 1),
    pad: Pad = NO_PAD,
    dilation: Two = (1, 1),
    groups: int = 1,
) -> tuple[Array, Array, Array]:
    """Walk over the seven loops again; each product sends ``dy`` to both of its factors."""
    image, window = (x.shape[2], x.shape[3]), (w.shape[2], w.shape[3])
    n_, fn, oh, ow = dy.shape
    depth = w.shape[1]
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(fn)
    for n in range(n_):
        for o in range(fn):
            first = o // (fn // groups) * depth
            for i in range(oh):
                for j in range(ow):
                    g = float(dy[n, o, i, j])
                    db[o] += g
                    for c in range(depth):
                        for u, v, row, column in taps(i, j, image, window, stride, pad, dilation):
                            dx[n, first + c, row, column] += g * float(w[o, c, u, v])
                            dw[o, c, u, v] += g * float(x[n, first + c, row, column])
    return dx, dw, db


def max_pooling(
    x: Array, window: Two, stride: Two, pad: Pad = NO_PAD, dilation: Two = (1, 1)
) -> tuple[Array, Array]:
    """Return the largest number of each window, and which of its cells (u·FW + v) held it first."""
    (n_, c_), image = x.shape[:2], (x.shape[2], x.shape[3])
    oh, ow = output_shape(image, window, stride, pad, dilation)
    y, winner = np.zeros((n_, c_, oh, ow)), np.zeros((n_, c_, oh, ow), dtype=np.int64)
    for n, c, i, j in np.ndindex(n_, c_, oh, ow):
        best, place = math.nan, -1
        for u, v, row, column in taps(i, j, image, window, stride, pad, dilation):
            value = float(x[n, c, row, column])
            if place < 0 or value > best or (math.isnan(value) and not math.isnan(best)):
                best, place = value, u * window[1] + v
        y[n, c, i, j], winner[n, c, i, j] = best, place
    return y, winner


def max_pooling_gradient(
    dy: Array, x: Array, window: Two, stride: Two, pad: Pad = NO_PAD, dilation: Two = (1, 1)
) -> Array:
    """Give each ``dy`` to the cell that won its window."""
    _, winner = max_pooling(x, window, stride, pad, dilation)
    dx = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*dy.shape):
        u, v = divmod(int(winner[n, c, i, j]), window[1])
        row = stride[0] * i + dilation[0] * u - pad[0][0]
        column = stride[1] * j + dilation[1] * v - pad[1][0]
        dx[n, c, row, column] += float(dy[n, c, i, j])
    return dx


def avg_pooling(
    x: Array,
    window: Two,
    stride: Two,
    pad: Pad = NO_PAD,
    dilation: Two = (1, 1),
    include_pad: bool = True,
    overhang: Two = (0, 0),
) -> Array:
    """Average each window over all of its cells, or only over those that are not padding.

    The last ``overhang`` rows and columns of the padding count in neither case.
    """
    (n_, c_), image = x.shape[:2], (x.shape[2], x.shape[3])
    oh, ow = output_shape(image, window, stride, pad, dilation)
    y = np.zeros((n_, c_, oh, ow))
    for n, c, i, j in np.ndindex(n_, c_, oh, ow):
        total, count = 0.0, 0
        for _, _, row, column in taps(i, j, image, window, stride, pad, dilation):
            total, count = total + float(x[n, c, row, column]), count + 1
        if include_pad:
            count = _declared_cells(i, j, image, window, stride, pad, dilation, overhang)
        y[n, c, i, j] = total / count
    return y


def _declared_cells(
    i: int, j: int, image: Two, window: Two, stride: Two, pad: Pad, dilation: Two, overhang: Two
) -> int:
    """Count the cells of a window that lie in the image or in the padding that was asked for."""
    count = 0
    for u in range(window[0]):
        for v in range(window[1]):
            row = stride[0] * i + dilation[0] * u - pad[0][0]
            column = stride[1] * j + dilation[1] * v - pad[1][0]
            inside = row < image[0] + pad[0][1] - overhang[0]
            count += inside and column < image[1] + pad[1][1] - overhang[1]
    return count


def avg_pooling_gradient(
    dy: Array,
    x: Array,
    window: Two,
    stride: Two,
    pad: Pad = NO_PAD,
    dilation: Two = (1, 1),
    include_pad: bool = True,
    overhang: Two = (0, 0),
) -> Array:
    """Give each cell of a window the same share of ``dy``."""
    image, dx = (x.shape[2], x.shape[3]), np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*dy.shape):
        real = list(taps(i, j, image, window, stride, pad, dilation))
        count = len(real)
        if include_pad:
            count = _declared_cells(i, j, image, window, stride, pad, dilation, overhang)
        share = float(dy[n, c, i, j]) / count
        for _, _, row, column in real:
            dx[n, c, row, column] += share
    return dx


def lp_pooling(
    x: Array, window: Two, stride: Two, pad: Pad = NO_PAD, dilation: Two = (1, 1), p: float = 2.0
) -> Array:
    """Return ``(Σ |z|^p)^(1/p)`` of each window."""
    (n_, c_), image = x.shape[:2], (x.shape[2], x.shape[3])
    oh, ow = output_shape(image, window, stride, pad, dilation)
    y = np.zeros((n_, c_, oh, ow))
    for n, c, i, j in np.ndindex(n_, c_, oh, ow):
        total = 0.0
        for _, _, row, column in taps(i, j, image, window, stride, pad, dilation):
            total += abs(float(x[n, c, row, column])) ** p
        y[n, c, i, j] = total ** (1 / p)
    return y


def lp_pooling_gradient(
    dy: Array,
    x: Array,
    window: Two,
    stride: Two,
    pad: Pad = NO_PAD,
    dilation: Two = (1, 1),
    p: float = 2.0,
) -> Array:
    """Apply the outer power's derivative, then the inner one's, cell by cell."""
    image, dx = (x.shape[2], x.shape[3]), np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*dy.shape):
        real = list(taps(i, j, image, window, stride, pad, dilation))
        total = sum(abs(float(x[n, c, row, column])) ** p for _, _, row, column in real)
        if total == 0:
            continue
        outer = total ** (1 / p - 1) / p
        for _, _, row, column in real:
            z = float(x[n, c, row, column])
            inner = p * abs(z) ** (p - 1) * math.copysign(1, z)
            dx[n, c, row, column] += float(dy[n, c, i, j]) * outer * inner
    return dx


def neighbours(i: int, n: int, channels: int) -> range:
    """Return the ``n`` channels around ``i`` that exist; an even ``n`` has one more below."""
    return range(max(0, i - n // 2), min(channels, i + (n - 1) // 2 + 1))


def local_response_norm(
    a: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> Array:
    """Krizhevsky et al. 2012, section 3.3, at each place of each channel."""
    b = np.zeros(a.shape)
    for m, i, y, x in np.ndindex(*a.shape):
        s = k + alpha * sum(float(a[m, j, y, x]) ** 2 for j in neighbours(i, n, a.shape[1]))
        b[m, i, y, x] = float(a[m, i, y, x]) / s**beta
    return b


def local_response_norm_gradient(
    db: Array, a: Array, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> Array:
    """Send ``db`` to the numerator, and through the bracket to every neighbour."""
    da = np.zeros(a.shape)
    for m, i, y, x in np.ndindex(*a.shape):
        near = neighbours(i, n, a.shape[1])
        s = k + alpha * sum(float(a[m, j, y, x]) ** 2 for j in near)
        g = float(db[m, i, y, x])
        da[m, i, y, x] += g * s**-beta
        ds = g * float(a[m, i, y, x]) * -beta * s ** (-beta - 1)
        for j in near:
            da[m, j, y, x] += ds * 2 * alpha * float(a[m, j, y, x])
    return da


def batch_norm(x: Array, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
    """Normalise each channel of (N, C, H, W) by its own mean and (biased) variance."""
    n_, c_, h, w = x.shape
    y, m = np.zeros(x.shape), n_ * h * w
    for c in range(c_):
        mean = sum(float(v) for v in x[:, c].flat) / m
        var = sum((float(v) - mean) ** 2 for v in x[:, c].flat) / m
        for n, i, j in np.ndindex(n_, h, w):
            x_hat = (float(x[n, c, i, j]) - mean) / math.sqrt(var + eps)
            y[n, c, i, j] = float(gamma[c]) * x_hat + float(beta[c])
    return y


def batch_norm_gradients(
    dy: Array, x: Array, gamma: Array, eps: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Ioffe & Szegedy 2015, section 3: the chain rule with ∂L/∂σ² and ∂L/∂μ written out."""
    n_, c_, h, w = x.shape
    dx, dgamma, dbeta, m = np.zeros(x.shape), np.zeros(c_), np.zeros(c_), n_ * h * w
    for c in range(c_):
        mean = sum(float(v) for v in x[:, c].flat) / m
        var = sum((float(v) - mean) ** 2 for v in x[:, c].flat) / m
        dvar = dmean = spread = 0.0
        for n, i, j in np.ndindex(n_, h, w):
            g, centred = float(dy[n, c, i, j]), float(x[n, c, i, j]) - mean
            dgamma[c] += g * centred / math.sqrt(var + eps)
            dbeta[c] += g
            dvar += g * float(gamma[c]) * centred * -0.5 * (var + eps) ** -1.5
            dmean -= g * float(gamma[c]) / math.sqrt(var + eps)
            spread += centred
        dmean += dvar * -2 * spread / m
        for n, i, j in np.ndindex(n_, h, w):
            dx_hat = float(dy[n, c, i, j]) * float(gamma[c])
            through_var = dvar * 2 * (float(x[n, c, i, j]) - mean) / m
            dx[n, c, i, j] = dx_hat / math.sqrt(var + eps) + through_var + dmean / m
    return dx, dgamma, dbeta


def group_norm(x: Array, groups: int, gamma: Array, beta: Array, eps: float = 1e-5) -> Array:
    y = np.zeros_like(x)
    count, channels, height, width = x.shape
    size = channels // groups
    for n in range(count):
        for g in range(groups):
            own = range(g * size, (g + 1) * size)
            values = [x[n, c, i, j] for c in own for i in range(height) for j in range(width)]
            mean = sum(values) / len(values)
            var = sum((v - mean) ** 2 for v in values) / len(values)
            for c in own:
                for i in range(height):
                    for j in range(width):
                        hat = (x[n, c, i, j] - mean) / math.sqrt(var + eps)
                        y[n, c, i, j] = gamma[c] * hat + beta[c]
    return y


def softmax_cross_entropy(scores: Array, labels: Array) -> tuple[float, Array]:
    """Return the mean of ``-log p[label]`` and its gradient ``(p - t) / N``."""
    n_, k_ = scores.shape
    loss, gradient = 0.0, np.zeros(scores.shape)
    for n in range(n_):
        largest = max(float(s) for s in scores[n])
        total = sum(math.exp(float(s) - largest) for s in scores[n])
        loss += (math.log(total) + largest - float(scores[n, labels[n]])) / n_
        for k in range(k_):
            p = math.exp(float(scores[n, k]) - largest) / total
            gradient[n, k] = (p - (1.0 if k == labels[n] else 0.0)) / n_
    return loss, gradient


def multiclass_hinge(scores: Array, labels: Array, margin: float = 1.0) -> tuple[float, Array]:
    """Return the mean sum of violated margins and its gradient."""
    n_, k_ = scores.shape
    loss, gradient = 0.0, np.zeros(scores.shape)
    for n in range(n_):
        right = int(labels[n])
        for k in range(k_):
            gap = float(scores[n, k]) - float(scores[n, right]) + margin
            if k != right and gap > 0:
                loss += gap / n_
                gradient[n, k] += 1 / n_
                gradient[n, right] -= 1 / n_
    return loss, gradient


def broadcast(name: str, a: Array, b: Array, dy: Array) -> tuple[Array, Array, Array]:
    """Return y, da and db of an operation number by number; an axis of length 1 is repeated."""
    y, da, db = np.zeros(dy.shape), np.zeros(a.shape), np.zeros(b.shape)
    for index in np.ndindex(*dy.shape):
        i = tuple(
            k if n > 1 else 0 for k, n in zip(index[dy.ndim - a.ndim :], a.shape, strict=True)
        )
        j = tuple(
            k if n > 1 else 0 for k, n in zip(index[dy.ndim - b.ndim :], b.shape, strict=True)
        )
        p, q, g = float(a[i]), float(b[j]), float(dy[index])
        if name == "add":
            y[index], left, right = p + q, 1.0, 1.0
        elif name == "subtract":
            y[index], left, right = p - q, 1.0, -1.0
        elif name == "multiply":
            y[index], left, right = p * q, q, p
        elif name == "divide":
            y[index], left, right = p / q, 1 / q, -p / q**2
        else:
            first = 0.5 if p == q else float((p > q) == (name == "maximum"))
            y[index], left, right = first * p + (1 - first) * q, first, 1 - first
        da[i] += g * left
        db[j] += g * right
    return y, da, db


def matmul(a: Array, b: Array, dy: Array) -> tuple[Array, Array, Array]:
    """Return y, da and db of products of matrices (N, A, I, J) and (N, B, J, K)."""
    y, da, db = np.zeros(dy.shape), np.zeros(a.shape), np.zeros(b.shape)
    for n, m, i, k in np.ndindex(*dy.shape):
        s, t = min(m, a.shape[1] - 1), min(m, b.shape[1] - 1)
        for j in range(a.shape[3]):
            y[n, m, i, k] += a[n, s, i, j] * b[n, t, j, k]
            da[n, s, i, j] += dy[n, m, i, k] * b[n, t, j, k]
            db[n, t, j, k] += dy[n, m, i, k] * a[n, s, i, j]
    return y, da, db
