"""The gradient for images of few channels, against the op in float64."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import ops
from pellucid.book.layers.image_gradient import ImageGradient

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("image", "filters", "pad"),
    [
        ((1, 28, 28), (6, 1, 5, 5), 0),
        ((3, 7, 9), (17, 3, 3, 2), 1),
        ((1, 3, 3), (2, 1, 3, 3), 2),
        ((1, 3, 40), (2, 1, 1, 36), 0),
    ],
)
def test_it_is_the_ops(image, filters, pad):
    windows = ops.conv2d_windows(image, filters, 1, pad)
    assert ImageGradient.serves(windows, image[0])
    w, x = RNG.normal(size=filters).astype(np.float32), np.zeros((4, *image))
    dy = RNG.normal(size=(4, filters[0], *windows.output)).astype(np.float32)
    expected, _, _ = ops.conv2d_backward(dy.astype(float), x, w.astype(float), padding=pad)
    gradient = ImageGradient(windows, image[0], filters[0])
    for _ in range(2):  # nothing is left over from the first call
        dx = gradient(np.ascontiguousarray(dy.transpose(0, 2, 3, 1)), w)
        assert_agrees(dx, expected)
