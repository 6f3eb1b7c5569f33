"""Schedules of the learning rate."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import data, models, optim
from pellucid.errors import ArgumentError
from pellucid.optim.schedules import SCHEDULES
from pellucid.training import Callback, Trainer


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_multiplies_by_at_most_one_and_ends_low(name):
    values = [SCHEDULES[name](done) for done in np.linspace(0, 1, 101)]
    assert max(values) == 1
    assert min(values) >= 0
    assert values[-1] <= 0.01


def test_an_unknown_schedule_is_refused_with_the_nearest():
    with pytest.raises(ArgumentError, match=r"schedule: .* Did you mean 'cosine'"):
        optim.schedule_by_name("cosin")


class _Rates(Callback):
    def __init__(self):
        self.seen = []

    def on_batch_end(self, trainer, loss, images):
        self.seen.append(trainer.last_lr)


def _trainer(epochs=2, **options):
    train, _ = data.digits()
    rates = _Rates()
    model = models.by_name("simple", (1, 8, 8), 10, rng=np.random.default_rng(0))
    return Trainer(
        model, train.take(200), epochs=epochs, batch_size=50, lr=0.01, callbacks=[rates], **options
    ), rates


def test_the_trainer_follows_it_from_batch_to_batch():
    trainer, rates = _trainer(schedule="cosine")
    trainer.fit()
    expected = [0.01 * optim.cosine(k / 8) for k in range(8)]
    np.testing.assert_allclose(rates.seen, expected)
    assert trainer.lr == trainer.optimizer.lr == 0.01


def test_any_function_of_the_share_that_is_done_is_a_schedule():
    trainer, rates = _trainer(schedule=lambda done: 1 - done)
    trainer.fit()
    np.testing.assert_allclose(rates.seen, 0.01 * (1 - np.arange(8) / 8))


def test_without_one_the_rate_stays():
    trainer, rates = _trainer()
    trainer.fit()
    assert set(rates.seen) == {0.01}


def test_a_training_that_is_resumed_follows_the_schedule_as_if_it_had_not_stopped():
    whole, rates = _trainer(epochs=2, schedule="one-cycle")
    whole.fit()
    first, _ = _trainer(epochs=2, schedule="one-cycle")
    first._fit_epoch()
    second, resumed = _trainer(epochs=2, schedule="one-cycle")
    second.load_state(first.state())
    second.fit()
    assert resumed.seen == rates.seen[4:]
    for key, value in whole.model.state_dict().items():
        np.testing.assert_array_equal(value, second.model.state_dict()[key])
