"""Save a Trainer's state and restore it, with checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.fingerprint import fingerprint
from ..errors import ArgumentError, DataError, NumericsError, PellucidError, StateDictError
from ..optim import RULES, Optimizer, schedule_name
from .guard import Moment
from .history import History
from .older_states import translated
from .state import NONE, TrainingState, loss_constants

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = [
    "load",
    "recipe",
    "require_alike",
    "require_loss",
    "require_same_images",
    "require_whole",
    "restore",
    "taken",
]


def taken(trainer: Trainer, moment: Moment) -> TrainingState:
    """Return a copy of everything that the training after ``moment`` depends on."""
    parameters, average = trainer.model.parameters(), trainer._average
    own = {} if average is None else average.own  # while the averages are in their place
    changed = {k: a.copy() for k, a in (own | moment.buffers).items()}
    return TrainingState(
        weights=trainer.model.state_dict() | changed,
        optimizer=trainer._strategy.memory(),
        optimizer_name=type(trainer.optimizer).__name__,
        optimizer_config=trainer.optimizer.config(),
        seed=int(trainer.seed),
        draws=list(trainer._draws.names),
        epoch=trainer.epoch,
        batch_size=trainer.loader.batch_size,
        order=moment.order.copy(),
        position=moment.position,
        order_epoch=moment.epoch,
        best=trainer.best,
        history=History(list(trainer.history.losses), list(trainer.history.epochs)),
        lr=float(trainer.lr),
        schedule=schedule_name(trainer.schedule),
        epochs=int(trainer.epochs),
        loss=type(trainer.loss).__name__,
        rates={key: float(p.rate) for key, p in parameters.items() if p.rate != 1},
        clip_norm=trainer.clip_norm,
        recipe=recipe(trainer),
        decays={key: float(p.decay) for key, p in parameters.items() if p.decay != 1},
        average={} if average is None else average.state_dict(),
    )


def recipe(trainer: Trainer) -> dict[str, Any]:
    """Return what else must be as it was, by the name that a refusal uses."""
    return {
        "clip_norm": NONE if trainer.clip_norm is None else trainer.clip_norm,
        "warmup": trainer.warmup,
        "warmup_from": NONE if trainer.warmup_from is None else trainer.warmup_from,
        "ema": NONE if trainer.ema is None else trainer.ema,
        "last_batch": trainer.loader.last_batch,
        "chunks": trainer.chunks,
        "precision": trainer.precision,
        **loss_constants(trainer.loss),
    }


def load(trainer: Trainer, state: TrainingState) -> None:
    """Continue from ``state``, or leave the Trainer as it was; see `Trainer.load_state`."""
    broken, trainer._broken = trainer._broken, None
    before = trainer.state()

    def checked() -> None:
        now = translated(state, before, trainer)
        require_alike(before, now, trainer.optimizer, len(trainer.loader))
        require_same_images(trainer, now)
        restore(trainer, now)

    try:
        trainer._strategy.agreed(checked)
    except BaseException:
        restore(trainer, before)
        trainer._broken = broken
        raise


def require_alike(
    own: TrainingState, saved: TrainingState, optimizer: Optimizer, batches: int
) -> None:
    """Refuse a state of another kind of training, or a damaged one.

    Raises
    ------
    StateDictError
    """
    if saved.seed is not None and (type(saved.seed) is not int or saved.seed < 0):
        raise StateDictError(
            f"has the seed {saved.seed!r}, not an integer, 0 or more. Resume from another state.",
            where="Trainer",
        )
    for what, mine, theirs in (
        ("optimizer", own.optimizer_name, saved.optimizer_name),
        ("constants", sorted(own.optimizer_config), sorted(saved.optimizer_config)),
        ("batch size", own.batch_size, saved.batch_size),
        ("random draws of", own.draws, saved.draws),
        ("loss", own.loss, saved.loss),
        ("schedule", own.schedule, saved.schedule),
        *_recipes(own.recipe or {}, saved.recipe or {}),
    ):
        if mine != theirs and theirs is not None:
            raise StateDictError(
                f"was saved with {what} {theirs}, and this Trainer has {mine}. Build it as it was.",
                where="Trainer",
            )
    if own.schedule != "constant" and saved.epochs not in (None, own.epochs):
        raise StateDictError(
            f"was saved with a schedule over {saved.epochs} epochs, and this Trainer has "
            f"{own.epochs}. Build it as it was; to stretch the schedule, set `epochs` after that.",
            where="Trainer",
        )
    least, done = saved.epoch * batches, len(saved.history.losses)
    if saved.epoch < 0 or not least <= done <= least + batches:
        raise StateDictError(
            f"has {saved.epoch} finished epochs and {done} batches, of which an epoch has "
            f"{batches}. Resume from another state.",
            where="Trainer",
        )
    _require_constants(optimizer, saved.optimizer_config)
    rates = {} if saved.rates is None else saved.rates
    decays = {f"decay of {key}": decay for key, decay in (saved.decays or {}).items()}
    for name, rate in [("lr", saved.lr), *rates.items(), *decays.items()]:
        if rate is not None and not _is_rate(rate):
            raise StateDictError(
                f"has {rate!r} for the rate {name!r}, which must be a finite number, 0 or more. "
                "Resume from another state.",
                where="Trainer",
            )


def _recipes(own: dict[str, Any], saved: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return each entry of the recipes with this Trainer's value and the saved one."""
    return [(name, own.get(name, NONE), saved.get(name, NONE)) for name in own | saved]


