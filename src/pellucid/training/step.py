"""One optimizer step at the scheduled rate, and the average of the weights after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..optim import require_share, share_done

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["rate", "step"]


def step(trainer: Trainer) -> None:
    """Update the parameters by their gradients; note a step that fails halfway."""
    rule, parameters = trainer.optimizer, trainer.model.parameters()
    t, average = rule.t, trainer._average
    try:
        lr = trainer._strategy.rate()
        trainer._strategy.update(lr)
        if average is not None:
            average.step(parameters)
        trainer.last_lr = float(lr)
    except BaseException as error:
        trainer._broken = error if rule.t != t else None
        raise


def rate(trainer: Trainer) -> float:
    """Return the learning rate of the next step; a schedule may count how often it is asked."""
    return trainer.optimizer.lr * _factor(trainer)


def _factor(trainer: Trainer) -> float:
    """Return the factor of the learning rate: that of the warm-up, and then the schedule's."""
    batches, steps = len(trainer.loader), len(trainer.history.losses)
    warm = round(trainer.warmup * batches)
    if steps < warm:
        first = trainer.warmup_from
        return (steps + 1) / (warm + 1) if first is None else first + (1 - first) * steps / warm
    if trainer.schedule is None:
        return 1.0
    done = share_done(steps - warm, trainer.epochs * batches - warm)
    return require_share(trainer.schedule(done))
