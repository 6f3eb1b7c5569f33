"""The kernels of few channels a group equal the seven loops, and stay within their arrays.

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
from pellucid.distributed import Share
from pellucid.engine.cpu.convolution.grouped import Grouped, GroupedGradient
from pellucid.kernels.convolution.activation import NO_ACTIVATION, RELU, clipping
from pellucid.kernels.convolution.layout import NO_BYTES, NOTHING, GatedGradient
from pellucid.kernels.convolution.rectangles import cut, reading
from pellucid.kernels.jit import LANES
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads
from pellucid.shapes import slide

N = 3

#: channels, filters, groups, image, window, and how it moves. Few widths make for few kernels.
CASES = {
    "plain": (3, 3, 3, (6, 6), (3, 3), {}),
    "padded": (LANES + 3, LANES + 3, LANES + 3, (5, 4), (3, 3), {"padding": 1}),
    "many vectors": (9 * LANES + 3, 9 * LANES + 3, 9 * LANES + 3, (4, 4), (3, 3), {"padding": 1}),
    "in place": (2 * LANES, 2 * LANES, 2 * LANES, (8, 51), (3, 3), {"padding": 1}),
    "in place to the last pixel": (LANES + 3, LANES + 3, LANES + 3, (6, 14), (3, 3), {}),
    "an odd frame": (LANES, LANES, LANES, (8, 36), (3, 3), {"padding": (2, 0, 0, 2)}),
    "stride": (5, 5, 5, (9, 8), (3, 3), {"stride": 2, "padding": 1}),
    "stride, in place": (LANES, LANES, LANES, (13, 40), (3, 3), {"stride": 2, "padding": 1}),
    "strides apart": (3, 3, 3, (10, 13), (3, 2), {"stride": (2, 3), "padding": (1, 0, 0, 0)}),
    "stride beyond the window": (2, 2, 2, (9, 16), (3, 2), {"stride": 4, "padding": (1, 1, 0, 0)}),
    "dilation": (3, 3, 3, (9, 5), (3, 2), {"dilation": (2, 3), "padding": 1}),
    "stride and dilation": (3, 3, 3, (9, 8), (3, 3), {"dilation": 2, "stride": 2, "padding": 2}),
    "much padding": (2, 2, 2, (2, 4), (3, 2), {"padding": 3}),
    "more padding than image": (2, 2, 2, (1, 1), (3, 2), {"padding": 3, "stride": 10}),
    "one column": (2, 2, 2, (5, 1), (3, 1), {"padding": (1, 0)}),
}
if LANES > 4:
    CASES |= {
        "groups of two to three": (10, 15, 5, (6, 4), (3, 3), {"padding": 1}),
        "many groups": (2 * LANES + 6, 3 * LANES + 9, LANES + 3, (9, 36), (3, 3), {"padding": 1}),
        "half a vector": (2 * LANES, 2 * LANES, 4, (9, 16), (3, 3), {"stride": 2, "padding": 1}),
        "groups, stride and dilation": (4, 6, 2, (9, 9), (3, 2), {"dilation": 2, "stride": 2}),
    }
cases = pytest.mark.parametrize("name", CASES)
rectified = pytest.mark.parametrize("rectify", [False, True])


@functools.cache
def expected(name, rectify):
    """Return a case's arrays, and what the seven loops make of them."""
    c, f, groups, image, window, how = CASES[name]
    windows = slide(image, window, **how)
    x, b, w = whole(N, c, *image), whole(f, seed=1), whole(f, c // groups, *window, seed=2)
    moves = (windows.stride, windows.padding, windows.dilation, groups)
    z = naive.convolution(x, w, b, *moves)
    dy = whole(*z.shape, seed=3)
    dz = np.where(z > 0, dy, 0) if rectify else dy
    dx, dw, db = naive.convolution_gradients(dz, x, w, *moves)
    y = np.maximum(z, 0) if rectify else z
    return SimpleNamespace(
        geometry=(windows, c, f, groups), x=x, w=w, b=b, y=y.astype(np.float32), dy=dy, dx=dx,
        dw=dw, db=db, rectify=rectify,
    )  # fmt: skip


def images(x, gate=None):
    around = NOTHING if gate is None else last(gate, np.nan)
    return GatedGradient(last(x, np.nan), around, NO_BYTES, gate is not None)


def output(case, x, activation=NO_ACTIVATION):
    convolve = Grouped(*case.geometry)
    convolve.pack(case.w)
    convolve.bias[:] = case.b.reshape(convolve.bias.shape)
    y = Room(len(x), *np.moveaxis(case.y, 1, -1).shape[1:])
    convolve(images(x), len(x), y.flat, NO_BYTES, activation)
    return y.first()


def input_gradient(case):
    convolve = Grouped(*case.geometry, back=True)
    convolve.pack(case.w)
    dx = Room(*np.moveaxis(case.dx, 1, -1).shape)
    gate = case.y if case.rectify else None
    convolve(images(case.dy, gate), N, dx.flat, NO_BYTES, NO_ACTIVATION)
    return dx.first()


def filter_gradients(case):
    share = Share()
    share.begin(N)
    accumulate = GroupedGradient(*case.geometry, share, N)
    x, dw, db = last(case.x, np.nan), Room(*case.w.shape), Room(len(case.w))
    x = x.reshape(np.moveaxis(case.x, 1, -1).shape)
    source = images(case.dy, case.y if case.rectify else None)
    accumulate(x, source, dw.flat.reshape(dw.shape), db.flat)
    return dw.read(), db.read()


@cases
@rectified
def test_forward_equals_the_seven_loops(name, rectify):
    case = expected(name, rectify)
    activation = RELU if rectify else NO_ACTIVATION
    np.testing.assert_array_equal(output(case, case.x, activation), case.y)
    # The channels of a single image are parts: each is a task.
    np.testing.assert_array_equal(output(case, case.x[:1], activation), case.y[:1])


@cases
@rectified
def test_the_input_gradient_equals_the_seven_loops(name, rectify):
    case = expected(name, rectify)
    np.testing.assert_array_equal(input_gradient(case), case.dx)


@cases
@rectified
def test_the_gradients_of_filters_and_bias_equal_the_seven_loops(name, rectify):
    case = expected(name, rectify)
    dw, db = filter_gradients(case)
    np.testing.assert_array_equal(dw, case.dw)
    np.testing.assert_array_equal(db, case.db)


@pytest.mark.parametrize("beyond", [False, True])
def test_rectangles_share_no_pixel_and_read_nothing_in_place_beyond_the_image(beyond):
    for windows in (slide((6, 14), 3), slide((8, 51), 3, padding=1), slide((12, 39), 2, stride=2)):
        s = reading(windows, (LANES + 3, LANES + 3), 1)
        rectangles = cut(s, 4, gated=False, beyond=beyond, vectors=2).rectangles
        first, end, left, right, together = rectangles.T
        row, column = first * s.step_h - s.top, left * s.step_w - s.left
        below = (end - 2) * s.step_h - s.top + s.rows  # the rows of a tile are two
        beside = (right - 1) * s.step_w - s.left + s.columns
        within = (row >= 0) & (below <= s.h) & (column >= 0) & (beside <= s.w - beyond)
        writers = np.zeros((s.oh, s.ow), int)
        for i, j, k, m in zip(first, end, left, right, strict=True):
            writers[i:j, k:m] += 1
        assert (writers == 1).all()
        assert (right - left >= 4).all()  # narrower ones would write what belongs to others
        assert together.any()
        assert within[together > 0].all()


def test_an_image_is_read_in_place_if_only_a_frame_of_columns_is_missing():
    windows = slide((7, 9), 3, stride=2, padding=1)
    s = reading(windows, (LANES, LANES), 1)
    whole_image = cut(s, 5, gated=False, beyond=False, vectors=1, frame=1)
    assert whole_image.rectangles.tolist() == [[0, 2, 0, 5, 1], [2, 4, 0, 5, 1]]
    for how in ({"frame": 0}, {"frame": 1, "gated": True}, {"frame": 1, "beyond": True}):
        copied = cut(s, 5, **{"gated": False, "beyond": False, "vectors": 1} | how).rectangles
        assert (copied[:, 4] == 0).all()


def test_the_sums_are_kept_between_two_bounds_and_a_nan_stays():
    case = expected("padded", False)
    x = case.x.copy()
    x[0, 0, 0, 0] = np.nan
    kept = np.clip(case.y, -2, 6)
    kept[0, 0, :2, :2] = np.nan
    np.testing.assert_array_equal(output(case, x, clipping(-2, 6)), kept)


def test_a_nan_stays_within_its_group():
    case = expected("plain" if LANES == 4 else "groups of two to three", False)
    _, c, f, groups = case.geometry
    x, y = case.x.copy(), case.y.copy()
    x[0, c // groups, 2, 2] = np.nan  # of the second group
    made = output(case, x)
    seen = np.isnan(made).any(axis=(0, 2, 3))
    assert np.flatnonzero(seen).tolist() == list(range(f // groups, 2 * f // groups))
    np.testing.assert_array_equal(made[:, ~seen], y[:, ~seen])


def test_the_bits_do_not_depend_on_the_threads():
    case = SimpleNamespace(**vars(expected("in place", True)))
    case.x, case.dy = (
        np.random.default_rng(0).normal(size=a.shape).astype(np.float32) for a in (case.x, case.dy)
    )
    before, results = get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            arrays = output(case, case.x), input_gradient(case), *filter_gradients(case)
            results.append(b"".join(a.tobytes() for a in arrays))
    finally:
        set_num_threads(before)
    assert len(set(results)) == 1
