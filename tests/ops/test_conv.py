"""Convolution: against the seven loops, numerical gradients, PyTorch, and as convolutions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from ops.strategies import Convolution, Geometry, convolutions
from ops.witness import (
    DTYPES,
    NUMERICAL,
    assert_agrees,
    drawn,
    padded_by,
    relative_error,
    tensor,
)
from pellucid.errors import ArgumentError, PellucidError, ShapeError
from pellucid.ops import (
    conv2d,
    conv2d_backward,
    conv2d_backward_as_convolutions,
    conv2d_windows,
)

GRADIENTS = ("dx", "dw", "db")


def _torch_conv(torch, case: Convolution, x, w, b, dy) -> list[np.ndarray]:
    """Return y, dx, dw, db by PyTorch, padded by hand on four sides."""
    moves = case.geometry.windows
    tx, tw, tb = (tensor(torch, a) for a in (x, w, b))
    y = torch.nn.functional.conv2d(
        padded_by(torch, tx, moves.padding),
        tw,
        tb,
        stride=moves.stride,
        dilation=moves.dilation,
        groups=case.groups,
    )
    y.backward(tensor(torch, dy, grad=False))
    return [a.detach().numpy() for a in (y, tx.grad, tw.grad, tb.grad)]


# Forward.


def test_the_lectures_example_by_hand():
    x = np.array([[1, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1]], dtype=float)
    w = np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2]], dtype=float)
    y = conv2d(x[np.newaxis, np.newaxis], w[np.newaxis, np.newaxis])
    assert y.tolist() == [[[[15, 16], [6, 15]]]]
    y = conv2d(x[np.newaxis, np.newaxis], w[np.newaxis, np.newaxis], np.array([3.0]))
    assert y.tolist() == [[[[18, 19], [9, 18]]]]
    y = conv2d(x[np.newaxis, np.newaxis], w[np.newaxis, np.newaxis], padding=1)
    assert y.shape == (1, 1, 4, 4)


def test_the_filter_is_not_flipped():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 0, 2] = 1  # above and to the right of the centre
    w = np.arange(9.0).reshape(1, 1, 3, 3)
    assert conv2d(x, w).item() == w[0, 0, 0, 2]


def test_filter_o_sees_only_the_channels_of_its_group():
    x = np.ones((1, 4, 1, 1)) * np.array([1, 10, 100, 1000]).reshape(1, 4, 1, 1)
    y = conv2d(x, np.ones((2, 2, 1, 1)), groups=2)
    assert y.ravel().tolist() == [11, 1100]


@given(case=convolutions())
def test_forward_equals_the_seven_loops(case: Convolution):
    x, w, b, _ = case.arrays()
    expected = naive.convolution(x, w, b, **case.naive)
    magnitude = naive.convolution(abs(x), abs(w), abs(b), **case.naive)
    assert_agrees(conv2d(x, w, b, **case.options), expected, magnitude=magnitude)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=60)
@given(case=convolutions())
def test_forward_and_backward_equal_torch(case: Convolution, dtype: str, torch):
    arrays = case.arrays(dtype)
    x, w, b, dy = arrays
    expected = _torch_conv(torch, case, *arrays)
    magnitudes = _torch_conv(torch, case, *(abs(a) for a in arrays))
    actual = [conv2d(x, w, b, **case.options), *conv2d_backward(dy, x, w, **case.options)]
    for name, ours, theirs, size in zip(
        ("y", *GRADIENTS), actual, expected, magnitudes, strict=True
    ):
        assert_agrees(ours, theirs, magnitude=size, what=f"conv2d {name}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("x_shape", "w_shape", "options"),
    [
        ((2, 16, 28, 28), (30, 16, 5, 5), {}),
        ((1, 3, 67, 67), (24, 3, 11, 11), {"stride": 4}),
        ((2, 64, 14, 14), (64, 64, 3, 3), {"padding": 1}),
        ((2, 32, 14, 14), (32, 1, 3, 3), {"padding": 1, "stride": 2, "groups": 32}),
    ],
)
def test_layers_of_real_size_equal_torch(x_shape, w_shape, options, dtype: str, torch):
    rng = np.random.default_rng(7)
    x, w, b = (drawn(rng, s, dtype) for s in (x_shape, w_shape, w_shape[:1]))
    tx, tw, tb = (tensor(torch, a) for a in (x, w, b))
    y = torch.nn.functional.conv2d(tx, tw, tb, **options)
    dy = drawn(rng, tuple(y.shape), dtype)
    y.backward(tensor(torch, dy, grad=False))
    actual = [conv2d(x, w, b, **options), *conv2d_backward(dy, x, w, **options)]
    for name, ours, theirs in zip(
        ("y", *GRADIENTS), actual, (y, tx.grad, tw.grad, tb.grad), strict=True
    ):
        assert_agrees(ours, theirs.detach().numpy(), what=f"conv2d {name}, real sizes")


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("window", [(1, 1), (3, 3), (2, 2), (4, 3), (5, 2)])
@pytest.mark.parametrize("dilation", [1, 2, (3, 1)])
def test_padding_same_with_stride_1_is_torch_same(window, dilation, torch):
    rng = np.random.default_rng(1)
    x, w = drawn(rng, (2, 3, 9, 8)), drawn(rng, (4, 3, *window))
    expected = torch.nn.functional.conv2d(
        tensor(torch, x, grad=False),
        tensor(torch, w, grad=False),
        padding="same",
        dilation=dilation,
    )
    y = conv2d(x, w, padding="same", dilation=dilation)
    assert y.shape == (2, 4, 9, 8)
    assert_agrees(y, expected.numpy())


@pytest.mark.parametrize(("stride", "output"), [(1, (9, 8)), (2, (5, 4)), ((3, 4), (3, 2))])
def test_padding_same_with_a_stride_gives_the_size_divided_and_rounded_up(stride, output):
    y = conv2d(np.ones((1, 1, 9, 8)), np.ones((1, 1, 3, 2)), stride=stride, padding="same")
    assert y.shape[2:] == output


@pytest.mark.parametrize("padding", [0, 2, (1, 3)])
def test_an_int_and_a_pair_of_padding_mean_what_torch_means(padding, torch):
    rng = np.random.default_rng(2)
    x, w = drawn(rng, (2, 2, 6, 7)), drawn(rng, (3, 2, 3, 2))
    expected = torch.nn.functional.conv2d(
        tensor(torch, x, grad=False), tensor(torch, w, grad=False), padding=padding, stride=(2, 1)
    )
    assert_agrees(conv2d(x, w, padding=padding, stride=(2, 1)), expected.numpy())


# Backward.


@given(case=convolutions())
def test_backward_equals_the_loops(case: Convolution):
    x, w, _, dy = case.arrays()
    expected = naive.convolution_gradients(dy, x, w, **case.naive)
    magnitudes = naive.convolution_gradients(abs(dy), abs(x), abs(w), **case.naive)
    actual = conv2d_backward(dy, x, w, **case.options)
    for ours, theirs, size in zip(actual, expected, magnitudes, strict=True):
        assert_agrees(ours, theirs, magnitude=size)


@settings(max_examples=15)
@given(case=convolutions(most_window=3, most_beyond=2, most_padding=2, most_dilation=2))
def test_backward_equals_numerical_gradients(case: Convolution):
    x, w, b, dy = case.arrays()
    gradients = conv2d_backward(dy, x, w, **case.options)
    losses = (
        lambda a: float((dy * conv2d(a, w, b, **case.options)).sum()),
        lambda a: float((dy * conv2d(x, a, b, **case.options)).sum()),
        lambda a: float((dy * conv2d(x, w, a, **case.options)).sum()),
    )
    sizes = naive.convolution_gradients(abs(dy), abs(x), abs(w), **case.naive)
    for analytic, loss, at, size in zip(gradients, losses, (x, w, b), sizes, strict=True):
        # The loss is linear in each, so that any h is exact; a large one keeps rounding small.
        numerical = naive.numerical_gradient(loss, at, h=0.5)
        assert_agrees(analytic, numerical, within=NUMERICAL, magnitude=size)


@settings(max_examples=100)
@given(case=convolutions())
def test_backward_as_convolutions_is_the_same_backward(case: Convolution):
    x, w, _, dy = case.arrays()
    one = conv2d_backward(dy, x, w, **case.options)
    two = conv2d_backward_as_convolutions(dy, x, w, **case.options)
    sizes = conv2d_backward(abs(dy), abs(x), abs(w), **case.options)
    for a, b, size in zip(one, two, sizes, strict=True):
        assert a.shape == b.shape
        assert_agrees(b, a, magnitude=size)


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry((3, 3), (2, 2), 1, 5, 1, "floor"),  # padding larger than the window's extent
        Geometry((3, 4), (3, 2), (4, 3), (6, 0, 0, 7), 2, "floor"),
        Geometry((10, 9), (3, 3), 4, 0, 1, "floor"),  # unread rows and columns
        Geometry((10, 9), (2, 2), 5, 0, 1, "floor"),  # gaps between the windows
        Geometry((10, 9), (3, 3), 4, 0, 1, "pad"),
        Geometry((11, 9), (3, 2), (3, 2), "same", (2, 3), "floor"),
        Geometry((1, 1), (4, 4), 3, "same", 2, "pad"),  # almost nothing but padding
        Geometry((6, 6), (6, 6), 1, 0, 1, "floor"),  # one window
    ],
    ids=str,
)
@pytest.mark.parametrize("groups", [1, 2])
def test_backward_holds_at_the_edges_of_what_is_allowed(geometry: Geometry, groups: int):
    case = Convolution(geometry, n=2, depth=2, filters=3, groups=groups, seed=11)
    x, w, _, dy = case.arrays()
    expected = naive.convolution_gradients(dy, x, w, **case.naive)
    for backward in (conv2d_backward, conv2d_backward_as_convolutions):
        for ours, theirs in zip(backward(dy, x, w, **case.options), expected, strict=True):
            assert_agrees(ours, theirs)


def test_what_no_window_reads_gets_no_gradient():
    x, w = np.ones((1, 1, 6, 5)), np.ones((1, 1, 3, 3))
    dx, _, _ = conv2d_backward(np.ones((1, 1, 1, 1)), x, w, stride=4)
    assert dx[0, 0, :3, :3].all()
    assert dx.sum() == 9


# What every op promises.


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=10)
@given(case=convolutions())
def test_the_dtype_that_comes_in_goes_out(case: Convolution, dtype: str):
    x, w, b, dy = case.arrays(dtype)
    results = [
        conv2d(x, w, b, **case.options),
        conv2d(x, w, **case.options),
        *conv2d_backward(dy, x, w, **case.options),
        *conv2d_backward_as_convolutions(dy, x, w, **case.options),
    ]
    assert {str(r.dtype) for r in results} == {dtype}


@settings(max_examples=10)
@given(case=convolutions())
def test_what_comes_back_can_be_written_to_without_changing_what_came_in(case: Convolution):
    x, w, b, dy = (np.array(a) for a in case.arrays())
    before = [a.copy() for a in (x, w, b, dy)]
    for result in (conv2d(x, w, b, **case.options), *conv2d_backward(dy, x, w, **case.options)):
        result += 1
    for a, was in zip((x, w, b, dy), before, strict=True):
        assert np.array_equal(a, was)


@given(n=st.just(0), groups=st.integers(1, 3), stride=st.integers(1, 2))
def test_a_batch_of_no_images_gives_no_outputs_and_zero_gradients(n: int, groups: int, stride: int):
    x, w = np.zeros((n, 2 * groups, 5, 5)), np.ones((groups, 2, 3, 3))
    y = conv2d(x, w, np.ones(groups), stride=stride, groups=groups)
    assert y.shape[:2] == (0, groups)
    for backward in (conv2d_backward, conv2d_backward_as_convolutions):
        dx, dw, db = backward(y, x, w, stride=stride, groups=groups)
        assert dx.shape == x.shape
        assert dw.shape == w.shape
        assert not dw.any()
        assert db.tolist() == [0.0] * groups


def test_nan_is_seen():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = np.nan
    y = conv2d(x, np.ones((1, 1, 2, 2)))
    assert np.isnan(y).all()


# Refusals.


def test_a_filter_of_another_depth_is_refused_with_both_depths_and_what_to_change():
    message = (
        r"conv2d: expects 30 input channels, received images of shape \(1, 24, 24\) with 1\. "
        r"A filter must be as deep as its input: build it as `Conv2d\(1, \.\.\.\)`, or feed it the "
        r"output of a layer with 30 filters\."
    )
    with pytest.raises(ShapeError, match=message):
        conv2d(np.zeros((100, 1, 24, 24)), np.zeros((5, 30, 3, 3)))
    with pytest.raises(ShapeError, match=r"expects 6 input channels, .* with 4"):
        conv2d(np.zeros((1, 4, 5, 5)), np.zeros((4, 3, 3, 3)), groups=2)


def test_a_window_larger_than_the_image_is_refused():
    with pytest.raises(
        ShapeError,
        match=r"a window of 5 is larger than the input's width of 4 with padding 0 \+ 0\. Use",
    ):
        conv2d(np.zeros((1, 1, 6, 4)), np.zeros((1, 1, 5, 5)))
    with pytest.raises(ShapeError, match=r"a window of 3 \(dilation 3: it covers 7\) is larger"):
        conv2d(np.zeros((1, 1, 6, 6)), np.zeros((1, 1, 3, 3)), dilation=3)


@pytest.mark.parametrize("groups", [0, -1, 1.5, True])
def test_groups_that_are_no_number_of_them_are_refused(groups):
    with pytest.raises(ArgumentError, match=f"groups: must be an integer, 1 or more; .* {groups}"):
        conv2d(np.zeros((1, 2, 5, 5)), np.zeros((3, 2, 3, 3)), groups=groups)


@pytest.mark.parametrize("groups", [2, 4])
def test_groups_that_do_not_divide_the_filters_are_refused(groups: int):
    with pytest.raises(
        ArgumentError, match=f"groups: must divide the 3 filters evenly, received {groups}"
    ):
        conv2d(np.zeros((1, 2, 5, 5)), np.zeros((3, 2, 3, 3)), groups=groups)


def test_a_bias_of_another_shape_is_refused():
    with pytest.raises(
        ShapeError, match=r"conv2d: expects a bias of shape \(FN,\) = \(3,\), received \(1, 3\)\."
    ):
        conv2d(np.zeros((1, 2, 5, 5)), np.zeros((3, 2, 3, 3)), np.zeros((1, 3)))


def test_one_image_without_a_batch_axis_is_refused_with_the_way_to_add_it():
    with pytest.raises(
        ShapeError,
        match=r"conv2d: expects images \(N, C, H, W\), received shape \(2, 5, 5\)\. "
        r"One image\? Add the batch axis with x\[np\.newaxis\]\.",
    ):
        conv2d(np.zeros((2, 5, 5)), np.zeros((3, 2, 3, 3)))


def test_filters_of_another_rank_are_refused():
    with pytest.raises(ShapeError, match=r"expects filters \(FN, C, FH, FW\), received \(3, 3\)"):
        conv2d(np.zeros((1, 2, 5, 5)), np.zeros((3, 3)))


@pytest.mark.parametrize("backward", [conv2d_backward, conv2d_backward_as_convolutions])
@pytest.mark.parametrize("shape", [(1, 3, 3, 4), (2, 3, 3, 3), (1, 1, 3, 3), (1, 3, 1, 1)])
def test_an_output_gradient_of_another_shape_is_refused(backward, shape):
    with pytest.raises(
        ShapeError,
        match=r"conv2d_backward: expects an output gradient of shape \(N, FN, OH, OW\) = "
        r"\(1, 3, 3, 3\), received",
    ):
        backward(np.zeros(shape), np.zeros((1, 2, 5, 5)), np.zeros((3, 2, 3, 3)))


def test_windows_can_be_asked_for_without_an_image():
    assert conv2d_windows((3, 227, 227), (96, 3, 11, 11), stride=4).output == (55, 55)
    with pytest.raises(PellucidError, match=r"expects images of shape \(C, H, W\), received"):
        conv2d_windows((1, 3, 7, 7), (1, 3, 3, 3))


@given(case=convolutions())
def test_the_drawn_geometries_are_what_they_promise(case: Convolution):
    x, w, b, dy = case.arrays()
    assert all(a.size for a in (x, w, b, dy))
    assert relative_error(x, x) == 0
    with pytest.raises(ValueError, match="read-only"):
        x += 1
