"""im2col and col2im: against the lecture's numbers, the loops, PyTorch's unfold, each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import naive
from ops.strategies import Pooling, poolings
from ops.witness import DTYPES, assert_agrees, drawn, frozen, relative_error
from pellucid.errors import PellucidError, ShapeError
from pellucid.ops import col2im, im2col

# Padding as wide as one likes: unlike pooling, im2col may read nothing but padding.
cases = poolings(most_padding=4)


def _arguments(case: Pooling) -> tuple:
    options = case.geometry.options
    order = ("stride", "padding", "dilation", "misfit")
    return (*case.geometry.window, *(options[name] for name in order))


def test_a_1x1_filter_makes_one_row_a_cell_with_the_channels_beside_each_other():
    col = im2col(np.arange(48).reshape(2, 2, 6, 2), 1, 1)
    assert col.shape == (24, 2)
    first = [[i, i + 12] for i in range(12)]
    assert col.tolist() == first + [[i + 24, i + 36] for i in range(12)]
    assert col[0].tolist() == [0, 12]
    assert col[-1].tolist() == [35, 47]


def test_three_channels_make_rows_of_three():
    col = im2col(np.arange(48).reshape(1, 3, 4, 4), 1, 1)
    assert col.tolist() == [[i, i + 16, i + 32] for i in range(16)]


@pytest.mark.parametrize(("images", "rows"), [(1, 9), (10, 90)])
def test_5x5_windows_over_7x7x3_images_make_rows_of_75(images: int, rows: int):
    assert im2col(np.zeros((images, 3, 7, 7)), 5, 5, stride=1, pad=0).shape == (rows, 75)


def test_a_row_is_a_window_read_channel_by_channel_and_line_by_line():
    x = np.arange(32).reshape(1, 2, 4, 4)
    assert im2col(x, 2, 2)[4].tolist() == [5, 6, 9, 10, 21, 22, 25, 26]


@given(case=cases)
def test_im2col_equals_the_loops(case: Pooling):
    x, _ = case.arrays()
    assert np.array_equal(
        im2col(x, *_arguments(case)), naive.im2col(x, case.geometry.window, **case.geometry.naive)
    )


@given(case=cases)
def test_im2col_equals_torch_unfold(case: Pooling, torch):
    x, _ = case.arrays()
    moves = case.geometry.windows
    (top, bottom), (left, right) = moves.padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    blocks = torch.nn.functional.unfold(
        torch.from_numpy(padded), moves.window, dilation=moves.dilation, stride=moves.stride
    )
    expected = blocks.numpy().transpose(0, 2, 1).reshape(-1, blocks.shape[1])
    assert np.array_equal(im2col(x, *_arguments(case)), expected)


@given(case=cases)
def test_col2im_is_the_transpose_of_im2col(case: Pooling):
    x, _ = case.arrays()
    col = im2col(x, *_arguments(case))
    c = drawn(np.random.default_rng(case.seed + 1), col.shape)
    one = np.vdot(col, c)
    two = np.vdot(x, col2im(c, x.shape, *_arguments(case)))
    assert_agrees(two, one, magnitude=np.abs(col * c).sum() + 1e-300)


@given(case=cases)
def test_col2im_of_ones_counts_the_windows_over_each_cell(case: Pooling):
    x, _ = case.arrays()
    moves = case.geometry.windows
    col = frozen(np.ones_like(im2col(x, *_arguments(case))))
    dy = np.ones((*x.shape[:2], *moves.output))
    # Average pooling's gradient visits the same cells, each with a share of 1 / (FH·FW).
    share = naive.avg_pooling_gradient(dy, x, moves.window, **case.geometry.naive)
    counts = share * moves.window[0] * moves.window[1]
    assert relative_error(col2im(col, x.shape, *_arguments(case)), counts) < 1e-12


@pytest.mark.parametrize("dtype", [*DTYPES, "uint8", "int64"])
def test_the_dtype_that_comes_in_goes_out(dtype: str):
    x = np.ones((2, 3, 5, 4), dtype=dtype)
    col = im2col(x, 3, 2, stride=2, pad=1)
    assert col.dtype == dtype
    assert col2im(col, x.shape, 3, 2, stride=2, pad=1).dtype == dtype


def test_im2col_of_no_padding_is_a_copy():
    x = np.zeros((1, 1, 3, 3))
    im2col(x, 1, 1)[:] = 1
    assert not x.any()


def test_a_batch_of_no_images_makes_no_rows():
    x = np.zeros((0, 3, 7, 7))
    col = im2col(x, 5, 5)
    assert col.shape == (0, 75)
    assert col2im(col, x.shape, 5, 5).shape == x.shape


def test_a_missing_batch_axis_is_explained():
    with pytest.raises(
        ShapeError, match=r"im2col: expects images \(N, C, H, W\), received shape \(3, 7, 7\)\. One"
    ):
        im2col(np.zeros((3, 7, 7)), 5, 5)


def test_a_matrix_of_another_shape_is_refused():
    with pytest.raises(
        ShapeError, match=r"col of shape \(N·OH·OW, C·FH·FW\) = \(9, 75\), received \(9, 74\)"
    ):
        col2im(np.zeros((9, 74)), (1, 3, 7, 7), 5, 5)


def test_a_window_larger_than_the_image_is_refused():
    with pytest.raises(PellucidError, match="a window of 8 is larger than the input's height of 7"):
        im2col(np.zeros((1, 3, 7, 7)), 8, 5)
