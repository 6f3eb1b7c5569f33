"""Checkpoints: when they are written, what they hold, and whose images they accept."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import data
from pellucid.data.fingerprint import fingerprint
from pellucid.errors import ArgumentError, DataError, NumericsError
from pellucid.training import Callback, Checkpoint, HistoryFile, TrainingState
from training.setup import BATCHES, At, measured, network, same_weights, trainer


class Places(Callback):
    """Write down what the checkpoint holds after each hook."""

    def __init__(self, path) -> None:
        self.path, self.found = path, []

    def on_batch_end(self, trainer, loss, images) -> None:
        if self.path.exists():
            state = TrainingState.load(self.path)
            self.found.append((state.epoch, len(state.history.losses)))

    def on_epoch_end(self, trainer, record) -> None:
        self.on_batch_end(trainer, 0, 0)


@pytest.mark.parametrize(
    ("minutes", "places"),
    [
        (0, [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 5)]),
        (60, [(1, 5)]),
    ],
)
def test_a_checkpoint_is_written_after_each_epoch_and_every_minutes_within(
    tmp_path, minutes, places
):
    path = tmp_path / "c.safetensors"
    seen = Places(path)
    trainer(epochs=1, callbacks=[Checkpoint(path, minutes), seen]).fit()
    assert seen.found == places


def test_a_training_goes_on_from_the_checkpoint_of_an_interrupted_one(tmp_path):
    path = tmp_path / "c.safetensors"
    whole = trainer()
    whole.fit()

    def interrupt(trainer) -> None:
        raise KeyboardInterrupt

    stopped = trainer(callbacks=[Checkpoint(path), At("on_batch_end", BATCHES + 2, interrupt)])
    with pytest.raises(KeyboardInterrupt):
        stopped.fit()
    resumed = trainer(model=network(9))
    resumed.load_state(TrainingState.load(path))
    assert len(resumed.history.losses) == BATCHES + 2
    resumed.fit()
    assert measured(resumed.history) == measured(whole.history)
    assert same_weights(resumed.model, whole.model)


def test_a_checkpoint_that_cannot_be_written_is_tried_once(tmp_path):
    checkpoint = Checkpoint(tmp_path / "gone" / "c.safetensors")
    with pytest.raises(ArgumentError, match="does not exist") as caught:
        trainer(epochs=1, callbacks=[checkpoint]).fit()
    assert not getattr(caught.value, "__notes__", [])


def test_other_images_are_refused_by_what_is_different(tmp_path):
    path = tmp_path / "c.safetensors"
    trainer(epochs=1, callbacks=[Checkpoint(path)]).fit()
    state = TrainingState.load(path)
    train, test = data.digits()
    assert state.data == {
        "train": fingerprint(train.take(130)),
        "validation": fingerprint(test.take(40)),
    }
    state.data["train"] = fingerprint(train[1:131])
    fresh = trainer()
    with pytest.raises(DataError, match=r"^train: 'digits' is not what the training began with"):
        fresh.load_state(state)
    assert fresh.epoch == 0
    state = TrainingState.load(path)
    fresh.validation = None
    with pytest.raises(DataError, match=r"^validation: the training measured itself on 40 images"):
        fresh.load_state(state)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": np.ones((2, 1, 2, 2))}, "has 2 images too, but not the same ones"),
        ({"images": np.zeros((2, 1, 2, 3))}, "has images 1x2x3, not 1x2x2"),
        ({"labels": [0, 1]}, "has the same images with other labels"),
        ({"classes": ["a", "c"]}, "has the classes a, c, not a, b"),
        ({"images": np.zeros((3, 1, 2, 2)), "labels": [1, 0, 0]}, "has 3 images, not 2"),
        ({"peak": 2.0}, "not the same ones"),
        ({}, ""),
    ],
)
def test_a_fingerprint_tells_what_is_different(change, words):
    def dataset(images=None, labels=(1, 0), classes=("a", "b"), **more):
        images = np.zeros((2, 1, 2, 2)) if images is None else images
        return data.Dataset.from_arrays(images, list(labels), list(classes), **more)

    difference = fingerprint(dataset()).difference(fingerprint(dataset(**change)))
    assert words in difference
    assert bool(words) == bool(difference)


def test_the_history_grows_by_a_row_in_the_same_file(tmp_path):
    path = tmp_path / "history.csv"
    files = []
    look = At("on_epoch_end", 1, lambda t: files.append(path.open()))
    training = trainer(callbacks=[HistoryFile(path), look])
    training.fit()
    with files[0] as follower:  # opened after the first epoch, it reads on to the last
        assert [line.split(",")[0] for line in follower] == ["epoch", "1", "2", "3"]
    assert path.read_bytes().count(b"\r\n") == 4


@pytest.mark.parametrize("torn", [b"", b"epoch,loss\r\n", b"of another run\r\n1,2\r\n"])
def test_a_history_that_is_not_this_trainings_is_replaced(tmp_path, torn):
    path = tmp_path / "history.csv"
    path.write_bytes(torn)
    trainer(epochs=2, callbacks=[HistoryFile(path)]).fit()
    assert path.read_bytes().startswith(b"epoch,loss,train_accuracy")
    assert path.read_bytes().count(b"\n") == 3


def test_a_loss_that_diverges_leaves_a_checkpoint_from_before_it(tmp_path):
    path = tmp_path / "c.safetensors"
    stopped = trainer("sgd", lr=1e30, callbacks=[Checkpoint(path)])
    with pytest.raises(NumericsError), np.errstate(all="ignore"):
        stopped.fit()
    assert TrainingState.load(path).epoch == stopped.epoch


def test_minutes_are_not_negative(tmp_path):
    with pytest.raises(ArgumentError, match=r"^minutes: must be 0 or more, received -1\.$"):
        Checkpoint(tmp_path / "c", -1)
