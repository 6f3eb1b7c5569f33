"""The gradient for images of few channels, against the op in float64."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import ops
from pellucid.engine.cpu.convolution.algorithms import FewChannels
from pellucid.kernels.convolution.layout import NO_BYTES, GatedGradient

RNG = np.random.default_rng(0)
CASES = [
    ((1, 28, 28), (6, 1, 5, 5), 1, 0, 1),
    ((3, 7, 9), (17, 3, 3, 2), 1, 1, 1),
    ((1, 3, 3), (2, 1, 3, 3), 1, 2, 1),
    ((1, 3, 40), (2, 1, 1, 36), 1, 0, 1),
    ((2, 9, 12), (5, 2, 3, 3), 2, 1, 1),
    ((1, 15, 20), (3, 1, 4, 3), (3, 2), 0, 1),  # pixels that no window reads, in rows and columns
    ((3, 11, 12), (4, 3, 2, 2), 3, 1, 1),  # and between windows
    ((2, 12, 13), (3, 2, 3, 3), 1, 2, 2),
    ((1, 14, 17), (4, 1, 3, 4), (2, 3), (3, 1), (3, 2)),
]


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize(("image", "filters", "stride", "pad", "dilation"), CASES)
def test_it_is_the_ops(image, filters, stride, pad, dilation, gated):
    windows = ops.conv2d_windows(image, filters, stride, pad, dilation)
    w, x = RNG.normal(size=filters).astype(np.float32), np.zeros((4, *image))
    dy = RNG.normal(size=(4, filters[0], *windows.output)).astype(np.float32)
    y = RNG.normal(size=dy.shape).astype(np.float32)
    dz = np.where(y > 0, dy, 0) if gated else dy
    expected, _, _ = ops.conv2d_backward(
        dz.astype(float), x, w.astype(float), stride=stride, padding=pad, dilation=dilation
    )
    dy, y = (np.ascontiguousarray(a.transpose(0, 2, 3, 1)) for a in (dy, y))
    gradient = FewChannels(windows, image[0], filters[0])
    gradient.pack(w)
    dx = np.full((4, *image[1:], image[0]), np.nan, np.float32)
    for _ in range(2):  # nothing is left over from the first call
        gradient(GatedGradient.of(dy, y if gated else None), 4, dx.reshape(-1), NO_BYTES, False)
        assert_agrees(dx.transpose(0, 3, 1, 2), expected)
