"""Convert states of older versions.

Up to 0.1, momentum had two classes, ``v ← α·v - η·g``; ``w ← w + v``, with the rate within the
velocity; Adam's constants were ``beta1`` and ``beta2``, RMSprop's was ``decay_rate``; the oldest
states have only the rate of the last step, not the one that the schedule multiplies.

Up to 0.2, weight decay applied to all parameters, and a Trainer had no further recipe. Later states
without a number of chunks had 4 or more, by the size of a layer; they go on with those of the
Trainer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..nn import Loss
from ..optim import share_done
from ..typing import Array
from .state import NONE, TrainingState, loss_constants

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["translated"]

LATER = {  # constants new in 0.2, with the values that reproduce 0.1
    "SGD": {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    "AdaGrad": {"weight_decay": 0.0},
    "RMSprop": {"weight_decay": 0.0},
    "Adam": {"weight_decay": 0.0},
}


def translated(state: TrainingState, own: TrainingState, trainer: Trainer) -> TrainingState:
    """Return ``state`` in the current format, for a training like ``trainer``, whose is ``own``."""
    recipe = own.recipe or {}
    if state.recipe is None:  # up to 0.2, which decayed biases and norms too
        state = replace(state, recipe=_recipe(state, recipe, trainer), decays={})
    else:
        later = {"chunks": recipe.get("chunks"), "precision": "float32"}
        state = replace(state, recipe=later | state.recipe)
    config, name = dict(state.optimizer_config), state.optimizer_name
    memory = state.optimizer
    base, last = _rates(state, trainer)
    if name in ("Momentum", "Nesterov"):
        memory = {
            key: _velocity(value, last * _own_rate(state, trainer, key[2:]))
            if key.startswith("v.")
            else value
            for key, value in memory.items()
        }
        config["nesterov"], name = name == "Nesterov", "SGD"
    if {"beta1", "beta2"} <= config.keys():
        config["betas"] = (config.pop("beta1"), config.pop("beta2"))
    if "decay_rate" in config:
        config["alpha"] = config.pop("decay_rate")
    config = {**LATER.get(name, {}), **config, "lr": base}
    return replace(state, optimizer=memory, optimizer_name=name, optimizer_config=config)


def _recipe(state: TrainingState, own: dict[str, Any], trainer: Trainer) -> dict[str, Any]:
    """Return the recipe ``own`` of ``trainer`` without what 0.2 did not have."""
    plain = trainer.loss.plain() if isinstance(trainer.loss, Loss) else trainer.loss
    constants = loss_constants(plain)
    clip = own["clip_norm"] if state.clip_norm is None else state.clip_norm
    none = {
        "warmup": 0.0,
        "warmup_from": NONE,
        "ema": NONE,
        "last_batch": "keep",
        "precision": "float32",
    }
    return own | constants | none | {"clip_norm": clip}


def _rates(state: TrainingState, trainer: Trainer) -> tuple[Any, Any]:
    """Return the optimizer's rate, and the scheduled rate of the last step.

    The oldest states have only the latter; the former is then computed from the schedule, unless
    this Trainer's own leads to the same rate.
    """
    written, steps = state.optimizer_config.get("lr"), len(state.history.losses)
    schedule = trainer.schedule
    numbers = all(isinstance(rate, float | int | None) for rate in (written, state.lr))
    if schedule is None or written is None or not numbers:  # invalid numbers are refused later
        return written, written
    total = trainer.epochs * len(trainer.loader)
    share = schedule(share_done(steps - 1, total)) if steps else 1.0
    if state.lr is not None:
        return state.lr, state.lr * share
    same = not share > 0 or trainer.lr * share == written
    return trainer.lr if same and steps else written / share, written


def _velocity(v: Array, rate: float) -> Array:
    """Return a velocity divided by the rate within it; 0 for a rate of 0."""
    return (v / -rate if rate else np.zeros_like(v)).astype(v.dtype)


def _own_rate(state: TrainingState, trainer: Trainer, key: str) -> float:
    """Return the factor of the rate for one parameter."""
    if state.rates is not None:
        return state.rates.get(key, 1.0)
    parameters = trainer.model.parameters()
    return float(parameters[key].rate) if key in parameters else 1.0
