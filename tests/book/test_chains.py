"""Layers in sequence: gradient checks, the types they compute in, who owns memory."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from book.oracle import layers as oracle
from ops.witness import relative_error
from pellucid.book.common import layers
from pellucid.book.common.gradient import numerical_gradient
from pellucid.book.settings import settings
from pellucid.errors import ArgumentError

SINGLE, DOUBLE = 1e-5, 1e-12
RNG = np.random.default_rng(0)


def drawn(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def _networks(kit, shape):
    """Return a small convolutional network of a kit's layers: parameters, layers, last layer."""
    c, h, w = shape
    rng = np.random.default_rng(1)
    flat = 4 * ((h - 2) // 2) * ((w - 2) // 2)
    params = {
        "W1": rng.normal(size=(4, c, 3, 3)) * 0.1, "b1": rng.normal(size=4),
        "W2": rng.normal(size=(flat, 5)) * 0.1, "b2": rng.normal(size=5),
    }  # fmt: skip
    chain = [kit.Convolution(params["W1"], params["b1"]), kit.Relu(), kit.Pooling(2, 2, 2),
             kit.Affine(params["W2"], params["b2"])]  # fmt: skip
    return params, chain, kit.SoftmaxWithLoss()


def _loss(chain, last, x, t):
    for layer in chain:
        x = layer.forward(x)
    return last.forward(x, t)


@pytest.mark.parametrize(
    ("dtype", "within"), [(np.float64, 1e-6), (np.float32, 1e-6)], ids=["float64", "float32"]
)
def test_backpropagation_passes_the_books_gradient_check(dtype, within):
    x, t = RNG.random((2, 2, 6, 6)).astype(dtype), np.array([1, 3])
    params, chain, last = _networks(layers, (2, 6, 6))
    numerical = {
        k: numerical_gradient(lambda _: _loss(chain, last, x, t), p) for k, p in params.items()
    }
    _loss(chain, last, x, t)
    dout = last.backward()
    for layer in reversed(chain):
        dout = layer.backward(dout)
    ours = {"W1": chain[0].dW, "b1": chain[0].db, "W2": chain[3].dW, "b2": chain[3].db}
    for key in params:
        assert np.abs(ours[key] - numerical[key]).mean() < within, key


def test_layers_compute_in_float32_unless_they_are_told_otherwise():
    x = drawn(100, 1, 12, 12)
    for double, dtype in ((False, np.float32), (True, np.float64)):
        settings.float64 = double
        params, chain, last = _networks(layers, (1, 12, 12))
        _loss(chain, last, x, np.zeros(100, int))
        dout = last.backward()
        for layer in reversed(chain):
            dout = layer.backward(dout)
        assert dout.dtype == chain[0].dW.dtype == chain[3].dW.dtype == dtype
        assert all(p.dtype == np.float64 for p in params.values())


def test_with_float64_a_network_computes_what_the_oracle_does():
    settings.float64 = True
    x, t = drawn(5, 1, 12, 12), np.array([0, 1, 2, 3, 4])
    (_, ours, last), (_, theirs, their_last) = (_networks(k, (1, 12, 12)) for k in (layers, oracle))
    assert _loss(ours, last, x, t) == pytest.approx(_loss(theirs, their_last, x, t), rel=DOUBLE)
    dx, expected = last.backward(), their_last.backward()
    for one, other in zip(reversed(ours), reversed(theirs), strict=True):
        dx, expected = one.backward(dx), other.backward(expected)
        assert relative_error(dx, expected) < DOUBLE


def test_an_array_that_a_script_keeps_is_never_written_to_again():
    _, chain, _ = _networks(layers, (1, 12, 12))
    batches = [drawn(200, 1, 12, 12) for _ in range(3)]
    kept = []
    for x in batches:
        for layer in chain:
            x = layer.forward(x)
            kept.append((x, x.copy()))
        dout = drawn(*x.shape)
        for layer in reversed(chain):
            dout = layer.backward(dout)
            if not isinstance(layer, layers.Pooling):  # whose gradient Relu overwrites
                kept.append((dout, dout.copy()))
        kept.append((chain[0].dW, chain[0].dW.copy()))
    for array, before in kept:
        np.testing.assert_array_equal(array, before)


def test_empty_batches_pass_through():
    _, chain, _ = _networks(layers, (1, 12, 12))
    x = np.zeros((0, 1, 12, 12), np.float32)
    for layer in chain:
        x = layer.forward(x)
    assert x.shape == (0, 5)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_a_network_can_be_copied_and_pickled_between_two_passes(copied):
    _, chain, _ = _networks(layers, (1, 12, 12))
    x = drawn(100, 1, 12, 12)
    for layer in chain:
        x = layer.forward(x)
    twins = copied(chain)
    dy = dz = drawn(*x.shape)
    for one, twin in zip(reversed(chain), reversed(twins), strict=True):
        dy, dz = one.backward(dy.copy(order="K")), twin.backward(dz.copy(order="K"))
        assert relative_error(dz, dy) < SINGLE
    y = z = drawn(3, 1, 12, 12)
    for one, twin in zip(chain, twins, strict=True):
        y, z = one.forward(y), twin.forward(z)
        np.testing.assert_array_equal(y, z)


@pytest.mark.parametrize(
    "layer",
    [layers.Relu(), layers.Sigmoid(), layers.Pooling(2, 2), layers.Dropout()],
)
def test_a_backward_without_a_forward_is_answered_in_words(layer):
    with pytest.raises(ArgumentError, match=r"nothing to go back through: call forward"):
        layer.backward(np.zeros((1, 1, 2, 2)))
