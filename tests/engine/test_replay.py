"""A frozen plan calls its kernels again without Python, with the bits of a plan that does not."""

from __future__ import annotations

import numpy as np
import pytest

from nn.cases import every_case
from pellucid import engine, models, nn
from pellucid.errors import ArgumentError
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads


@pytest.fixture
def threads():
    """Set the number of threads, and restore it after the test."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def rng():
    return np.random.default_rng(3)


def frozen_plans(model, shape, batch):
    """Return two frozen plans of a model in inference: one that replays, and one that does not."""
    plans = [engine.compile(model.eval(), shape, batch) for _ in range(2)]
    for plan in plans:
        plan.freeze()
    plans[1].replays = False
    return plans


def images(shape, batch, seed):
    return np.random.default_rng(seed).normal(size=(batch, *shape)).astype(np.float32)


def pieces(plan, n):
    """Return the number of recorded calls, or the class of a step, of each piece."""
    found = next(one for one in plan._runs._recorded.values() if one and one.images == n)
    return [
        len(p.recording) if hasattr(p, "recording") else p.unit.step for p in found.forward._pieces
    ]


@every_case
def test_each_layer_gives_the_same_bits_at_every_call(case):
    # Between a layer that makes an array of the plan's own, and one that reads its output.
    model = nn.Sequential(nn.LeakyReLU(0.5), case.layer(), nn.LeakyReLU(0.5))
    once, never = frozen_plans(model, case.shape, 4)
    for seed, n in enumerate((4, 4, 4, 3, 4, 3, 3, 3, 1, 1, 1)):
        x = images(case.shape, n, seed)
        x = np.abs(x) if case.positive else x
        np.testing.assert_array_equal(once(x), never(x))


@pytest.mark.parametrize("name", ["resnet20", "mobilenet-v2"])
def test_a_whole_network_gives_the_same_bits_on_any_number_of_threads(name, threads):
    shape = (3, 32, 32)
    model = models.by_name(name, shape, 10, rng=rng())
    once, never = frozen_plans(model, shape, 2)
    for seed, count in enumerate((1, 1, 2, 1, 3, 2)):
        threads(count)
        x = images(shape, 2, seed)
        np.testing.assert_array_equal(once(x), never(x))


def test_all_of_a_residual_network_is_one_recording():
    plan, _ = frozen_plans(models.ResNet20(rng=rng()), (3, 32, 32), 1)
    for seed in range(3):
        plan(images((3, 32, 32), 1, seed))
    (calls,) = pieces(plan, 1)
    assert calls > 20


def test_a_layer_without_a_step_runs_between_two_recordings():
    model = nn.Sequential(nn.ReLU(), Halved(), nn.ReLU())
    plan, never = frozen_plans(model, (2, 3, 3), 2)
    for seed in range(4):
        x = images((2, 3, 3), 2, seed)
        np.testing.assert_array_equal(plan(x), never(x))
    before, halved, after = pieces(plan, 2)
    assert (before, after) == (1, 1)
    assert type(halved.layer) is Halved


def test_what_reads_the_images_where_they_are_is_not_repeated_on_old_ones():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5, rng=rng()), nn.ReLU())
    plan, never = frozen_plans(model, (1, 3, 4), 8)
    for seed in range(5):
        x = images((1, 3, 4), 8, seed)
        kept = plan(x).copy()
        np.testing.assert_array_equal(kept, never(x))


class Halved(nn.Layer):
    """A layer that no step serves, which returns a new array at each call."""

    def forward(self, x):
        return x / 2


@pytest.mark.parametrize("channels", [1, 2])
def test_a_view_of_what_a_layer_made_anew_is_not_taken_for_the_same_array(channels):
    conv = nn.Conv2d(channels, 3, 3, rng=rng())
    plan, never = frozen_plans(nn.Sequential(Halved(), conv, nn.ReLU()), (channels, 6, 6), 2)
    kept = []
    for seed in range(6):
        x = images((channels, 6, 6), 2, seed)
        np.testing.assert_array_equal(plan(x), never(x))
        kept.append(np.ones(72 * channels, np.float32))  # where the last array may have been


def test_new_weights_count_after_another_freeze():
    layer = nn.Conv2d(2, 3, 3, rng=rng())
    plan, never = frozen_plans(nn.Sequential(nn.ReLU(), layer), (2, 6, 6), 1)
    x = images((2, 6, 6), 1, 0)
    before = [plan(x).copy() for _ in range(4)][-1]
    layer.weight.data *= 2
    for one in (plan, never):
        one.freeze()
    for _ in range(4):
        np.testing.assert_array_equal(plan(x), never(x))
    assert np.abs(plan(x) - before).max() > 0.1


def test_a_plan_that_trains_in_between_sees_its_new_statistics_and_draws_its_dropout():
    model = nn.Sequential(
        nn.Conv2d(2, 16, 3, padding=1, rng=rng()),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Dropout(rng=rng()),
    )
    plan, never = frozen_plans(model, (2, 8, 8), 4)
    x = images((2, 8, 8), 4, 0)
    for _ in range(3):
        plan(x)
    model.train()
    first, second = plan(x).copy(), plan(x).copy()
    assert (first == 0).mean() > 0.5 > (first != second).mean() > 0
    plan.backward(np.ones_like(first))
    model.eval()
    for one in (plan, never):
        one.freeze()
    for _ in range(4):
        np.testing.assert_array_equal(plan(x), never(x))


def test_a_layer_that_is_put_into_training_alone_is_noticed():
    dropout = nn.Dropout(rng=rng())
    model = nn.Sequential(nn.Conv2d(2, 16, 3, rng=rng()), dropout, nn.Tanh()).eval()
    plan, _ = frozen_plans(model, (2, 8, 8), 1)
    x = images((2, 8, 8), 1, 0)
    for _ in range(4):
        still = plan(x).copy()
    dropout.train()
    assert (plan(x) == 0).mean() > 0.3
    dropout.eval()
    for _ in range(4):
        np.testing.assert_array_equal(plan(x), still)


def test_backward_after_a_replay_is_that_of_the_last_images():
    model = nn.Sequential(
        nn.Conv2d(2, 16, 3, rng=rng()),
        nn.BatchNorm2d(16),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 4, 2),
    )
    plan, never = frozen_plans(model, (2, 8, 8), 2)
    for seed in range(4):
        x = images((2, 8, 8), 2, seed)
        dy = np.ones_like(plan(x))
        never(x)
    found = plan.backward(dy, need_dx=True).copy()
    np.testing.assert_array_equal(found, never.backward(dy, need_dx=True))


def test_wrong_images_are_refused_and_leave_the_replay_intact():
    plan, never = frozen_plans(
        nn.Sequential(nn.ReLU(), nn.Conv2d(2, 3, 3, rng=rng())), (2, 6, 6), 2
    )
    x = images((2, 6, 6), 2, 0)
    for _ in range(4):
        plan(x)
    with pytest.raises(ArgumentError, match="real"):
        plan(x + 1j)
    np.testing.assert_array_equal(plan(x), never(x))


def test_nan_and_infinity_pass_through_a_replay():
    plan, never = frozen_plans(
        nn.Sequential(nn.ReLU(), nn.Conv2d(2, 3, 3, rng=rng())), (2, 6, 6), 1
    )
    for value in (1, 1, 1, np.nan, np.inf, 1e-40, 2):
        x = np.full((1, 2, 6, 6), value, np.float32)
        np.testing.assert_array_equal(plan(x), never(x))
