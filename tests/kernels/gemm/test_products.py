"""Matrix products and their gradients equal NumPy's, however they are cut into blocks.

Small whole numbers make every sum exact, in whatever order it is added up. Around every array lie
numbers that must be neither read (NaN) nor written (`EMPTY`).
"""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.kernels.convolution.activation import NO_ACTIVATION, RELU, SILU, Activation
from pellucid.kernels.convolution.arguments import PartialSums
from pellucid.kernels.convolution.layout import NO_BYTES, NOTHING, GatedGradient
from pellucid.kernels.gemm.gradient import Cut, add_up, backward_matrix
from pellucid.kernels.gemm.packing import (
    HEIGHT,
    PACKED,
    PLAIN,
    TRANSPOSED,
    WIDTH,
    packed_columns,
)
from pellucid.kernels.gemm.precision import PRECISIONS, pack
from pellucid.kernels.gemm.product import (
    CROWDED,
    HEIGHTS,
    MANY,
    Blocks,
    Results,
    Where,
    multiply,
)
from pellucid.kernels.gemm.rows import Pixels
from pellucid.kernels.jit import LANES
from pellucid.kernels.pool.threads import run
from pellucid.kernels.tree import tree_sum

EMPTY = 99


def whole(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).integers(-3, 4, shape).astype(np.float32)


def within(a):
    """Return an array, flat, in the midst of NaN."""
    around = np.full(a.size + 128, np.nan, np.float32)
    around[64:-64] = a.ravel()
    return around[64:-64]


class Room:
    """An array to be written to, whose surroundings must not be."""

    def __init__(self, *shape):
        self.shape = shape
        self.around = np.full(int(np.prod(shape)) + 128, EMPTY, np.float32)
        self.flat = self.around[64:-64]

    def read(self):
        assert set(self.around[:64].tolist()) | set(self.around[-64:].tolist()) == {EMPTY}
        return self.flat.reshape(self.shape)


def gated(a, gate):
    """Return a gradient as the kernels take it, and what comes through the gate."""
    if gate is None:
        return GatedGradient(within(a), NOTHING, NO_BYTES, False), a
    return GatedGradient(within(a), within(gate), NO_BYTES, True), np.where(gate > 0, a, 0)


