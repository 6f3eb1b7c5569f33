"""Transposed convolution: PyTorch's, a transposed matrix, and the gradient of a convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from ops.strategies import seeds
from ops.witness import DTYPES, NUMERICAL, assert_agrees, drawn, tensor
from pellucid.errors import ArgumentError, PellucidError, ShapeError
from pellucid.ops import (
    conv2d,
    conv2d_windows,
    conv_transpose2d,
    conv_transpose2d_backward,
    convolution_matrix,
)
from pellucid.shapes import slide, slide_transposed

GRADIENTS = ("dx", "dw", "db")


@dataclass(frozen=True)
class Transposed:
    """Sizes and arguments, as PyTorch takes them."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    options: dict[str, Any]
    seed: int

    def arrays(self, dtype: Any = np.float64) -> tuple[Any, ...]:
        """Return ``x``, ``w``, ``b`` and ``dy``."""
        rng = np.random.default_rng(self.seed)
        x, w = drawn(rng, self.x, dtype), drawn(rng, self.w, dtype)
        y = conv_transpose2d(x, w, **self.options)
        return x, w, drawn(rng, (y.shape[1],), dtype), drawn(rng, y.shape, dtype)


_two = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def transposed(draw: st.DrawFn, most: int = 4) -> Transposed:
    """Draw a transposed convolution whose output is not all cut away."""
    stride, dilation, groups = draw(_two), draw(_two), draw(st.integers(1, 3))
    window = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    image = draw(st.tuples(st.integers(1, most), st.integers(1, most)))
    padding, more = [], []
    for a in (0, 1):
        more.append(draw(st.integers(0, max(stride[a], dilation[a]) - 1)))
        reach = (image[a] - 1) * stride[a] + dilation[a] * (window[a] - 1) + 1 + more[a]
        padding.append(draw(st.integers(0, min((reach - 1) // 2, 3))))
    c, fn = groups * draw(st.integers(1, 2)), draw(st.integers(1, 2))
    options = {
        "stride": stride,
        "padding": tuple(padding),
        "output_padding": tuple(more),
        "groups": groups,
        "dilation": dilation,
    }
    n = draw(st.integers(1, 2))
    return Transposed((n, c, *image), (c, fn, *window), options, draw(seeds))


def by_loops(x, w, b, stride, padding, output_padding, groups, dilation):
    """Lay the filters down one number at a time."""
    n_, c_, h, width = x.shape
    fn, fh, fw = w.shape[1:]
    sizes = [
        (size - 1) * stride[a] - 2 * padding[a] + dilation[a] * (w.shape[2 + a] - 1) + 1
        + output_padding[a]
        for a, size in enumerate((h, width))
    ]  # fmt: skip
    y = np.zeros((n_, fn * groups, *sizes)) + b.reshape(1, -1, 1, 1)
    for n, c, i, j, o, u, v in np.ndindex(n_, c_, h, width, fn, fh, fw):
        row = stride[0] * i + dilation[0] * u - padding[0]
        column = stride[1] * j + dilation[1] * v - padding[1]
        if 0 <= row < sizes[0] and 0 <= column < sizes[1]:
            first = c // (c_ // groups) * fn
            y[n, first + o, row, column] += float(x[n, c, i, j]) * float(w[c, o, u, v])
    return y


@given(case=transposed())
def test_forward_equals_filters_laid_down_one_by_one(case: Transposed):
    x, w, b, _ = case.arrays()
    size = by_loops(abs(x), abs(w), abs(b), **case.options)
    assert_agrees(
        conv_transpose2d(x, w, b, **case.options), by_loops(x, w, b, **case.options), magnitude=size
    )


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=80)
@given(case=transposed())
def test_forward_and_backward_equal_torch(case: Transposed, dtype: str, torch):
    def theirs(*arrays):
        tx, tw, tb = (tensor(torch, a) for a in arrays[:3])
        y = torch.nn.functional.conv_transpose2d(tx, tw, tb, **case.options)
        y.backward(tensor(torch, arrays[3], grad=False))
        return [a.detach().numpy() for a in (y, tx.grad, tw.grad, tb.grad)]

    x, w, b, dy = arrays = case.arrays(dtype)
    actual = [
        conv_transpose2d(x, w, b, **case.options),
        *conv_transpose2d_backward(dy, x, w, **case.options),
    ]
    expected, sizes = theirs(*arrays), theirs(*map(abs, arrays))
    for name, ours, other, size in zip(("y", *GRADIENTS), actual, expected, sizes, strict=True):
        assert ours.dtype == dtype
        assert_agrees(ours, other, magnitude=size, what=f"conv_transpose2d {name}")


@settings(max_examples=10)
@given(case=transposed(most=3))
def test_backward_equals_numerical_gradients(case: Transposed):
    x, w, b, dy = case.arrays()
    losses = (
        lambda a: float((dy * conv_transpose2d(a, w, b, **case.options)).sum()),
        lambda a: float((dy * conv_transpose2d(x, a, b, **case.options)).sum()),
        lambda a: float((dy * conv_transpose2d(x, w, a, **case.options)).sum()),
    )
    gradients = conv_transpose2d_backward(dy, x, w, **case.options)
    sizes = conv_transpose2d_backward(abs(dy), abs(x), abs(w), **case.options)
    for ours, loss, at, size in zip(gradients, losses, (x, w, b), sizes, strict=True):
        numerical = naive.numerical_gradient(loss, at, h=0.5)  # linear in each: any h is exact
        assert_agrees(ours, numerical, within=NUMERICAL, magnitude=size)


@given(case=transposed())
def test_it_is_the_transposed_matrix_of_the_convolution_that_goes_the_other_way(case: Transposed):
    x, w, _, dy = case.arrays()
    back = {k: v for k, v in case.options.items() if k != "output_padding"}
    if conv2d(dy, w, **back).shape != x.shape:  # so many rows more that another window fits
        return
    matrix = convolution_matrix(w, dy.shape[1:], **back)
    flat = x.reshape(len(x), -1)
    y = conv_transpose2d(x, w, **case.options)
    assert_agrees(
        y, (flat @ matrix).reshape(y.shape), magnitude=(abs(flat) @ abs(matrix)).reshape(y.shape)
    )


def test_output_padding_chooses_among_the_sizes_that_a_stride_rounds_down():
    for size in (7, 8):
        (small, _) = slide((size, size), 3, 2, 1).output
        assert small == 4
        up = conv_transpose2d(
            np.ones((1, 1, small, small)), np.ones((1, 1, 3, 3)),
            stride=2, padding=1, output_padding=size - 7,
        )  # fmt: skip
        assert up.shape == (1, 1, size, size)


def test_two_by_two_with_stride_two_copies_each_cell_fourfold():
    x = np.arange(4.0).reshape(1, 1, 2, 2)
    y = conv_transpose2d(x, np.ones((1, 1, 2, 2)), stride=2)
    assert np.array_equal(y, x.repeat(2, axis=2).repeat(2, axis=3))


def test_a_batch_of_no_images_gives_no_outputs_and_zero_gradients():
    x, w = np.zeros((0, 4, 3, 3)), np.ones((4, 1, 2, 2))
    y = conv_transpose2d(x, w, np.ones(2), stride=2, groups=2)
    assert y.shape == (0, 2, 6, 6)
    dx, dw, db = conv_transpose2d_backward(y, x, w, stride=2, groups=2)
    assert (dx.shape, dw.shape) == (x.shape, w.shape)
    assert not dw.any()
    assert not db.any()


# Refusals.


@pytest.mark.parametrize(
    ("shape", "w_shape", "options", "said"),
    [
        (
            (4, 3, 3),
            (3, 2, 3, 3),
            {},
            r"conv_transpose2d: expects 3 input channels, .* with 4\.",
        ),
        ((4, 3, 3), (4, 3, 3), {}, r"expects filters \(C, FN, FH, FW\), received \(4, 3, 3\)"),
        ((4, 3, 3), (4, 2, 3, 3), {"groups": 3}, r"groups: must divide the 4 input channels"),
        (
            (4, 3, 3),
            (4, 2, 3, 3),
            {"output_padding": 1},
            r"output_padding: must be smaller than the stride of 1 or the dilation of 1, .* 1\.",
        ),
        (
            (4, 1, 3),
            (4, 2, 3, 3),
            {"padding": 2},
            r"an input height of 1 gives an output of 3 - 2·2 \+ 0 = -1 cells\. Use less padding",
        ),
        ((4, 3, 3), (4, 2, 3, 3), {"padding": -1}, r"padding: must be an integer of 0 or more"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_numbers(shape, w_shape, options, said):
    with pytest.raises(PellucidError, match=said):
        conv_transpose2d(np.zeros((1, *shape)), np.zeros(w_shape), **options)


def test_a_bias_or_gradient_of_another_shape_is_refused():
    x, w = np.zeros((1, 2, 3, 3)), np.zeros((2, 3, 2, 2))
    with pytest.raises(ShapeError, match=r"a bias of shape \(FN,\) = \(3,\), received \(2,\)"):
        conv_transpose2d(x, w, np.zeros(2))
    with pytest.raises(ShapeError, match=r"\(N, FN, OH, OW\) = \(1, 3, 4, 4\), received"):
        conv_transpose2d_backward(np.zeros((1, 3, 3, 3)), x, w)


@pytest.mark.parametrize("size", [(0, 3), (3, -1)])
def test_an_input_of_no_cells_is_refused(size):
    with pytest.raises(ShapeError, match="larger input"):
        slide_transposed(size, 3)


# The convolutions that have names of their own.


def test_a_1x1_convolution_is_a_linear_layer_over_the_channels_of_every_pixel():
    rng = np.random.default_rng(0)
    x, w, b = drawn(rng, (2, 5, 4, 3)), drawn(rng, (7, 5, 1, 1)), drawn(rng, (7,))
    pixels = x.transpose(0, 2, 3, 1).reshape(-1, 5)  # (N·H·W, C)
    expected = pixels @ w[:, :, 0, 0].T + b
    y = conv2d(x, w, b).transpose(0, 2, 3, 1).reshape(-1, 7)
    assert_agrees(y, expected)


def test_a_depthwise_convolution_lets_every_channel_meet_its_own_filter_only():
    rng = np.random.default_rng(1)
    x, w = drawn(rng, (2, 4, 6, 5)), drawn(rng, (4, 1, 3, 3))
    y = conv2d(x, w, padding=1, groups=4)
    for c in range(4):
        alone = conv2d(x[:, c : c + 1], w[c : c + 1], padding=1)
        assert_agrees(y[:, c : c + 1], alone)
    assert conv2d_windows((4, 6, 5), w.shape, padding=1, groups=4).output == (6, 5)


def test_a_depthwise_and_a_1x1_convolution_are_a_convolution_with_filters_of_rank_one():
    rng = np.random.default_rng(2)
    x, depth, point = (drawn(rng, s) for s in ((1, 3, 6, 6), (3, 1, 3, 3), (5, 3, 1, 1)))
    separable = conv2d(conv2d(x, depth, groups=3), point)
    assert_agrees(separable, conv2d(x, point * depth[:, 0]))


def test_groups_that_do_not_divide_are_an_argument_error():
    with pytest.raises(ArgumentError, match="received 0"):
        conv_transpose2d(np.zeros((1, 2, 3, 3)), np.zeros((2, 1, 2, 2)), groups=0)
