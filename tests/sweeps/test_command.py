"""``pellucid sweep`` from a terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SPACE = """
model = "INPUT -> FC"
engine = "numpy"
limit = 200
epochs = {epochs}
validation = 0.2
lr = {{low = 1e-3, high = 0.1, log = true}}
"""
# At a moment of its own, as it may be done before another process has seen how far it is.
TERMINATED_AFTER_AN_EPOCH = (
    Path(__file__).parents[1] / "cli" / "interrupted.py",
    *("pellucid.training.history:History.write_csv", "2", "SIGTERM"),
)


def started(folder, *arguments, program=("-m", "pellucid")):
    return subprocess.Popen(
        [sys.executable, *program, "sweep", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_it_prints_the_best_trial_and_where_its_page_is(tmp_path):
    (tmp_path / "rates.toml").write_text(SPACE.format(epochs=2))
    process = started(tmp_path, "--space", "rates.toml", "--trials", "2")
    out, notes = process.communicate(timeout=300)
    assert process.returncode == 0
    best, accuracies = out.splitlines()
    assert best.startswith("best of 2 trials: sweeps/rates/trial-000")
    assert accuracies.startswith("validation accuracy 0.")
    assert "test accuracy 0." in accuracies
    assert [line.split()[:3] for line in notes.splitlines()[:2]] == [
        ["trial", "0", "lr"], ["trial", "1", "lr"],
    ]  # fmt: skip
    assert notes.splitlines()[-1] == "sweeps/rates/sweep.html"
    again = started(tmp_path, "--out", "sweeps/rates", "--trials", "2", "--quiet")
    assert again.communicate(timeout=300) == (out, "")


def test_a_terminated_sweep_goes_on_with_its_trial(tmp_path):
    (tmp_path / "rates.toml").write_text(SPACE.format(epochs=10))
    asked = ("--space", "rates.toml", "--trials", "1")
    process = started(tmp_path, *asked, program=TERMINATED_AFTER_AN_EPOCH)
    history = tmp_path / "sweeps/rates/trial-0000/history.csv"
    _, notes = process.communicate(timeout=300)
    assert process.returncode == 143
    assert notes.splitlines()[-1] == "stopped; the same command goes on with the sweep"
    before = history.read_text()
    assert 2 <= len(before.splitlines()) <= 3
    process = started(tmp_path, *asked)
    assert process.communicate(timeout=300)[0].startswith("best of 1 trial:")
    assert history.read_text().startswith(before)
    assert len(history.read_text().splitlines()) == 11


def test_errors_name_the_options(tmp_path):
    process = started(tmp_path, "--trials", "2", "--out", ".")
    assert "error: --space: is missing, and '.' holds no sweep." in process.communicate()[1]
    process = started(tmp_path, "--trials", "2")
    assert "error: --space: is missing. Give it, or --out" in process.communicate()[1]
