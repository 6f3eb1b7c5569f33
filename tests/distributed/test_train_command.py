"""``mpiexec -n N pellucid train``."""

import os
import signal
import sys
from pathlib import Path

import pytest

from pellucid import runs
from pellucid.formats import read_tensors

from .launched import launched
from .ranks import needs_mpi, on_ranks

pytestmark = [
    needs_mpi,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc"),
]

SHORT = {"limit": 300, "batch_size": 30, "ema": 0.9, "augment": "crop1"}
OPTIONS = ("--limit", "300", "--batch-size", "30", "--ema", "0.9", "--augment", "crop1")
LONG = (*OPTIONS, "--checkpoint-minutes", "0", "--epochs", "9")


def pellucid(n, *words, check=True):
    return on_ranks(n, sys.executable, "-m", "pellucid", *words, check=check)


def same_weights(one, two):
    first, second = (read_tensors(folder / "model.safetensors")[0] for folder in (one, two))
    assert first.keys() == second.keys()
    for key, array in first.items():
        assert array.tobytes() == second[key].tobytes(), key


def test_a_run_that_is_killed_and_stopped_goes_on_with_any_ranks_and_the_same_bits(tmp_path):
    alone, run = tmp_path / "alone", tmp_path / "run"
    whole = runs.begin(runs.Settings(epochs=9, **SHORT), alone)
    whole.fit()
    runs.finish(whole)

    with launched(2, "train", *LONG, "--out", str(run), folder=tmp_path) as training:
        training.until(lambda: "epoch 2/9" in training.said())
        os.kill(training.ranks()[1], signal.SIGKILL)
        assert training.end(10) != 0
        lines = training.said().splitlines()
    assert "  2 ranks of 1 thread on 1 host, 15 images each of a batch of 30" in lines
    assert runs.Settings.read(run).chunks == 8

    for n, number, code, epoch in ((3, signal.SIGTERM, 143, 4), (2, signal.SIGINT, 130, 6)):
        with launched(n, "train", "--resume", str(run), folder=tmp_path) as training:
            training.until(lambda: f"epoch {epoch}/9" in training.said())  # noqa: B023
            training.process.send_signal(number)
            assert training.end(60) == code
            said = training.said()
        assert said.count({130: "stopped after ", 143: "terminated in epoch "}[code]) == 1
        assert said.count("go on with: pellucid train --resume ") == 1
        assert "error" not in said

    last = pellucid(3, "train", "--resume", str(run))
    assert "  3 ranks of 1 thread on 1 host, 7 to 15 images each of a batch of 30" in last.stdout
    assert last.stdout.count("epoch 9/9") == last.stdout.count("final test accuracy") == 1
    same_weights(run, alone)
    assert {path.name for path in run.iterdir()} == {path.name for path in alone.iterdir()}
    (run / "curves.png").unlink()  # all ranks take part in drawing again
    assert "curves.png" in pellucid(2, "train", "--resume", str(run)).stdout


def test_what_cannot_be_trained_is_refused_once(tmp_path):
    too_many = pellucid(3, "train", *OPTIONS, "--chunks", "2", "--out", str(tmp_path), check=False)
    assert too_many.returncode == 1
    assert too_many.stderr.startswith("error: --chunks: must be at least the number of ranks, 3")
    assert too_many.stderr.count("error:") == 1
    (tmp_path / "file").touch()
    full = pellucid(2, "train", "--out", str(tmp_path), check=False)
    assert (full.returncode, full.stdout) == (1, "")
    assert full.stderr.startswith(f"error: --out: '{tmp_path}' is not empty.")
    assert full.stderr.count("error:") == 1


def test_several_seeds_train_one_after_the_other(tmp_path):
    alone = runs.Seeds(runs.Settings(epochs=1, **SHORT), tmp_path / "alone", count=2)
    alone.train()
    words = (*OPTIONS, "--epochs", "1", "--seeds", "2", "--out", str(tmp_path / "ranks"))
    told = pellucid(2, "train", *words)
    assert told.stdout.count("test accuracy  seconds") == 1
    for seed in ("seed-0", "seed-1"):
        same_weights(tmp_path / "ranks" / seed, tmp_path / "alone" / seed)
    again = pellucid(2, "train", "--resume", str(tmp_path / "ranks"))
    assert told.stdout.endswith(again.stdout)
