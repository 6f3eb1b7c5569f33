"""im2col as a picture: the matrix is the oracle's, and letters lead from cell to column."""

from __future__ import annotations

import numpy as np
import pytest

import naive
from drawn import numbers_after, require_legible, texts, value, values_after
from pellucid import viz
from pellucid.errors import ArgumentError, ShapeError

rng = np.random.default_rng(3)
CASES = [
    ((1, 4, 4), (1, 1, 3, 3), {}),
    ((1, 1, 1), (1, 1, 1, 1), {}),
    ((3, 4, 5), (2, 3, 2, 2), {"stride": 2, "padding": (0, 1, 1, 0)}),
    ((1, 6, 6), (1, 1, 3, 3), {"padding": 1}),
    ((2, 5, 4), (4, 2, 2, 1), {"dilation": (2, 1), "stride": (1, 2)}),
]


def made(x_shape, w_shape):
    return rng.integers(-9, 10, size=x_shape), rng.integers(-3, 4, size=w_shape)


def setting(options):
    """Return stride, padding and dilation as the oracle takes them."""
    pair = lambda v: v if isinstance(v, tuple) else (v, v)  # noqa: E731
    pad = options.get("padding", 0)
    pad = pad if isinstance(pad, tuple) else (pad,) * 4
    stride, dilation = pair(options.get("stride", 1)), pair(options.get("dilation", 1))
    return stride, (pad[:2], pad[2:]), dilation


def matrix_of(figure, col):
    """Return the numbers of the matrix as drawn: behind its letters and its rows' names."""
    rows, columns = col.shape
    drawn = numbers_after(figure, f"im2col: {rows}x{columns}", columns + rows + rows * columns)
    return drawn[:columns], drawn[columns + rows :]


@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES)
def test_matrix_product_and_output_are_those_of_the_oracle(x_shape, w_shape, options):
    x, w = made(x_shape, w_shape)
    bias = np.arange(len(w)) - 1
    stride, pad, dilation = setting(options)
    col = naive.im2col(x[None], w.shape[2:], stride, pad, dilation)
    y = naive.convolution(x[None], w, bias, stride, pad, dilation)[0]
    figure = viz.im2col(x, w, bias, step=len(col), **options)
    _, drawn = matrix_of(figure, col)
    np.testing.assert_array_equal([value(t) for t in drawn], col.ravel())
    product = values_after(figure, "+ bias", (len(col), len(w)))
    np.testing.assert_array_equal(product, y.reshape(len(w), -1).T)
    for o in range(len(w)):
        name = f"output{f' {o}' if len(w) > 1 else ''} {y.shape[1]}x{y.shape[2]}"
        np.testing.assert_array_equal(values_after(figure, name, y[o].shape), y[o])
    require_legible(figure, least=5)


def test_a_cell_and_the_column_it_goes_to_bear_the_same_letter():
    x, w = np.arange(36).reshape(3, 3, 4), np.ones((3, 2, 2))
    figure = viz.im2col(x, w, step=5)
    col = naive.im2col(x[None], (2, 2))
    letters, drawn = matrix_of(figure, col)
    assert letters == list("abcdefghijkl")
    row = np.array(drawn).reshape(col.shape)[4]
    words = texts(figure)
    # Of the image's cells, those that bear a letter: a number, then its mark.
    image = words[: words.index("im2col: 6x12")]
    marked = {mark: image[k - 1] for k, mark in enumerate(image) if mark in letters}
    assert marked == dict(zip(letters, row, strict=True))


def test_the_row_is_multiplied_with_the_filter_in_words():
    x, w = np.array([[1, 2], [3, -4]]), np.array([[2, 0], [-1, 5]])
    words = " ".join(texts(viz.im2col(x, w, 3)))
    assert "output[0, 0] = row · column = 1·2 + 2·0 + 3·(−1) − 4·5 + bias 3 = −18" in words
    assert "numbers in the image: 4, in the matrix: 1·4 = 4" in words


def test_a_moving_picture_fills_the_matrix_row_by_row():
    x, w = np.arange(1, 10).reshape(3, 3), np.ones((2, 2))
    col = naive.im2col(x[None, None], (2, 2))
    sizes = set()
    for step in range(1, 5):
        figure = viz.im2col(x, w, step=step, so_far=True)
        _, drawn = matrix_of(figure, col)
        assert ["".join(drawn[k : k + 4]) != "" for k in range(0, 16, 4)] == [
            k < step for k in range(4)
        ]
        sizes.add(tuple(figure.get_size_inches()))
    assert len(sizes) == 1


def test_what_makes_no_sense_is_refused_with_advice():
    x, w = np.ones((4, 4)), np.ones((3, 3))
    with pytest.raises(ArgumentError, match=r"36x36 and 4 filters; 49 windows of 4 cells"):
        viz.im2col(np.ones((8, 8)), np.ones((2, 2)))
    with pytest.raises(ArgumentError, match="for 5"):
        viz.im2col(x, np.ones((5, 1, 3, 3)))
    with pytest.raises(ArgumentError, match="filter: must be as deep as its input"):
        viz.im2col(x, np.ones((2, 3, 3)))
    with pytest.raises(ArgumentError, match=r"step: must be from 1 to 4"):
        viz.im2col(x, w, step=0)
    with pytest.raises(ShapeError, match="larger than the input's height of 4"):
        viz.im2col(x, np.ones((5, 3)))
