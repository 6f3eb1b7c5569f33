"""Winograd's convolution equals the plain one, and its matrices are those of its paper.

The kernels are called as the engine does it, which lays out what they take; the sums come from
`pellucid.ops` in float64.
"""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from engine.shares import begun
from ops.witness import assert_agrees
from pellucid import ops
from pellucid.engine.cpu.convolution import algorithms, filter_gradients, wide_winograd
from pellucid.engine.cpu.convolution.algorithms import Winograd
from pellucid.engine.cpu.convolution.filter_gradients import WinogradGradient
from pellucid.engine.cpu.convolution.wide_winograd import WideWinograd, WideWinogradGradient
from pellucid.kernels import tree
from pellucid.kernels.convolution import tiles
from pellucid.kernels.convolution import winograd_transforms as transforms
from pellucid.kernels.convolution.activation import NO_ACTIVATION, RELU
from pellucid.kernels.convolution.geometry import adjoint, sliding, through
from pellucid.kernels.convolution.layout import STOPPED, GatedGradient
from pellucid.kernels.convolution.panels import WIDTH
from pellucid.kernels.convolution.winograd_transforms import PLACES
from pellucid.kernels.convolution.winograd_wide import CHANNELS
from pellucid.kernels.jit import LANES, kernel
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads
from pellucid.kernels.simd import load, scatter
from pellucid.shapes import slide

WITHIN = 1e-5  # of the largest number: what is asked of every kernel
N = 5
DEPTHS = [(12, 40), (16, 12), (20, 16), (40, 20)]  # channels and filters
SIZES = [4, 5, 7, 8, 13, 14]


@pytest.fixture(autouse=True)
def few_tiles(monkeypatch):
    """Two kernels a pass cover every size, and the last tile of most reaches back."""
    monkeypatch.setattr(tiles, "HEIGHTS", (3,))
    monkeypatch.setattr(tiles, "WIDTHS", (1, 2))


# The matrices.


def matrix_of(transform, size):
    """Return what a transform makes of the unit vectors of ``size``: its matrix."""

    @kernel
    def write(ones, y):
        t = transform(load(size, size, ones, 0, size * LANES, LANES))
        scatter(t, y, 0, size * LANES, LANES)

    ones = np.zeros((size, size, LANES), np.float32)
    ones[np.arange(size), np.arange(size)] = 1
    made = np.zeros((6, size, LANES), np.float32)
    write(ones.ravel(), made.ravel())
    assert (made == made[..., :1]).all()
    return made[..., 0].astype(float)


def polynomial(roots):
    """Return the coefficients of Π (x - root), the constant one first."""
    p = [Fraction(1)]
    for root in roots:
        p = [below - root * c for below, c in zip([0, *p], [*p, 0], strict=True)]
    return p


def of_the_paper(outputs):
    """Return Bᵀ, A and G for our six points by the rule of Toom and Cook, in fractions.

    Polynomials of ``outputs`` and of 7 - ``outputs`` coefficients are multiplied by their values at
    five points and infinity, and interpolated; the transposed algorithm is the convolution.
    """
    p, q = Fraction(transforms.P), Fraction(transforms.Q)
    points = [Fraction(0), p, -p, q, -q]
    others = [[o for o in points if o != point] for point in points]
    b = [*([*polynomial(rest), 0] for rest in others), polynomial(points)]
    a, window = values_at(points, outputs), values_at(points, 7 - outputs)
    factors = [
        1 / np.prod([point - o for o in rest]) for point, rest in zip(points, others, strict=True)
    ]
    g = [[f * v for v in line] for f, line in zip([*factors, 1], window, strict=True)]
    return (np.array(m, dtype=object) for m in (b, a, g))


def values_at(points, count):
    """Return the matrix that evaluates polynomials of ``count`` coefficients, last at infinity."""
    return [[point**k for k in range(count)] for point in points] + [[0] * (count - 1) + [1]]


