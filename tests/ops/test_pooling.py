"""Pooling: against the loops, numerical gradients and PyTorch; and what wins, and what counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from ops.strategies import Pooling, poolings, seeds
from ops.witness import DTYPES, NUMERICAL, assert_agrees, drawn, frozen, padded_by, tensor
from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool2d,
    global_avg_pool2d_backward,
    global_max_pool2d,
    global_max_pool2d_backward,
    lp_pool2d,
    lp_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
    pool2d_windows,
)


def _windows(case: Pooling):
    geometry = case.geometry
    return pool2d_windows(case.shape[1:], geometry.window, **geometry.options)


# Maximum.


def test_the_books_example_takes_the_largest_of_each_quarter():
    x = np.array([[1, 2, 1, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 4, 0, 1]], dtype=float)
    y, arg_max = max_pool2d(x.reshape(1, 1, 4, 4), pool2d_windows((1, 4, 4), 2))
    assert y.tolist() == [[[[2, 3], [4, 2]]]]
    assert arg_max.tolist() == [[[[1, 3], [3, 1]]]]


@given(case=poolings())
def test_max_and_its_gradient_equal_the_loops(case: Pooling):
    x, dy = case.arrays()
    y, arg_max = max_pool2d(x, _windows(case))
    expected, winner = naive.max_pooling(x, case.geometry.window, **case.geometry.naive)
    assert np.array_equal(y, expected)
    assert np.array_equal(arg_max, winner)
    dx = naive.max_pooling_gradient(dy, x, case.geometry.window, **case.geometry.naive)
    assert_agrees(max_pool2d_backward(dy, arg_max, _windows(case)), dx)


@settings(max_examples=15)
@given(case=poolings(most_window=3, most_beyond=3))
def test_max_gradient_equals_the_numerical_gradient(case: Pooling):
    x, dy = case.arrays()
    windows = _windows(case)
    numerical = naive.numerical_gradient(
        lambda a: float((dy * max_pool2d(a, windows)[0]).sum()), x, h=1e-4
    )
    dx = max_pool2d_backward(dy, max_pool2d(x, windows)[1], windows)
    assert_agrees(dx, numerical, within=NUMERICAL, magnitude=abs(dy).sum())


@pytest.mark.parametrize("dtype", DTYPES)
@given(case=poolings())
def test_max_equals_torch(case: Pooling, dtype: str, torch):
    x, dy = case.arrays(dtype)
    windows = _windows(case)
    tx = tensor(torch, x)
    padded = padded_by(torch, tx, windows.padding, value=-float("inf"))
    ty = torch.nn.functional.max_pool2d(
        padded, windows.window, windows.stride, dilation=windows.dilation
    )
    ty.backward(tensor(torch, dy, grad=False))
    y, arg_max = max_pool2d(x, windows)
    assert_agrees(y, ty.detach().numpy(), what="max_pool2d y")
    dx = max_pool2d_backward(dy, arg_max, windows)
    assert_agrees(dx, tx.grad.numpy(), what="max_pool2d dx", magnitude=abs(dy).max())


@st.composite
def torch_geometries(draw):
    """Draw an image and the arguments of PyTorch's pooling that it takes them with."""
    window = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    padding = tuple(draw(st.integers(0, side // 2)) for side in window)
    image = tuple(  # at least so large that one window fits, or hangs over by less than a stride
        draw(st.integers(max(1, f - 2 * p - s + 1), 12))
        for f, s, p in zip(window, stride, padding, strict=True)
    )
    return image, window, stride, padding


@settings(max_examples=200)
@given(moves=torch_geometries(), kind=st.sampled_from(["max", True, False]), seed=seeds)
def test_misfit_pad_is_torch_ceil_mode(moves, kind, seed, torch):
    image, *options = moves
    rng = np.random.default_rng(seed)
    x = drawn(rng, (2, 2, *image))
    tx, windows = tensor(torch, x), pool2d_windows((2, *image), *options, misfit="pad")
    if kind == "max":
        ty = torch.nn.functional.max_pool2d(tx, *options, ceil_mode=True)
        y, arg_max = max_pool2d(x, windows)
    else:
        ty = torch.nn.functional.avg_pool2d(tx, *options, True, count_include_pad=kind)
        y = avg_pool2d(x, windows, count_include_pad=kind)
    assert_agrees(y, ty.detach().numpy())
    dy = drawn(rng, y.shape)
    ty.backward(tensor(torch, dy, grad=False))
    if kind == "max":
        dx = max_pool2d_backward(dy, arg_max, windows)
    else:
        dx = avg_pool2d_backward(dy, windows, count_include_pad=kind)
    assert_agrees(dx, tx.grad.numpy(), magnitude=abs(dy).max())


def test_what_hangs_over_the_end_counts_in_no_mean_and_the_padding_does():
    x = np.array([1.0, 2.0, 5.0]).reshape(1, 1, 1, 3)
    assert avg_pool2d(x, pool2d_windows((1, 1, 3), (1, 2), misfit="pad")).ravel().tolist() == [
        1.5,
        5,
    ]
    # One cell of padding on each side, then one that hangs over.
    windows = pool2d_windows((1, 1, 3), (1, 4), (1, 2), (0, 1), misfit="pad")
    assert (windows.padding[1], windows.overhang) == ((1, 2), (0, 1))
    assert avg_pool2d(x, windows).ravel().tolist() == [8 / 4, 7 / 3]


def test_padding_never_wins_a_maximum():
    x = np.full((1, 1, 4, 4), -5.0)
    windows = pool2d_windows((1, 4, 4), 3, 2, 1)
    y, arg_max = max_pool2d(x, windows)
    assert (y == -5).all()
    dx = max_pool2d_backward(np.ones_like(y), arg_max, windows)
    assert dx.sum() == y.size  # nothing was lost to the padding
    whole = np.full((1, 1, 4, 4), -7)
    assert (max_pool2d(whole, windows)[0] == -7).all()


def test_the_place_of_the_maximum_is_counted_within_its_window():
    x = np.zeros((1, 1, 4, 6))
    x[0, 0, 1, 2], x[0, 0, 2, 3] = 1, 2
    _, arg_max = max_pool2d(x, pool2d_windows((1, 4, 6), (2, 3)))
    # (1, 2) is the window's row 1, column 2: 1·3 + 2. (2, 3) is the first cell of its window.
    assert arg_max.tolist() == [[[[5, 0], [0, 0]]]]
    assert np.issubdtype(arg_max.dtype, np.integer)


def test_of_equals_the_first_wins_and_takes_the_whole_gradient():
    windows = pool2d_windows((1, 2, 2), 2)
    y, arg_max = max_pool2d(np.full((1, 1, 2, 2), 3.0), windows)
    assert arg_max.item() == 0
    assert max_pool2d_backward(np.full_like(y, 4), arg_max, windows).tolist() == [
        [[[4, 0], [0, 0]]]
    ]


def test_gradients_of_overlapping_windows_add_up():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 9
    windows = pool2d_windows((1, 3, 3), 2, 1)
    _, arg_max = max_pool2d(x, windows)
    assert arg_max.tolist() == [[[[3, 2], [1, 0]]]]
    dx = max_pool2d_backward(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), arg_max, windows)
    assert dx[0, 0].tolist() == [[0, 0, 0], [0, 10, 0], [0, 0, 0]]


def test_a_nan_wins_its_windows_so_that_it_is_seen():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    x[0, 0, 0, 0] = np.nan
    y, _ = max_pool2d(x, pool2d_windows((1, 4, 4), 2))
    assert np.isnan(y).tolist() == [[[[True, False], [False, False]]]]
    assert np.isnan(global_max_pool2d(x)[0]).all()


# Average.


@pytest.mark.parametrize("include", [True, False])
@given(case=poolings())
def test_average_and_its_gradient_equal_the_loops(case: Pooling, include: bool):
    x, dy = case.arrays()
    windows, moves = _windows(case), (case.geometry.window,)
    options = {"include_pad": include, "overhang": windows.overhang}
    expected = naive.avg_pooling(x, *moves, **case.geometry.naive, **options)
    y = avg_pool2d(x, windows, count_include_pad=include)
    assert_agrees(y, expected, magnitude=abs(x).max())
    dx = naive.avg_pooling_gradient(dy, x, *moves, **case.geometry.naive, **options)
    assert_agrees(
        avg_pool2d_backward(dy, windows, count_include_pad=include), dx, magnitude=abs(dy).max()
    )


@pytest.mark.parametrize("include", [True, False])
@settings(max_examples=10)
@given(case=poolings(most_window=3, most_beyond=3))
def test_average_gradient_equals_the_numerical_gradient(case: Pooling, include: bool):
    x, dy = case.arrays()
    windows = _windows(case)

    def loss(a):
        return float((dy * avg_pool2d(a, windows, count_include_pad=include)).sum())

    dx = avg_pool2d_backward(dy, windows, count_include_pad=include)
    numerical = naive.numerical_gradient(loss, x, h=0.5)
    assert_agrees(dx, numerical, within=NUMERICAL, magnitude=abs(dy).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("padding", [0, 1, (1, 0)])
@pytest.mark.parametrize("stride", [1, 2, (3, 2)])
@pytest.mark.parametrize("window", [2, 3, (3, 2)])
def test_average_equals_torch(window, stride, padding, include: bool, dtype: str, torch):
    rng = np.random.default_rng(5)
    x = drawn(rng, (2, 3, 8, 7), dtype)
    tx = tensor(torch, x)
    ty = torch.nn.functional.avg_pool2d(tx, window, stride, padding, count_include_pad=include)
    windows = pool2d_windows((3, 8, 7), window, stride, padding)
    y = avg_pool2d(x, windows, count_include_pad=include)
    assert_agrees(y, ty.detach().numpy(), what="avg_pool2d y")
    dy = drawn(rng, y.shape, dtype)
    ty.backward(tensor(torch, dy, grad=False))
    dx = avg_pool2d_backward(dy, windows, count_include_pad=include)
    assert_agrees(dx, tx.grad.numpy(), what="avg_pool2d dx")


# Lp norm.


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, 1.5])
@given(case=poolings())
def test_lp_and_its_gradient_equal_the_loops(case: Pooling, p: float):
    x, dy = case.arrays()
    windows, moves = _windows(case), (case.geometry.window,)
    y = lp_pool2d(x, windows, p)
    assert_agrees(y, naive.lp_pooling(x, *moves, **case.geometry.naive, p=p))
    dx = naive.lp_pooling_gradient(dy, x, *moves, **case.geometry.naive, p=p)
    assert_agrees(lp_pool2d_backward(dy, x, y, windows, p), dx, magnitude=abs(dy).max())


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
@settings(max_examples=10)
@given(case=poolings(most_window=3, most_beyond=3))
def test_lp_gradient_equals_the_numerical_gradient(case: Pooling, p: float):
    x, dy = case.arrays()
    x = frozen(np.where(abs(x) < 0.05, 0.3, x))  # the norm has its kink at zero
    windows = _windows(case)
    numerical = naive.numerical_gradient(
        lambda a: float((dy * lp_pool2d(a, windows, p)).sum()), x, h=1e-5
    )
    dx = lp_pool2d_backward(dy, x, lp_pool2d(x, windows, p), windows, p)
    assert_agrees(dx, numerical, within=NUMERICAL, magnitude=abs(dy).max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [2.0, 3.0])
@given(seed=seeds, window=st.integers(1, 3), stride=st.integers(1, 3), padding=st.integers(0, 1))
def test_lp_equals_torch(seed: int, window: int, stride: int, padding: int, p, dtype, torch):
    rng = np.random.default_rng(seed)
    # Above zero: PyTorch takes the power of the number itself, not of its magnitude.
    x = frozen((abs(rng.normal(size=(2, 3, 7, 6))) + 0.1).astype(dtype))
    windows = pool2d_windows((3, 7, 6), window, stride, min(padding, window - 1))
    tx = tensor(torch, x)
    ty = torch.nn.functional.lp_pool2d(padded_by(torch, tx, windows.padding), p, window, stride)
    y = lp_pool2d(x, windows, p)
    assert_agrees(y, ty.detach().numpy(), what="lp_pool2d y")
    dy = drawn(rng, y.shape, dtype)
    ty.backward(tensor(torch, dy, grad=False))
    assert_agrees(
        lp_pool2d_backward(dy, x, y, windows, p),
        tx.grad.numpy(),
        what="lp_pool2d dx",
        magnitude=abs(dy).max(),
    )


def test_lp_ignores_signs_and_its_gradient_does_not():
    x, windows = np.array([[[[-3.0, 4.0]]]]), pool2d_windows((1, 1, 2), (1, 2))
    y = lp_pool2d(x, windows)
    assert y.item() == 5
    dx = lp_pool2d_backward(np.ones_like(y), x, y, windows)
    assert np.allclose(dx, [[[[-0.6, 0.8]]]])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_a_window_of_zeros_has_a_zero_gradient(p: float):
    x, windows = np.zeros((1, 1, 4, 4)), pool2d_windows((1, 4, 4), 2)
    y = lp_pool2d(x, windows, p)
    assert not y.any()
    assert not lp_pool2d_backward(np.ones_like(y), x, y, windows, p).any()


@pytest.mark.parametrize("p", [0.5, 0, -1, float("nan"), float("inf")])
def test_a_power_that_is_no_norm_is_refused(p: float):
    with pytest.raises(
        ArgumentError, match=r"^p: must be a norm of at least 1 and finite, received "
    ):
        lp_pool2d(np.ones((1, 1, 2, 2)), pool2d_windows((1, 2, 2), 2), p)


# The whole image.


@pytest.mark.parametrize("dtype", DTYPES)
def test_global_pooling_equals_torch(dtype: str, torch):
    rng = np.random.default_rng(6)
    x, dy = drawn(rng, (3, 4, 5, 7), dtype), drawn(rng, (3, 4, 1, 1), dtype)
    for ours, theirs in (("avg", "adaptive_avg_pool2d"), ("max", "adaptive_max_pool2d")):
        tx = tensor(torch, x)
        ty = getattr(torch.nn.functional, theirs)(tx, 1)
        ty.backward(tensor(torch, dy, grad=False))
        if ours == "avg":
            y, dx = global_avg_pool2d(x), global_avg_pool2d_backward(dy, x.shape)
        else:
            y, arg_max = global_max_pool2d(x)
            dx = global_max_pool2d_backward(dy, arg_max, x.shape)
        assert_agrees(y, ty.detach().numpy(), what=f"global_{ours}_pool2d y")
        assert_agrees(dx, tx.grad.numpy(), what=f"global_{ours}_pool2d dx")


def test_global_pooling_is_pooling_with_one_window():
    x = drawn(np.random.default_rng(8), (2, 3, 4, 5))
    windows = pool2d_windows((3, 4, 5), (4, 5))
    assert_agrees(global_avg_pool2d(x), avg_pool2d(x, windows))
    y, arg_max = global_max_pool2d(x)
    expected, winner = max_pool2d(x, windows)
    assert np.array_equal(y, expected)
    assert np.array_equal(arg_max, winner)


def test_the_gradient_of_a_global_average_may_be_written_to():
    dx = global_avg_pool2d_backward(np.ones((1, 1, 1, 1)), (1, 1, 2, 2))
    dx[0, 0, 0, 0] = 5
    assert dx.sum() == 5.75


# What every op promises.


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=10)
@given(case=poolings())
def test_the_dtype_that_comes_in_goes_out(case: Pooling, dtype: str):
    x, dy = case.arrays(dtype)
    windows = _windows(case)
    y, arg_max = max_pool2d(x, windows)
    norm = lp_pool2d(x, windows, 3.0)
    results = [y, max_pool2d_backward(dy, arg_max, windows), norm]
    results.append(lp_pool2d_backward(dy, x, norm, windows, 3.0))
    for include in (True, False):
        results.append(avg_pool2d(x, windows, count_include_pad=include))
        results.append(avg_pool2d_backward(dy, windows, count_include_pad=include))
    results += [global_avg_pool2d(x), global_max_pool2d(x)[0]]
    assert {str(r.dtype) for r in results} == {dtype}


