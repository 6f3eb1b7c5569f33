"""The convolution kernels equal the seven loops, whatever tiles of registers they are made for.

Small whole numbers make every sum exact, in whatever order it is added up: nothing here is
approximate, and equal numbers meet in every pooling. Around every array lie numbers that must be
neither read (NaN) nor written (`EMPTY`).
"""

from __future__ import annotations

import functools
from types import SimpleNamespace

import numpy as np
import pytest

import naive
from pellucid.kernels.convolution import col2im, direct, filters
from pellucid.kernels.convolution.activation import NO_ACTIVATION, RELU
from pellucid.kernels.convolution.arguments import Epilogue, Output, PartialSums, Split
from pellucid.kernels.convolution.geometry import runs, sliding, through
from pellucid.kernels.convolution.layout import NO_BYTES, NOTHING, STOPPED, GatedGradient
from pellucid.kernels.convolution.phases import (
    adjoint_phases,
    cut_into_tiles,
    forward_phase,
    packed_rows,
    taps_side_by_side,
)
from pellucid.kernels.convolution.tiles import pixel_tile, tile_shape, whole_vectors
from pellucid.kernels.jit import LANES, REGISTERS
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads
from pellucid.shapes import slide

N = 3
EMPTY = 99
TILES = [(3, 1), (3, 2)]

#: channels, filters, image, window, and how it moves. Rows, of outputs and of inputs, and taps are
#: as many as a tile is high.
CASES = {
    "plain": (3, 5, (6, 7), (3, 3), {}),
    "one cell": (3, 2, (3, 4), (1, 1), {}),
    "many filters": (2, 2 * LANES + 3, (4, 6), (2, 3), {}),
    "deep": (LANES + 2, 4, (3, 5), (2, 2), {"padding": 1}),
    "stride": (2, 3, (9, 13), (3, 3), {"stride": (2, 3), "padding": (1, 0, 2, 1)}),
    "stride beyond the window": (2, 3, (7, 12), (2, 2), {"stride": 3, "padding": 1}),
    "dilation": (2, 3, (9, 8), (3, 2), {"dilation": (2, 3), "padding": 1}),
    "much padding": (1, 2, (2, 3), (2, 2), {"padding": 3}),
    "groups": (6, 9, (5, 5), (3, 3), {"groups": 3, "padding": 1}),
    "groups, stride, dilation": (4, 6, (8, 9), (2, 3), {"groups": 2, "stride": 2, "dilation": 2}),
    "each channel alone": (5, 10, (4, 5), (2, 2), {"groups": 5}),
    "pooled": (2, 5, (7, 8), (2, 2), {"pool": 2}),
    "pooled, padded": (2, 3, (10, 11), (3, 3), {"pool": 3, "padding": 1}),
    "pooled, stride": (2, 3, (13, 14), (3, 3), {"pool": 2, "stride": 2, "padding": 2}),
    "pooled, groups": (4, 6, (6, 7), (2, 2), {"pool": 2, "groups": 2}),
    "pooled, dilation": (2, 3, (13, 10), (3, 2), {"pool": 2, "dilation": (2, 3), "stride": (3, 1)}),
    "pooled, groups, dilation": (4, 6, (9, 11), (2, 3), {"pool": 2, "groups": 2, "dilation": 2}),
    "pooled, deep": (LANES, 2 * LANES + 3, (5, 8), (2, 2), {"pool": 2}),
}


def whole(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).integers(-3, 4, shape).astype(np.float32)


def last(x, beside=0.0):
    """Return images with the channels last, flat, in the midst of other numbers."""
    x = np.moveaxis(x, 1, -1)
    around = np.full(x.size + 128, beside).astype(x.dtype)
    around[64:-64] = x.ravel()
    return around[64:-64]


class Room:
    """An array to be written to, whose surroundings must not be."""

    def __init__(self, *shape, dtype=np.float32):
        self.shape, size = shape, int(np.prod(shape))
        self.around = np.full(size + 128, EMPTY, dtype)
        self.flat = self.around[64:-64]

    def read(self):
        assert set(self.around[:64].tolist()) | set(self.around[-64:].tolist()) == {EMPTY}
        return self.flat.reshape(self.shape)

    def first(self):
        """Return the images with the channels first."""
        return np.moveaxis(self.read(), -1, 1)


