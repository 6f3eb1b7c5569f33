"""A training that a page looks at and interferes with."""

import shutil
import threading
import time

import numpy as np
import pytest

from pellucid import data, models, runs
from pellucid.errors import ArgumentError, PellucidError
from pellucid.runs import RunFolder
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.opening import Studio
from pellucid.studio.registry import answer
from pellucid.studio.training.budget import Budget
from pellucid.studio.training.conductor import Conductor
from pellucid.studio.training.pace import Pace
from pellucid.training import FilterHistory, Trainer

SETTINGS = {"data": "digits", "epochs": 3, "batch_size": 50, "limit": 400}


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    studio = Studio()
    yield studio
    for each in studio.closing:
        each()


def _opened(studio, source="simple"):
    return studio.open(source, image=(1, 8, 8))


def _begun(studio, opened=None, **chosen):
    """Begin a training that waits before its first batch; return the network in training."""
    opened = opened or _opened(studio)
    told = answer("train/start", opened, {**SETTINGS, "paused": True, **chosen})
    assert studio.training.wait("paused", seconds=300)
    return studio.of(told["network"])


def _ask(opened, question, **given):
    return answer(f"train/{question}", opened, given)


def _step(studio, opened, steps):
    _ask(opened, "step", steps=steps)
    assert studio.training.wait("paused", seconds=300)


def _finished(studio):
    assert studio.training.wait("finished", "failed", seconds=300)
    assert studio.training.state == "finished", studio.training.error


def _plain(tmp_path, **more):
    """Return the weights of the same training without a page."""
    settings = runs.Settings(model="simple", **{**SETTINGS, **more})
    run = runs.begin(settings, tmp_path / "plain")
    run.fit()
    return run.trainer.model.state_dict()


