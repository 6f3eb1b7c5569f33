"""Locally connected: loops, numerical gradients, PyTorch, and convolutions as a special case."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

import naive
from ops.strategies import Convolution, convolutions
from ops.witness import DTYPES, NUMERICAL, assert_agrees, drawn, frozen, tensor
from pellucid.errors import ShapeError
from pellucid.ops import (
    conv2d,
    conv2d_backward,
    locally_connected2d,
    locally_connected2d_backward,
)


def _arrays(case: Convolution, dtype="float64"):
    """Return x, w, b, dy: filters of their own for every window of the geometry."""
    rng = np.random.default_rng(case.seed)
    oh, ow = case.geometry.windows.output
    return (
        drawn(rng, (case.n, case.depth, *case.geometry.image), dtype),
        drawn(rng, (oh, ow, case.filters, case.depth, *case.geometry.window), dtype),
        drawn(rng, (case.filters, oh, ow), dtype),
        drawn(rng, (case.n, case.filters, oh, ow), dtype),
    )


def by_loops(case: Convolution, x, w, b):
    """Write the equation out."""
    g = case.geometry.windows
    (n_, fn), (oh, ow) = (len(x), w.shape[2]), g.output
    y = np.zeros((n_, fn, oh, ow))
    for n, o, i, j in np.ndindex(n_, fn, oh, ow):
        total = float(b[o, i, j])
        for c in range(x.shape[1]):
            for u, v, row, column in naive.taps(
                i, j, g.input, g.window, g.stride, g.padding, g.dilation
            ):
                total += float(w[i, j, o, c, u, v]) * float(x[n, c, row, column])
        y[n, o, i, j] = total
    return y


@given(case=convolutions())
def test_forward_equals_the_loops(case: Convolution):
    x, w, b, _ = _arrays(case)
    y = locally_connected2d(x, w, b, **case.geometry.options)
    assert_agrees(y, by_loops(case, x, w, b), magnitude=by_loops(case, abs(x), abs(w), abs(b)))


@settings(max_examples=12)
@given(case=convolutions(most_window=3, most_beyond=2, most_padding=2, most_dilation=2))
def test_backward_equals_numerical_gradients(case: Convolution):
    x, w, b, dy = _arrays(case)
    options = case.geometry.options
    losses = (
        lambda a: float((dy * locally_connected2d(a, w, b, **options)).sum()),
        lambda a: float((dy * locally_connected2d(x, a, b, **options)).sum()),
        lambda a: float((dy * locally_connected2d(x, w, a, **options)).sum()),
    )
    gradients = locally_connected2d_backward(dy, x, w, **options)
    sizes = locally_connected2d_backward(abs(dy), abs(x), abs(w), **options)
    for ours, loss, at, size in zip(gradients, losses, (x, w, b), sizes, strict=True):
        numerical = naive.numerical_gradient(loss, at, h=0.5)  # linear in each: any h is exact
        assert_agrees(ours, numerical, within=NUMERICAL, magnitude=size)


@given(case=convolutions())
def test_the_same_filters_everywhere_are_a_convolution(case: Convolution):
    x, w, _, dy = _arrays(case)
    options, shared = case.geometry.options, w[0, 0]
    everywhere = frozen(np.broadcast_to(shared, w.shape))
    assert_agrees(
        locally_connected2d(x, everywhere, **options),
        conv2d(x, shared, **options),
        magnitude=conv2d(abs(x), abs(shared), **options),
    )
    dx, dw, _ = locally_connected2d_backward(dy, x, everywhere, **options)
    expected = conv2d_backward(dy, x, shared, **options)
    sizes = conv2d_backward(abs(dy), abs(x), abs(shared), **options)
    assert_agrees(dx, expected[0], magnitude=sizes[0])
    # A shared filter's gradient is the sum over the places that share it.
    assert_agrees(dw.sum(axis=(0, 1)), expected[1], magnitude=sizes[1])


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=20)
@given(case=convolutions())
def test_forward_and_backward_equal_torchs_unfolded_windows(case: Convolution, dtype, torch):
    x, w, b, dy = _arrays(case, dtype)
    g = case.geometry.windows
    (top, bottom), (left, right) = g.padding

    def theirs(*arrays):
        tx, tw, tb = (tensor(torch, a) for a in arrays[:3])
        padded = torch.nn.functional.pad(tx, (left, right, top, bottom))
        columns = torch.nn.functional.unfold(padded, g.window, g.dilation, 0, g.stride)
        columns = columns[:, :, : g.count]
        ty = torch.einsum("nkl,lok->nol", columns, tw.reshape(g.count, tw.shape[2], -1))
        ty = ty.reshape(dy.shape) + tb
        ty.backward(tensor(torch, arrays[3], grad=False))
        return [a.detach().numpy() for a in (ty, tx.grad, tw.grad, tb.grad)]

    options = case.geometry.options
    ours = [
        locally_connected2d(x, w, b, **options),
        *locally_connected2d_backward(dy, x, w, **options),
    ]
    sizes = theirs(abs(x), abs(w), abs(b), abs(dy))
    for name, mine, other, size in zip(
        ("y", "dx", "dw", "db"), ours, theirs(x, w, b, dy), sizes, strict=True
    ):
        assert mine.dtype == dtype
        assert_agrees(mine, other, magnitude=size, what=f"locally_connected2d {name}")


# Refusals.


@pytest.mark.parametrize(
    ("shape", "w_shape", "said"),
    [
        ((2, 5, 5), (3, 3, 4, 1, 3, 3), r"expects 1 input channels, .*\(2, 5, 5\) with 2\."),
        (
            (1, 6, 5),
            (3, 3, 4, 1, 3, 3),
            r"has filters for 3x3 positions, but an image of 6x5 has 4x3",
        ),
        ((1, 5, 5), (4, 1, 3, 3), r"expects filters \(OH, OW, FN, C, FH, FW\), received \(4, 1,"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_sizes(shape, w_shape, said):
    with pytest.raises(ShapeError, match=f"^locally_connected2d: {said}"):
        locally_connected2d(np.zeros((1, *shape)), np.zeros(w_shape))


def test_a_bias_or_gradient_of_another_shape_is_refused():
    x, w = np.zeros((1, 1, 3, 3)), np.zeros((2, 2, 4, 1, 2, 2))
    with pytest.raises(ShapeError, match=r"a bias of shape \(FN, OH, OW\) = \(4, 2, 2\), received"):
        locally_connected2d(x, w, np.zeros(4))
    with pytest.raises(ShapeError, match=r"\(N, FN, OH, OW\) = \(1, 4, 2, 2\), received"):
        locally_connected2d_backward(np.zeros((1, 4, 1, 1)), x, w)
