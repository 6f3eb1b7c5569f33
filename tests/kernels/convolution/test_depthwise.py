"""The depthwise kernels equal the seven loops, and stay within their arrays.

Small whole numbers make every sum exact. Around every array lie numbers that must be neither read
(NaN) nor written.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace

import numpy as np
import pytest

import naive
from kernels.convolution.test_direct import Room, last, whole
from pellucid.kernels.convolution import depthwise, depthwise_gradient
from pellucid.kernels.convolution.activation import NO_ACTIVATION, RELU, clipping
from pellucid.kernels.convolution.arguments import PartialSums
from pellucid.kernels.convolution.layout import NO_BYTES, NOTHING, GatedGradient
from pellucid.kernels.jit import LANES
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads
from pellucid.shapes import slide

N = 3

#: channels, image, window, and how it moves
CASES = {
    "plain": (3, (6, 7), (3, 3), {}),
    "padded": (LANES + 3, (5, 6), (3, 3), {"padding": 1}),
    "many vectors": (9 * LANES + 3, (4, 3), (3, 3), {"padding": 1}),
    "whole vectors": (2 * LANES, (4, 5), (3, 3), {"padding": 1}),
    "five by five": (4, (6, 5), (5, 5), {"padding": 2}),
    "stride": (5, (9, 8), (3, 3), {"stride": 2, "padding": 1}),
    "strides apart": (3, (10, 13), (3, 2), {"stride": (2, 3), "padding": (1, 0, 2, 1)}),
    "stride beyond the window": (2, (7, 12), (2, 2), {"stride": 3, "padding": 1}),
    "dilation": (3, (9, 8), (3, 2), {"dilation": (2, 3), "padding": 1}),
    "stride and dilation": (3, (9, 11), (3, 3), {"dilation": 2, "stride": 2, "padding": 2}),
    "much padding": (2, (2, 3), (2, 2), {"padding": 3}),
    "more padding than image": (2, (1, 1), (2, 2), {"padding": 3, "stride": 10}),
    "one column": (2, (5, 1), (3, 1), {"padding": (1, 0)}),
}
cases = pytest.mark.parametrize("name", CASES)
rectified = pytest.mark.parametrize("rectify", [False, True])


@functools.cache
def expected(name, rectify):
    """Return a case's arrays, and what the seven loops make of them."""
    c, image, window, how = CASES[name]
    windows = slide(image, window, **how)
    x, b, w = whole(N, c, *image), whole(c, seed=1), whole(c, 1, *window, seed=2)
    moves = (windows.stride, windows.padding, windows.dilation, c)
    z = naive.convolution(x, w, b, *moves)
    dy = whole(*z.shape, seed=3)
    dz = np.where(z > 0, dy, 0) if rectify else dy
    dx, dw, db = naive.convolution_gradients(dz, x, w, *moves)
    y = np.maximum(z, 0) if rectify else z
    return SimpleNamespace(
        windows=windows, c=c, x=x, w=w, b=b, y=y.astype(np.float32), dy=dy, dx=dx, dw=dw, db=db,
        rectify=rectify,
    )  # fmt: skip