def test_a_batch_of_no_images_gives_no_outputs():
    x = np.zeros((0, 3, 6, 6))
    windows = pool2d_windows((3, 6, 6), 3, 2, 1)
    y, arg_max = max_pool2d(x, windows)
    assert y.shape == (0, 3, 3, 3)
    assert max_pool2d_backward(y, arg_max, windows).shape == x.shape
    assert avg_pool2d(x, windows).shape == y.shape
    assert avg_pool2d_backward(y, windows).shape == x.shape
    assert lp_pool2d(x, windows).shape == y.shape
    assert lp_pool2d_backward(y, x, y, windows).shape == x.shape
    y, arg_max = global_max_pool2d(x)
    assert y.shape == (0, 3, 1, 1)
    assert global_max_pool2d_backward(y, arg_max, x.shape).shape == x.shape
    assert global_avg_pool2d(x).shape == (0, 3, 1, 1)
    assert global_avg_pool2d_backward(y, x.shape).shape == x.shape


def test_the_stride_defaults_to_the_window():
    assert pool2d_windows((1, 6, 9), (2, 3)).stride == (2, 3)
    assert pool2d_windows((1, 6, 9), (2, 3), 1).stride == (1, 1)


# Refusals.


@pytest.mark.parametrize(
    ("op", "name"),
    [
        (lambda x: max_pool2d(x, pool2d_windows((1, 4, 4), 2)), "max_pool2d"),
        (lambda x: avg_pool2d(x, pool2d_windows((1, 4, 4), 2)), "avg_pool2d"),
        (lambda x: lp_pool2d(x, pool2d_windows((1, 4, 4), 2)), "lp_pool2d"),
        (global_avg_pool2d, "global_avg_pool2d"),
        (global_max_pool2d, "global_max_pool2d"),
    ],
)
def test_one_image_without_a_batch_axis_is_refused(op, name: str):
    with pytest.raises(ShapeError, match=rf"{name}: expects images \(N, C, H, W\), .*One image\?"):
        op(np.zeros((1, 4, 4)))


