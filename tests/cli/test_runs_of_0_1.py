"""Run folders that version 0.1 left behind: every command that takes a run takes these."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import pellucid as library

FILES = Path(__file__).parents[1] / "formats" / "files_0_1"
RUNS = ("run-digits", "run-folder")


@pytest.fixture(scope="session", autouse=True)
def expected() -> dict[str, np.ndarray]:
    with np.load(FILES / "expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture(params=RUNS)
def run(request, tmp_path, monkeypatch) -> str:
    """A copy of a run, and of its images where its settings say that they are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(FILES / request.param, tmp_path / request.param)
    shutil.copytree(FILES / "marks", tmp_path / "marks")
    config = tmp_path / request.param / "config.toml"
    config.write_text(config.read_text().replace("MARKS", (tmp_path / "marks").as_posix()))
    return request.param


def ok(result) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_its_model_gives_the_scores_it_gave(run, tmp_path, expected):
    model = library.load(tmp_path / run / "model.safetensors")
    scores = model(expected[f"{run}/images"])
    np.testing.assert_allclose(scores, expected[f"{run}/scores"], rtol=0, atol=1e-6)


def test_it_is_evaluated_with_the_accuracy_it_had(pellucid, run, expected):
    found = re.search(r"test accuracy ([\d.]+)", ok(pellucid("evaluate", run)))
    assert float(found[1]) == pytest.approx(expected[f"{run}/accuracy"], abs=1e-4)


def test_it_predicts_what_it_predicted(pellucid, run, tmp_path, expected):
    pictures = sorted(path.relative_to(tmp_path) for path in (tmp_path / "marks").rglob("*.png"))
    told = ok(pellucid("predict", run, *pictures, "--top", "1"))
    guesses = [line.split()[1] for line in told.splitlines() if line.startswith("marks")]
    assert len(guesses) == len(pictures)
    if run == "run-folder":
        assert guesses == list(expected[f"{run}/predicted"])


def test_it_is_reported(pellucid, run, tmp_path):
    ok(pellucid("report", run))
    page = (tmp_path / run / "report.html").read_text(encoding="utf-8")
    assert ("one-cycle" if run == "run-digits" else "steps") in page


def test_a_training_begins_with_it(pellucid, run, tmp_path):
    data = "digits" if run == "run-digits" else "marks"
    few = ("--epochs", "1", "--limit", "8", "--batch-size", "4")
    told = ok(pellucid("train", "--from", run, "--data", data, *few, "--out", "next"))
    assert f"from {run}" in told
    assert (tmp_path / "next" / "model.safetensors").is_file()


def test_it_is_repeated_from_its_settings(pellucid, run, tmp_path):
    ok(pellucid("train", "--config", run, "--epochs", "1", "--out", "again"))
    old, new = (
        library.load(tmp_path / name / "model.safetensors").state_dict() for name in (run, "again")
    )
    assert {k: a.shape for k, a in new.items()} == {k: a.shape for k, a in old.items()}


def test_its_filters_are_shown_as_they_were_learned(pellucid, run, tmp_path):
    ok(pellucid("show", "learning", run))
