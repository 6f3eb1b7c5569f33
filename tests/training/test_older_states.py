"""States in the form of version 0.1 go on as those of this one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid import data, nn
from pellucid.training import Trainer, TrainingState
from training.setup import BATCHES, At, network, same_weights, trainer

BEFORE = {  # name of the optimizer, of its class then, and of its constants then
    "sgd": ("SGD", ("lr",)),
    "momentum": ("Momentum", ("lr", "momentum")),
    "nesterov": ("Nesterov", ("lr", "momentum")),
    "adagrad": ("AdaGrad", ("lr", "eps")),
    "rmsprop": ("RMSprop", ("lr", "decay_rate", "eps")),
    "adam": ("Adam", ("lr", "beta1", "beta2", "eps")),
    "adamw": ("AdamW", ("lr", "beta1", "beta2", "eps", "weight_decay")),
}
FILES = Path(__file__).parents[1] / "formats" / "files_0_1"
LR = 2.0**-8  # a power of two: a velocity is divided by it without rounding


def _half(done):
    return 0.5


def _slowed(seed):
    model = network(seed)
    nn.set_rates(model, {"fc1": 0.25, "fc2.bias": 0})
    return model


def _as_before(state, optimizer, last):
    """Write a state as version 0.1 did; its last step had the rate ``last``."""
    config = dict(state.optimizer_config)
    if "betas" in config:
        config["beta1"], config["beta2"] = config["betas"]
    config["decay_rate"] = config.get("alpha")
    state.optimizer_name, constants = BEFORE[optimizer]
    state.optimizer_config = {key: config[key] for key in constants}
    if optimizer in ("momentum", "nesterov"):
        for key, v in state.optimizer.items():
            if key.startswith("v."):
                v *= np.float32(-last * state.rates.get(key[2:], 1.0))
    return state


@pytest.mark.parametrize("schedule", [_half, None])
@pytest.mark.parametrize("optimizer", BEFORE)
def test_a_state_of_version_0_1_is_resumed(optimizer, schedule, tmp_path):
    path, last = tmp_path / "state", LR if schedule is None else LR / 2
    whole = trainer(optimizer, model=_slowed(0), lr=LR, schedule=schedule)

    def save(t):
        _as_before(t.state(), optimizer, last).save(path)

    whole.callbacks.append(At("on_batch_end", BATCHES + 2, save))
    whole.fit()
    resumed = trainer(optimizer, model=_slowed(9), lr=1.0, schedule=schedule)
    resumed.load_state(TrainingState.load(path))
    assert resumed.lr == LR
    resumed.fit()
    assert resumed.optimizer.config() == whole.optimizer.config()
    assert same_weights(resumed.model, whole.model)


def test_a_velocity_of_a_rate_of_zero_starts_from_zero():
    one = trainer("momentum", epochs=1)
    one.fit()
    state = _as_before(one.state(), "momentum", 0.01)
    state.optimizer_config["lr"] = 0.0
    again = trainer("momentum")
    again.load_state(state)
    assert not any(np.any(v) for key, v in again.optimizer.state_dict().items() if key != "t")


def test_a_training_goes_on_from_a_state_that_0_1_wrote():
    """What it draws from there on follows from the Trainer's seed: 0.1 drew batch by batch."""
    state = TrainingState.load(FILES / "training-state.safetensors")
    train, test = data.digits()
    layers = {"flatten": nn.Flatten(), "drop": nn.Dropout(0.2), "fc": nn.Linear(64, 10)}
    trainer = Trainer(
        nn.Sequential(**layers), train.take(90), test.take(50), optimizer="momentum", lr=0.1,
        epochs=3, batch_size=32, augment="flip,crop1", schedule="cosine",
    )  # fmt: skip
    trainer.load_state(state)
    np.testing.assert_array_equal(trainer.model["fc"].weight.data, state.weights["fc.weight"])
    assert (trainer.epoch, trainer.loader.epoch, trainer.loader.position) == (1, 1, 32)
    assert trainer.optimizer.lr == 0.1
    history = trainer.fit()
    assert (len(history.losses), len(history.epochs)) == (9, 3)
    assert history.epochs[-1].loss < history.epochs[0].loss