def test_an_image_shape_of_another_rank_is_refused():
    with pytest.raises(
        ShapeError,
        match=r"pooling: expects images of shape \(C, H, W\), received shape \(10,\)\. A F",
    ):
        pool2d_windows((10,), 2)


def test_windows_of_nothing_but_padding_are_refused():
    with pytest.raises(
        ShapeError,
        match=r"pooling: with padding \(\(2, 2\), \(2, 2\)\) some windows of \(2, 2\) contain "
        r"only padding of the 4x4 image",
    ):
        pool2d_windows((1, 4, 4), 2, 1, 2)


def test_a_window_larger_than_the_image_is_refused():
    with pytest.raises(ShapeError, match="a window of 3 is larger than the input's height of 2"):
        pool2d_windows((1, 2, 4), 3)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 1, 2, 3), (2, 2)])
def test_an_output_gradient_of_another_shape_is_refused(shape):
    windows, x = pool2d_windows((1, 4, 4), 2), np.ones((1, 1, 4, 4))
    message = r"_pool2d_backward: expects an output gradient of shape \(N, C, OH, OW\) = "
    with pytest.raises(ShapeError, match=f"max{message}"):
        max_pool2d_backward(np.ones(shape), max_pool2d(x, windows)[1], windows)
    with pytest.raises(ShapeError, match=f"lp{message}"):
        lp_pool2d_backward(np.ones(shape), x, lp_pool2d(x, windows), windows)
    with pytest.raises(ShapeError, match=r"avg_pool2d_backward: expects an output gradient"):
        avg_pool2d_backward(np.ones(shape), windows)


def test_a_global_output_gradient_of_another_shape_is_refused():
    message = (
        r"_pool2d_backward: expects an output gradient of shape \(N, C, 1, 1\) = \(2, 3, 1, 1\)"
    )
    _, arg_max = global_max_pool2d(np.ones((2, 3, 4, 4)))
    with pytest.raises(ShapeError, match=f"global_avg{message}"):
        global_avg_pool2d_backward(np.ones((2, 3)), (2, 3, 4, 4))
    with pytest.raises(ShapeError, match=f"global_max{message}"):
        global_max_pool2d_backward(np.ones((1, 3, 1, 1)), arg_max, (2, 3, 4, 4))
