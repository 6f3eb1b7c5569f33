"""A small training with everything that must be resumed: masks, running statistics, an order."""

from __future__ import annotations

import numpy as np

from pellucid import data, nn
from pellucid.training import Callback, EpochRecord, History, Trainer

IMAGES, BATCH, EPOCHS = 130, 32, 3
BATCHES = 5  # the last of 2 images


def network(seed: int = 0) -> nn.Sequential:
    """Return a model with dropout of both kinds and batch normalisation."""
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, rng=rng),
        norm=nn.BatchNorm2d(4),
        relu=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        drop1=nn.Dropout(0.2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(36, 20, rng=rng),
        drop2=nn.Dropout(0.3, "book"),
        fc2=nn.Linear(20, 10, rng=rng),
    )


def trainer(optimizer="adam", *, model=None, seed: int = 0, epochs: int = EPOCHS, **options):
    """Return a Trainer on the digits; two calls give two that share nothing."""
    train, test = data.digits()
    model = network() if model is None else model
    return Trainer(
        model, train.take(IMAGES), test.take(40), optimizer=optimizer, epochs=epochs,
        batch_size=BATCH, seed=seed, **options,
    )  # fmt: skip


def measured(history: History) -> list[tuple]:
    """Return all that a history says, but for the seconds."""
    return [history.losses, *(_without_seconds(record) for record in history.epochs)]


def _without_seconds(record: EpochRecord) -> tuple:
    return (
        record.epoch, record.loss, record.train_accuracy, record.test_loss, record.test_accuracy,
    )  # fmt: skip


def same_weights(a: nn.Layer, b: nn.Layer) -> bool:
    """Say whether two models have the same bits, running statistics included."""
    one, two = a.state_dict(), b.state_dict()
    return one.keys() == two.keys() and all(np.array_equal(one[key], two[key]) for key in one)


class At(Callback):
    """Call ``act`` once, when ``hook`` is told for the ``count``-th time."""

    def __init__(self, hook: str, count: int, act) -> None:
        self.left = count

        def told(trainer, *news):
            self.left -= 1
            if self.left == 0:
                act(trainer)

        setattr(self, hook, told)