def _equal(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


def test_pauses_and_single_steps_leave_the_bits_of_a_training_without_a_page(studio, tmp_path):
    opened = _begun(studio, schedule="cosine", augment="crop1")
    answer("see", opened, {"numbers": np.zeros((1, 8, 8), np.float32)})
    _step(studio, opened, 12)
    _step(studio, opened, 1)
    told = _ask(opened, "state")
    assert (told["step"], told["epoch"], len(told["losses"])) == (13, 1, 13)
    answer("maps", opened, {"image": opened.keep(np.ones((1, 8, 8), np.float32)), "value": 1})
    _ask(opened, "go")
    _finished(studio)
    trained = studio.training.run.trainer.model.state_dict()
    assert _equal(trained, _plain(tmp_path, schedule="cosine", augment="crop1"))
    assert _equal(opened.model.state_dict(), trained)


def test_the_page_sees_the_weights_of_the_step_at_which_it_is_paused(studio):
    opened = _begun(studio)
    before = opened.version
    _step(studio, opened, 3)
    assert opened.version > before
    trainer = studio.training.run.trainer
    assert _equal(opened.model.state_dict(), trainer.model.state_dict())
    assert opened.optimizer.t == 3
    assert _equal(opened.optimizer.state_dict(), trainer.optimizer.state_dict())
    assert opened.model is not trainer.model


def test_a_step_after_a_long_pause_ends_in_a_pause_again(studio):
    opened = _begun(studio)
    studio.training.budget.share, studio.training.budget.most = 1, 1e9  # always due, as after long
    for steps in (1, 2):
        _step(studio, opened, steps)
    assert _ask(opened, "state")["step"] == 3


def test_a_question_that_takes_long_does_not_hold_the_training_up(studio):
    opened = _begun(studio, epochs=2)
    held, free = threading.Event(), threading.Event()

    def hold():
        with opened.lock:
            held.set()
            free.wait(300)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    version = opened.version
    _ask(opened, "go")
    assert studio.training.wait("measuring", "finished", seconds=300)
    assert opened.version == version  # nothing is changed under a question
    free.set()
    thread.join()
    _finished(studio)


def test_going_back_to_an_epoch_repeats_what_came_after_it(studio, tmp_path):
    opened = _begun(studio)
    _ask(opened, "go")
    _finished(studio)
    assert _ask(opened, "state")["marks"] == [0, 1, 2, 3]
    _ask(opened, "back", epoch=2)
    _finished(studio)
    assert _equal(studio.training.run.trainer.model.state_dict(), _plain(tmp_path))
    assert [r["epoch"] for r in _ask(opened, "state")["records"]] == [1, 2, 3]


def test_the_files_of_a_run_that_went_back_are_of_the_epoch_that_it_went_back_to(studio):
    opened = _begun(studio)
    _step(studio, opened, 18)
    folder = studio.training.run.folder
    _ask(opened, "back", epoch=1)
    assert studio.training.wait("paused", seconds=300)
    _ask(opened, "stop")
    assert studio.training.wait("stopped", seconds=300)
    assert folder.history.read_text().count("\n") == 2  # the header and an epoch
    assert max(FilterHistory.load(folder.filters).epochs) == 1


def test_a_stopped_training_goes_on_where_it_was(studio, tmp_path):
    opened = _begun(studio)
    _step(studio, opened, 13)
    _ask(opened, "stop")
    assert studio.training.wait("stopped", seconds=300)
    resumed = runs.resume(RunFolder(studio.training.run.folder.path))
    resumed.fit()
    assert _equal(resumed.trainer.model.state_dict(), _plain(tmp_path))


def test_an_opened_run_goes_on_to_more_epochs(studio, tmp_path):
    runs.begin(runs.Settings(model="simple", **{**SETTINGS, "epochs": 2}), tmp_path / "run").fit()
    opened = Studio.open(studio, str(tmp_path / "run"))
    with pytest.raises(ArgumentError, match="2 finished epochs"):
        answer("train/start", opened, {"resume": True, "epochs": 2})
    answer("train/start", opened, {"resume": True, "epochs": 3})
    _finished(studio)
    assert _equal(studio.training.run.trainer.model.state_dict(), _plain(tmp_path))


def test_the_end_of_the_studio_saves_a_training_that_waits(studio, tmp_path):
    opened = _begun(studio)
    _step(studio, opened, 7)
    studio.training.close()
    assert studio.training.state == "stopped"
    resumed = runs.resume(studio.training.run.folder)
    assert len(resumed.trainer.history.losses) == 7
    resumed.fit()
    assert _equal(resumed.trainer.model.state_dict(), _plain(tmp_path))


def test_the_end_of_the_studio_saves_a_training_in_the_middle_of_an_epoch(studio, tmp_path):
    opened = _begun(studio, epochs=1000)
    _ask(opened, "go")
    while _ask(opened, "state")["step"] < 3:
        time.sleep(0.01)
    studio.training.close()
    assert studio.training.state == "stopped"
    kept = runs.resume(studio.training.run.folder).trainer
    assert len(kept.history.losses) == len(studio.training.run.trainer.history.losses) > 0


def test_a_training_that_never_took_a_step_leaves_no_folder(studio):
    _begun(studio)
    folder = studio.training.run.folder.path
    assert folder.exists()
    studio.training.close()
    assert not folder.exists()


def test_a_frozen_layer_keeps_its_weights_until_it_is_free_again(studio):
    opened = _begun(studio)
    keys = [w["key"] for w in answer("network", opened, {})["values"][1]["weights"]]
    weights = studio.training.run.trainer.model.state_dict
    before = weights()
    assert _ask(opened, "freeze", value=1)["frozen"] == keys
    _step(studio, opened, 3)
    frozen = weights()
    assert all(np.array_equal(frozen[key], before[key]) for key in keys)
    assert not np.array_equal(frozen["affine1.weight"], before["affine1.weight"])
    trainable = answer("network", opened, {})["values"][1]["weights"]
    assert not any(weight["trainable"] for weight in trainable)
    _ask(opened, "freeze", value=1, frozen=False)
    _step(studio, opened, 1)
    assert not any(np.array_equal(weights()[key], before[key]) for key in keys)


def test_what_would_leave_nothing_to_learn_is_refused(studio):
    opened = _begun(studio)
    values = [v["id"] for v in answer("network", opened, {})["values"] if v["weights"]]
    for value in values[:-1]:
        _ask(opened, "freeze", value=value)
    with pytest.raises(ArgumentError, match="nothing would be left"):
        _ask(opened, "freeze", value=values[-1])
    with pytest.raises(ArgumentError, match="no parameters"):
        _ask(opened, "freeze", value=0)


def test_the_learning_rate_is_that_of_the_next_step_and_stays_with_the_run(studio):
    opened = _begun(studio)
    assert _ask(opened, "rate", lr=0.5)["lr"] == 0.5
    _step(studio, opened, 1)
    assert _ask(opened, "state")["last_lr"] == 0.5
    _ask(opened, "stop")
    assert studio.training.wait("stopped", seconds=300)
    assert runs.resume(studio.training.run.folder).trainer.lr == 0.5


def test_slow_motion_takes_a_step_at_a_time_and_shows_each(studio):
    opened = _begun(studio)
    seen = []
    studio.events.listen(lambda name, data: seen.append(data) if name == "training" else None)
    _ask(opened, "slow", per_second=5)
    while len(seen) < 6:
        time.sleep(0.01)
    _ask(opened, "pause")
    assert studio.training.wait("paused", seconds=300)
    steps = [each["step"] for each in seen]
    assert steps[:5] == list(range(steps[0], steps[0] + 5))
    told = [loss for each in seen for loss in each["losses"]]
    assert told == _ask(opened, "state")["losses"]


def test_a_loss_that_diverges_is_told_and_an_earlier_epoch_helps(studio):
    opened = _begun(studio, optimizer="sgd", lr=0.1)
    _step(studio, opened, 12)
    told = []
    studio.events.listen(lambda name, data: told.append(data) if name == "training" else None)
    _ask(opened, "rate", lr=1e30)
    _ask(opened, "go")
    assert studio.training.wait("failed", seconds=300)
    with pytest.raises(PellucidError, match="Go back"):
        _ask(opened, "go")
    _ask(opened, "back", epoch=1)
    _finished(studio)
    failed = [each for each in told if each["state"] == "failed"]
    assert "lower learning rate" in failed[0]["error"]
    assert failed[0]["lr"] == 1e30
    assert _ask(opened, "state")["lr"] == 0.1


def test_an_error_that_nobody_expected_is_told_without_a_traceback(studio, capfd):
    opened = _begun(studio)
    studio.training.run.trainer.loss.forward = None
    studio.training.run.trainer._loss = None
    _ask(opened, "go")
    assert studio.training.wait("failed", seconds=300)
    assert "Traceback" not in _ask(opened, "state")["error"]
    assert "Traceback" in capfd.readouterr().err


def test_a_pinned_image_is_told_with_its_probabilities(studio):
    opened = _begun(studio)
    image = opened.keep(np.random.default_rng(0).random((1, 8, 8), np.float32))
    told = []
    studio.events.listen(lambda name, data: told.append(data) if name == "training" else None)
    _ask(opened, "pin", image=image)
    _step(studio, opened, 5)
    expected = opened.probabilities(opened.scores(image))
    np.testing.assert_array_equal(np.float32(told[-1]["pinned"]), expected)
    assert told[-1]["pinned_image"] == image
    _ask(opened, "pin")
    _step(studio, opened, 1)
    assert told[-1]["pinned"] is told[-1]["pinned_image"] is None


def test_weights_that_were_edited_are_trained_on(studio, tmp_path):
    opened = _begun(studio)
    _step(studio, opened, 2)
    found = answer("edit", opened, {"key": "conv1.weight", "index": [0, 0, 1, 1], "number": 3})
    trainer = studio.training.run.trainer
    assert trainer.model.parameters()["conv1.weight"].data[0, 0, 1, 1] == found["number"] == 3
    answer("restore", opened, {})
    before = np.float32(found["before"])
    assert trainer.model.parameters()["conv1.weight"].data[0, 0, 1, 1] == before
    _ask(opened, "go")
    _finished(studio)
    assert _equal(trainer.model.state_dict(), _plain(tmp_path))


def test_a_network_with_edited_weights_is_trained_from_them(studio, tmp_path):
    run = runs.begin(runs.Settings(model="simple", **{**SETTINGS, "epochs": 1}), tmp_path / "run")
    run.fit()
    runs.finish(run)
    opened = studio.open(str(tmp_path / "run"))
    answer("edit", opened, {"key": "conv1.bias", "index": [0], "number": 7})
    training = _begun(studio, opened)
    assert training.model.parameters()["conv1.bias"].data[0] == 7
    assert (
        opened.model.parameters()["conv1.weight"].data
        is not training.model.parameters()["conv1.weight"]
    )


def test_a_model_in_memory_is_trained_without_a_file(studio):
    model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(5))
    opened = _begun(studio, studio.add(model, "mine"))
    assert _equal(opened.model.state_dict(), model.state_dict())


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"data": "/etc"}, "must be one of .*digits"),
        ({"data": "../runs"}, "must be one of"),
        ({"optimizer": "adamm"}, "adam"),
        ({"epochs": -1}, "epochs"),
        ({"lr": 0.0}, "lr"),
        ({"batch_size": 0}, "batch_size"),
        ({"schedule": "cosin"}, "cosine"),
        ({"augment": "flop"}, "flip"),
        ({"resume": True}, "only a run"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_written(studio, tmp_path, chosen, message):
    with pytest.raises(PellucidError, match=message):
        answer("train/start", _opened(studio), {**SETTINGS, **chosen})
    assert not list(tmp_path.rglob("*.safetensors"))
    assert studio.training is None


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("step", {"steps": 0}, "1 or more"),
        ("slow", {"per_second": 0}, "0.01"),
        ("rate", {"lr": float("nan")}, "0 or more"),
        ("rate", {"lr": -1.0}, "0 or more"),
        ("back", {"epoch": 3}, "one of those"),
        ("pin", {"image": "0"}, "no longer kept"),
    ],
)
def test_wrong_commands_are_refused(studio, name, given, message):
    with pytest.raises(PellucidError, match=message):
        _ask(_begun(studio), name, **given)


