"""Windows as rows, and small helpers."""

from __future__ import annotations

import numpy as np


def smooth_curve(x):
    width = 11
    mirrored = np.concatenate([x[width - 1 : 0 : -1], x, x[-1:-width:-1]])
    window = np.kaiser(width, 2)
    smooth = np.convolve(window / np.sum(window), mirrored, mode="valid")
    return smooth[5 : len(smooth) - 5]


def shuffle_dataset(x, t):
    order = np.random.permutation(len(x))  # noqa: NPY002 - as the scripts draw
    return x[order], t[order]


def conv_output_size(input_size, filter_size, stride=1, pad=0):
    return (input_size + 2 * pad - filter_size) / stride + 1


def im2col(images, fh, fw, stride=1, pad=0):
    n, c, h, w = images.shape
    oh, ow = (h + 2 * pad - fh) // stride + 1, (w + 2 * pad - fw) // stride + 1
    padded = np.pad(images, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    cells = np.zeros((n, c, fh, fw, oh, ow))
    for u in range(fh):
        for v in range(fw):
            cells[:, :, u, v] = padded[
                :, :, u : u + stride * oh : stride, v : v + stride * ow : stride
            ]
    return cells.transpose(0, 4, 5, 1, 2, 3).reshape(n * oh * ow, -1)


def col2im(col, shape, fh, fw, stride=1, pad=0):
    n, c, h, w = shape
    oh, ow = (h + 2 * pad - fh) // stride + 1, (w + 2 * pad - fw) // stride + 1
    cells = col.reshape(n, oh, ow, c, fh, fw).transpose(0, 3, 4, 5, 1, 2)
    padded = np.zeros((n, c, h + 2 * pad + stride - 1, w + 2 * pad + stride - 1))
    for u in range(fh):
        for v in range(fw):
            padded[:, :, u : u + stride * oh : stride, v : v + stride * ow : stride] += cells[
                :, :, u, v
            ]
    return padded[:, :, pad : pad + h, pad : pad + w]
