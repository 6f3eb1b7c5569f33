"""A save that fails half way leaves the old file whole and nothing else behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid import load, nn, save
from pellucid.training import TrainingState
from training.setup import trainer

pytest.importorskip("resource")  # limits on the size of files exist on Unix alone

FULL_DISK = """
import resource, sys
import numpy as np
from pellucid import nn, save
from training.setup import trainer
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))  # as a disk that is full
try:
    if sys.argv[2] == "model":
        save(nn.Linear(100, 100, weight_init=1.0), sys.argv[1])
    else:
        trainer().state().save(sys.argv[1])
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(3)
"""


def _run_with_a_full_disk(path: Path, what: str) -> subprocess.CompletedProcess:
    here = [str(Path(__file__).parents[1]), str(Path(pellucid.__file__).parents[1])]
    return subprocess.run(
        [sys.executable, "-c", FULL_DISK, path, what],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(here)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("there_before", [True, False])
def test_a_full_disk_leaves_the_old_model_whole(there_before, tmp_path):
    path, old = tmp_path / "m.safetensors", nn.Linear(100, 100)
    if there_before:
        save(old, path)
    result = _run_with_a_full_disk(path, "model")
    assert result.returncode == 3, result.stderr
    assert "File too large" in result.stdout
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.safetensors"] * there_before
    if there_before:
        assert np.array_equal(load(path).weight.data, old.weight.data)


def test_a_full_disk_leaves_the_old_training_state_whole(tmp_path):
    path = tmp_path / "s.safetensors"
    old = trainer(seed=5).state()
    old.order = np.arange(130)
    old.save(path)
    result = _run_with_a_full_disk(path, "state")
    assert result.returncode == 3, result.stderr
    assert TrainingState.load(path).order.tolist() == list(range(130))
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.safetensors"]


def test_ctrl_c_while_writing_leaves_the_old_model_whole(tmp_path, monkeypatch):
    import safetensors.numpy

    path = tmp_path / "m.safetensors"
    save(nn.Linear(3, 2), path)
    before = path.read_bytes()

    def interrupted(tensors, part, metadata):
        Path(part).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(safetensors.numpy, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(nn.Linear(4, 2), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.safetensors"]