@pytest.mark.parametrize("outputs", [2, 3, 4, 5])
def test_the_matrices_convolve_whole_numbers_exactly(outputs):
    b, a, g = of_the_paper(outputs)
    rng, side = np.random.default_rng(0), 7 - outputs
    for _ in range(20):
        d = rng.integers(-9, 10, (6, 6)).astype(object)
        f = rng.integers(-9, 10, (side, side)).astype(object)
        y = a.T @ ((g @ f @ g.T) * (b @ d @ b.T)) @ a
        for i, j in np.ndindex(outputs, outputs):
            assert y[i, j] == (d[i : i + side, j : j + side] * f).sum()


@pytest.mark.parametrize("outputs", [2, 3, 4, 5])
def test_the_transforms_are_those_matrices(outputs):
    b, a, g = (m.astype(float) for m in of_the_paper(outputs))
    own_a = matrix_of(transforms.values(outputs), outputs)
    np.testing.assert_array_equal(own_a, a)
    back = matrix_of(transforms.values_transposed(outputs), 6)
    np.testing.assert_array_equal(back[:outputs], a.T)
    factors = np.diag(matrix_of(transforms.scaled, 6))
    own_g = factors[:, np.newaxis] * matrix_of(transforms.values(7 - outputs), 7 - outputs)
    np.testing.assert_allclose(own_g, g, rtol=3e-7)
    np.testing.assert_array_equal(matrix_of(transforms.b_transposed, 6), b)


# The passes.


def drawn(seed, *shape):
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


def last(x, dtype=np.float32):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1), dtype=dtype)


def first(x):
    return np.moveaxis(x, -1, 1)


