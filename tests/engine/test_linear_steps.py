"""A fully connected step agrees with its layer, whichever of its products serve it."""

from __future__ import annotations

import numpy as np
import pytest

from distributed.in_threads import on_threads
from engine.networks import by_the_layers, everything
from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.distributed import Share
from pellucid.distributed.share import chunks_of_ranks, joined
from pellucid.engine.cpu.convolution.products import Product
from pellucid.engine.cpu.steps import linear

BATCH = 13


def network(lead, bias=True):
    """Return two fully connected layers, which take rows of 40 numbers, ``lead`` an image."""
    rng = np.random.default_rng(0)
    layers = nn.Linear(40, 35, rng=rng), nn.ReLU(), nn.Linear(35, 3, bias=bias, rng=rng)
    model = nn.Sequential(*layers)
    model["0"].bias.data[:] = rng.normal(size=35)
    return model, (lead, 40) if lead > 1 else (40,)


@pytest.fixture(params=["few", "many"])
def products(request, monkeypatch):
    """Whether the layers have few rows and weights, or many."""
    many = request.param == "many"
    monkeypatch.setattr(linear, "ROWS", 1 if many else 10**9)
    monkeypatch.setattr(linear, "LARGE", 1 if many else 10**9)
    return many


@pytest.mark.parametrize("lead", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_all_gradients_agree_with_those_of_the_layers(products, lead, bias):
    model, shape = network(lead, bias)
    plan = engine.compile(model, shape, BATCH)
    assert isinstance(plan.steps[0]._product, Product) == products
    for n in (BATCH, 1, 4):
        rng = np.random.default_rng(n)
        x = rng.normal(size=(n, *shape)).astype(np.float32)
        dy = rng.normal(size=model(x).shape).astype(np.float32)
        expected = by_the_layers(model, x, dy, np.float64)
        y = plan(x)
        got = everything(model, y, plan.backward(dy, need_dx=True))
        for name, value in expected.items():
            assert_agrees(got[name], value, what=name)


def test_gradients_of_a_single_row_agree_with_those_of_the_layers(products):
    model, shape = network(1)
    plan, rng = engine.compile(model, shape, 1), np.random.default_rng(0)
    x, dy = (rng.normal(size=(1, n)).astype(np.float32) for n in (40, 3))
    expected = by_the_layers(model, x, dy, np.float64)
    got = everything(model, plan(x), plan.backward(dy, need_dx=True))
    for name, value in expected.items():
        assert_agrees(got[name], value, what=name)


@pytest.mark.parametrize(("lead", "batch"), [(1, BATCH), (3, BATCH), (1, 1)])
def test_ranks_have_the_bits_of_one_process(products, lead, batch):
    def run(share):
        model, shape = network(lead)
        plan, own = engine.compile(model, shape, batch, share=share), share.begin(batch)
        rng = np.random.default_rng(1)
        x = rng.normal(size=(batch, *shape)).astype(np.float32)
        y = plan(x[own]).copy()
        dy = rng.normal(size=(batch, *y.shape[1:])).astype(np.float32)
        return y, plan.backward(dy[own], need_dx=True).copy(), plan.gradients.copy()

    y, dx, gradients = run(Share())
    parts = list(zip(*on_threads(3, lambda rank: run(Share(rank))), strict=True))
    assert np.concatenate(parts[0]).tobytes() == y.tobytes()
    assert np.concatenate(parts[1]).tobytes() == dx.tobytes()
    assert joined(list(parts[2]), chunks_of_ranks(3)).tobytes() == gradients.tobytes()