@functools.cache
def expected(name, rectify):
    """Return a case's arrays, and what the seven loops make of them."""
    channels, filters, image, window, how = CASES[name]
    how = {"groups": 1, "pool": 1, **how}
    groups, pool = how.pop("groups"), how.pop("pool")
    windows = slide(image, window, **how)
    x, b = whole(N, channels, *image), whole(filters, seed=1)
    w = whole(filters, channels // groups, *window, seed=2)
    moves = (windows.stride, windows.padding, windows.dilation, groups)
    z = naive.convolution(x, w, b, *moves)
    y, argmax = naive.max_pooling(z, (pool, pool), (pool, pool))
    dy = whole(*y.shape, seed=3)
    dz = np.zeros(z.shape)
    for n, f, i, j in np.ndindex(*y.shape):
        a, e = divmod(int(argmax[n, f, i, j]), pool)
        if not rectify or y[n, f, i, j] > 0:
            dz[n, f, i * pool + a, j * pool + e] = dy[n, f, i, j]
    if rectify:
        argmax = np.where(y > 0, argmax, STOPPED)
        y = np.maximum(y, 0)
    dx, dw, db = naive.convolution_gradients(dz, x, w, *moves)
    return SimpleNamespace(
        windows=windows, groups=groups, pool=pool, x=x, w=w, b=b, y=y, argmax=argmax, dy=dy, dx=dx,
        dw=dw, db=db, rectify=rectify, channels=channels, filters=filters,
        sizes=(channels, filters, groups), gate=y.astype(np.float32),
    )  # fmt: skip


def packed(w, groups, width, rows, *, back=False):
    """Return the filters as `forward` wants them: (groups, tiles, rows, width)."""
    count, depth, cells = w.shape[0] // groups, w.shape[1], w[0, 0].size
    inner, columns = (count, depth) if back else (depth, count)
    tall = cells * inner if len(rows) == 1 else int(rows.max()) + 1
    out = np.zeros((groups, -(-columns * len(rows) // width), tall, width), np.float32)
    place = np.zeros((len(rows), rows.shape[1] + LANES), np.int32)
    place[:, : rows.shape[1]] = rows * width
    tasks = groups * out.shape[1]
    run(filters.pack, tasks, w.reshape(*w.shape[:2], -1), groups, back, place, out)
    return out


def source(case):
    """Return dy, and what tells where it goes: the output, or the argmax."""
    gate = case.gate if case.rectify and case.pool == 1 else None
    return GatedGradient(
        last(case.dy, np.nan),
        NOTHING if gate is None else last(gate, np.nan),
        last(case.argmax.astype(np.uint8)) if case.pool > 1 else NO_BYTES,
        gate is not None,
    )


cases = pytest.mark.parametrize("name", CASES)
# After a pooling there are other gradients: test_pooled_gradients.py.
unpooled = pytest.mark.parametrize("name", [name for name in CASES if "pooled" not in name])
rectified = pytest.mark.parametrize("rectify", [False, True])
tiles = pytest.mark.parametrize("tile", TILES)


def images(case):
    return GatedGradient(last(case.x, np.nan), NOTHING, NO_BYTES, False)


def forward(case, tile, bands, *, parts=1, per_vector=1, channels_first=False, keep=True):
    """Return the output, and the argmax."""
    s, width = sliding(case.windows, *case.sizes, case.pool), tile[1] * LANES
    phases = forward_phase(case.windows, s, per_vector)
    rows = packed_rows(case.windows, s, phases, per_vector, back=False)
    w = packed(case.w, case.groups, width, rows)
    b = np.zeros((case.groups, w.shape[1] * width), np.float32)
    b[:, : case.w.shape[0] // case.groups * per_vector] = np.tile(
        case.b.reshape(case.groups, -1), per_vector
    )
    corner = runs(case.windows, s, case.pool)[:, 0]
    run_of = taps_side_by_side(phases, s) if tile[1] == 1 else 1
    y = Room(N, *((s.f, s.oh, s.ow) if channels_first else (s.oh, s.ow, s.f)))
    argmax = Room(N, s.oh, s.ow, s.f, dtype=np.uint8)
    run(
        direct.forward(*tile, case.pool**2, run_of, False), N * bands * parts, images(case),
        w.ravel(), b.ravel(), Output(y.flat, argmax.flat if keep else NO_BYTES), s,
        cut_into_tiles(phases, s, corner, tile[0], bands),
        Split(N, s.in_place, parts, per_vector),
        Epilogue(RELU if case.rectify else NO_ACTIVATION, keep, channels_first),
    )  # fmt: skip
    return y.read() if channels_first else y.first(), argmax.first()


@cases
@rectified
@tiles
def test_forward_equals_the_seven_loops(name, rectify, tile):
    case = expected(name, rectify)
    for bands in {1, 2, case.y.shape[2]}:
        y, argmax = forward(case, tile, bands, parts=min(bands, 3))
        np.testing.assert_array_equal(y, case.y)
        np.testing.assert_array_equal(argmax, case.argmax if case.pool > 1 else EMPTY)


@cases
@rectified
@tiles
@pytest.mark.parametrize("bands", [1, 2])
def test_forward_emits_channels_first_and_leaves_out_the_argmax(name, rectify, tile, bands):
    case = expected(name, rectify)
    y, argmax = forward(case, tile, bands, channels_first=True, keep=False)
    np.testing.assert_array_equal(y, case.y)
    np.testing.assert_array_equal(argmax, EMPTY)


@rectified
@pytest.mark.parametrize("name", ["plain", "one cell", "stride", "pooled", "pooled, padded"])
@pytest.mark.parametrize("per_vector", [2, 3])
def test_forward_of_windows_that_share_a_vector(name, rectify, per_vector):
    case = expected(name, rectify)
    for channels_first in (False, True):
        y, argmax = forward(case, (1, 4), 2, per_vector=per_vector, channels_first=channels_first)
        np.testing.assert_array_equal(y, case.y)
        np.testing.assert_array_equal(argmax, case.argmax if case.pool > 1 else EMPTY)


@unpooled
@rectified
@tiles
@pytest.mark.parametrize("bands", [1, 2])
def test_the_input_gradient_is_a_convolution_for_each_phase_of_the_stride(
    name, rectify, tile, bands
):
    case = expected(name, rectify)
    s, phases = adjoint_phases(case.windows, *case.sizes)
    run_of = taps_side_by_side(phases, s) if tile[1] == 1 else 1
    rows = packed_rows(case.windows, s, phases, back=True)
    w = packed(case.w, case.groups, tile[1] * LANES, rows, back=True)
    no_bias = np.zeros(case.groups * w.shape[1] * w.shape[3], np.float32)
    dy, dx = source(case), Room(N, s.oh, s.ow, s.f)
    in_place = s.in_place and not dy.gated  # a gate is applied on the way into the padded image
    bands = min(bands, len(np.unique(np.concatenate([p.first_row for p in phases]))))
    run(
        direct.forward(*tile, 1, run_of, False), N * bands, dy, w.ravel(), no_bias,
        Output(dx.flat, NO_BYTES), s, cut_into_tiles(phases, s, np.zeros(1, int), tile[0], bands),
        Split(N, in_place, 1, 1), Epilogue(NO_ACTIVATION, False, False),
    )  # fmt: skip
    np.testing.assert_array_equal(dx.first(), case.dx)


@unpooled
@rectified
@tiles
def test_the_input_gradient_is_what_the_windows_give_back(name, rectify, tile):
    case = expected(name, rectify)
    s, d = sliding(case.windows, *case.sizes), through(case.windows, case.filters)
    at = runs(case.windows, s).ravel()
    length = case.w[0].size // at.size
    per_group, wide = case.filters // case.groups, -(-length // (tile[1] * LANES)) * tile[1] * LANES
    fh = case.windows.window[0]
    w = np.zeros((case.groups, fh, at.size // fh, per_group, wide), np.float32)
    filters.pack_rows(case.w, case.groups, w)
    dx, kernel = Room(N, s.h, s.w, s.c), col2im.backward_images(*tile)
    run(kernel, N, source(case), w.ravel(), dx.flat, at, s, d, length)
    np.testing.assert_array_equal(dx.first(), case.dx)


def weight_gradients(case, tile, chunks, band, parts=1):
    """Return the gradients of filters and bias, summed up by ``chunks``."""
    s = sliding(case.windows, *case.sizes)
    at, depth = runs(case.windows, s), case.w.shape[1]
    at = (at.reshape(-1, 1) + np.arange(case.w[0].size // at.size)).ravel()
    wide = -(-case.filters // case.groups // (tile[1] * LANES)) * tile[1] * LANES
    sums = Room(chunks, case.groups * len(at) * wide)
    db, dw = Room(chunks, case.filters), Room(*case.w.shape)
    run(
        direct.backward_weights(*tile), chunks * parts, images(case), source(case),
        PartialSums(sums.read(), db.read(), np.arange(chunks + 1) * N // chunks), at, s,
        s.in_place, band, parts,
    )  # fmt: skip
    shape = (case.groups, depth, wide)
    run(filters.unpack, case.groups * depth, sums.read(), shape, dw.read())
    return dw.read(), db.read().sum(axis=0)


@unpooled
@rectified
@tiles
@pytest.mark.parametrize(("chunks", "band"), [(1, 1), (2, 2), (5, 99)])
def test_the_gradients_of_filters_and_bias_equal_the_seven_loops(name, rectify, tile, chunks, band):
    case = expected(name, rectify)
    columns = case.groups * -(-case.filters // case.groups // (tile[1] * LANES))
    for parts in {1, min(2, columns), columns}:
        dw, db = weight_gradients(case, tile, chunks, band, parts)
        np.testing.assert_array_equal(dw, case.dw)
        np.testing.assert_array_equal(db, case.db)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize(("f", "c"), [(3, 4), (LANES + 2, 2 * LANES + 1)])
def test_pack_puts_together_what_a_tile_of_filters_needs_and_fills_it_up(back, f, c):
    groups, width = 2, 2 * LANES
    w = whole(groups * f, c, 2, 3)
    k, row = np.arange(6), np.arange(c)[:, np.newaxis]
    at = k * f if back else k * c + row
    out = packed(w, groups, width, at.reshape(1, -1), back=back)
    split = w.reshape(groups, f, c, 6)
    rows = split.transpose(0, 3, 1, 2) if back else split.transpose(0, 3, 2, 1)
    rows = rows.reshape(groups, -1, rows.shape[-1])  # each number that a window reads
    together = out.transpose(0, 2, 1, 3).reshape(groups, rows.shape[1], -1)
    np.testing.assert_array_equal(together[..., : rows.shape[2]], rows)
    assert not together[..., rows.shape[2] :].any()


def test_unpack_adds_up_the_chunks_and_transposes_the_filters_back():
    chunks, groups, f, c = 3, 2, 3, 4
    sums, dw = whole(chunks, groups, 2, 3, c, LANES), np.empty((groups * f, c, 2, 3), np.float32)
    total = sums.sum(axis=0)[..., :f].transpose(0, 4, 3, 1, 2)
    run(filters.unpack, groups * c, sums.reshape(chunks, -1), (groups, c, LANES), dw)
    np.testing.assert_array_equal(dw, total.reshape(dw.shape))


@pytest.mark.parametrize("pixels", [0, 1, 3, 4, 11])
@pytest.mark.parametrize("depth", [3, LANES, 2 * LANES + 1])
def test_add_pixels_adds_every_pixel_to_what_is_there(pixels, depth):
    pitch = whole_vectors(depth) + LANES
    x, total = whole(pixels, pitch), whole(depth + LANES, seed=1)
    expected_sum = total + np.append(x.sum(axis=0)[:depth], np.zeros(LANES))
    around = np.append(x.ravel(), np.full(LANES, np.nan, np.float32))
    direct.add_pixels(around, pixels, pitch, total[:depth])
    np.testing.assert_array_equal(total, expected_sum)


def test_what_is_not_finite_comes_through():
    case = expected("plain", True)
    x = case.x.copy()
    x[0, 0, 3, 3], x[1, 1, 0, 0] = np.nan, np.inf
    case = SimpleNamespace(**{**vars(case), "x": x, "w": abs(case.w) + 1})
    y, _ = forward(case, (3, 1), 1)
    assert np.isnan(y[0, :, 1:4, 1:4]).all()
    assert np.isinf(y[1, :, 0, 0]).all()
    assert np.isfinite(y[2]).all()
    assert np.isnan(y).sum() == 9 * case.filters


def test_the_bits_do_not_depend_on_the_threads():
    case = SimpleNamespace(**vars(expected("plain", True)))
    case.x, case.dy = (
        np.random.default_rng(0).normal(size=a.shape).astype(np.float32) for a in (case.x, case.dy)
    )
    before, results = get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            pooled = forward(expected("pooled", True), (3, 1), 2)
            both = [*pooled, *forward(case, (3, 1), 2), *weight_gradients(case, (3, 1), 5, 2)]
            results.append(b"".join(a.tobytes() for a in both))
    finally:
        set_num_threads(before)
    assert len(set(results)) == 1


# What tiles there are.

MANY = [1, 2, 3, 5, 7, 9, 13, 16, 24, 27, 28, 29, 55, 100, 300, 999]
MOST = [REGISTERS, REGISTERS * 2 // 5]
CHOSEN = sorted({tile_shape(r, c, 1, most) for r in range(1, 120) for c in MANY for most in MOST})


@pytest.mark.parametrize("most", MOST)
@pytest.mark.parametrize("cells", [1, 4, 9, 16])
def test_a_tile_is_no_larger_than_its_task_nor_than_the_registers(cells, most):
    for rows in MANY:
        for columns in MANY:
            height, vectors = tile_shape(rows, columns, cells, most)
            assert 1 <= height <= rows
            assert 1 <= vectors <= whole_vectors(columns) // LANES
            assert height * cells * vectors <= most or (height, vectors) == (1, 1)
            assert (height * cells + 1) * vectors < REGISTERS or (height, vectors) == (1, 1)


@pytest.mark.parametrize("cells", [1, 4, 9, 16])
def test_a_tile_of_pixels_leaves_registers_for_what_is_multiplied(cells):
    for pixels in MANY:
        for columns in MANY:
            height, vectors = pixel_tile(pixels, columns, cells)
            assert 1 <= vectors <= whole_vectors(columns) // LANES
            if (height, vectors) != (1, 1):
                assert height * cells * vectors <= REGISTERS - 4
                assert (height * cells + 1) * vectors + 1 < REGISTERS


@pytest.mark.slow
@pytest.mark.parametrize("tile", CHOSEN, ids=str)
def test_every_tile_there_is(tile, monkeypatch):
    height, vectors = tile
    channels = (vectors * LANES + 1) // 3  # a run of 3 pixels takes all vectors of the tile
    depth = max(channels, -(-height // 6))
    how = (depth, vectors * LANES - 1, (4, height + 3), (2, 3), {})
    monkeypatch.setitem(CASES, str(tile), how)
    for rectify in (False, True):
        test_the_input_gradient_is_what_the_windows_give_back(str(tile), rectify, tile)
        test_the_gradients_of_filters_and_bias_equal_the_seven_loops(str(tile), rectify, tile, 2, 2)


@pytest.mark.slow
@pytest.mark.parametrize("tile", sorted({pixel_tile(r, c) for r in MANY for c in MANY}), ids=str)
def test_every_tile_of_pixels_there_is(tile, monkeypatch):
    height, vectors = tile
    how = (3, vectors * LANES - 1, (4, height + 3), (2, 3), {})
    monkeypatch.setitem(CASES, str(tile), how)
    for rectify in (False, True):
        test_forward_equals_the_seven_loops(str(tile), rectify, tile)
