"""``pellucid sweep`` from a terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

SPACE = """
model = "INPUT -> FC"
engine = "numpy"
limit = 200
epochs = {epochs}
validation = 0.2
lr = {{low = 1e-3, high = 0.1, log = true}}
"""


def started(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "pellucid", "sweep", *arguments],
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
    (tmp_path / "rates.toml").write_text(SPACE.format(epochs=100))
    asked = ("--space", "rates.toml", "--trials", "1")
    process = started(tmp_path, *asked)
    history = tmp_path / "sweeps/rates/trial-0000/history.csv"
    while not history.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, notes = process.communicate(timeout=60)
    assert process.returncode == 143
    assert notes.splitlines()[-1] == "stopped; the same command goes on with the sweep"
    before = history.read_text()
    process = started(tmp_path, *asked)
    assert process.communicate(timeout=300)[0].startswith("best of 1 trial:")
    assert history.read_text().startswith(before)
    assert len(history.read_text().splitlines()) == 101


def test_errors_name_the_options(tmp_path):
    process = started(tmp_path, "--trials", "2", "--out", ".")
    assert "error: --space: is missing, and '.' holds no sweep." in process.communicate()[1]
    process = started(tmp_path, "--trials", "2")
    assert "error: --space: is missing. Give it, or --out" in process.communicate()[1]
