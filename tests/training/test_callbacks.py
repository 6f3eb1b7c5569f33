"""The callbacks that write files."""

from __future__ import annotations

import csv
import io
import sys

import numpy as np
import pytest

import pellucid
from pellucid.training import (
    BestModel,
    Callback,
    EpochRecord,
    History,
    HistoryFile,
    LastModel,
    ProgressBar,
)
from training.setup import At, same_weights, trainer


def test_the_history_file_has_a_row_an_epoch_at_every_moment(tmp_path):
    path, rows = tmp_path / "history.csv", []

    class Reads(Callback):
        def on_epoch_end(self, trainer, record):
            rows.append(len(path.read_text().splitlines()))

    one = trainer(callbacks=[HistoryFile(path), Reads()])
    history = one.fit()
    assert rows == [2, 3, 4]
    with path.open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [
        EpochRecord(int(r.pop("epoch")), **{k: float(v) for k, v in r.items()}) for r in read
    ] == (history.epochs)  # to the last bit
    assert [entry.name for entry in tmp_path.iterdir()] == ["history.csv"]


def test_what_was_not_measured_stays_empty():
    history, file = History(), io.StringIO()
    history.epochs.append(EpochRecord(1, 0.5, 0.75, None, None, 2.0))
    history.write_csv(file)
    header, row = file.getvalue().splitlines()
    assert header == "epoch,loss,train_accuracy,test_loss,test_accuracy,seconds"
    assert row == "1,0.5,0.75,,,2.0"


def test_the_last_model_is_loaded_as_it_was_trained(tmp_path):
    path = tmp_path / "last.safetensors"
    one = trainer(callbacks=[LastModel(path)])
    one.fit()
    model = pellucid.load(path)
    assert same_weights(model, one.model)
    assert model.card == one.model.card
    assert model.input_shape == (1, 8, 8)
    assert not model.training
    x = one.validation.batch(slice(5))[0]
    assert np.array_equal(model(x), one.model.eval()(x))


def test_the_best_model_is_kept_when_a_later_epoch_is_worse(tmp_path):
    path, states = tmp_path / "best.safetensors", {}

    class Spoils(Callback):
        """Make epoch 3 and 4 worse than epoch 2."""

        def on_epoch_begin(self, trainer):
            if trainer.epoch >= 2:
                for parameter in trainer.model.parameters().values():
                    parameter.data[...] = -parameter.data

        def on_epoch_end(self, trainer, record):
            states[record.epoch] = trainer.model.state_dict()

    one = trainer(epochs=4, lr=1e-2, callbacks=[BestModel(path), Spoils()])
    one.fit()
    best = one.best.epoch
    assert best < 4
    saved = pellucid.load(path).state_dict()
    assert all(np.array_equal(states[best][key], saved[key]) for key in saved)
    assert any(not np.array_equal(states[4][key], saved[key]) for key in saved)


def test_the_callback_base_does_nothing():
    plain, with_callback = trainer(epochs=1), trainer(epochs=1, callbacks=[Callback()])
    plain.fit()
    with_callback.fit()
    assert same_weights(plain.model, with_callback.model)


def test_the_callback_sees_the_record_it_is_told():
    seen = []
    one = trainer(epochs=1, callbacks=[At("on_epoch_end", 1, lambda t: seen.append(t.epoch))])
    one.fit()
    assert seen == [1]


@pytest.mark.parametrize("stream", [None, object(), "closed"])
def test_a_progress_bar_needs_no_standard_output(monkeypatch, stream):
    if stream == "closed":
        stream = io.StringIO()
        stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    assert len(trainer(callbacks=[_Silent()]).fit().epochs) == 3


class _Silent(ProgressBar):
    """A bar that writes nothing itself: standard output may be no stream at all."""

    def on_epoch_end(self, trainer, record):
        pass
