"""Padding: a walk from cell to cell, and a sum over the cells that show a cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_images
from ops.strategies import seeds
from ops.witness import assert_agrees, drawn
from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops import pad2d, pad2d_backward

MODES = ("constant", "reflect", "edge", "wrap")


@pytest.mark.parametrize("mode", MODES)
@given(
    sides=st.tuples(*[st.integers(0, 9)] * 4), h=st.integers(1, 4), w=st.integers(1, 4), seed=seeds
)
def test_padding_equals_the_loops_and_its_gradient_is_the_transpose(sides, h, w, seed, mode):
    rng = np.random.default_rng(seed)
    x = drawn(rng, (2, 1, h, w))
    y = pad2d(x, sides, mode, 0.5)
    assert_agrees(y, naive_images.pad(x, sides, mode, 0.5))
    dy = drawn(rng, y.shape)
    # <dy, pad(x)> is linear in x with slope dx; the constant adds what does not depend on x.
    dx = pad2d_backward(dy, x.shape, sides, mode)
    linear = (dy * pad2d(x, sides, mode)).sum()
    np.testing.assert_allclose((dx * x).sum(), linear, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_removed_on_one_side_is_not_shown_on_another(mode):
    x = np.arange(6.0).reshape(1, 1, 1, 6)
    np.testing.assert_array_equal(
        pad2d(x, (0, 0, -2, 3), mode), pad2d(x[..., 2:], (0, 0, 0, 3), mode)
    )
    dx = pad2d_backward(np.ones((1, 1, 1, 7)), x.shape, (0, 0, -2, 3), mode)
    assert not dx[..., :2].any()
    assert dx.sum() == (4 if mode == "constant" else 7)


@pytest.mark.parametrize("padding", ["1", (1, 2, 3), 1.5, True, (1, None), ()])
def test_a_padding_of_another_form_is_refused(padding):
    with pytest.raises(
        ArgumentError, match=r"^padding: must be an integer, two .* or four \(top, "
    ):
        pad2d(np.ones((1, 1, 2, 2)), padding)


def test_an_unknown_mode_and_an_image_of_which_nothing_is_left_are_refused():
    with pytest.raises(ArgumentError, match=r"^mode: must be 'constant', .* received 'replicate'"):
        pad2d(np.ones((1, 1, 2, 2)), 1, "replicate")
    with pytest.raises(ShapeError, match=r"leaves nothing of an image of 2x2"):
        pad2d(np.ones((1, 1, 2, 2)), (-1, -1, 3, 0))
    with pytest.raises(ShapeError, match=r"leaves nothing of an image of 2x2"):
        pad2d(np.ones((1, 1, 2, 2)), (-2, 5, 0, 0))
