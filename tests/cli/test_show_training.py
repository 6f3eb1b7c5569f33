"""pellucid show curves, confusion, mistakes, learning, activations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from pellucid.cli import main


@pytest.fixture
def pellucid_here(tmp_path, monkeypatch, capsys):
    """Run the command line in this process, in ``tmp_path``; returns code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def require_picture(path: Path) -> None:
    with Image.open(path) as picture:
        picture.load()
        assert min(picture.size) > 300
        assert len(set(picture.convert("L").resize((64, 64)).tobytes())) > 3


@pytest.mark.parametrize("kind", ["curves", "confusion", "mistakes", "learning", "activations"])
def test_each_kind_is_drawn_of_a_run(pellucid_here, short, tmp_path, kind):
    code, out, err = pellucid_here("show", kind, short)
    assert (code, err) == (0, "")
    assert out == f"{kind}.png\n"
    require_picture(tmp_path / f"{kind}.png")


def test_several_runs_are_drawn_into_one_figure(pellucid_here, short, tmp_path):
    for place in ("a/run", "b/run", "other"):
        (tmp_path / place).mkdir(parents=True)
        shutil.copy(short / "history.csv", tmp_path / place)
    code, _, _ = pellucid_here("show", "curves", "a/run", "b/run", "other", "--out", "c.svg")
    assert code == 0
    assert (tmp_path / "c.svg").read_bytes().startswith(b"<?xml")


def test_runs_of_one_name_are_told_apart_by_their_paths():
    from pellucid.runs.folder import named_runs

    paths = [Path("a/run"), Path("b/run"), Path("c/new"), Path("a/../a/run")]
    assert list(named_runs(paths)) == ["a/../a/run", "b/run", "new"]


def test_an_older_run_says_why_there_is_nothing_to_learn_from(pellucid_here, short, tmp_path):
    shutil.copytree(short, tmp_path / "old", ignore=shutil.ignore_patterns("filters.safetensors"))
    code, _, err = pellucid_here("show", "learning", "old")
    assert code == 1
    assert "'old' does not hold the filters of its epochs (filters.safetensors)" in err
    assert "pellucid train --config old" in err


def test_a_network_without_convolutions_has_no_filters_to_show(pellucid_here, tmp_path):
    options = ("--model", "INPUT -> FC", "--limit", "50", "--epochs", "1", "--out", "run")
    assert pellucid_here("train", *options, "--engine", "numpy")[0] == 0
    assert not (tmp_path / "run" / "filters.safetensors").exists()
    code, _, err = pellucid_here("show", "learning", "run")
    assert (code, "has no convolution, so no filters" in err) == (1, True)
    assert pellucid_here("report", "run")[0] == 0
    assert "no convolution" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_filters_of_epochs_that_the_history_does_not_tell_are_left_out(short, tmp_path):
    from pellucid.runs.learned_filters import filters_of

    shutil.copytree(short, tmp_path / "run")
    lines = (short / "history.csv").read_text().splitlines()
    (tmp_path / "run" / "history.csv").write_text("\n".join(lines[:3]) + "\n")
    assert list(filters_of(short)) == [0, 1, 2, 3]
    assert list(filters_of(tmp_path / "run")) == [0, 1, 2]


def test_a_folder_without_a_history_and_a_wrong_suffix_are_refused(pellucid_here, short, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = pellucid_here("show", "curves", "empty")
    assert (code, "'empty' holds no history.csv" in err) == (1, True)
    code, _, err = pellucid_here("show", "curves", "gone")
    assert (code, "there is no 'gone'" in err) == (1, True)
    code, _, err = pellucid_here("show", "mistakes", short, "--out", "m.bmp")
    assert (code, "--out: must end in .png, .svg or .pdf" in err) == (1, True)
    assert list(tmp_path.iterdir()) == [tmp_path / "empty"]


def test_a_channel_that_is_not_there_is_refused(pellucid_here, short):
    code, _, err = pellucid_here("show", "learning", short, "--channel", "1")
    assert (code, "--channel: there is no channel 1" in err) == (1, True)


def test_the_books_experiment_needs_no_model(pellucid_here, tmp_path):
    code, out, _ = pellucid_here("show", "activations", "--init", "he", "--activation", "relu")
    assert (code, out) == (0, "activations.png\n")
    require_picture(tmp_path / "activations.png")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "digits"), "--data: belongs to a MODEL"),
        (("--init", "hee"), "--init: 'hee' is not an initialisation. Did you mean 'he'"),
        (("--init", "-1"), "--init: must be a finite deviation"),
        (("simple", "--activation", "relu"), "--activation: belongs to the book's layers"),
        (("simple", "--data", "digits"), "Give --input 1x8x8"),
        (("simple", "--data-dir", "."), "--data-dir: belongs to --data"),
    ],
)
def test_what_makes_no_sense_for_activations_is_refused(pellucid_here, arguments, words):
    code, _, err = pellucid_here("show", "activations", *arguments)
    assert (code, words in err) == (1, True), err


def test_a_network_by_name_is_drawn_on_random_numbers_or_on_images(pellucid_here, tmp_path):
    options = ("--init", "he", "--images", "5")
    assert pellucid_here("show", "activations", "simple", *options)[0] == 0
    more = ("--input", "1x8x8", "--data", "digits", "--out", "b.png")
    assert pellucid_here("show", "activations", "simple", *options, *more)[0] == 0
    require_picture(tmp_path / "b.png")


def test_a_model_that_makes_no_mistake_has_none_to_show(pellucid_here, tmp_path):
    import numpy as np

    from pellucid import data, formats, nn

    train, _ = data.digits()
    model = nn.Sequential(flatten=nn.Flatten(), fc=nn.Linear(64, 10))
    pixels = [np.zeros((8, 8), dtype=np.uint8) for _ in range(10)]
    for k in range(10):
        pixels[k].flat[k] = 255
        (tmp_path / "images" / str(k)).mkdir(parents=True)
        for name in ("a.png", "b.png"):
            Image.fromarray(pixels[k]).save(tmp_path / "images" / str(k) / name)
    model["fc"].weight.data[:] = 0
    model["fc"].weight.data[range(10), range(10)] = 100
    model.input_shape = train.image_shape
    formats.save(model, tmp_path / "m.safetensors")
    code, out, err = pellucid_here("show", "mistakes", "m.safetensors", "--data", "./images")
    assert "nothing says which images the model was trained on" in err
    assert (code, out) == (0, "there are no mistakes to draw: all 10 images are right\n")
    assert not (tmp_path / "mistakes.png").exists()
