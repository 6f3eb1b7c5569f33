"""An image is laid out where its windows look for it, and its windows are found there.

Kernels read one flat padded image; here the same tables gather it with NumPy, and the seven loops
say what must come out.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import naive
from ops.strategies import convolutions, seeds
from pellucid.kernels.convolution.geometry import (
    Sliding,
    adjoint,
    runs,
    sliding,
    through,
)
from pellucid.kernels.convolution.layout import LINE, GatedGradient, aligned, lay_out, lay_out_rows
from pellucid.kernels.jit import LANES
from pellucid.shapes import slide

EMPTY = 99
POOLS = st.integers(1, 3)


def last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1), dtype=np.float32)


def whole(seed, *shape):
    return np.random.default_rng(seed).integers(-5, 6, shape).astype(np.float32)


def laid_out(x, s, *, gate=None, argmax=None, n=0, low=0, high=None, top=None, padded=None):
    """Return the padded image (rows, pitch, depth) with image ``n`` in it."""
    padded = np.zeros((s.rows, s.pitch, s.depth), np.float32) if padded is None else padded.copy()
    around = np.full(padded.size + LANES, EMPTY, np.float32)
    around[: padded.size] = padded.ravel()
    lay_out(
        GatedGradient.of(x, gate, argmax), n, around[: padded.size], s, low,
        s.h if high is None else high, s.top if top is None else top,
    )  # fmt: skip
    assert set(around[padded.size :].tolist()) == {EMPTY}
    return around[: padded.size].reshape(padded.shape)


def expected_padded(x, s, *, gate, argmax, n, low, high, top, padded):
    """Write the padded image number by number."""
    padded = padded.copy()
    for i, j, c, a, e in np.ndindex(s.h, s.w, s.c, s.cell, s.cell):
        line, column = (i * s.cell + a) * s.spread_h + top, (j * s.cell + e) * s.spread_w + s.left
        if not (low <= i < high and 0 <= line < s.rows and 0 <= column < s.pitch):
            continue
        number = x[n, i, j, c]
        if s.cell > 1:
            number = number if argmax[n, i, j, c] == a * s.cell + e else 0
        elif gate is not None:
            number = number if gate[n, i, j, c] > 0 else 0
        padded[line, column, c] = number
    return padded


@st.composite
def places(draw):
    """Draw an image's way into a padded one, of any sizes, also far outside of it."""
    cell = draw(st.integers(1, 3))
    h, w = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    c = draw(st.sampled_from([1, 2, LANES - 1, LANES, 2 * LANES + 1]))
    depth = c + draw(st.sampled_from([0, 0, 3]))
    spread_h, spread_w = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    top, left = draw(st.integers(-6, 6)), draw(st.integers(-6, 6))
    rows, pitch = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    return Sliding(
        h, w, c, cell, spread_h, spread_w, top, left, rows, pitch, depth, 1, 1, 1, 1, 1, 1
    )


@settings(max_examples=200)
@given(s=places(), n=st.integers(0, 1), gated=st.booleans(), seed=seeds, data=st.data())
def test_every_number_of_an_image_goes_to_its_place(s, n, gated, seed, data):
    rng = np.random.default_rng(seed)
    x, gate = whole(seed, 2, s.h, s.w, s.c), whole(seed + 1, 2, s.h, s.w, s.c)
    gate[rng.random(gate.shape) < 0.1] = np.nan
    argmax = rng.integers(0, s.cell**2 + 1, x.shape).astype(np.uint8)
    low = data.draw(st.integers(0, s.h))
    how = {
        "gate": gate if gated else None, "argmax": argmax, "n": n, "low": low,
        "high": data.draw(st.integers(low, s.h)), "top": data.draw(st.integers(-9, 9)),
        "padded": np.full((s.rows, s.pitch, s.depth), EMPTY, np.float32),
    }  # fmt: skip
    np.testing.assert_array_equal(laid_out(x, s, **how), expected_padded(x, s, **how))


@given(s=places(), seed=seeds, data=st.data())
def test_a_band_has_its_rows_of_the_padded_image_and_zeros_around_them(s, seed, data):
    s = s._replace(cell=1, spread_h=1, spread_w=1, depth=s.c)
    x = whole(seed, 1, s.h, s.w, s.c)
    low = data.draw(st.integers(0, s.rows - 1))
    high = data.draw(st.integers(low + 1, s.rows))
    band = np.zeros((s.rows, s.pitch, s.depth), np.float32)
    lay_out_rows(GatedGradient.of(-x), 0, band.ravel(), s, low, high)  # of another image
    lay_out_rows(GatedGradient.of(x), 0, band.ravel(), s, low, high)
    np.testing.assert_array_equal(band[: high - low], laid_out(x, s)[low:high])


