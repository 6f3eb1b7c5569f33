"""Runs from Python: the same settings, files and refusals as from the command line."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import pellucid
from nasty import image_folder
from pellucid import runs
from pellucid.cli import main
from pellucid.errors import ArgumentError, DataError, NumericsError
from pellucid.models import SimpleConvNet
from pellucid.runs import Settings
from pellucid.runs.starting_network import choose_what_learns

SHORT = {"epochs": 2, "limit": 100, "batch_size": 50}
OPTIONS = ("--epochs", "2", "--limit", "100", "--batch-size", "50")


class Heard(runs.Listener):
    """Writes down what a run tells."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.read = self.measured = self.written = 0

    def note(self, text: str) -> None:
        self.told.append(text)

    result = note

    @contextmanager
    def reading(self):
        def advance(done: int, total: int) -> None:
            self.read = done

        yield advance

    @contextmanager
    def measuring(self, dataset, watched):
        def advance(images: int) -> None:
            self.measured += images

        yield advance

    @contextmanager
    def writing(self):
        self.written += 1
        yield


def command(*arguments: str) -> None:
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    assert not end.value.code


def trained(settings: Settings, folder: Path, **options) -> runs.Run:
    run = runs.begin(settings, folder, **options)
    run.fit()
    return run


def without_seconds(history: Path) -> list[str]:
    return [line.rsplit(",", 1)[0] for line in history.read_text().splitlines()]


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, ()),
        (
            {"augment": "flip", "normalize": True, "optimizer": "SGD", "lr": 0.1, "seed": 3},
            (
                "--augment",
                "flip",
                "--normalize",
                "--optimizer",
                "SGD",
                "--lr",
                "0.1",
                "--seed",
                "3",
            ),
        ),
    ],
)
def test_a_run_from_python_leaves_the_files_that_the_command_leaves(tmp_path, settings, options):
    one, two = tmp_path / "python" / "run", tmp_path / "command" / "run"  # curves.png names them
    run = trained(Settings(**SHORT, **settings), one)
    assert runs.finish(run) is not None
    command("train", *OPTIONS, *options, "--out", two)
    names = {path.name for path in one.iterdir()}
    assert names == {path.name for path in two.iterdir()}
    assert names == runs.RunFolder(one).files().keys()
    for name in names - {"history.csv", "checkpoint.safetensors"}:  # which hold seconds
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    assert without_seconds(one / "history.csv") == without_seconds(two / "history.csv")


def test_a_run_tells_what_it_trains_and_how_good_it_is(tmp_path):
    heard = Heard()
    run = trained(Settings(**SHORT), tmp_path / "run", listener=heard)
    assert str(run) == "simple, 49,410 parameters, on 100 images of digits (1x8x8); 359 held out"
    assert (run.settings.model, run.settings.init, run.settings.lr) == ("simple", "0.1", 0.001)
    finished = runs.finish(run, listener=heard)
    test = pellucid.data.digits()[1]
    accuracy = pellucid.evaluate(pellucid.load(run.folder.model), test).accuracy
    assert finished.evaluation.accuracy == accuracy
    right = round(accuracy * 359)
    assert heard.told == [f"final test accuracy {accuracy:.4f} ({right} of 359 held-out images)"]
    assert heard.measured == 359
    assert heard.written == 1 + 2 + 3  # first checkpoint, epochs, pictures


def test_the_images_of_a_folder_are_told_of_and_kept_apart(tmp_path):
    image_folder(tmp_path / "pets")
    (tmp_path / "pets" / "notes.txt").write_text("not an image")
    heard = Heard()
    settings = Settings(data=str(tmp_path / "pets"), epochs=1, model="INPUT -> FC")
    run = trained(settings, tmp_path / "run", listener=heard)
    assert heard.read == len(run.trainer.train) + len(run.trainer.validation)
    assert any("notes.txt" in note or "1 file" in note for note in heard.told)
    assert run.folder.read_split() is not None


def test_a_run_goes_on_from_another(tmp_path):
    first = trained(Settings(**SHORT), tmp_path / "first")
    second = runs.begin(Settings(**SHORT, source=tmp_path / "first"), tmp_path / "second")
    saved = pellucid.load(first.folder.model).state_dict()
    for name, weight in second.before.items():
        np.testing.assert_array_equal(weight, saved[name])
    assert str(second).splitlines()[1].startswith("  from ")


