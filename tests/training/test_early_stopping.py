"""A training that no longer improves ends, after the epoch that the history tells."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import data, models
from pellucid.errors import ArgumentError
from pellucid.training import BestModel, Callback, EarlyStopping, EpochRecord, Trainer

CURVE = [0.5, 0.6, 0.6, 0.61, 0.58, 0.6]


def trainer(*callbacks: Callback, role: str | None = "validation", epochs: int = 6) -> Trainer:
    train, test = data.digits()
    held = None if role is None else test.take(20)
    if role == "validation":
        _, held = data.held_out_images(test, 0.1, split="validation")
    model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    return Trainer(
        model, train.take(20), held, epochs=epochs, batch_size=10, callbacks=callbacks,
        engine="numpy", lr=1e-9,
    )  # fmt: skip


class Pretend(Callback):
    """Replaces the accuracies by those of `CURVE`."""

    def on_epoch_end(self, trainer, record) -> None:
        values = {name: getattr(record, name) for name in ("epoch", "loss", "train_accuracy")}
        trainer.history.epochs[-1] = EpochRecord(
            **values, test_loss=None, test_accuracy=None, seconds=1.0, validation_loss=1.0,
            validation_accuracy=CURVE[record.epoch - 1],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("patience", "delta", "epochs"),
    [(1, 0, 3), (2, 0, 6), (3, 0, 6), (2, 0.02, 4), (3, 0.02, 5), (2, 0.2, 3), (1, 0.01, 3)],
)
def test_epochs_are_counted_from_the_last_that_was_better_by_enough(patience, delta, epochs):
    it = trainer(Pretend(), EarlyStopping(patience, delta))
    assert len(it.fit().epochs) == epochs
    assert (it.stopped is not None) == ((patience, delta) != (3, 0))


def test_a_restored_training_that_had_stopped_trains_no_more_and_an_asked_for_epoch_does():
    first = trainer(Pretend(), EarlyStopping(1))
    first.fit()
    second = trainer(Pretend(), EarlyStopping(1))
    second.load_state(first.state())
    assert len(second.fit().epochs) == 3
    assert second.stopped == "no better validation accuracy in 1 epoch (epoch 2 is the best)"
    assert len(second.fit(epochs=1).epochs) == 4
    more = trainer(Pretend(), EarlyStopping(2))
    more.load_state(first.state())
    assert len(more.fit().epochs) == 6


@pytest.mark.parametrize(
    ("role", "said"), [("validation", "validation"), ("test", "test"), (None, "training")]
)
def test_the_reason_names_the_images(role, said):
    it = trainer(EarlyStopping(2), role=role)
    it.fit()
    assert f"no better {said} accuracy in 2 epochs (epoch 1 is the best)" == it.stopped
    record = it.history.epochs[-1]
    assert record.role == role
    held = (record.test_accuracy, record.validation_accuracy)
    assert [value is not None for value in held] == [role == "test", role == "validation"]


def test_a_callback_ends_a_training_and_the_next_fit_goes_on():
    class Enough(Callback):
        def on_batch_end(self, trainer, loss, images) -> None:
            trainer.stop("enough")

    it = trainer(Enough())
    assert len(it.fit().epochs) == 1
    assert it.stopped == "enough"
    assert len(it.fit().epochs) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "patience: must be 1 or more"),
        ((1.5,), "patience: must be an integer"),
        ((1, -0.1), "min_delta: must be a difference of accuracies"),
        ((1, 1), "min_delta: must be a difference of accuracies"),
        ((1, float("nan")), "min_delta: must be a difference of accuracies"),
    ],
)
def test_what_is_no_patience_is_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        EarlyStopping(*arguments)


def test_weights_from_the_middle_of_an_epoch_are_not_saved_as_the_best(tmp_path):
    class Interrupt(Callback):
        def on_batch_end(self, trainer, loss, images) -> None:
            if len(trainer.history.losses) == 3:
                raise KeyboardInterrupt

    first = trainer(Interrupt())
    with pytest.raises(KeyboardInterrupt):
        first.fit()
    assert first.best.epoch == first.epoch == 1
    second = trainer(BestModel(tmp_path / "best.safetensors"))
    second.load_state(first.state())
    second.callbacks[0].on_fit_begin(second)
    assert not (tmp_path / "best.safetensors").exists()