def packed(w, b, activation=NO_ACTIVATION):
    """Return filters and bias as the kernel wants them."""
    vectors = -(-len(w) // LANES)
    filters = np.zeros((vectors * LANES, w[0].size), np.float32)
    filters[: len(w)] = w.reshape(len(w), -1)
    bias = np.zeros(vectors * LANES, np.float32)
    bias[: len(b)] = b
    filters = filters.reshape(vectors, LANES, -1).transpose(0, 2, 1)
    return depthwise.Packed(np.ascontiguousarray(filters).ravel(), bias, activation)


def images(x, gate=None):
    around = NOTHING if gate is None else last(gate, np.nan)
    return GatedGradient(last(x, np.nan), around, NO_BYTES, gate is not None)


def convolved(source, given, s, height, per, parts):
    rows = -(-s.oh // s.apart_h)
    bands = -(-rows // per)
    y = Room(N, s.oh, s.ow, s.c)
    band = depthwise.Band(-(-rows // bands), bands, parts)
    run(
        depthwise.forward(height, s.step_w, False),
        N * bands * parts,
        source,
        given,
        y.flat,
        s,
        band,
    )
    return y.first()


def heights(s):
    return {1, 4} if s.ow // s.apart_w >= 4 and s.step_w == 1 else {1}


@cases
@rectified
@pytest.mark.parametrize("per", [1, 2, 99])
def test_forward_equals_the_seven_loops(name, rectify, per):
    case = expected(name, rectify)
    s = depthwise.strip_of(case.windows, case.c)
    given = packed(case.w, case.b, RELU if rectify else NO_ACTIVATION)
    for height in heights(s):
        for parts in {1, -(-case.c // LANES)}:
            y = convolved(images(case.x), given, s, height, per, parts)
            np.testing.assert_array_equal(y, case.y)


@cases
@rectified
@pytest.mark.parametrize("per", [1, 2, 99])
def test_the_input_gradient_equals_the_seven_loops(name, rectify, per):
    case = expected(name, rectify)
    s = depthwise.strip_of(case.windows, case.c, back=True)
    source = images(case.dy, case.y if rectify else None)
    for height in heights(s):
        dx = convolved(source, packed(case.w, 0 * case.b), s, height, per, 1)
        np.testing.assert_array_equal(dx, case.dx)


@cases
@rectified
@pytest.mark.parametrize(("chunks", "per"), [(1, 1), (2, 2), (5, 99)])
def test_the_gradients_of_filters_and_bias_equal_the_seven_loops(name, rectify, chunks, per):
    case = expected(name, rectify)
    taps = case.w[0].size
    for height in {1, min(4, taps)}:
        dw, db = filter_gradients(case, height, chunks, per)
        np.testing.assert_array_equal(dw.reshape(case.dw.shape), case.dw)
        np.testing.assert_array_equal(db.sum(axis=0), case.db)


def filter_gradients(case, height, chunks, per):
    s, taps = depthwise.strip_of(case.windows, case.c), case.w[0].size
    vectors = -(-case.c // LANES)
    sums, db = Room(chunks, vectors * taps * LANES), Room(chunks, case.c)
    source = images(case.dy, case.y if case.rectify else None)
    run(
        depthwise_gradient.backward_weights(height), chunks, images(case.x), source,
        PartialSums(sums.read(), db.read(), np.arange(chunks + 1) * N // chunks),
        np.ascontiguousarray(s.taps[::2]), s, min(per, s.oh),
    )  # fmt: skip
    dw = Room(case.c, taps)
    run(depthwise_gradient.unpack, vectors, sums.read(), dw.read())
    return dw.read(), db.read()


def test_the_sums_are_kept_between_two_bounds_and_a_nan_stays():
    case = expected("padded", False)
    s = depthwise.strip_of(case.windows, case.c)
    x = case.x.copy()
    x[0, 0, 0, 0] = np.nan
    y = convolved(images(x), packed(case.w, case.b, clipping(-2, 6)), s, 1, 2, 1)
    kept = np.clip(case.y, -2, 6)
    kept[0, 0, :2, :2] = np.nan
    np.testing.assert_array_equal(y, kept)


def test_the_bits_do_not_depend_on_the_threads():
    case = SimpleNamespace(**vars(expected("padded", True)))
    case.x, case.dy = (
        np.random.default_rng(0).normal(size=a.shape).astype(np.float32) for a in (case.x, case.dy)
    )
    s, given = depthwise.strip_of(case.windows, case.c), packed(case.w, case.b)
    before, results = get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            arrays = convolved(images(case.x), given, s, 4, 2, 2), *filter_gradients(case, 4, 5, 2)
            results.append(b"".join(a.tobytes() for a in arrays))
    finally:
        set_num_threads(before)
    assert len(set(results)) == 1
