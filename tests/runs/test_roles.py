"""Runs with a validation set: what is chosen by it, what is kept, and what is measured when."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pellucid
from data.pictures import packed, paint, pets
from pellucid import report, runs
from pellucid.data import Split, image_folder
from pellucid.errors import ArgumentError, DataError
from pellucid.runs import RunFolder, Settings, model_path
from pellucid.runs.choice import choice_of
from pellucid.runs.trained_model import images_of
from pellucid.training import Callback, TrainingState


class Heard(runs.Listener):
    """Writes down what a run tells."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)

    result = note


class Weights(Callback):
    """Keeps the weights after each epoch."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, np.ndarray]] = []

    def on_epoch_end(self, trainer, record) -> None:
        self.epochs.append({k: w.copy() for k, w in trainer.model.state_dict().items()})


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path) -> Path:
    return pets(tmp_path / "pets", split=False, n=20, size=(8, 8))


def settings(**more) -> Settings:
    plain = {"epochs": 3, "batch_size": 10, "engine": "numpy", "init": "0.01"}
    return Settings(**(plain | more))


def trained(folder: Path, run: Settings, **options) -> runs.Run:
    begun = runs.begin(run, folder, **options)
    begun.fit()
    return begun


def finished(folder: Path, run: Settings, **options) -> tuple[runs.Run, Heard]:
    heard = Heard()
    begun = trained(folder, run, listener=heard, **options)
    runs.finish(begun, listener=heard)
    return begun, heard


def digests(part) -> set[str]:
    return {file.sha256 for file in part.files}


DIGITS = {"limit": 100, "epochs": 3, "lr": 0.05, "evaluate_samples": 50}
LATER = 6  # epochs, of which the last is not the best


def test_epochs_are_measured_on_validation_and_the_test_set_once(tmp_path):
    run, heard = finished(tmp_path / "run", settings(validation=0.1, **DIGITS))
    assert (len(run.validation), len(run.test)) == (144, 359)
    assert "144 for validation, 359 to test on in the end" in str(run)
    for record in run.folder.read_history().epochs:
        assert record.role == "validation"
        assert record.test_accuracy is None
        assert record.validation_accuracy == record.accuracy
    best = run.trainer.history.best
    assert f"by the model of epoch {best.epoch}, the best on the validation set" in heard.told[-1]
    assert "had a part" not in heard.told[-1]
    roles = list(RunFolder(tmp_path / "run").read_split().roles.values())
    assert [roles.count(role) for role in ("train", "validation", "test")] == [1294, 144, 359]


def test_the_best_model_and_the_last_are_kept_and_the_best_is_used(tmp_path):
    seen = Weights()
    run = runs.begin(settings(validation=0.1, **DIGITS | {"epochs": LATER}), tmp_path / "run")
    run.trainer.callbacks.append(seen)
    run.fit()
    result = runs.finish(run)
    best = run.trainer.history.best.epoch
    assert best < LATER, "the test shows nothing"
    for path, epoch in ((run.folder.best, best), (run.folder.model, LATER)):
        kept = pellucid.load(path).state_dict()
        assert all(np.array_equal(kept[key], w) for key, w in seen.epochs[epoch - 1].items())
    assert model_path(tmp_path / "run") == run.folder.best == run.folder.used
    assert model_path(run.folder.model) == run.folder.model
    assert result.choice.epoch == best
    right = pellucid.evaluate(pellucid.load(run.folder.best), run.test).accuracy
    assert result.evaluation.accuracy == right


@pytest.mark.parametrize(
    ("validation", "keep", "files", "used"),
    [
        (None, None, {"model"}, "model"),
        (None, "best", {"best"}, "best"),
        (None, "both", {"model", "best"}, "model"),
        (0.1, "last", {"model"}, "model"),
        (0.1, "best", {"best"}, "best"),
        (0.1, None, {"model", "best"}, "best"),
    ],
)
def test_what_is_kept_is_what_was_asked_for(tmp_path, validation, keep, files, used):
    for name in ("model", "best"):  # of a run that is replaced
        (tmp_path / f"{name}.safetensors").write_text("old")
    wanted = settings(validation=validation, keep=keep, **DIGITS | {"epochs": 2})
    run = trained(tmp_path, wanted, overwrite=True)
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == files | {
        "filters",
        "checkpoint",
    }
    assert run.folder.used.stem == used
    choice = choice_of(run.folder.read_history(), keep, None)
    assert choice.best == (used == "best")
    assert choice.by_test == (validation is None and keep == "best")
    for name in files:
        assert RunFolder.of(tmp_path / f"{name}.safetensors") == run.folder


def test_without_a_validation_set_files_and_lines_are_as_before(tmp_path):
    run, heard = finished(tmp_path / "run", settings(**DIGITS | {"epochs": 2}))
    header = (tmp_path / "run" / "history.csv").read_text().splitlines()[0]
    assert header == "epoch,loss,train_accuracy,test_loss,test_accuracy,seconds"
    config = (tmp_path / "run" / "config.toml").read_text()
    assert not any(name in config for name in ("validation", "split", "keep", "patience"))
    assert sorted(run.folder.files()) == [
        "checkpoint.safetensors", "config.toml", "confusion.png", "curves.png", "filters.png",
        "filters.safetensors", "history.csv", "model.safetensors",
    ]  # fmt: skip
    assert heard.told[-1].endswith("held-out images)")
    assert str(run).endswith("; 359 held out")


def test_the_test_set_is_said_to_have_chosen_where_it_did(tmp_path):
    run, heard = finished(tmp_path / "run", settings(patience=1, **DIGITS))
    assert "the test set had a part in the choice of the epoch" in heard.told[-1]
    report.write(run.folder)
    assert "the test set had a part in the choice" in run.folder.report.read_text()


def test_the_report_says_which_images_had_which_role(tmp_path):
    run = trained(tmp_path / "run", settings(validation=0.1, patience=9, **DIGITS))
    for language, said in (
        ("en", ("100 training images; 144 validation images", "359 test images", "the best on")),
        ("ko", ("훈련 이미지 100장", "검증 이미지 144장", "시험 이미지 359장")),
    ):
        report.write(run.folder, language=language)
        page = run.folder.report.read_text()
        assert all(text in page for text in (*said, "best.safetensors")), language
        assert "had a part" not in page


def test_a_training_stops_by_validation_and_a_resumed_one_after_the_same_epoch(tmp_path):
    wanted = settings(validation=0.1, patience=2, **DIGITS | {"epochs": 30})
    run = trained(tmp_path / "whole", wanted)
    stopped = run.trainer.epoch
    assert 2 < stopped < 30
    assert "no better validation accuracy in 2 epochs" in run.trainer.stopped
    for epoch in (1, stopped - 1, stopped):
        first = runs.begin(wanted, tmp_path / f"first-{epoch}")
        first.trainer.fit(epochs=epoch)
        first.trainer.state().save(tmp_path / "state.safetensors")
        second = runs.begin(wanted, tmp_path / f"second-{epoch}")
        second.trainer.load_state(TrainingState.load(tmp_path / "state.safetensors"))
        second.fit()
        assert second.trainer.epoch == stopped, epoch
        assert second.trainer.stopped == run.trainer.stopped
        for key, w in run.trainer.model.state_dict().items():
            assert np.array_equal(w, second.trainer.model.state_dict()[key])


def test_a_difference_without_patience_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"^min_delta: belongs to patience=5"):
        runs.begin(settings(min_delta=0.1), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def ways(run: Path, data: Path, tmp_path: Path) -> dict[str, tuple[Path, str | None]]:
    """Return all ways to name a trained model and its images."""
    (tmp_path / "link").symlink_to(data)
    archive = packed(data, tmp_path / "pets.zip")
    moved = shutil.copytree(data, tmp_path / "elsewhere" / "animals")
    copy = tmp_path / "copy.safetensors"
    shutil.copy(run / "model.safetensors", copy)
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(run / "model.safetensors", bare)
    found: dict[str, tuple[Path, str | None]] = {
        "the run": (run, None),
        "its last model": (run / "model.safetensors", None),
        "a copy in a folder that is not a run": (bare / "model.safetensors", str(data)),
    }
    for name, path in (
        ("folder", data),
        ("link", tmp_path / "link"),
        ("zip", archive),
        ("moved", moved),
    ):
        found[f"the run, {name}"] = (run, str(path))
        found[f"its model, {name}"] = (run / "model.safetensors", str(path))
        found[f"a copy of it, {name}"] = (copy, str(path))
    if (run / "best.safetensors").exists():
        found["its best model"] = (run / "best.safetensors", None)
        found["its best model, moved"] = (run / "best.safetensors", str(moved))
    return found


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"seed": 1, "held_out": 0.4},
        {"seed": 1, "validation": 0.25},
        {"seed": 1, "split_seed": 7, "validation": 0.25},
        {"split_seed": 7},
    ],
)
def test_however_the_model_is_named_it_is_measured_on_the_images_it_was_not_trained_on(
    tmp_path, folder, options
):
    run = trained(tmp_path / "run", settings(data=str(folder), epochs=1, **options))
    for how, (model, data) in ways(tmp_path / "run", folder, tmp_path).items():
        parts = images_of(pellucid.load(model_path(model)), model, data)
        assert digests(parts.test) == digests(run.test), how
        assert digests(parts.train) == digests(run.trainer.train), how
        if run.validation is None:
            assert parts.validation is None, how
        else:
            assert digests(parts.validation) == digests(run.validation), how


def test_a_split_of_its_own_seed_does_not_depend_on_that_of_the_run(tmp_path, folder):
    sets = []
    for name, seeds in (
        ("a", {"seed": 1, "split_seed": 5}),
        ("b", {"seed": 2, "split_seed": 5}),
        ("c", {"seed": 5}),
        ("d", {"seed": 1}),
    ):
        run = runs.begin(settings(data=str(folder), **seeds), tmp_path / name)
        sets.append(digests(run.test))
    assert sets[0] == sets[1] == sets[2] != sets[3]
    # Without one the images are those of version 0.2.
    assert sets[3] == digests(image_folder(folder, seed=1)[1])


def test_a_copied_model_refuses_images_it_cannot_tell_apart(tmp_path, folder):
    trained(tmp_path / "run", settings(data=str(folder), seed=1, validation=0.25, epochs=1))
    copy = tmp_path / "copy.safetensors"
    shutil.copy(tmp_path / "run" / "best.safetensors", copy)
    model = pellucid.load(copy)
    paint(folder / "cat" / "new.png", 99, (8, 8))
    with pytest.raises(DataError, match=r"tested on 20% of its images.*Name its run folder"):
        images_of(model, copy, str(folder))
    assert len(images_of(model, tmp_path / "run", str(folder)).test) == 8
    (folder / "cat" / "new.png").unlink()
    for name in ("cat", "dog"):  # now it has a part to test on
        (folder / "train" / name).parent.mkdir(exist_ok=True)
        (folder / name).rename(folder / "train" / name)
        paint(folder / "val" / name / "1.png", 77, (8, 8))
        paint(folder / "test" / name / "1.png", 78, (8, 8))
    with pytest.raises(DataError, match=r"tested on 20% of its images.*Name its run folder"):
        images_of(model, copy, str(folder))


def test_a_folder_that_got_a_test_part_is_doubted(tmp_path, folder):
    trained(tmp_path / "run", settings(data=str(folder), seed=1, epochs=1))
    copy = tmp_path / "copy.safetensors"
    shutil.copy(tmp_path / "run" / "model.safetensors", copy)
    other = tmp_path / "sorted"
    for name in ("cat", "dog"):
        for k, picture in enumerate(sorted((folder / name).iterdir())):
            place = other / ("test" if k < 5 else "train") / name / picture.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, place)
    heard = Heard()
    images_of(pellucid.load(copy), copy, str(other), listener=heard)
    assert any("it was trained on some of the test images here" in note for note in heard.told)
    # The run knows them.
    parts = images_of(pellucid.load(copy), tmp_path / "run", str(other))
    split = Split.load(tmp_path / "run" / "split.csv")
    assert digests(parts.test) == {f.sha256 for f, role in split.roles.items() if role == "test"}


def test_the_images_of_a_named_data_set_have_their_roles_again(tmp_path):
    run = trained(tmp_path / "run", settings(validation=0.1, seed=3, **DIGITS | {"epochs": 1}))
    copy = tmp_path / "copy.safetensors"
    shutil.copy(tmp_path / "run" / "model.safetensors", copy)
    for model, data in (
        (tmp_path / "run", None), (tmp_path / "run", "digits"), (copy, None), (copy, "digits"),
        (tmp_path / "run" / "best.safetensors", "digits"),
    ):  # fmt: skip
        parts = images_of(pellucid.load(model_path(model)), model, data)
        assert parts.validation.files == run.validation.files


def test_a_run_that_starts_from_another_keeps_its_roles(tmp_path, folder):
    first = trained(tmp_path / "a", settings(data=str(folder), validation=0.25, epochs=1))
    again = settings(data=str(folder), source=tmp_path / "a", seed=9, epochs=1, init=None)
    second = trained(tmp_path / "b", again)
    assert digests(second.validation) == digests(first.validation)
    assert digests(second.test) == digests(first.test)


def test_a_model_that_does_not_say_what_it_was_trained_on_is_not_measured_on_a_new_draw(
    tmp_path, folder
):
    run = trained(tmp_path / "run", settings(data=str(folder), seed=1, epochs=1))
    model = pellucid.load(run.folder.model)
    model.card = replace(model.card, held_out=None)  # as version 0.1 wrote it
    pellucid.save(model, run.folder.model)
    run.folder.split.unlink()
    heard = Heard()
    parts = images_of(model, run.folder.model, str(folder), listener=heard)
    assert digests(parts.test) == digests(run.test)
    assert any("they are drawn as they were then" in note for note in heard.told)
    pellucid.save(model, tmp_path / "copy.safetensors")
    with pytest.raises(DataError, match="trained on a folder of this name, 'pets', and its file"):
        images_of(model, tmp_path / "copy.safetensors", str(folder))
