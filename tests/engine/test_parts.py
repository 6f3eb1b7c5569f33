"""The first steps of a frozen plan take a few images at a time, with the bits of all at once."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import engine, nn
from pellucid.engine import parts

SHAPE, N = (4, 7, 6), 7


def rng():
    return np.random.default_rng(0)


def conv(**how):
    return nn.Conv2d(4, 4, 3, padding=1, rng=rng(), **how)


def images(n=N, seed=1):
    return np.random.default_rng(seed).normal(size=(n, *SHAPE)).astype(np.float32)


def network():
    """Return a network with what large ones have: a stem, a residual sum, branches, pools."""
    body = nn.Sequential(conv(), nn.BatchNorm2d(4))
    return nn.Sequential(
        stem=conv(),
        relu=nn.ReLU(),
        pool=nn.MaxPool2d(3, 1, padding=1),
        residual=nn.Residual(body),
        relu2=nn.ReLU(),
        branches=nn.Branches(conv(), nn.AvgPool2d(3, 1, padding=1)),
        mean=nn.GlobalAvgPool2d(),
        flatten=nn.Flatten(),
        last=nn.Linear(8, 3, rng=rng()),
    )


@pytest.fixture
def small_caches(monkeypatch):
    """Have small images, too, exceed the caches."""
    monkeypatch.setattr(parts, "CACHE", 1)


def compiled(model, *, poison=True):
    plan = engine.compile(model.eval(), SHAPE, N)
    plan.freeze()
    plan.poison = poison
    return plan


def cut(plan):
    """Return the path of the last step that takes a few images at a time, and how many."""
    found = plan._memory._layout.parts
    return found and (plan.steps[found.owner].name, found.images)


@pytest.mark.parametrize("poison", [True, False])
def test_the_bits_are_those_of_all_images_at_once(monkeypatch, poison):
    whole = compiled(network())
    expected = {n: whole(images(n, n)).copy() for n in (N, 4, 1)}
    assert cut(whole) is None
    monkeypatch.setattr(parts, "CACHE", 1)
    plan = compiled(network(), poison=poison)
    for n in (N, N, N, N, 4, 4, 1, 4, 4, 1, 1, 1, N):  # later calls without Python
        np.testing.assert_array_equal(plan(images(n, n)), expected[n])
    assert cut(plan) == ("mean", 2)
    assert plan.memory.arena < 0.5 * whole.memory.arena


@pytest.mark.usefixtures("small_caches")
def test_what_python_calls_between_recorded_kernels_reads_the_same_part_of_the_images():
    # The layout of one channel is a view: a sum that reads the images is called by Python.
    body = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, rng=rng()), nn.LeakyReLU())
    model = nn.Sequential(nn.Residual(body), nn.LeakyReLU()).eval()
    plan = engine.compile(model, (1, 7, 6), N)
    plan.freeze()
    for seed in range(5):
        x = images(seed=seed)[:, :1]
        np.testing.assert_allclose(plan(x), model(x), rtol=1e-4, atol=1e-5)
    assert plan._memory._layout.parts is not None


class Centred(nn.Layer):
    """A layer of the user's, which mixes the images of a batch."""

    def forward(self, x):
        return x - x.mean(axis=0)


@pytest.mark.usefixtures("small_caches")
@pytest.mark.parametrize("first", [True, False])
def test_layers_without_a_step_see_all_images(first):
    layers = [Centred(), conv(), nn.ReLU()] if first else [conv(), nn.ReLU(), Centred()]
    model = nn.Sequential(*layers, nn.LeakyReLU())
    plan = compiled(model)
    for _ in range(4):
        np.testing.assert_allclose(plan(images()), model(images()), rtol=1e-4, atol=1e-5)
    assert cut(plan) == (None if first else ("", 2))  # of the layout that it takes


@pytest.mark.usefixtures("small_caches")
def test_what_is_read_much_later_is_there_for_all_images():
    model = nn.Graph(
        {
            "a": (conv(), "x"),
            "b": nn.LeakyReLU(),
            "c": Centred(),
            "sum": (nn.Add(), "a", "c"),
        }
    )
    plan = compiled(model)
    for _ in range(4):
        np.testing.assert_allclose(plan(images()), model(images()), rtol=1e-4, atol=1e-5)
    assert cut(plan) == ("a", 2)


@pytest.mark.usefixtures("small_caches")
def test_layers_of_more_weights_than_pixels_take_all_images():
    deep = nn.Sequential(nn.GlobalAvgPool2d(), nn.Conv2d(4, 400, 1, rng=rng()))
    model = nn.Sequential(conv(), nn.LeakyReLU(), deep, nn.Conv2d(400, 4, 1, rng=rng()))
    plan = compiled(model)
    np.testing.assert_allclose(plan(images()), model(images()), rtol=1e-4, atol=1e-5)
    assert cut(plan) == ("2.0", 2)


@pytest.mark.usefixtures("small_caches")
def test_only_frozen_plans_in_inference_take_a_few_and_gradients_may_follow():
    model, x = network(), images()
    plan = engine.compile(model.eval(), SHAPE, N)
    y = plan(x).copy()
    assert cut(plan) is None
    plan.freeze()
    for _ in range(4):
        np.testing.assert_allclose(plan(x), y, rtol=1e-4, atol=1e-5)
    assert cut(plan) is not None
    dx = plan.backward(np.ones_like(y), need_dx=True)
    assert cut(plan) is None
    model(x)
    np.testing.assert_allclose(dx, model.backward(np.ones_like(y)), rtol=1e-3, atol=1e-5)