def packed(w, precision="float32"):
    """Return the matrix ``wᵀ`` of w (columns, depth) in panels."""
    columns, depth = w.shape
    out = Room(-(-depth // PRECISIONS[precision].per_word) * packed_columns(columns))
    run(pack(precision), -(-columns // WIDTH), within(w), columns, TRANSPOSED, out.flat)
    return out.read()


def pixels(image, step):
    (h, w), (down, across) = image, step
    return Pixels(h, w, down, across, -(-h // down), -(-w // across))


# Rows, depth, columns: some fill tiles, panels and vectors, and some do not.
SIZES = [
    (1, 3, 1),
    (HEIGHT - 1, LANES, LANES),
    (HEIGHT, 5, WIDTH),
    (2 * HEIGHT + 1, 2 * LANES + 3, WIDTH + LANES - 1),
    (HEIGHT + 1, CROWDED, MANY * WIDTH),
    (5 * HEIGHT - 1, 40, 2 * WIDTH + LANES + 1),
]


@pytest.mark.parametrize(("rows", "depth", "columns"), SIZES)
@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("packing", [PACKED, PLAIN, TRANSPOSED])
@pytest.mark.parametrize("precision", PRECISIONS)  # whole numbers are exact in each
@pytest.mark.parametrize("height", HEIGHTS)
def test_a_product_equals_numpys(rows, depth, columns, gate, added, packing, precision, height):
    x, w, b = whole(rows, depth), whole(columns, depth, seed=1), whole(columns, seed=2)
    plus = whole(rows, columns, seed=4)
    source, seen = gated(x, whole(rows, depth, seed=3) if gate else None)
    z = seen @ w.T + b + (plus if added else 0)
    lying = {PLAIN: lambda w: within(w.T), TRANSPOSED: within}
    matrix = packed(w, precision) if packing == PACKED else lying[packing](w)
    bias = np.append(b, np.zeros(WIDTH, np.float32))
    every = pixels((1, rows), (1, 1))
    tiles = -(-rows // height)
    some = 7 if precision == "float32" else 8  # no word lies in two blocks
    for deep, down, across in ((depth, 1, 1), (some, max(1, tiles // 2), 2)):
        for activation in (RELU, NO_ACTIVATION):
            y = Room(rows, columns)
            run(
                multiply(False, precision, height), down * across, source, matrix,
                Results(y.flat, bias, within(plus) if added else NOTHING),
                Blocks(rows, depth, columns, deep, down, across, packing, added),
                Where(every, every), activation,
            )  # fmt: skip
            np.testing.assert_array_equal(y.read(), np.maximum(z, 0) if activation == RELU else z)


@pytest.mark.parametrize("height", HEIGHTS)
def test_a_product_goes_through_a_function_on_its_way(height):
    rows, depth, columns = SIZES[-1]
    x, w, plus = whole(rows, depth), whole(columns, depth, seed=1), whole(rows, columns)
    every, y = pixels((1, rows), (1, 1)), Room(rows, columns)
    run(
        multiply(True, height=height), 4, gated(x, None)[0], packed(w),
        Results(y.flat, np.zeros(columns + WIDTH, np.float32), within(plus)),
        Blocks(rows, depth, columns, depth, 2, 2, PACKED, True),
        Where(every, every), Activation(SILU),
    )  # fmt: skip
    z = x.astype(np.float64) @ w.T + plus
    np.testing.assert_allclose(y.read(), z / (1 + np.exp(-z)), rtol=1e-6, atol=1e-6)


STEPS = [((1, 1), (3, 5)), ((2, 2), (5, 7)), ((3, 2), (6, 5)), ((2, 5), (9, 4))]


@pytest.mark.parametrize(("step", "image"), STEPS)
@pytest.mark.parametrize("height", HEIGHTS)
def test_a_product_reads_and_writes_pixels_that_are_a_step_apart(step, image, height):
    n, depth, columns = 3, LANES + 2, WIDTH + 3
    there = pixels(image, step)
    rows = n * there.oh * there.ow
    all_of_them = Pixels(there.oh, there.ow, 1, 1, there.oh, there.ow)
    x, w = whole(n, *image, depth), whole(columns, depth, seed=1)
    chosen = x[:, :: step[0], :: step[1]].reshape(rows, depth)
    zeros = np.zeros(columns + WIDTH, np.float32)
    for down in {1, max(1, -(-rows // height) // 2)}:
        blocks = Blocks(rows, depth, columns, depth, down, 2, PACKED, False)
        y, spread = Room(rows, columns), Room(n, *image, columns)
        for source, out, *where in (
            (x, y, there, all_of_them),
            (chosen, spread, all_of_them, there),
        ):
            run(
                multiply(False, height=height), down * 2, gated(source, None)[0], packed(w),
                Results(out.flat, zeros, NOTHING), blocks, Where(*where), NO_ACTIVATION,
            )  # fmt: skip
        np.testing.assert_array_equal(y.read(), chosen @ w.T)
        expected = np.zeros((n, *image, columns))
        expected[:, :: step[0], :: step[1]] = (chosen @ w.T).reshape(n, there.oh, there.ow, -1)
        np.testing.assert_array_equal(spread.read(), expected)


@pytest.mark.parametrize("columns", [1, LANES, LANES + 1, WIDTH, 2 * WIDTH + 3])
@pytest.mark.parametrize("depth", [1, LANES, LANES + 3])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_panels_hold_the_columns_and_fill_up_with_zeros(columns, depth, precision):
    per_word = PRECISIONS[precision].per_word
    w, words = whole(columns, depth), -(-depth // per_word)
    out = Room(words * packed_columns(columns))
    plain = within(np.ascontiguousarray(w.T))
    run(pack(precision), -(-columns // WIDTH), plain, columns, PLAIN, out.flat)
    panels = packed(w, precision)
    assert out.read().tobytes() == panels.tobytes()
    w = np.pad(w, ((0, 0), (0, words * per_word - depth)))
    for first in range(0, columns, WIDTH):
        width = LANES if columns - first <= LANES else WIDTH
        panel = panels[first * words :][: width * words].reshape(words, width)
        there = w[first : first + WIDTH].T
        if per_word == 2:  # the upper halves of numbers, low and high
            there, panel = there.reshape(words, 2, -1), panel.view(np.uint32)[:, np.newaxis]
            panel = np.concatenate((panel << 16, panel & 0xFFFF0000), axis=1).view(np.float32)
            there, panel = (a.reshape(-1, a.shape[-1]) for a in (there, panel))
        np.testing.assert_array_equal(panel[:, : there.shape[1]], there)
        assert not panel[:, there.shape[1] :].any()


# Images, filters, channels, step.
GRADIENTS = [
    (3, 1, 1, (1, 1)),
    (5, HEIGHT + 1, WIDTH, (1, 1)),
    (9, 3 * HEIGHT, 2 * WIDTH + LANES + 3, (2, 1)),
    (1, LANES + 2, WIDTH - 1, (2, 3)),
]


@pytest.mark.parametrize(("n", "filters", "channels", "step"), GRADIENTS)
@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_gradients_of_matrix_and_bias_equal_numpys(n, filters, channels, step, gate, precision):
    image = (4, 5)
    there = pixels(image, step)
    per_image = there.oh * there.ow
    x, dy = whole(n, *image, channels), whole(n * per_image, filters, seed=1)
    source, dz = gated(dy, whole(n * per_image, filters, seed=2) if gate else None)
    rows = x[:, :: step[0], :: step[1]].reshape(-1, channels)
    bounds = np.arange(9) * n // 8
    for groups, high, wide, deep in ((1, 9, 9, 99), (4, 1, 1, 3), (8, 2, 1, 16)):
        tiles, panels = -(-filters // HEIGHT), -(-channels // WIDTH)
        tasks = groups * -(-tiles // high) * -(-panels // wide)
        sums, bias, dw = Room(groups, filters * channels), Room(8, filters), Room(filters, channels)
        run(
            backward_matrix(precision), tasks, gated(x, None)[0], source,
            PartialSums(sums.flat.reshape(groups, -1), bias.flat.reshape(8, -1), bounds),
            Cut(filters, channels, high, wide, deep, per_image, groups), there,
        )  # fmt: skip
        np.testing.assert_array_equal(bias.read().sum(axis=0), dz.sum(axis=0))
        run(add_up, 2, sums.read(), dw.flat, 2)
        np.testing.assert_array_equal(dw.read(), dz.T @ rows)


@pytest.mark.parametrize("images", [1, 3, 5, 6, 11, 13])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_gradient_has_the_same_bits_however_its_chunks_are_grouped(images, precision):
    rng, found = np.random.default_rng(0), set()
    x, dy = (rng.normal(size=(images * 6, depth)).astype(np.float32) for depth in (40, 30))
    for groups, deep in ((1, 13), (2, 13), (2, 99), (8, 99)):  # packed by blocks, and all at once
        sums, dw = np.full((groups, 1200), np.nan, np.float32), np.empty(1200, np.float32)
        run(
            backward_matrix(precision), groups, gated(x, None)[0], gated(dy, None)[0],
            PartialSums(sums, np.empty((8, 30), np.float32), np.arange(9) * images // 8),
            Cut(30, 40, 9, 9, deep, 6, groups), pixels((2, 3), (1, 1)),
        )  # fmt: skip
        run(add_up, 1, sums, dw, 1)
        found.add(dw.tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("images", [1, 2, 3, 5, 11, 13, 16])
@pytest.mark.parametrize("deep", [1, 99])
def test_sums_of_chunks_are_a_tree_in_which_empty_ones_do_not_count(images, deep):
    rng = np.random.default_rng(images)
    x, dy = (rng.normal(size=(images, depth)).astype(np.float32) for depth in (40, 70))
    sums, bias = np.empty((1, 2800), np.float32), np.full((16, 70), np.nan, np.float32)
    bounds = np.arange(17) * images // 16
    run(
        backward_matrix(), 1, gated(x, None)[0], gated(dy, None)[0],
        PartialSums(sums, bias, bounds), Cut(70, 40, 9, 9, deep, 1, 1), pixels((1, 1), (1, 1)),
    )  # fmt: skip
    rows, products = np.zeros((16, 70), np.float32), np.zeros((16, 70, 40), np.float32)
    for chunk in np.flatnonzero(np.diff(bounds)):  # of one image each
        rows[chunk] = dy[bounds[chunk]]
        products[chunk] = np.outer(rows[chunk], x[bounds[chunk]])
    np.testing.assert_array_equal(sums.reshape(70, 40), tree_sum(products))
    np.testing.assert_array_equal(bias, rows)