def test_a_run_without_a_finished_epoch_takes_its_numbered_folder_away(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = runs.begin(Settings(**SHORT))
    assert run.folder.path == Path("runs/digits-1")
    assert runs.finish(run) is None
    assert not run.folder.path.exists()
    run = runs.begin(Settings(**SHORT), "named")
    assert runs.finish(run) is None
    assert run.folder.path.exists()


def test_a_diverging_loss_is_an_error_and_the_last_epoch_is_kept(tmp_path):
    settings = Settings(limit=50, batch_size=50, lr=1e10, epochs=40)
    run = runs.begin(settings, tmp_path / "run")
    with pytest.raises(NumericsError, match="the loss became"):
        run.fit()
    assert runs.finish(run) is not None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"data": "minst"}, r"^data: there is no data set 'minst'\. .*zip archive of images\.$"),
        ({"data": " "}, r"^data: is empty"),
        ({"model": "simpel"}, r"^model: 'simpel' is unknown\."),
        ({"init": "-1"}, r"^init: must be a finite deviation, 0 or more; received -1\."),
        ({"init": "hee"}, r"^init: .*Known: he, xavier"),
        ({"optimizer": "adma"}, r"^optimizer: 'adma' is unknown\."),
        ({"lr": 0.0}, r"^lr: must be a finite number above 0"),
        ({"weight_decay": -0.1}, r"^weight_decay: must be 0 or more, received -0\.1\."),
        ({"decay_all": True}, r"^decay_all: needs a weight decay above 0: give weight_decay=0\.01"),
        (
            {"warmup": 4.0, "epochs": 4},
            r"^warmup: must be shorter than the training, received 4 of",
        ),
        ({"label_smoothing": 1.0}, r"^label_smoothing: must be at least 0 and below 1"),
        ({"ema": 1.0}, r"^ema: must be at least 0 and below 1"),
        ({"clip_norm": 0.0}, r"^clip_norm: must be a finite number above 0"),
        ({"class_weights": "1,2"}, r"^class_weights: must be one number for each of 10 classes"),
        ({"class_weights": "cat=2"}, r"^class_weights: 'cat' is not a class of 'digits'"),
        ({"class_weights": "3=2,3=1"}, r"^class_weights: '3' was given twice"),
        ({"class_weights": "3=x"}, r"^class_weights: must be balanced, numbers as .* received 'x'"),
        ({"class_weights": "3=0"}, r"^class_weights: must be a finite number above 0 for each"),
        ({"last_batch": "merge"}, r"^last_batch: must be 'keep' or 'drop', received 'merge'"),
        ({"last_batch": "drop", "batch_size": 5000}, r"^last_batch: 'drop' would leave nothing of"),
        ({"augment": "mixup0"}, r"^augment: mixup must be from 0\.01 to 100"),
        ({"schedule": "cosin"}, r"^schedule: "),
        ({"augment": "flop"}, r"^augment: "),
        ({"size": "big"}, r"^size: must be one number"),
        ({"size": "8"}, r"^size: needs a folder"),
        ({"skip_empty": True}, r"^skip_empty: needs a folder"),
        ({"drawings": True}, r"^drawings: needs a folder"),
        ({"freeze": "*"}, r"^freeze: nothing is left that learns\."),
        ({"rates": "conv*"}, r"^rates: must be layers with learning-rate multipliers"),
    ],
)
def test_a_refusal_names_the_setting_and_makes_no_folder(tmp_path, settings, words):
    with pytest.raises(ArgumentError, match=words):
        runs.begin(Settings(**settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_message_advises_is_written_for_python(tmp_path):
    network = "INPUT -> CONV -> RELU -> POOL -> FC -> BN -> RELU -> FC"
    settings = Settings(model=network, limit=101, batch_size=50)
    with pytest.raises(ArgumentError, match=r"^batch_size: .* Use batch_size=51, or another"):
        runs.begin(settings, tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("precious")
    with pytest.raises(ArgumentError, match=r"^folder: .*or overwrite=True to replace the run"):
        runs.begin(Settings(), tmp_path / "run")
    image_folder(tmp_path / "pets")
    next((tmp_path / "pets").rglob("*.png")).write_bytes(b"broken")
    with pytest.raises(DataError, match=r"leave such images out with skip_corrupt=True"):
        runs.begin(Settings(data=str(tmp_path / "pets")), tmp_path / "new")


def test_the_settings_of_a_run_repeat_it(tmp_path):
    one = trained(Settings(**SHORT, seed=2), tmp_path / "one")
    two = trained(Settings.read(tmp_path / "one"), tmp_path / "two")
    assert one.folder.config.read_bytes() == two.folder.config.read_bytes()
    assert one.folder.model.read_bytes() == two.folder.model.read_bytes()


def test_a_model_is_of_the_run_whose_folder_it_lies_in(tmp_path):
    run = trained(Settings(**SHORT), tmp_path / "run")
    assert runs.RunFolder.of(run.folder.model) == runs.RunFolder.of(run.folder.path) == run.folder
    shutil.copy(run.folder.model, tmp_path / "other.safetensors")
    assert runs.RunFolder.of(tmp_path / "other.safetensors") is None


@pytest.mark.parametrize(
    ("freeze", "rates", "wanted"),
    [
        ("all-but-last", None, (0, 0, 1)),
        (None, "all-but-last=0.1", (0.1, 0.1, 1)),
        ("all-but-last", "affine*=0.5", (0, 0.5, 0.5)),
        ("conv*", "all-but-last=0.1,affine2=2", (0, 0.1, 2)),
    ],
)
def test_all_layers_but_the_last_are_frozen_by_one_word(freeze, rates, wanted):
    model = SimpleConvNet()
    choose_what_learns(model, freeze, rates)
    found = {key: p.rate for key, p in model.parameters().items()}
    for layer, rate in zip(("conv1", "affine1", "affine2"), wanted, strict=True):
        assert found[f"{layer}.weight"] == found[f"{layer}.bias"] == rate
