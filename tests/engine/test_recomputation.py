"""Outputs that are forgotten and computed again: less memory, and the same bits."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pytest

from distributed.in_threads import on_threads
from engine.test_shares import BATCHES, NETWORKS, run
from nn.cases import every_case
from pellucid import engine, models, nn
from pellucid.distributed import Share
from pellucid.engine.recomputation import Recomputation
from pellucid.engine.step import Step
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads

SHAPE, BATCH = (3, 12, 12), 8


def rng():
    return np.random.default_rng(3)


def conv(c, f, k=3):
    return nn.Conv2d(c, f, k, padding=k // 2, bias=False, rng=rng())


def block():
    return nn.Residual(
        nn.Sequential(conv(16, 16), nn.BatchNorm2d(16), nn.ReLU(), conv(16, 16), nn.BatchNorm2d(16))
    )


def network():
    """Return a network with all that large ones have: chains of sums, branches, pools, dropout."""
    branches = nn.Branches(conv(16, 8, 1), nn.Sequential(nn.MaxPool2d(3, 1, padding=1), nn.SiLU()))
    return nn.Sequential(
        conv(3, 16), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        block(), nn.ReLU(), block(), nn.ReLU(), block(), nn.ReLU(),
        branches, conv(24, 16), nn.GroupNorm(4, 16), nn.Dropout(0.5, rng=rng()), nn.Hardswish(),
        conv(16, 16), nn.AvgPool2d(2), conv(16, 8), nn.Tanh(), nn.GlobalAvgPool2d(), nn.Flatten(),
        nn.Linear(8, 10, rng=rng()),
    )  # fmt: skip


def images(seed, n=BATCH, shape=SHAPE):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)


@pytest.fixture
def whatever_can_be(monkeypatch):
    monkeypatch.setattr(Recomputation, "chosen", Recomputation.possible)


@pytest.fixture(params=[False, True], ids=["the fullest time", "whatever can be"])
def chosen(request):
    """Forget what the fullest time asks for, or all."""
    if request.param:
        request.getfixturevalue("whatever_can_be")


@pytest.fixture
def threads():
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def pair(model, shape=SHAPE, **options):
    """Return two copies of a model with plans, the second of which recomputes."""
    twins = [copy.deepcopy(model) for _ in range(2)]
    plans = [
        engine.compile(one, shape, BATCH, recompute=again, **options)
        for one, again in zip(twins, (False, True), strict=True)
    ]
    return twins, plans


def step(twins, plans, x, *, backwards=1, need_dx=False):
    """Compare outputs, gradients, and what a forward changes."""
    found = []
    for model, plan in zip(twins, plans, strict=True):
        y = plan(x.copy()).copy()
        plan._memory.poison(len(plan.steps) - 1)  # what is forgotten is NaN
        for _ in range(backwards):
            dx = plan.backward(np.cos(17 * y, dtype=np.float32), need_dx=need_dx)
        grads = [p.grad for p in model.parameters().values() if p.rate]
        arrays = [y, *grads, *model.state_dict().values(), *([dx] if need_dx else [])]
        found.append([a.tobytes() for a in arrays])
    assert found[0] == found[1]


def recomputed(plan):
    return [plan.steps[s] for s in plan.memory.recomputed]


def test_a_network_learns_the_same_bits_with_any_threads_replayed_or_not(chosen, threads):
    twins, plans = pair(network(), repeatable=False)
    kinds = {type(one).__name__ for one in recomputed(plans[1])}
    assert {"BatchNormStep", "AddStep"} <= kinds
    assert plans[1].memory.arena < plans[0].memory.arena
    sizes = (BATCH, BATCH, BATCH, 5, 5, 5, BATCH, BATCH)
    for seed, (n, count) in enumerate(zip(sizes, itertools.cycle((1, 2, 3)), strict=False)):
        threads(count)
        plans[1].replays = seed != 6
        step(twins, plans, images(seed, n), need_dx=seed in (4, 5))
    last = [one for one in plans[1]._runs._recorded.values() if one is not None]
    assert any(replay._pieces for one in last for replay in one.backward.values())


@pytest.mark.parametrize("repeatable", [False, True])
def test_nothing_is_read_while_it_is_forgotten(chosen, repeatable):
    twins, plans = pair(network(), repeatable=repeatable)
    plans[1].poison = True  # what is not in use is NaN
    for seed, n in enumerate((BATCH, 3, BATCH)):
        step(twins, plans, images(seed, n), backwards=1 + repeatable, need_dx=seed == 1)


@every_case
def test_the_output_of_each_layer_can_be_computed_again(case, whatever_can_be):
    model = nn.Sequential(nn.LeakyReLU(0.5), case.layer(), nn.LeakyReLU(0.5)).train(case.training)
    twins, plans = pair(model, case.shape)
    if len(again := recomputed(plans[1])) < 1 or not any(s.layer is twins[1][1] for s in again):
        return  # the layer multiplies, draws, or has no step
    plans[1].poison = True
    for seed in range(2):
        x = images(seed, 4, case.shape)
        step(twins, plans, np.abs(x) if case.positive else x, need_dx=True)
    plans[1].poison = False
    for seed in range(3):  # recorded
        x = images(seed, 4, case.shape)
        step(twins, plans, np.abs(x) if case.positive else x, need_dx=True)


def test_what_only_the_backward_of_frozen_layers_would_read_does_not_run_again(
    whatever_can_be, monkeypatch
):
    model = network()
    for p in list(model.parameters().values())[:-6]:
        p.rate = 0.0
    twins, plans = pair(model)
    ran, run_again = [], Step.again
    monkeypatch.setattr(Step, "again", lambda self, *x: ran.append(self) or run_again(self, *x))
    plans[1].replays = False
    for seed, need_dx in ((0, False), (1, True)):
        before = len(ran)
        step(twins, plans, images(seed), need_dx=need_dx)
        assert len(ran) - before <= len(recomputed(plans[1]))
        if not need_dx:
            assert ran
            assert all(one.makes > len(plans[1].steps) // 2 for one in ran)


def test_images_that_change_after_the_forward_are_not_read_again(whatever_can_be):
    model = nn.Sequential(conv(3, 4), nn.Flatten())
    twins, plans = pair(model, (3, 6, 6))
    gradients = []
    for one, plan in zip(twins, plans, strict=True):
        x = images(0, 4, (3, 6, 6))
        y = plan(x)
        x[:] = 7
        plan.backward(np.ones_like(y))
        gradients.append(one[0].weight.grad.tobytes())
    assert gradients[0] == gradients[1]


@pytest.mark.parametrize("name", NETWORKS)
def test_ranks_share_batches_with_the_bits_of_one_process(name, whatever_can_be):
    build, shape = NETWORKS[name]
    alone = run(build(), shape, Share(chunks=8), recompute=False)
    ours = run(build(), shape, Share(chunks=8), recompute=True)
    ranks = on_threads(2, lambda one: run(build(), shape, Share(one, 8), recompute=True))
    theirs = on_threads(2, lambda one: run(build(), shape, Share(one, 8), recompute=False))
    assert len(alone) == len(BATCHES)
    for expected, found in ((alone, ours), *zip(theirs, ranks, strict=True)):
        for one, two in zip(expected, found, strict=True):
            bits = [[getattr(a, "tobytes", lambda a=a: a)() for a in each] for each in (one, two)]
            assert bits[0] == bits[1]


def test_a_table_shows_what_is_computed_again_and_the_smaller_peak():
    plans = pair(network(), repeatable=False)[1]
    text = str(plans[1])
    marked = [line for line in text.splitlines() if "(recomputed)" in line]
    assert len(marked) == len(plans[1].memory.recomputed) > 3
    assert "batch norm + relu (recomputed)" in text
    size = sum(plans[1].memory.recomputed.values()) / 2**20
    assert text.endswith(f"; recomputed in backward {size:.1f}")
    assert "recomputed" not in str(plans[0])
    kept, forgotten = (plan.memory for plan in plans)
    assert forgotten.fullest["outputs"] < 0.7 * kept.fullest["outputs"]
    assert forgotten.total < kept.total
    twins, _ = pair(network())
    twins[1].eval()
    frozen = engine.compile(twins[1], SHAPE, BATCH, recompute=True)
    frozen.freeze()
    assert "recomputed" not in str(frozen)


@pytest.mark.parametrize(
    ("name", "shape", "part"), [("resnet20", (3, 32, 32), 0.7), ("mobilenet-v2", (3, 64, 64), 0.6)]
)
def test_networks_with_batch_norms_need_less_by_much(name, shape, part):
    model = models.by_name(name, shape, 10)
    both = [
        engine.compile(model, shape, 128, repeatable=False, recompute=again).memory
        for again in (False, True)
    ]
    assert both[1].arena < part * both[0].arena


def test_nothing_runs_again_that_does_not_lower_the_peak():
    model = nn.Sequential(
        conv(3, 64), nn.Tanh(), nn.MaxPool2d(4), conv(64, 4), nn.SiLU(), conv(4, 4), nn.Flatten()
    )
    _, plans = pair(model, repeatable=False)
    assert "silu" not in [one.kernel for one in recomputed(plans[1])]
    assert plans[1].memory.total <= plans[0].memory.total


def test_a_copy_of_a_plan_recomputes_too():
    plan = engine.compile(network(), SHAPE, BATCH, recompute=True)
    for twin in (copy.deepcopy(plan), pickle.loads(pickle.dumps(plan))):
        assert twin.recompute
        assert twin.memory.recomputed == plan.memory.recomputed
