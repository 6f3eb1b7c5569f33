"""One optimizer step at the scheduled rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..optim import require_share, share_done

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["step"]


def step(trainer: Trainer) -> None:
    """Update the parameters by their gradients; note a step that fails halfway."""
    rule = trainer.optimizer
    lr, t = rule.lr, rule.t
    try:
        if trainer.schedule is not None:
            total = trainer.epochs * len(trainer.loader)
            done = share_done(len(trainer.history.losses), total)
            lr = lr * require_share(trainer.schedule(done))
        trainer.engine.update(rule, trainer.model.parameters(), lr)
        trainer.last_lr = float(lr)
    except BaseException as error:
        trainer._broken = error if rule.t != t else None
        raise
