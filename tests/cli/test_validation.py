"""pellucid train with a validation set, and the commands that use what it kept."""

from __future__ import annotations

import re

import pytest

from data.pictures import paint, pets

QUICK = ("--engine", "numpy", "--batch-size", "20", "--limit", "100", "--evaluate-samples", "50")


@pytest.fixture
def pellucid(here):
    """What a command writes and says is tested here, not that it is a process."""
    return here


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_training_follows_validation_and_says_what_it_kept(pellucid, tmp_path):
    options = ("--validation", "0.1", "--patience", "1", "--lr", "0.05", "--epochs", "30")
    told = pellucid("train", *QUICK, *options, "--out", "run")
    assert told.returncode == 0, told.stderr
    assert "144 for validation, 359 to test on in the end" in told.stdout
    epochs = re.findall(r"^epoch +(\d+)/30 .* val 0\.\d+", told.stdout, re.MULTILINE)
    stopped = re.search(
        r"^stopped after (\d+) of 30 epochs: no better validation", told.stdout, re.M
    )
    assert stopped[1] == epochs[-1]
    best = int(epochs[-1]) - 1
    last = re.search(r"^final test accuracy (\S+) .*", told.stdout, re.MULTILINE)
    assert last[0].endswith(f", by the model of epoch {best}, the best on the validation set")
    assert "model.safetensors      the model of the last epoch" in told.stdout
    measured = pellucid("evaluate", "run")
    assert f"test accuracy {last[1]}," in measured.stdout
    assert "note: run/best.safetensors, the best epoch on the validation set" in measured.stderr
    again = pellucid("evaluate", "run/model.safetensors", "--split", "validation")
    assert re.search(r"^all +144 ", again.stdout, re.MULTILINE)
    assert "validation accuracy 0." in again.stdout
    assert again.stderr == ""


def test_a_folder_with_a_validation_part_is_trained_by_it(pellucid, tmp_path):
    root = pets(tmp_path / "pets", n=6, size=(8, 8))
    for label, name in enumerate(("cat", "dog")):
        for i in range(3):
            paint(root / "val" / name / f"{i}.png", 210 + 20 * label + i, (8, 8))
    told = pellucid("train", "--data", "pets", *QUICK, "--epochs", "1", "--out", "run")
    assert told.returncode == 0, told.stderr
    assert "on 12 images of pets (3x8x8); 6 for validation, 12 to test on in the end" in told.stdout
    assert (tmp_path / "run" / "split.csv").read_text().count(",validation,") == 6
    refused = pellucid("train", "--data", "pets", "--validation", "0.1")
    assert refused.returncode == 1
    assert "error: --validation: draws a validation set from the training images" in refused.stderr
    assert pellucid("show", "confusion", "run", "--split", "validation").returncode == 0


def test_a_set_that_is_not_there_is_refused(pellucid):
    assert pellucid("train", *QUICK, "--epochs", "1", "--out", "run").returncode == 0
    refused = pellucid("evaluate", "run", "--split", "validation")
    assert refused.returncode == 1
    assert "error: --split: 'digits' has no validation set in this training" in refused.stderr
