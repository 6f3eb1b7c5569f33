"""What a page is told of a live training."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from ...training import Trainer

__all__ = ["curve", "place", "records"]

MOST_POINTS = 4096  # of a loss curve that is told at once


def place(trainer: Trainer) -> dict[str, Any]:
    """Return where a training stands.

    Examples
    --------
    >>> from pellucid import data, models
    >>> trainer = Trainer(models.SimpleConvNet((1, 8, 8)), data.digits()[0].take(200), epochs=3)
    >>> place(trainer)
    {'step': 0, 'batches': 2, 'epoch': 0, 'epochs': 3, 'lr': 0.001, 'last_lr': None}
    """
    return {
        "step": len(trainer.history.losses),
        "batches": len(trainer.loader),
        "epoch": trainer.epoch,
        "epochs": trainer.epochs,
        "lr": trainer.lr,
        "last_lr": trainer.last_lr,
    }


def records(trainer: Trainer, since: int = 0) -> list[dict[str, Any]]:
    """Return what was measured after each epoch, from number ``since`` (0 is the first) on."""
    told = []
    for record in trainer.history.epochs[since:]:
        held = {"role": record.role, "accuracy": record.held_accuracy}
        told.append({**{k: asdict(record)[k] for k in ("epoch", "loss", "train_accuracy")}, **held})
    return told


def curve(losses: list[float], since: int = 0) -> dict[str, Any]:
    """Return the losses of the batches from number ``since`` on, or means of ``every`` of them.

    Examples
    --------
    >>> curve([3.0, 2.0, 1.0], since=1)
    {'since': 1, 'every': 1, 'losses': [2.0, 1.0]}
    >>> curve([1.0] * 5000)["every"]
    2
    """
    since = min(max(since, 0), len(losses))
    found = np.array(losses[since:], dtype=np.float64)
    every = max(1, -(-len(found) // MOST_POINTS))
    whole = len(found) // every * every
    means = found[:whole].reshape(-1, every).mean(axis=1) if every > 1 else found
    return {"since": since, "every": every, "losses": means.tolist()}
