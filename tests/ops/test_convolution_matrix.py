"""A convolution as a matrix: equal results, blocks that repeat, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from ops.strategies import Convolution, convolutions
from ops.witness import assert_agrees
from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops import conv2d, conv2d_backward, convolution_matrix, linear, linear_backward


@given(case=convolutions())
def test_a_linear_layer_with_this_matrix_is_the_convolution_forward_and_backward(case: Convolution):
    x, w, b, dy = case.arrays()
    matrix = convolution_matrix(w, x.shape[1:], **case.options)
    flat, flat_dy = x.reshape(len(x), -1), dy.reshape(len(dy), -1)
    y = linear(flat, matrix, np.repeat(b, dy.shape[2] * dy.shape[3]))
    size = conv2d(abs(x), abs(w), abs(b), **case.options)
    assert_agrees(y.reshape(dy.shape), conv2d(x, w, b, **case.options), magnitude=size)
    dx, _, _ = linear_backward(flat_dy, flat, matrix)
    size = conv2d_backward(abs(dy), abs(x), abs(w), **case.options)[0]
    expected = conv2d_backward(dy, x, w, **case.options)[0]
    assert_agrees(dx.reshape(x.shape), expected, magnitude=size)


def test_most_of_it_is_zero_and_the_rest_repeats():
    w = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    matrix = convolution_matrix(w, (1, 6, 6))
    assert matrix.shape == (16, 36)
    assert (matrix != 0).sum() == 16 * 9
    assert set(np.unique(matrix)) == set(range(10))
    blocks = matrix.reshape(4, 4, 6, 6)  # (i, j, y, x)
    assert np.array_equal(blocks[1, 2, 1:4, 2:5], w[0, 0])
    assert np.array_equal(blocks[0, :, 0], blocks[2, :, 2])  # a whole block, one row further down


def test_padding_has_no_column_and_integers_stay_integers():
    matrix = convolution_matrix(np.full((1, 1, 3, 3), 5), (1, 2, 2), padding=1)
    assert matrix.tolist() == [[5] * 4] * 4
    assert matrix.dtype == np.array(5).dtype


def test_what_would_fill_the_memory_is_refused_with_its_size():
    with pytest.raises(
        ArgumentError,
        match=r"^convolution_matrix: would be 3,211,264 x 150,528 numbers, of which all but 27 p",
    ):
        convolution_matrix(np.zeros((64, 3, 3, 3)), (3, 224, 224), padding=1)
    with pytest.raises(ShapeError, match="expects 3 input channels"):
        convolution_matrix(np.zeros((64, 3, 3, 3)), (1, 4, 4))
