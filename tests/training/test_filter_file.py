"""The first filters over the epochs: what is kept, how it is bounded, and resuming."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import data, nn
from pellucid.errors import DataNotFoundError, FileFormatError
from pellucid.formats import write_tensors
from pellucid.models import SimpleConvNet
from pellucid.training import FilterFile, FilterHistory, History, Trainer, first_filters
from pellucid.training.filter_file import MOST_EPOCHS, MOST_FILTERS, MOST_NUMBERS


def trainer(epochs: int, path, model: nn.Layer | None = None) -> Trainer:
    train, test = data.digits()
    model = model or SimpleConvNet((1, 8, 8), hidden_size=10, rng=np.random.default_rng(0))
    options = {"batch_size": 50, "engine": "numpy", "callbacks": [FilterFile(path)]}
    return Trainer(model, train.take(100), test.take(20), epochs=epochs, **options)


def test_the_file_holds_the_filters_before_the_training_and_after_each_epoch(tmp_path):
    run = trainer(3, tmp_path / "f.safetensors")
    before = run.model["conv1"].weight.data.copy()
    run.fit()
    kept = FilterHistory.load(tmp_path / "f.safetensors")
    assert (kept.layer, list(kept.epochs)) == ("conv1.weight", [0, 1, 2, 3])
    np.testing.assert_array_equal(kept.epochs[0], before)
    np.testing.assert_array_equal(kept.epochs[3], run.model["conv1"].weight.data)
    assert not np.array_equal(kept.epochs[1], kept.epochs[2])


def test_nothing_is_written_before_the_first_epoch_is_finished(tmp_path):
    path = tmp_path / "f.safetensors"
    path.write_bytes(b"of an older run")
    FilterFile(path).on_fit_begin(trainer(1, path))
    assert path.read_bytes() == b"of an older run"


def test_a_resumed_training_goes_on_with_the_same_file(tmp_path):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    trainer(4, whole).fit()
    first = trainer(2, parts)
    first.fit()
    second = trainer(4, parts)
    second.load_state(first.state())
    second.fit()
    one, other = FilterHistory.load(whole).epochs, FilterHistory.load(parts).epochs
    assert list(one) == list(other) == [0, 1, 2, 3, 4]
    assert all(np.array_equal(one[k], other[k]) for k in one)


def test_what_was_interrupted_amid_an_epoch_keeps_only_finished_ones(tmp_path):
    path = tmp_path / "f.safetensors"
    first = trainer(2, path)
    first.fit()
    first.epochs = 3
    state = first.state()
    state.history.losses.append(1.0)  # one batch of the third epoch is done
    state.position = 50
    finished = state.weights["conv1.weight"].copy()
    state.weights["conv1.weight"] += 1
    second = trainer(3, path)
    second.load_state(state)
    FilterFile.on_fit_begin(second.callbacks[0], second)
    kept = second.callbacks[0]._history.epochs
    assert list(kept) == [0, 1, 2]
    np.testing.assert_array_equal(kept[2], finished)


def test_a_file_of_another_network_is_not_gone_on_with(tmp_path):
    path = tmp_path / "f.safetensors"
    other = FilterHistory("conv1.weight")
    other.add(1, np.zeros((30, 3, 5, 5)))
    other.save(path)
    first = trainer(1, tmp_path / "g.safetensors")
    first.fit()
    second = trainer(2, path)
    second.load_state(first.state())
    second.fit()
    assert list(FilterHistory.load(path).epochs) == [1, 2]


def test_a_network_without_filters_leaves_no_file_and_removes_an_old_one(tmp_path):
    path = tmp_path / "f.safetensors"
    path.write_bytes(b"of an older run")
    model = nn.Sequential(flatten=nn.Flatten(), fc=nn.Linear(64, 10))
    assert first_filters(model) is None
    trainer(1, path, model).fit()
    assert not path.exists()


@pytest.mark.parametrize("shape", [(30, 1, 5, 5), (96, 3, 11, 11), (300, 3, 7, 7), (4, 512, 9, 9)])
def test_however_long_the_training_the_file_stays_small(shape):
    history = FilterHistory("w")
    w = np.zeros(shape, dtype=np.float32)
    for epoch in range(200):
        history.add(epoch, w)
        kept = list(history.epochs)
        assert (kept[0], kept[-1]) == (0, epoch)
        assert len(kept) <= MOST_EPOCHS + 2
    numbers = sum(w.size for w in history.epochs.values())
    assert numbers <= max(MOST_NUMBERS, 4 * history.epochs[0].size) + history.epochs[0].size
    assert all(len(w) <= MOST_FILTERS for w in history.epochs.values())
    steps = np.diff(kept[:-1])
    assert len(set(steps)) <= 1, "the epochs between are evenly spaced"


@pytest.mark.parametrize(
    ("arrays", "metadata", "words"),
    [
        ({"a": np.zeros(3)}, {}, "holds no filters of a training"),
        ({"epoch/x": np.zeros((1, 1, 2, 2))}, {"filters": '{"layer": "w"}'}, "holds no filters"),
        ({"epoch/0": np.zeros((2, 2))}, {"filters": '{"layer": "w"}'}, "of one shape"),
        ({}, {"filters": '{"layer": "w"}'}, "of one shape"),
    ],
)
def test_another_file_is_refused(tmp_path, arrays, metadata, words):
    write_tensors(tmp_path / "f.safetensors", arrays, metadata)
    with pytest.raises(FileFormatError, match=words):
        FilterHistory.load(tmp_path / "f.safetensors")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"there is no file .*f\.safetensors"):
        FilterHistory.load(tmp_path / "f.safetensors")


def test_a_history_is_read_as_it_was_written(tmp_path):
    run = trainer(2, tmp_path / "f.safetensors")
    history = run.fit()
    for records in (history, History([], [])):
        with (tmp_path / "h.csv").open("w", newline="") as file:
            records.write_csv(file)
        assert History.read_csv(tmp_path / "h.csv") == History([], records.epochs)


def test_a_history_without_a_test_set_or_with_more_columns_is_read(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text("epoch,loss,train_accuracy,test_loss,test_accuracy,seconds,lr\n1,2,0.5,,,3,9\n")
    (record,) = History.read_csv(path).epochs
    assert (record.loss, record.test_loss, record.test_accuracy) == (2.0, None, None)


def test_a_history_that_a_spreadsheet_has_saved_is_read(tmp_path):
    path = tmp_path / "h.csv"
    rows = "epoch,loss,train_accuracy,test_loss,test_accuracy,seconds\r\n1,2,0.5,,,3\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + rows.encode())
    assert [record.loss for record in History.read_csv(path).epochs] == [2.0]
    path.write_text("epoch;loss;train_accuracy;test_loss;test_accuracy;seconds\n1;2,5;0,5;;;3\n")
    with pytest.raises(FileFormatError, match=r"'epoch': write it with commas .*decimal points"):
        History.read_csv(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch,loss\n1,2\n", "is not a history of a training"),
        ("epoch,loss,train_accuracy,test_loss,test_accuracy,seconds\n1,x,1,,,1\n", "not a history"),
        ("epoch,loss,train_accuracy,test_loss,test_accuracy,seconds\n1,,1,,,1\n", "not a history"),
        ("epoch,loss,train_accuracy,test_loss,test_accuracy,seconds\n2,1,1,,,1\n", "1, 2, 3"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_history_that_is_none_is_refused(tmp_path, text, words):
    path = tmp_path / "h.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FileFormatError, match=words):
        History.read_csv(path)
    with pytest.raises(DataNotFoundError, match="there is no file"):
        History.read_csv(tmp_path / "gone.csv")
