"""From the third step on, a plan trains without Python between its kernels, with the same bits."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from nn.cases import every_case
from pellucid import engine, models, nn, optim
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads


def rng():
    return np.random.default_rng(3)


class Pair:
    """Two copies of a model in training: one plan replays, the other one does not."""

    def __init__(self, model, shape, batch, rule=optim.SGD, **options):
        self.models = [copy.deepcopy(model) for _ in range(2)]
        self.plans = [engine.compile(one, shape, batch, **options) for one in self.models]
        self.plans[1].replays = False
        self.rules = [rule(0.01) for _ in range(2)]

    def outputs(self, x):
        """Return the output for ``x``, the same bits from both plans."""
        found = [plan(x.copy()) for plan in self.plans]
        np.testing.assert_array_equal(*found)
        return found[0].copy()

    def step(self, x, dy=None, need_dx=False, lr=0.01):
        """Take a step with both; compare gradients and state."""
        y = self.outputs(x)
        dy = np.cos(17 * y, dtype=np.float32) if dy is None else dy
        dx = [plan.backward(dy.copy(), need_dx=need_dx) for plan in self.plans]
        if need_dx:
            np.testing.assert_array_equal(*dx)
        for p, q in zip(*[one.parameters().values() for one in self.models], strict=True):
            np.testing.assert_array_equal(p.grad, q.grad)
        for plan, rule, model in zip(self.plans, self.rules, self.models, strict=True):
            plan.backend.update(rule, model.parameters(), lr)
        states = [one.state_dict() for one in self.models]
        for key, a in states[0].items():
            np.testing.assert_array_equal(a, states[1][key])

    def recorded(self):
        """Return the numbers of images of which passes are recorded at this time."""
        runs = self.plans[0]._runs._recorded.values()
        return [one.images for one in runs if one is not None]


def images(shape, batch, seed):
    return np.random.default_rng(seed).normal(size=(batch, *shape)).astype(np.float32)


@every_case
def test_each_layer_trains_to_the_same_bits(case):
    # Between a layer that makes an array of the plan's own, and one that reads its output.
    model = nn.Sequential(nn.LeakyReLU(0.5), case.layer(), nn.LeakyReLU(0.5)).train(case.training)
    pair = Pair(model, case.shape, 4)
    for seed, n in enumerate((4, 4, 3, 4)):
        x = images(case.shape, n, seed)
        pair.step(np.abs(x) if case.positive else x, need_dx=True)
    assert pair.recorded() == [4]


def small():
    """Return a network with much of what changes from one step to the next."""
    return nn.Sequential(
        nn.Conv2d(2, 16, 3, padding=1, rng=rng()),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.3, rng=rng()),
        nn.Flatten(),
        nn.Linear(256, 5, rng=rng()),
    )


def trained(steps=3):
    """Return a pair of plans of the small network, of which one replays."""
    pair = Pair(small(), (2, 8, 8), 4)
    for seed in range(steps):
        pair.step(images((2, 8, 8), 4, seed))
    assert pair.recorded() == [4]
    return pair


@pytest.fixture
def threads():
    """Set the number of threads, and restore it after the test."""
    before = get_num_threads()
    yield set_num_threads
    set_num_threads(before)


def test_a_whole_network_trains_to_the_same_bits_on_any_number_of_threads(threads):
    shape = (3, 32, 32)
    pair = Pair(models.by_name("resnet20", shape, 10, rng=rng()), shape, 8)
    for seed, (count, n) in enumerate([(1, 8), (2, 6), (1, 8), (2, 6), (3, 8), (2, 8), (1, 6)]):
        threads(count)
        pair.step(images(shape, n, seed))
    run = next(iter(pair.plans[0]._runs._recorded.values()))
    forward, backward = (
        [len(piece.recording) for piece in one._pieces]
        for one in (run.forward, *run.backward.values())
    )
    assert len(forward) == len(backward) == 1  # nothing runs with Python between two recordings
    assert forward[0] > 60 < backward[0]


def test_images_and_gradients_may_be_another_array_at_each_step():
    pair, kept = trained(), []
    for seed in range(4):
        x, dy = images((2, 8, 8), 4, seed), images((5,), 4, seed)
        kept += [x, dy]  # the next ones lie elsewhere
        pair.step(x, dy)


def test_the_gradient_of_the_images_may_be_asked_for_at_any_step():
    pair = trained()
    for seed, need_dx in enumerate((True, True, False, True)):
        pair.step(images((2, 8, 8), 4, seed), need_dx=need_dx)


def test_a_step_reads_its_learning_rate_and_its_count_anew():
    pair = Pair(small(), (2, 8, 8), 4, optim.Adam)
    for seed, lr in enumerate((0.1, 0.1, 0.01, 0.5, 0.02)):
        pair.step(images((2, 8, 8), 4, seed), lr=lr)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(model[1], "momentum", 0.5),
        lambda model: setattr(model[1], "eps", 0.1),
        lambda model: setattr(model[4], "p", 0.9),
        lambda model: setattr(model[6].weight, "data", model[6].weight.data * 2),
        lambda model: model[0].weight.data.__imul__(2),
        lambda model: model[1].running_mean.data.fill(3),
        lambda model: nn.set_rates(model, {"0.*": 0}),
        lambda model: setattr(model[0].weight, "grad", None),
        lambda model: model.eval(),
        lambda model: model[4].eval(),
        lambda model: model.load_state_dict(small().state_dict()),
    ],
)
def test_what_is_changed_between_two_steps_counts_from_the_next_one_on(change):
    pair = trained()
    for model in pair.models:
        change(model)
    for seed in range(4):
        pair.step(images((2, 8, 8), 4, seed))


def test_a_call_that_is_not_repeated_leaves_the_recordings_right():
    pair = trained()
    seen = []
    for seed in range(3):
        pair.plans[0].after_step = seen.append if seed == 1 else None
        pair.step(images((2, 8, 8), 4, seed))
        pair.outputs(images((2, 8, 8), 3, seed))  # without a backward
    assert len(seen) == len(pair.plans[0].steps) - 1  # the first one only changes the layout


def test_a_backward_with_python_reads_the_images_of_the_repeated_forward_before():
    pair, kept = Pair(nn.Sequential(nn.Linear(6, 3, rng=rng())), (6,), 8), []
    for seed in range(5):
        kept.append(images((6,), 8, seed))  # the next ones lie elsewhere
        pair.plans[0].after_step = (lambda step: None) if seed == 4 else None
        pair.step(kept[-1])


def test_a_second_backward_after_one_forward_is_repeated_too():
    pair = trained()
    for seed in range(3):
        pair.outputs(images((2, 8, 8), 4, seed))
        for scale in (1, 2):
            dy = np.full((4, 5), scale, np.float32)
            found = [plan.backward(dy, need_dx=True).copy() for plan in pair.plans]
            np.testing.assert_array_equal(*found)


def test_what_the_plan_made_may_be_its_next_images():
    model = nn.Sequential(nn.Linear(6, 6, rng=rng()), nn.Tanh(), nn.Linear(6, 6, rng=rng()))
    plans = [engine.compile(copy.deepcopy(model), (6,), 2) for _ in range(2)]
    plans[1].replays = False
    values = [images((6,), 2, 0)] * 2
    for _ in range(5):
        values = [plan(x) for plan, x in zip(plans, values, strict=True)]
        np.testing.assert_array_equal(*values)


def test_no_more_passes_are_kept_than_a_few_numbers_of_images():
    model = nn.Sequential(nn.Linear(3, 2, rng=rng()), nn.Tanh())
    pair = Pair(model, (3,), 40)
    for n in [n for n in range(1, 40) for _ in range(3)]:
        pair.step(images((3,), n, n))
    assert 1 < len(pair.recorded()) <= 16