def test_wrong_settings_do_not_end_the_training_before(studio):
    opened = _begun(studio, epochs=1)
    _ask(opened, "go")
    _finished(studio)
    with pytest.raises(PellucidError, match="flip"):
        answer("train/start", opened, {**SETTINGS, "augment": "flop"})
    assert studio.training.state == "finished"
    _ask(opened, "back", epoch=0)
    _finished(studio)


def test_only_one_training_runs_at_a_time(studio):
    opened = _begun(studio)
    with pytest.raises(PellucidError, match="Stop it first"):
        answer("train/start", opened, SETTINGS)
    _ask(opened, "stop")
    assert studio.training.wait("stopped", seconds=300)
    assert _begun(studio, _opened(studio)).id != opened.id
    assert len(studio.closing) == 1


def test_a_folder_that_vanishes_fails_the_training_with_what_to_do(studio):
    opened = _begun(studio)
    shutil.rmtree(studio.training.run.folder.path)
    _ask(opened, "go")
    assert studio.training.wait("failed", seconds=300)
    assert "Create it first" in studio.training.error


def test_epochs_that_are_as_short_as_steps_are_shown_as_often_as_the_budget_allows():
    now, shown = 0.0, []
    budget = Budget(most=2, clock=lambda: now)
    conductor = Conductor(lambda resting: bool(shown.append(now)) or True, Pace(), budget)
    model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    trainer = Trainer(model, data.digits()[0].take(50), epochs=1)
    trainer.fit()
    for k in range(40):
        now = k / 16
        conductor.on_epoch_end(trainer, trainer.history.epochs[-1])
    assert shown == [0.0, 0.5, 1.0, 1.5, 2.0]
