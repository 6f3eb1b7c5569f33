"""A training that was interrupted and resumed ends with the bits of one that was not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid import data, nn, optim
from pellucid.errors import ArgumentError, FileFormatError, StateDictError
from pellucid.formats import read_tensors, write_tensors
from pellucid.training import TrainingState
from training.setup import BATCH, BATCHES, EPOCHS, At, measured, network, same_weights, trainer

MOMENTS = {
    "in the middle of the second epoch": ("on_batch_end", BATCHES + 2),
    "after the first batch of all": ("on_batch_end", 1),
    "at the last batch of an epoch": ("on_batch_end", 2 * BATCHES),
    "before an epoch is measured": ("on_evaluate_begin", 2),
    "between epochs": ("on_epoch_end", 1),
    "at the beginning of an epoch": ("on_epoch_begin", 2),
    "before the first batch": ("on_fit_begin", 1),
    "at the very last batch": ("on_batch_end", EPOCHS * BATCHES),
    "after the end": ("on_fit_end", 1),
}


def _saved_at(moment: str, path: Path, optimizer: str = "adam"):
    """Return the uninterrupted training, which saved its state to ``path`` on its way."""
    whole = trainer(optimizer)
    whole.callbacks.append(At(*MOMENTS[moment], lambda t: t.state().save(path)))
    whole.fit()
    assert path.exists()
    return whole


def _assert_equal(resumed, whole):
    assert measured(resumed.history) == measured(whole.history)
    assert same_weights(resumed.model, whole.model)
    assert resumed.epoch == whole.epoch == EPOCHS
    assert resumed.best == whole.best
    assert resumed.optimizer.t == whole.optimizer.t == EPOCHS * BATCHES


@pytest.mark.filterwarnings("ignore:Trainer. all . epochs are done")
@pytest.mark.parametrize("moment", MOMENTS)
def test_saved_and_resumed_in_new_objects(moment, tmp_path):
    whole = _saved_at(moment, tmp_path / "state.safetensors")
    # Another seed and other weights: the state alone must decide.
    resumed = trainer("adam", model=network(99), seed=99)
    resumed.load_state(TrainingState.load(tmp_path / "state.safetensors"))
    resumed.fit()
    _assert_equal(resumed, whole)


@pytest.mark.parametrize("optimizer", optim.RULES)
def test_every_optimizer_is_resumed_in_the_middle_of_an_epoch(optimizer, tmp_path):
    whole = _saved_at(
        "in the middle of the second epoch", tmp_path / "state.safetensors", optimizer
    )
    resumed = trainer(optim.by_name(optimizer, lr=0.77), model=network(99))
    resumed.load_state(TrainingState.load(tmp_path / "state.safetensors"))
    assert resumed.optimizer.config() == whole.optimizer.config()
    resumed.fit()
    _assert_equal(resumed, whole)


AUGMENT = "flip,crop1,cutout3,brightness0.3"


def _augmented(seed: int = 0, augment: str = AUGMENT, **options):
    return trainer("adam", model=network(seed), seed=seed, augment=augment, **options)


@pytest.mark.filterwarnings("ignore:Trainer. all . epochs are done")
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_augmentation_is_resumed_too(moment, tmp_path):
    whole = _augmented()
    path = tmp_path / "state.safetensors"
    whole.callbacks.append(At(*MOMENTS[moment], lambda t: t.state().save(path)))
    whole.fit()
    resumed = _augmented(99)
    resumed.load_state(TrainingState.load(path))
    resumed.fit()
    _assert_equal(resumed, whole)


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
@pytest.mark.parametrize("batch", [1, 7, 2 * BATCHES])
def test_an_augmented_batch_that_was_interrupted_comes_again_as_it_was_drawn(engine, batch):
    """The network draws nothing: what a dropout layer has drawn is gone."""

    def small():
        rng = np.random.default_rng(0)
        layers = nn.Flatten(), nn.Linear(64, 20, rng=rng), nn.ReLU(), nn.Linear(20, 10, rng=rng)
        return trainer(model=nn.Sequential(*layers), augment=AUGMENT, engine=engine)

    whole = small()
    whole.fit()
    stopped = small()
    learn, count = stopped._train_batch, iter(range(1, 1000))

    def interrupted(x, labels):
        if next(count) == batch:
            raise KeyboardInterrupt
        return learn(x, labels)

    stopped._train_batch = interrupted
    with pytest.raises(KeyboardInterrupt):
        stopped.fit()
    resumed = small()
    resumed.load_state(stopped.state())
    for again in (stopped, resumed):
        again.fit()
        _assert_equal(again, whole)


def test_the_seed_decides_what_the_augmentation_draws_and_nothing_else_changes():
    one, two, other = (_augmented(seed) for seed in (0, 0, 1))
    for each in (one, two, other):
        each.fit()
    assert one.history.losses == two.history.losses != other.history.losses
    plain, changed = trainer(seed=3), _augmented(3)
    plain.fit()
    changed.fit()
    np.testing.assert_array_equal(changed.loader.order, plain.loader.order)
    drawn = [one.model["drop1"].rng.random(4).tolist() for one in (plain, changed)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("augment", [None, "flip,crop2"])
def test_the_state_of_another_augmentation_is_refused(augment):
    state = trainer(augment=augment).state()
    with pytest.raises(StateDictError, match=r"random draws of .*'augment flip,crop1,cutout3"):
        _augmented().load_state(state)


CONTINUE = """
import sys
from pellucid.training import TrainingState
from training.setup import network, trainer
again = trainer("adam", model=network(99))
again.load_state(TrainingState.load(sys.argv[1]))
again.fit()
again.state().save(sys.argv[2])
"""


def test_resumed_in_a_new_process(tmp_path):
    whole = _saved_at("in the middle of the second epoch", tmp_path / "state.safetensors")
    here = [str(Path(__file__).parents[1]), str(Path(pellucid.__file__).parents[1])]
    end = tmp_path / "end.safetensors"
    subprocess.run(
        [sys.executable, "-c", CONTINUE, tmp_path / "state.safetensors", end],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(here)},
        check=True,
        timeout=300,
    )
    resumed = trainer("adam", model=network(99))
    resumed.load_state(TrainingState.load(end))
    _assert_equal(resumed, whole)


def test_an_interruption_by_a_callback_leaves_a_state_to_go_on_from():
    whole = trainer()
    whole.fit()

    def interrupt(_):
        raise KeyboardInterrupt

    ended = []
    stopped = trainer(
        callbacks=[
            At("on_batch_end", BATCHES + 2, interrupt),
            At("on_fit_end", 1, lambda t: ended.append(len(t.history.losses))),
        ]
    )
    with pytest.raises(KeyboardInterrupt):
        stopped.fit()
    assert ended == [BATCHES + 2]
    assert stopped.epoch == 1
    state = stopped.state()
    stopped.fit()  # the same object goes on
    _assert_equal(stopped, whole)
    resumed = trainer(model=network(99))  # and so does another
    resumed.load_state(state)
    resumed.fit()
    _assert_equal(resumed, whole)


@pytest.mark.parametrize("batch", [1, 3, BATCHES, 2 * BATCHES])
def test_a_batch_that_was_interrupted_comes_again(batch):
    class Interrupts(nn.SoftmaxCrossEntropy):
        def __init__(self, left):
            self.left = left

        def backward(self):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return super().backward()

    whole = trainer(model=_plain_network(), loss=Interrupts(0))
    whole.fit()
    stopped = trainer(model=_plain_network(), loss=Interrupts(batch))
    with pytest.raises(KeyboardInterrupt):
        stopped.fit()
    assert len(stopped.history.losses) == batch - 1
    state = stopped.state()
    stopped.fit()
    _assert_equal(stopped, whole)
    resumed = trainer(model=_plain_network(), loss=Interrupts(0))
    resumed.load_state(state)
    resumed.fit()
    _assert_equal(resumed, whole)


def _plain_network():
    """Return a model whose forward leaves nothing behind but what backward needs."""
    rng = np.random.default_rng(0)
    return nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, rng=rng), relu=nn.ReLU(), flatten=nn.Flatten(),
        fc=nn.Linear(144, 10, rng=rng),
    )  # fmt: skip


def test_a_state_is_a_copy():
    stopped = trainer(epochs=1)
    stopped.fit()
    state = stopped.state()
    kept = {key: array.copy() for key, array in state.weights.items()}
    losses, order = list(state.history.losses), state.order.tolist()
    stopped.epochs = 2
    stopped.fit()
    assert all(np.array_equal(state.weights[key], kept[key]) for key in kept)
    assert state.history.losses == losses
    assert len(state.history.epochs) == 1
    assert state.order.tolist() == order
    again = trainer(model=network(99), epochs=2)
    again.load_state(state)
    again.fit()
    assert len(state.history.epochs) == 1
    assert same_weights(again.model, stopped.model)


def test_a_finished_training_does_nothing_more_and_more_epochs_go_on():
    one, three = trainer(epochs=1), trainer(epochs=3)
    one.fit()
    three.fit()
    losses = list(one.history.losses)
    with pytest.warns(UserWarning, match=r"^Trainer: all 1 epochs are done"):
        one.fit()
    assert one.history.losses == losses
    one.epochs = 3
    one.fit()
    _assert_equal(one, three)


def test_the_state_of_another_optimizer_is_refused():
    state = trainer("momentum").state()
    with pytest.raises(
        StateDictError,
        match=r"^Trainer: was saved with optimizer SGD, and .* has Adam\. Build",
    ):
        trainer("adam").load_state(state)


def test_the_state_of_another_model_is_refused_and_nothing_is_loaded():
    state = trainer().state()
    state.weights["fc2.weight"] = np.zeros((10, 21), np.float32)
    other = trainer(model=network(1))
    before = other.model.state_dict()
    with pytest.raises(StateDictError, match=r"mis-shaped: fc2\.weight must be \(10, 20\)"):
        other.load_state(state)
    assert all(np.array_equal(before[key], v) for key, v in other.model.state_dict().items())
    with pytest.raises(StateDictError, match=r"random draws of .*'drop1'.*this Trainer has \[\]\."):
        trainer(model=_plain_network()).load_state(state)


def test_the_state_of_another_data_set_is_refused():
    state = trainer().state()
    state.order = np.arange(7)
    with pytest.raises(ArgumentError, match=r"^load_state: the saved order has shape \(7,\)"):
        trainer().load_state(state)


def test_the_state_of_another_batch_size_is_refused():
    state = trainer().state()
    state.batch_size = BATCH + 1
    with pytest.raises(
        StateDictError, match=r"with batch size 33, and this Trainer has 32\. Build"
    ):
        trainer().load_state(state)


def _spoil_seed(state):
    state.seed = -1


def _spoil_memory(state):
    state.optimizer["v.fc2.weight"] = np.zeros((10, 21), np.float32)


def _spoil_constants(state):
    state.optimizer_config = {"lr": 0.1, "step": "not a constant"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_spoil_constants, r"was saved with constants \['lr', 'step', .*\], and this Trainer has"),
        (_spoil_seed, "Trainer: has the seed -1, not an integer, 0 or more"),
        (_spoil_memory, "optimizer state: has memory for 'fc2.weight' of shape .*has \\(10, 20\\)"),
    ],
)
def test_a_spoiled_state_is_refused_and_the_trainer_is_as_before(spoil, message):
    spoiled = trainer(epochs=1)
    spoiled.fit()
    state = spoiled.state()
    spoil(state)
    refusing, untouched = trainer(model=network(1)), trainer(model=network(1))
    with pytest.raises(StateDictError, match=message):
        refusing.load_state(state)
    refusing.fit()
    untouched.fit()
    _assert_equal(refusing, untouched)


def test_a_model_file_is_no_training_state(tmp_path):
    pellucid.save(network(), tmp_path / "m.safetensors")
    with pytest.raises(FileFormatError, match=r"m\.safetensors' holds no state of a training"):
        TrainingState.load(tmp_path / "m.safetensors")


def test_a_training_state_is_no_model(tmp_path):
    trainer().state().save(tmp_path / "s.safetensors")
    with pytest.raises(FileFormatError, match=r"s\.safetensors' holds .*no architecture"):
        pellucid.load(tmp_path / "s.safetensors")


@pytest.mark.parametrize("missing", ["order", "losses"])
def test_a_state_file_that_lacks_something_is_refused(missing, tmp_path):
    path = tmp_path / "s.safetensors"
    trainer().state().save(path)
    arrays, metadata = read_tensors(path)
    del arrays[missing]
    write_tensors(path, arrays, metadata)
    with pytest.raises(FileFormatError, match=f"holds no state of a training .'{missing}'"):
        TrainingState.load(path)


@pytest.mark.parametrize("text", ["", "[", "3", "null", '{"epoch": 1}', "[" * 10**5, "Infinity"])
def test_a_state_file_with_other_metadata_is_refused(text, tmp_path):
    path = tmp_path / "s.safetensors"
    trainer().state().save(path)
    arrays, _ = read_tensors(path)
    write_tensors(path, arrays, {"training": text})
    with pytest.raises(FileFormatError, match="holds no state of a training"):
        TrainingState.load(path)


def test_a_state_file_with_an_endless_epoch_is_refused(tmp_path):
    path = tmp_path / "s.safetensors"
    trainer().state().save(path)
    arrays, metadata = read_tensors(path)
    text = metadata["training"].replace('"epoch": 0', '"epoch": 1e999')
    assert text != metadata["training"]
    write_tensors(path, arrays, {"training": text})
    with pytest.raises(FileFormatError, match="holds no state of a training"):
        TrainingState.load(path)


def test_a_state_without_a_best_epoch_and_with_one_round_trips(tmp_path):
    path = tmp_path / "s.safetensors"
    for fitted in (False, True):
        one = trainer(epochs=1)
        if fitted:
            one.fit()
        state = one.state()
        state.save(path)
        again = TrainingState.load(path)
        assert again.best == state.best
        assert (again.best is None) is not fitted
        assert again.history == state.history
        assert (again.seed, again.draws) == (state.seed, state.draws)
        assert (again.epoch, again.position) == (state.epoch, state.position)
        assert again.order_epoch == state.order_epoch
        for ours, theirs in ((again.weights, state.weights), (again.optimizer, state.optimizer)):
            assert {k: (v.dtype, v.tobytes()) for k, v in ours.items()} == {
                k: (v.dtype, v.tobytes()) for k, v in theirs.items()
            }


def test_the_trainers_of_one_process_share_nothing():
    train, _ = data.digits()
    first, second = trainer(), trainer()
    first.fit()
    assert second.history.losses == []
    assert train.images.flags.c_contiguous
    assert same_weights(second.model, network())
