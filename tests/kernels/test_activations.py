"""Activations equal their ops to 1e-6, on whole blocks and on what is left of one."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid import ops
from pellucid.kernels import elementwise, exp, rectifiers, smooth_activations
from pellucid.kernels.blocks import BLOCK, each, part, pieces
from pellucid.kernels.jit import LANES, REGISTERS, kernel
from pellucid.kernels.pool.threads import get_num_threads, run, set_num_threads, share

SIZES = [1, 7, 33, BLOCK, BLOCK + 1, 3 * BLOCK + 5]
# An x86 processor without AVX2 rounds a product before it is added to.
ROUNDING = 10 if LANES == 4 and REGISTERS == 16 else 1
SMALLEST = np.finfo(np.float32).tiny
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0, 1e-30, -1e-30, 100, -100] * 4, np.float32)

# What each forward and backward is the twin of, and what follows the arrays.
FORWARD = {
    "relu": (ops.relu, ()),
    "leaky_relu": (ops.leaky_relu, (0.1,)),
    "sigmoid": (ops.sigmoid, ()),
    "tanh": (ops.tanh, ()),
    "silu": (ops.silu, ()),
    "clip": (ops.clip, (-1.5, 2.0)),
    "hardsigmoid": (ops.hardsigmoid, (0.2, 0.4)),
    "hardswish": (ops.hardswish, ()),
    "gelu": (ops.gelu, ()),
    "gelu_by_tanh": (lambda x: ops.gelu(x, "tanh"), ()),
    "erf": (ops.erf, ()),
    "softplus": (ops.softplus, (1.7,)),
    "mish": (ops.mish, ()),
    "elu": (lambda x, *_: 2 * ops.celu(x, 0.5), (2.0, 1.0, 2.0)),
}
BACKWARD = {
    "relu_backward": (ops.relu_backward, ()),
    "leaky_relu_backward": (ops.leaky_relu_backward, (0.1,)),
    "sigmoid_backward": (ops.sigmoid_backward, ()),
    "tanh_backward": (ops.tanh_backward, ()),
    "silu_backward": (ops.silu_backward, ()),
    "multiply": (ops.dropout_backward, ()),
    "clip_backward": (ops.clip_backward, (-0.5, 0.9)),
    "hardswish_backward": (ops.hardswish_backward, ()),
    "gelu_backward": (ops.gelu_backward, ()),
    "gelu_by_tanh_backward": (lambda dy, x: ops.gelu_backward(dy, x, "tanh"), ()),
    "erf_backward": (ops.erf_backward, ()),
    "softplus_backward": (ops.softplus_backward, (1.7,)),
    "mish_backward": (ops.mish_backward, ()),
    "elu_backward": (lambda dy, x, *_: 2 * ops.celu_backward(dy, x, 0.5), (2.0, 1.0, 2.0)),
}
OF_INPUTS = [
    name for name in BACKWARD if name.split("_")[0] in ("silu", "gelu", "elu", "erf", "softplus")
]


def _kernel(name):
    """Return the kernel of this name, from the module that has it."""
    modules = (elementwise, rectifiers, smooth_activations)
    return next(getattr(module, name) for module in modules if hasattr(module, name))


def _drawn(size, seed=0):
    return np.random.default_rng(seed).normal(scale=3, size=size).astype(np.float32)


def _empty(size):
    return np.full(size, np.nan, np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FORWARD)
def test_an_activation_is_its_op(name, size):
    op, constants = FORWARD[name]
    x, y = _drawn(size), _empty(size)
    each(_kernel(name), x, y, *constants)
    assert_agrees(y, op(x.astype(np.float64), *constants), within=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", BACKWARD)
def test_a_gradient_is_that_of_the_op(name, size):
    op, constants = BACKWARD[name]
    dy, y, dx = _drawn(size), np.tanh(_drawn(size, 1)), _empty(size)
    each(_kernel(name), dy, y, dx, *constants)
    assert_agrees(dx, op(dy.astype(np.float64), y.astype(np.float64), *constants), within=1e-6)


@pytest.mark.parametrize("name", [*FORWARD, *BACKWARD])
def test_a_number_has_the_same_bits_in_a_vector_as_alone(name):
    _, constants = (FORWARD | BACKWARD)[name]
    size = 3000  # processes cut a batch at other places, and so what is left of their last block
    arrays = [_drawn(size), *([np.tanh(_drawn(size, 1))] if name in BACKWARD else [])]
    whole, alone = _empty(size), _empty(size)
    each(_kernel(name), *arrays, whole, *constants)
    for i in range(size):
        each(_kernel(name), *(a[i : i + 1] for a in arrays), alone[i : i + 1], *constants)
    assert alone.tobytes() == whole.tobytes()


# Beyond 3.5, the rounding of x² shows in the tail of the normal distribution; beyond 5, that of
# β·x in the softplus.
@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("sigmoid", 80),
        ("tanh", 80),
        ("silu", 80),
        ("gelu", 3.5),
        ("erf", 80),
        ("elu", 80),
        ("softplus", 5),
        ("mish", 80),
    ],
)
def test_each_number_alone_is_right_to_one_in_a_million(name, most):
    away = np.logspace(-30, np.log10(most), 40_001)
    x = np.concatenate([-away, away]).astype(np.float32)
    y = _empty(x.size)
    op, constants = FORWARD[name]
    each(_kernel(name), x, y, *constants)
    expected = op(x.astype(np.float64), *constants)
    assert np.max(abs(y / expected - 1)) < 1e-6 * ROUNDING


@pytest.mark.parametrize("name", FORWARD)
def test_what_is_not_finite_gives_what_the_op_gives(name):
    op, constants = FORWARD[name]
    y = _empty(SPECIAL.size)
    each(_kernel(name), SPECIAL, y, *constants)
    np.testing.assert_allclose(y, op(SPECIAL, *constants), rtol=1e-6, atol=SMALLEST)


def test_tanh_is_flat_where_float32_is():
    x, y = np.linspace(9.1, 90, 50, dtype=np.float32), _empty(100)
    each(elementwise.tanh, np.concatenate([x, -x]), y)
    assert y.tolist() == [1] * 50 + [-1] * 50


@pytest.mark.parametrize("name", ["sigmoid_backward", "tanh_backward", "multiply"])
def test_a_gradient_that_is_not_finite_comes_through(name):
    dx = _empty(SPECIAL.size)
    each(_kernel(name), SPECIAL, np.full_like(SPECIAL, 0.5), dx)
    np.testing.assert_array_equal(np.isfinite(dx), np.isfinite(SPECIAL))


@pytest.mark.parametrize("name", OF_INPUTS)
def test_a_slope_is_that_of_the_op_where_the_input_is_not_finite(name):
    op, constants = BACKWARD[name]
    # At infinity, the slope of GELU is the op's inf · 0, and in a kernel it may be the limit.
    x = SPECIAL[~np.isinf(SPECIAL)] if "gelu" in name else SPECIAL
    dx, dy = _empty(x.size), np.full_like(x, 0.5)
    each(_kernel(name), dy, x, dx, *constants)
    np.testing.assert_allclose(dx, op(dy, x, *constants), rtol=1e-6, atol=SMALLEST)


def test_the_slope_of_a_hard_sigmoid_comes_from_its_output():
    x, dy, y, dx = _drawn(BLOCK + 3), _drawn(BLOCK + 3, 1), _empty(BLOCK + 3), _empty(BLOCK + 3)
    each(rectifiers.hardsigmoid, x, y, 0.2, 0.4)
    each(rectifiers.hardsigmoid_backward, dy, y, dx, 0.2, 0.4)
    assert_agrees(dx, ops.hardsigmoid_backward(dy, x, 0.2, 0.4), within=1e-6)
    assert 0 < (dx == 0).mean() < 1


@kernel
def _count(queue, y):
    for block in share(queue):
        for piece in pieces(block, y):
            ys = part(y, piece)
            for i in range(len(ys)):
                ys[i] += 1


@pytest.mark.parametrize("size", [1, 127, 128, 129, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 130])
def test_the_pieces_of_all_blocks_have_each_number_once(size):
    y = np.zeros(size, np.float32)
    each(_count, y)
    assert (y == 1).all()


@kernel
def _decays(z, y):
    for i in range(len(z)):
        y[i] = exp.decay(z[i])


def test_the_exponential_of_what_is_not_above_zero():
    z, y = -np.linspace(0, 120, 300_001, dtype=np.float32), _empty(300_001)
    _decays(z, y)
    expected = np.exp(z.astype(np.float64))
    normal = z > -87.3
    assert np.max(abs(y[normal] / expected[normal] - 1)) < 5e-7 * ROUNDING
    assert not y[z < -87.31].any()
    assert not ((y > 0) & (y < SMALLEST)).any()
    special = np.array([0, -0.0, -1e-40, -np.inf, np.nan] * 5, np.float32)
    y = _empty(special.size)
    _decays(special, y)
    np.testing.assert_array_equal(y, np.array([1, 1, 1, 0, np.nan] * 5, np.float32))


@pytest.mark.parametrize(("cells", "channels"), [(1, 7), (1, 40), (12, 5), (9, 32)])
def test_a_mask_silences_the_same_cells_in_channels_last(cells, channels):
    drawn = np.random.default_rng(0).random((3, channels, cells))
    drawn[0, 0, 0] = 0.25
    mask = np.full((3, cells, channels), np.nan, np.float32)
    run(elementwise.dropout_mask, 1, drawn, mask, 0.25, 4 / 3)
    expected = np.float32(4 / 3) * (drawn >= 0.25).swapaxes(1, 2)
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "gelu"])
def test_the_bits_do_not_depend_on_the_threads(name):
    before, x = get_num_threads(), _drawn(5 * BLOCK + 11)
    results = []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            y = _empty(x.size)
            each(_kernel(name), x, y)
            results.append(y.tobytes())
    finally:
        set_num_threads(before)
    assert results[0] == results[1] == results[2]
