"""What a state decides, and what of a Trainer must be as it was."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pellucid import nn, optim
from pellucid.errors import ArgumentError, StateDictError
from pellucid.formats import read_tensors, write_tensors
from pellucid.training import TrainingState
from training.setup import BATCHES, At, network, same_weights, trainer

NEW = ("lr", "schedule", "epochs_in_all", "loss", "rates")


def _halfway(path, **options):
    """Return an uninterrupted training that saved its state amid the second epoch."""
    whole = trainer(**options)
    whole.callbacks.append(At("on_batch_end", BATCHES + 2, lambda t: t.state().save(path)))
    whole.callbacks.append(At("on_batch_end", BATCHES + 2, lambda t: rates.append(t.last_lr)))
    rates: list[float] = []
    whole.fit()
    return whole, rates[0]


def _without(path, *keys, rate):
    """Return the state as older versions wrote it, with the rate of the last step."""
    arrays, metadata = read_tensors(path)
    rest = json.loads(metadata["training"])
    assert set(keys) <= rest.keys()
    rest = {k: v for k, v in rest.items() if k not in keys}
    rest["optimizer_config"]["lr"] = rate
    write_tensors(path, arrays, {"training": json.dumps(rest)})
    return TrainingState.load(path)


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "steps", lambda done: 1 - done, None])
def test_the_base_rate_comes_with_the_state(schedule, tmp_path):
    path = tmp_path / "s.safetensors"
    whole, _ = _halfway(path, schedule=schedule, lr=4e-3)
    resumed = trainer(model=network(9), schedule=schedule, lr=4e-4)
    resumed.load_state(TrainingState.load(path))
    assert resumed.lr == 4e-3
    resumed.fit()
    assert same_weights(resumed.model, whole.model)
    assert resumed.optimizer.lr == whole.optimizer.lr == 4e-3


@pytest.mark.parametrize("schedule", ["cosine", None])
def test_the_base_rate_follows_from_an_older_state(schedule, tmp_path):
    path = tmp_path / "s.safetensors"
    whole, rate = _halfway(path, schedule=schedule, lr=4e-3)
    assert (rate < 4e-3) == (schedule is not None)
    state = _without(path, *NEW, rate=rate)
    assert (state.lr, state.rates) == (None, None)
    for lr in (4e-3, 4e-4):
        resumed = trainer(model=network(9), schedule=schedule, lr=lr)
        resumed.load_state(state)
        assert resumed.lr == pytest.approx(4e-3, rel=1e-12)
        resumed.fit()
        np.testing.assert_allclose(resumed.history.losses, whole.history.losses, rtol=1e-5)
        assert lr != 4e-3 or same_weights(resumed.model, whole.model)


def test_an_older_state_from_before_the_first_step_has_its_base_rate(tmp_path):
    trainer(lr=4e-3, schedule="one-cycle").state().save(tmp_path / "s.safetensors")
    resumed = trainer(schedule="one-cycle", lr=1.0)
    resumed.load_state(_without(tmp_path / "s.safetensors", *NEW, rate=4e-3))
    assert resumed.lr == 4e-3


def test_frozen_and_slower_parameters_are_so_again(tmp_path):
    def slowed():
        model = network()
        nn.set_rates(model, {"conv": 0, "fc1": 0.1})
        return model

    path = tmp_path / "s.safetensors"
    whole, rate = _halfway(path, model=slowed())
    resumed = trainer(model=network(9))
    resumed.load_state(TrainingState.load(path))
    assert resumed.model["conv"].weight.rate == 0
    assert resumed.model["fc1"].bias.rate == 0.1
    resumed.fit()
    assert same_weights(resumed.model, whole.model)
    older = _without(path, "rates", rate=rate)
    kept = trainer(model=slowed())
    kept.load_state(older)
    assert kept.model["fc1"].bias.rate == 0.1


@pytest.mark.parametrize(
    ("saved", "own", "message"),
    [
        ({"schedule": "cosine"}, {"schedule": "steps"}, "schedule cosine, and this Trainer has st"),
        ({"schedule": "cosine"}, {}, "with schedule cosine, and this Trainer has constant"),
        ({}, {"schedule": "cosine"}, "with schedule constant, and this Trainer has cosine"),
        (
            {"schedule": "cosine", "epochs": 3}, {"schedule": "cosine", "epochs": 5},
            r"a schedule over 3 epochs, and this Trainer has 5\. Build .* set `epochs` after",
        ),
        ({"loss": nn.MulticlassHinge()}, {}, "loss MulticlassHinge, and .* SoftmaxCrossEntropy"),
    ],
)  # fmt: skip
def test_a_state_that_would_go_on_otherwise_is_refused(saved, own, message):
    one = trainer(**own)
    before = one.optimizer.lr
    with pytest.raises(StateDictError, match=message):
        one.load_state(trainer(**saved, lr=0.5).state())
    assert one.optimizer.lr == before


def test_without_a_schedule_more_epochs_are_no_conflict():
    one = trainer(epochs=1)
    one.fit()
    more = trainer(epochs=2)
    more.load_state(one.state())
    more.fit()
    assert more.epoch == 2


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "fast", None, True])
@pytest.mark.parametrize("name", ["lr", "weight_decay", "eps"])
def test_constants_that_an_optimizer_refuses_are_refused_in_a_state_too(name, value):
    state = trainer().state()
    state.optimizer_config[name] = value
    one = trainer()
    before = repr(one.optimizer)
    with pytest.raises(StateDictError, match=f"constants of Adam that are not finite .*'{name}'"):
        one.load_state(state)
    assert repr(one.optimizer) == before


def test_a_decay_of_one_or_more_is_refused_in_a_state_too():
    state = trainer("momentum").state()
    state.optimizer_config["momentum"] = 1.5
    with pytest.raises(StateDictError, match=r"that SGD refuses \(momentum: must be at least"):
        trainer("momentum").load_state(state)


def test_a_rate_of_zero_is_one_that_a_schedule_may_have_reached():
    one = trainer(schedule=lambda done: 0.0, epochs=1)
    one.fit()
    state = one.state()
    state.optimizer_config["lr"] = 0.0  # as older versions wrote it
    again = trainer(schedule=lambda done: 0.0, epochs=1)
    again.load_state(state)
    assert again.optimizer.lr == again.lr == one.lr > 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: setattr(s, "lr", float("nan")), "has nan for the rate 'lr'"),
        (lambda s: s.rates.update({"conv.weight": -1.0}), "has -1.0 for the rate 'conv.weight'"),
        (lambda s: setattr(s, "epoch", 1), "has 1 finished epochs and 0 batches"),
        (lambda s: setattr(s, "epoch", -1), "has -1 finished epochs"),
        (lambda s: s.history.losses.extend([1.0] * 6), "and 6 batches, of which an epoch has 5"),
    ],
)
def test_a_state_that_contradicts_itself_is_refused(spoil, message):
    state = trainer().state()
    spoil(state)
    with pytest.raises(StateDictError, match=message):
        trainer().load_state(state)


@pytest.mark.parametrize("share", [float("nan"), -0.1, float("inf"), None, "1", np.ones(2)])
def test_a_schedule_that_returns_no_share_is_refused_before_the_step(share):
    one = trainer(schedule=lambda done: share)
    before = one.model.state_dict()
    with pytest.raises(ArgumentError, match=r"^schedule: must return a finite number, 0 or more"):
        one.fit()
    assert all(np.array_equal(before[k], v) for k, v in one.model.state_dict().items())
    assert one.optimizer.lr == optim.Adam().lr


def test_what_is_no_schedule_is_refused():
    with pytest.raises(ArgumentError, match=r"^schedule: must be a name or a function .* 0\.5"):
        trainer(schedule=0.5)


@pytest.mark.parametrize("seed", [-1, None, 1.5, "0", True])
def test_a_seed_that_repeats_nothing_is_refused(seed):
    with pytest.raises(ArgumentError, match=r"^seed: must be"):
        trainer(seed=seed)


@pytest.mark.parametrize("seed", [np.int64(3), 10**30])
def test_any_whole_number_from_0_on_is_a_seed(seed):
    one, two = trainer(seed=seed, epochs=1), trainer(seed=int(seed), epochs=1)
    assert one.fit().losses == two.fit().losses


@pytest.mark.parametrize("name", ["epochs", "evaluate_samples"])
@pytest.mark.parametrize("value", [1.5, "3", True])
def test_half_an_epoch_is_refused(name, value):
    with pytest.raises(ArgumentError, match=f"^{name}: must be an integer, 1 or more"):
        trainer(**{name: value})
