"""A sweep whose trials are trained by several ranks."""

import json
import sys

import pytest

from pellucid import runs, sweeps
from pellucid.sweeps import Range, Space
from pellucid.sweeps.study import Study

from .ranks import needs_mpi, on_ranks

pytestmark = needs_mpi
pytest.importorskip("optuna")

FIXED = {"model": "INPUT -> FC", "limit": 200, "engine": "numpy", "epochs": 2, "validation": 0.2}
PELLUCID = (sys.executable, "-m", "pellucid")


def space_file(folder, **fixed):
    file = folder / "space.toml"
    space = Space(runs.Settings(**FIXED | fixed), {"lr": Range(1e-3, 0.1, log=True)})
    file.write_text(space.written(), encoding="utf-8")
    return file


def states(folder):
    return [t.state.name for t in Study(folder, Space.read(folder / "space.toml")).trials()]


def test_ranks_do_each_trial_once_and_the_first_prints_the_result(tmp_path):
    out = tmp_path / "sweep"
    words = ("sweep", "--space", str(space_file(tmp_path)), "--trials", "6", "--out", str(out))
    done = on_ranks(3, *PELLUCID, *words)
    assert len(states(out)) == 6
    assert set(states(out)) <= {"COMPLETE", "PRUNED"}
    assert done.stdout.count("best of 6 trials") == 1
    assert "test accuracy" in done.stdout
    told = [line for line in done.stderr.splitlines() if line.startswith("trial ")]
    assert sorted(line.split()[1] for line in told) == list("012345")
    assert (out / "sweep.html").is_file()
    assert list((out / "working").iterdir()) == []
    alone = sweeps.sweep(None, 6, out)
    assert f"test accuracy {alone.test_accuracy:.4f}" in done.stdout


PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from pellucid.distributed import MPI
from pellucid.sweeps import sweep
from pellucid.training.history import History
world = MPI()
folder, trials, what = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if what == "away" and world.rank == 1:
    folder = folder.with_name("elsewhere")
if what == "killed" and world.rank == 1:
    write = History.write_csv
    def killed(self, path):
        write(self, path)
        if len(self.epochs) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    History.write_csv = killed
found = error = None
try:
    found = sweep(None, trials, folder, communicator=world)
except Exception as failure:
    error = f"{type(failure).__name__} {failure}"
told = world.gather((error, None if found is None else (found.trials, found.test_accuracy)))
if world.rank == 0:
    print(json.dumps(told))
"""


def test_the_trial_of_a_killed_rank_is_trained_to_its_end_by_the_next(tmp_path):
    out = tmp_path / "sweep"
    fixed = Space.read(space_file(tmp_path, epochs=6))
    sweeps.sweep(fixed, 1, out)
    killed = on_ranks(2, PROGRAM, str(out), "4", "killed", check=False)
    assert killed.returncode == 9, killed.stdout + killed.stderr
    assert "RUNNING" in states(out)
    done = on_ranks(2, PROGRAM, str(out), "4", "")
    told = json.loads(done.stdout)
    assert told[0] == told[1]
    assert told[0][1][0] == 4
    assert told[0][1][1] is not None
    assert set(states(out)) <= {"COMPLETE", "PRUNED"}
    apart = json.loads(on_ranks(2, PROGRAM, str(out), "5", "away").stdout)
    assert all("rank 1 of 2" in error and "elsewhere" in error for error, _ in apart)
    assert not (tmp_path / "elsewhere").exists()