def require_same_images(trainer: Trainer, saved: TrainingState) -> None:
    """Refuse other images than those of the saved training, if its state says which they were.

    Raises
    ------
    DataError
    """
    for role, then in saved.data.items():
        images = trainer.validation if role == "validation" else trainer.train
        if images is None:
            raise DataError(
                f"the training measured itself on {then.images:,} images after each epoch; give "
                "them to the Trainer again.",
                where=role,
            )
        if different := then.difference(fingerprint(images)):
            raise DataError(
                f"'{images.name}' is not what the training began with: it {different}. Go on with "
                "those images, or start a new training.",
                where=role,
            )


def restore(trainer: Trainer, state: TrainingState) -> None:
    """Restore everything from ``state``; if that fails, only part is restored."""
    trainer.loader.load_state(
        {"order": state.order, "position": state.position, "epoch": state.order_epoch}
    )
    if state.seed is not None:
        trainer._reseed(state.seed)
    trainer.model.load_state_dict(state.weights)
    parameters, rule = trainer.model.parameters(), trainer.optimizer
    for name, value in state.optimizer_config.items():  # they determine the memory's slots
        setattr(rule, name, value)
    rule.load_state_dict(state.optimizer)
    rule.require_fit(parameters)
    trainer._strategy.loaded()
    for key, p in parameters.items():
        if state.rates is not None:
            p.rate = state.rates.get(key, 1.0)
        if state.decays is not None:
            p.decay = state.decays.get(key, 1.0)
    if trainer._average is not None:
        trainer._average.load_state_dict(state.average, parameters)
    trainer.epoch, trainer.best = state.epoch, state.best
    trainer.history = History(list(state.history.losses), list(state.history.epochs))


def require_whole(broken: BaseException | None) -> None:
    """Refuse to continue after an optimizer step that failed halfway."""
    if broken is not None:
        raise PellucidError(
            f"the optimizer's last step failed halfway ({broken!r}): only some parameters were "
            "updated. Continue from a state: `load_state`.",
            where="Trainer",
        )


def require_loss(loss: float, trainer: Trainer) -> None:
    """Refuse to continue with a loss that is NaN or infinite."""
    if not np.isfinite(loss):
        raise NumericsError(
            f"the loss became {loss} in epoch {trainer.epoch + 1}, after "
            f"{len(trainer.history.losses)} steps, with {trainer.optimizer!r}. Use a lower "
            "learning rate (a tenth, say), or smaller initial weights.",
            where="Trainer",
        )


def _require_constants(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Refuse constants that the optimizer's constructor refuses, except a rate of 0."""
    numbers = {k for k, v in vars(optimizer).items() if type(v) in (int, float)}
    wrong = {k: v for k, v in saved.items() if k in numbers and not _is_rate(v)}
    try:
        if type(optimizer) in {type(rule()) for rule in RULES.values()} and not wrong:
            type(optimizer)(**{**saved, "lr": 1.0})
    except (ArgumentError, TypeError) as error:
        raise StateDictError(
            f"has constants that {type(optimizer).__name__} refuses ({error}) Resume from another "
            "state.",
            where="Trainer",
        ) from error
    if wrong:
        raise StateDictError(
            f"has constants of {type(optimizer).__name__} that are not finite numbers, 0 or more: "
            f"{wrong}. Resume from another state.",
            where="Trainer",
        )


def _is_rate(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0