def gathered(padded, at, length, s):
    """Return (windows, cells, groups, numbers): what runs of ``length`` read."""
    i, j = np.ix_(np.arange(s.oh), np.arange(s.ow))
    windows = ((i * s.step_h * s.pitch + j * s.step_w) * s.depth).reshape(-1, 1, 1, 1, 1)
    groups = np.arange(s.groups).reshape(1, 1, -1, 1, 1) * (s.c // s.groups)
    cells = at.reshape(1, len(at), 1, -1, 1)
    numbers = padded.ravel()[windows + cells + groups + np.arange(length)]
    return numbers.reshape(s.oh * s.ow, len(at), s.groups, at.shape[1] * length)


@given(case=convolutions(most_beyond=9), pool=POOLS)
def test_a_windows_runs_are_its_rows_of_im2col(case, pool):
    x, _, _, _ = case.arrays()
    windows = case.geometry.windows
    (oh, ow), (fh, fw) = windows.output, windows.window
    assume(pool <= min(oh, ow))
    s = sliding(windows, x.shape[1], 1, case.groups, pool)
    assert s.in_place == (windows.padding == ((0, 0), (0, 0)))
    assert s.padded_size == s.rows * s.pitch * s.depth
    at = runs(windows, s, pool)
    x = last(x)
    length = fh * fw * case.depth // at.shape[1]
    got = gathered(laid_out(x, s, n=len(x) - 1), at, length, s)

    image = np.moveaxis(x[-1:], -1, 1)
    col = naive.im2col(image, (fh, fw), windows.stride, windows.padding, windows.dilation)
    # (C, FH, FW) becomes (groups, FH, FW, C), and the windows are taken by cells of the pooling.
    col = col.reshape(oh, ow, case.groups, case.depth, fh, fw).transpose(0, 1, 2, 4, 5, 3)
    col = col[: s.oh * pool, : s.ow * pool].reshape(s.oh, pool, s.ow, pool, case.groups, -1)
    col = col.transpose(0, 2, 1, 3, 4, 5).reshape(got.shape)
    np.testing.assert_array_equal(got, col)


@given(case=convolutions(most_beyond=6))
def test_the_adjoint_gives_every_cell_what_its_windows_received(case):
    x, w, _, dy = (np.round(2 * a) for a in case.arrays())
    windows, (fn, depth, fh, fw) = case.geometry.windows, w.shape
    s = adjoint(windows, x.shape[1], fn, case.groups)
    # Filters of the same size, over the padded image with stride 1.
    rotated = slide((s.rows, s.pitch), windows.window, 1, 0, windows.dilation)
    assert (s.oh, s.ow) == rotated.output == windows.input
    at = runs(rotated, s)
    g, length = case.groups, fh * fw * case.filters // at.shape[1]
    rows = gathered(laid_out(last(dy[:1]), s), at, length, s)
    flip = w[:, :, ::-1, ::-1].reshape(g, fn // g, depth, fh, fw).transpose(0, 3, 4, 1, 2)
    dx = np.einsum("pgk,gkc->pgc", rows[:, 0], flip.reshape(g, -1, depth))
    expected, _, _ = naive.convolution_gradients(dy[:1], x[:1], w, **case.naive)
    np.testing.assert_array_equal(dx.reshape(s.oh, s.ow, -1), expected[0].transpose(1, 2, 0))


@given(case=convolutions(most_beyond=9), pool=POOLS, seed=seeds)
def test_a_pooled_gradient_is_laid_out_as_the_gradient_of_the_windows(case, pool, seed):
    windows, filters = case.geometry.windows, case.filters * case.groups
    assume(pool <= min(windows.output))
    d = through(windows, filters, pool)
    assert (d.rows, d.pitch) == windows.output
    assert d.depth % LANES == 0
    dy = whole(seed, 1, d.h, d.w, filters)
    argmax = np.random.default_rng(seed).integers(0, pool**2, dy.shape).astype(np.uint8)
    padded = laid_out(dy, d, argmax=argmax)
    expected = np.zeros((*windows.output, d.depth))
    for i, j, f in np.ndindex(d.h, d.w, filters):
        a, e = divmod(int(argmax[0, i, j, f]), pool) if pool > 1 else (0, 0)
        expected[i * pool + a, j * pool + e, f] = dy[0, i, j, f]
    np.testing.assert_array_equal(padded, expected)


@pytest.mark.parametrize("skip", [0, 1, 5, LINE - 1])
def test_an_aligned_array_begins_at_a_cache_line(skip):
    whole_array = np.zeros(100, np.float32)[skip:]
    part = aligned(whole_array)
    assert part.ctypes.data % (4 * LINE) == 0
    assert len(part) == len(whole_array) - LINE
    assert np.shares_memory(part, whole_array)
    assert part.ctypes.data - whole_array.ctypes.data < 4 * LINE