def make_case(
    channels, filters, size, padding, pool=1, *, window=3, dilation=1, groups=1, rectify=True, n=N
):
    """Return arrays, and what they should become."""
    image, how = (size, size + 1), {"padding": padding, "dilation": dilation, "groups": groups}
    windows = slide(image, window, padding=padding, dilation=dilation)
    x, w, b = (
        drawn(0, n, channels, *image),
        drawn(1, filters, channels // groups, window, window),
        drawn(2, filters),
    )
    z = ops.conv2d(*(v.astype(float) for v in (x, w, b)), **how)
    oh, ow = (side // pool for side in windows.output)
    cells = z[:, :, : oh * pool, : ow * pool].reshape(n, filters, oh, pool, ow, pool)
    cells = cells.transpose(0, 1, 2, 4, 3, 5).reshape(n, filters, oh, ow, pool * pool)
    argmax, y = cells.argmax(axis=-1), cells.max(axis=-1)
    dy = drawn(3, *y.shape)
    mine = np.arange(pool * pool) == argmax[..., np.newaxis]
    through_it = mine & (y > 0)[..., np.newaxis] if rectify else mine
    back = np.where(through_it, dy[..., np.newaxis], 0).reshape(n, filters, oh, ow, pool, pool)
    dz = np.zeros(z.shape)
    back = back.transpose(0, 1, 2, 4, 3, 5).reshape(n, filters, oh * pool, ow * pool)
    dz[:, :, : oh * pool, : ow * pool] = back
    dx, dw, db = ops.conv2d_backward(dz, x.astype(float), w.astype(float), **how)
    if rectify:
        argmax, y = np.where(y > 0, argmax, STOPPED), np.maximum(y, 0)
    return SimpleNamespace(
        windows=windows, sizes=(channels, filters, groups), pool=pool, x=x, w=w, b=b, y=y,
        argmax=argmax, dy=dy, dx=dx, dw=dw, db=db, z=z, cells=cells, rectify=rectify, n=n,
    )  # fmt: skip


def source(case):
    if case.pool > 1:
        return GatedGradient.of(last(case.dy), None, last(case.argmax, np.uint8))
    return GatedGradient.of(last(case.dy), last(case.y) if case.rectify else None)


def forward(case, wide=False):
    """Return the output, and which cells argmax."""
    passed = (sliding(case.windows, *case.sizes, case.pool), case.windows, case.pool)
    passing = WideWinograd(*passed, case.n, flip=False) if wide else Winograd(*passed, flip=False)
    passing.pack(case.w)
    passing.bias[:] = case.b.reshape(passing.bias.shape)
    y = np.full(last(case.y).shape, np.nan, np.float32)
    argmax = np.full(y.shape, 99, np.uint8)
    activation = RELU if case.rectify else NO_ACTIVATION
    passing(GatedGradient.of(last(case.x)), case.n, y, argmax, activation)
    return first(y), first(argmax)


def input_gradient(case, wide=False):
    passed = (adjoint(case.windows, *case.sizes, case.pool), case.windows, 1)
    passing = WideWinograd(*passed, case.n, flip=True) if wide else Winograd(*passed, flip=True)
    passing.pack(case.w)
    dx = np.full(last(case.x).shape, np.nan, np.float32)
    passing(source(case), case.n, dx, np.zeros(1, np.uint8), NO_ACTIVATION)
    return first(dx)


def weight_gradients(case, wide=False, per_block=None, chunks=8):
    slides = sliding(case.windows, *case.sizes), through(case.windows, case.sizes[1], case.pool)
    passed = (*slides, case.windows, begun(case.n, chunks), case.n)
    passing = WideWinogradGradient(*passed) if wide else WinogradGradient(*passed)
    if per_block is not None:
        passing.per_block = per_block
    dw, db = (np.full(a.shape, np.nan, np.float32) for a in (case.w, case.b))
    passing(last(case.x), source(case), dw, db)
    return dw, db


def agree(case, wide=False, **how):
    """Compare all passes."""
    y, argmax = forward(case, wide)
    assert_agrees(y, case.y, within=WITHIN, magnitude=abs(case.z).max(), what="Winograd forward")
    if case.pool > 1:
        # Where two cells are all but equal, either may win.
        chosen = np.take_along_axis(case.cells, argmax[..., np.newaxis] % 4, axis=-1)[..., 0]
        close = abs(chosen - case.cells.max(axis=-1)) < WITHIN * abs(case.z).max()
        at_zero = abs(case.cells.max(axis=-1)) < WITHIN * abs(case.z).max()
        assert (np.where(argmax == STOPPED, (case.argmax == STOPPED) | at_zero, close)).all()
        assert set(np.unique(argmax)) <= {0, 1, 2, 3, STOPPED}
        assert (argmax == case.argmax).mean() > 0.99
    dx = input_gradient(case, wide)
    assert_agrees(dx, case.dx, within=WITHIN, what="Winograd input gradient")
    dw, db = weight_gradients(case, wide, **how)
    assert_agrees(dw, case.dw, within=WITHIN, what="Winograd filter gradient")
    assert_agrees(db, case.db, within=WITHIN, magnitude=abs(case.dy).sum() / len(db))


@pytest.mark.parametrize("depths", DEPTHS)
@pytest.mark.parametrize("pool", [1, 2])
def test_all_passes_equal_the_plain_convolution(depths, pool):
    for size in SIZES:
        for padding in (0, 1, 2):
            agree(make_case(*depths, size, padding, pool))


@pytest.mark.parametrize("pool", [1, 2])
def test_windows_of_5x5_have_patches_of_four_outputs(pool):
    for size, padding in ((6, 0), (7, 2), (9, 4)):
        agree(make_case(12, 16, size, padding, pool, window=5))


@pytest.mark.parametrize("dilation", [2, (1, 3)])
def test_a_dilated_window_sees_images_that_interleave(dilation):
    for size, padding in ((9, 0), (8, 2), (13, (0, 3, 4, 1))):
        agree(make_case(12, 16, size, padding, dilation=dilation))


def test_a_group_of_channels_has_patches_of_its_own():
    for groups, window in ((2, 3), (3, 5)):
        agree(make_case(groups * 12, groups * 16, 8, window // 2, window=window, groups=groups))
    agree(make_case(40, 26, 8, 1, pool=2, groups=2))
    agree(make_case(24, 32, 13, 2, groups=2, dilation=2), per_block=3, chunks=2)


@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("rectify", [False, True])
def test_images_in_blocks_of_which_the_last_is_smaller(pool, rectify, monkeypatch):
    monkeypatch.setattr(tree, "MANY", 2)
    monkeypatch.setattr(algorithms, "evenly", lambda n, most, height, near: 3)
    agree(make_case(12, 20, 8, (1, 0, 2, 1), pool, rectify=rectify, n=7), per_block=3, chunks=2)


@pytest.mark.parametrize(
    "how",
    [
        {"size": 8, "padding": (1, 0, 2, 1), "pool": 2},
        {"size": 9, "padding": 1, "n": 3},  # some chunks have no images
        {"size": 9, "padding": 2, "window": 5, "groups": 2},
    ],
)
def test_a_third_of_the_places_is_a_task_of_its_own(how, monkeypatch):
    case = make_case(24, 40, **how)
    whole = weight_gradients(case)
    monkeypatch.setattr(filter_gradients, "MANY", 0)
    monkeypatch.setattr(filter_gradients, "TASKS", 2**10)  # more than there are chunks and groups
    agree(case, per_block=3)
    for one, other in zip(whole, weight_gradients(case), strict=True):
        assert one.tobytes() == other.tobytes()


def test_tasks_of_patches_are_whole_tiles_that_divide_among_16_cores():
    assert algorithms.evenly(392, 24, 12, near=True) == 12  # 33 tasks: 36 patches, not 48, a core
    assert algorithms.evenly(1568, 24, 12, near=True) == 24
    assert algorithms.evenly(3, 24, 12, near=True) == 12
    assert algorithms.evenly(392, 28, 14, near=False) == 28  # each reads all filters from afar


@pytest.mark.parametrize("pool", [1, 2])
def test_many_channels_go_through_panels(pool):
    # One panel and a part of another, or of several that are transformed at a time.
    for depths in ((WIDTH, WIDTH + 3), (2 * CHANNELS + 5, 12), (WIDTH + 9, 3 * WIDTH)):
        for size, padding in ((7, 1), (9, 0), (12, (0, 2, 1, 1))):
            agree(make_case(*depths, size, padding, pool), wide=True)


def test_windows_of_5x5_go_through_panels_too():
    agree(make_case(WIDTH + 3, 2 * WIDTH, 7, 2, window=5), wide=True)
    agree(make_case(WIDTH, WIDTH, 9, 2, dilation=2), wide=True)


@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("rectify", [False, True])
def test_images_in_parts_whose_patches_fit_the_shared_cache(pool, rectify, monkeypatch):
    case = make_case(40, 50, 9, 1, pool, rectify=rectify, n=7)
    whole = weight_gradients(case, wide=True)
    monkeypatch.setattr(wide_winograd, "SHARED", 2 * 9 * 4 * PLACES * 2 * WIDTH)
    monkeypatch.setattr(wide_winograd, "MOST_PATCHES", 12)
    monkeypatch.setattr(wide_winograd, "CUT", 7)
    agree(case, wide=True)
    # Each part is a node of the same tree.
    for one, other in zip(whole, weight_gradients(case, wide=True), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("wide", [False, True])
def test_what_is_not_finite_stays_in_its_patch(wide):
    case = make_case(12, 16, 8, 1, 1, rectify=False)
    clean, _ = forward(case, wide)
    case.x[1, 3, 5, 5], case.x[2, 0, 0, 8] = np.nan, np.inf
    y, _ = forward(case, wide)
    assert np.isnan(y[1, :, 4:7, 4:7]).all()
    assert not np.isfinite(y[2, :, :2, 7:]).any()
    np.testing.assert_array_equal(y[[0, 3, 4]], clean[[0, 3, 4]])
    np.testing.assert_array_equal(y[2, :, 4:], clean[2, :, 4:])


@pytest.mark.parametrize("wide", [False, True])
def test_the_bits_do_not_depend_on_the_threads(wide, monkeypatch):
    case, before, results = make_case(40, 50, 9, 1, 2, n=9), get_num_threads(), []
    monkeypatch.setattr(filter_gradients, "MANY", 0)
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            passes = [*forward(case, wide), input_gradient(case, wide)]
            passes += weight_gradients(case, wide)
            results.append(b"".join(np.ascontiguousarray(a).tobytes() for a in passes))
    finally:
        set_num_threads(before)
    assert len(set(results)) == 1
