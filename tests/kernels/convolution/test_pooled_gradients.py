"""The gradients after max pooling equal those of the seven loops, wherever the windows are read.

The kernels are called as the engine does it, which lays out what they take. The cases are those of
test_direct.py with a pooling, of small whole numbers: nothing here is approximate.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from engine.shares import begun
from kernels.convolution.test_direct import CASES, N, Room, expected, last
from pellucid.distributed import Share
from pellucid.engine.cpu import launch
from pellucid.engine.cpu.convolution import algorithms, filter_gradients
from pellucid.engine.cpu.convolution.algorithms import PooledCol2im
from pellucid.engine.cpu.convolution.filter_gradients import PooledGradient
from pellucid.kernels.convolution import pooled_input_gradient, pooled_weight_gradient, strips
from pellucid.kernels.convolution.arguments import PartialSums
from pellucid.kernels.convolution.geometry import sliding
from pellucid.kernels.convolution.layout import STOPPED, GatedGradient
from pellucid.kernels.jit import LANES, REGISTERS
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads
from pellucid.shapes import slide

cases = pytest.mark.parametrize("name", [name for name in CASES if "pooled" in name])
rectified = pytest.mark.parametrize("rectify", [False, True])
layouts = pytest.mark.parametrize("stripped", [False, True])


@pytest.fixture
def read(monkeypatch):
    """Have windows be read in this way, and with this tile."""

    def read(tile, stripped):
        for module in (filter_gradients, algorithms):
            monkeypatch.setattr(module, "strips_pay", lambda *how: stripped)
        monkeypatch.setattr(pooled_weight_gradient, "tile_shape", lambda *sizes: tile)

    return read


def arrays(case):
    """Return the images and what came back for them, in the midst of other numbers."""
    x = last(case.x, np.nan).reshape(N, *case.windows.input, case.channels)
    return x, GatedGradient.of(last(case.dy, np.nan), None, last(case.argmax.astype(np.uint8)))


def gradients(case, chunks=2, band=2):
    """Return the gradients of filters and bias, summed up by ``chunks``."""
    back = PooledGradient(case.windows, *case.sizes, case.pool, begun(N, chunks), 16)
    back.band, back.chunks = min(band, back.s.oh), chunks
    back.sums = PartialSums(*(sums[:chunks] for sums in back.sums))
    for sums in back.sums[:2]:
        sums[:] = np.nan
    dw, db = Room(*case.w.shape), Room(case.filters)
    x, source = arrays(case)
    back(x, source, dw.flat.reshape(dw.shape), db.flat)
    return dw.read(), db.read()


@cases
@rectified
@layouts
@pytest.mark.parametrize("tile", [(1, 2), (2, 1), (3, 2)])
@pytest.mark.parametrize(("chunks", "band"), [(1, 1), (2, 2), (4, 99)])
def test_the_gradients_equal_the_seven_loops(name, rectify, stripped, tile, chunks, band, read):
    read(tile, stripped)
    case = expected(name, rectify)
    dw, db = gradients(case, chunks, band)
    np.testing.assert_array_equal(dw, case.dw)
    np.testing.assert_array_equal(db, case.db)


def input_gradient(case):
    """Return the gradient of the images."""
    back = PooledCol2im(case.windows, *case.sizes, case.pool)
    back.pack(case.w)
    dx = Room(N, *case.windows.input, case.channels)
    back(arrays(case)[1], N, dx.flat, None, False)
    return dx.first()


@cases
@rectified
@pytest.mark.parametrize("tile", [(1, 1), (1, 2), (2, 1)])
def test_the_input_gradient_is_what_the_windows_that_won_give_back(
    name, rectify, tile, monkeypatch
):
    monkeypatch.setattr(pooled_input_gradient, "tile_shape", lambda *sizes: tile)
    case = expected(name, rectify)
    if PooledCol2im(case.windows, *case.sizes, case.pool).offsets.run.shape[1] % tile[0]:
        pytest.skip("the tile does not divide the runs")
    np.testing.assert_array_equal(input_gradient(case), case.dx)


@layouts
def test_runs_of_whole_vectors_are_read_in_the_images_themselves(stripped, read):
    read((2, 1), stripped)
    case = expected("pooled, deep", False)
    assert PooledGradient(case.windows, *case.sizes, case.pool, Share(), N).in_place == (
        not stripped
    )
    assert not PooledGradient(slide((6, 6), 2, padding=1), LANES, 4, 1, 2, Share(), N).in_place
    assert not PooledGradient(slide((6, 6), 2), LANES + 1, 4, 1, 2, Share(), N).in_place


@layouts
def test_what_is_not_finite_comes_through_where_a_window_won(stripped, read):
    read((2, 1), stripped)
    case = SimpleNamespace(**vars(expected("pooled", True)))
    (n, f, i, j), (m, e, k, o) = np.argwhere(case.argmax != STOPPED)[[0, -1]]
    assert f != e
    case.dy = case.dy.copy()
    case.dy[n, f, i, j], case.dy[m, e, k, o] = np.nan, np.inf
    dw, db = gradients(case)
    assert np.isnan(dw[f]).all()
    assert np.isnan(db[f])
    assert not np.isfinite(dw[e]).all()
    assert db[e] == np.inf
    rest = [g for g in range(case.filters) if g not in (f, e)]
    np.testing.assert_array_equal(dw[rest], case.dw[rest])
    np.testing.assert_array_equal(db[rest], case.db[rest])


@layouts
def test_what_a_relu_stopped_counts_as_zero_whatever_it_is(stripped, read):
    read((2, 1), stripped)
    case = SimpleNamespace(**vars(expected("pooled", True)))
    case.dy = np.where(case.argmax == STOPPED, np.nan, case.dy).astype(np.float32)
    assert np.isnan(case.dy).any()
    dw, db = gradients(case)
    np.testing.assert_array_equal(dw, case.dw)
    np.testing.assert_array_equal(db, case.db)
    np.testing.assert_array_equal(input_gradient(case), case.dx)


@layouts
def test_the_bits_do_not_depend_on_the_threads(stripped, read, monkeypatch):
    read((2, 1), stripped)
    monkeypatch.setattr(launch, "WORTH_SHARING", 0)
    case = SimpleNamespace(**vars(expected("pooled", True)))
    case.x, case.dy = (
        np.random.default_rng(0).normal(size=a.shape).astype(np.float32) for a in (case.x, case.dy)
    )
    before, results = get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            both = [*gradients(case, chunks=4), input_gradient(case)]
            results.append(b"".join(a.tobytes() for a in both))
    finally:
        set_num_threads(before)
    assert len(set(results)) == 1


def test_strips_hold_what_each_window_sees_in_one_piece():
    windows = slide((6, 7), (3, 2), stride=(1, 2), dilation=(2, 1))
    s = sliding(windows, 2, 1, 1, 1)
    how, (at, _) = strips.place_windows(windows, s, stripped=True)
    x = np.arange(1, s.rows * s.pitch * s.depth + 1, dtype=np.float32)
    room = np.zeros(how.size + LANES, np.float32)
    strips.make_strips(np.append(x, np.zeros(LANES, np.float32)), room, s, how)
    image = x.reshape(s.rows, s.pitch, s.depth)
    for i, j in np.ndindex(*windows.output):
        here = at.reshape(s.oh, -1)[i, 0] + j * how.step
        expected_row = image[i : i + 5 : 2, 2 * j : 2 * j + 2].ravel()
        np.testing.assert_array_equal(room[here : here + expected_row.size], expected_row)


def test_a_tile_is_no_larger_than_its_task_nor_than_the_registers():
    for filters in (1, 2, 6, 7, 30, 64, 500):
        for length in (1, 9, 25, 33, 150, 160, 800, 5000):
            height, vectors = pooled_weight_gradient.tile_shape(filters, length)
            assert 1 <= height <= filters
            assert 1 <= vectors <= -(-length // LANES)
            assert height * vectors <= REGISTERS * 3 // 4


def test_a_tile_that_gives_back_divides_the_runs():
    for count in (1, 3, 5, 7, 11):
        for length in (1, 9, 33, 150, 192, 800, 5000):
            height, vectors = pooled_input_gradient.tile_shape(count, length)
            assert count % height == 0
            assert 1 <= vectors <= -(-length // LANES)
            assert height * vectors <= REGISTERS * 3 // 4


def test_infinity_is_given_back_where_a_window_won_and_nowhere_else():
    case = SimpleNamespace(**vars(expected("pooled", True)))
    n, f, i, j = np.argwhere(case.argmax != STOPPED)[0]
    a, e = divmod(int(case.argmax[n, f, i, j]), case.pool)
    case.dy, case.w = case.dy.copy(), abs(case.w) + 1
    case.dy[n, f, i, j] = np.inf
    seen = np.zeros_like(case.x, dtype=bool)
    i, j = i * case.pool + a, j * case.pool + e
    seen[n, :, i : i + 2, j : j + 2] = True
    np.testing.assert_array_equal(np.isfinite(input_gradient(case)), ~seen)
