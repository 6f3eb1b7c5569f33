"""The time of a step on several ranks: ``pellucid profile --ranks``."""

import json
import sys

import numpy as np
import pytest

from pellucid import nn
from pellucid.cli.start_ranks import start_ranks
from pellucid.errors import ArgumentError
from pellucid.training.rank_profile import profile_ranks

from .in_threads import on_threads
from .ranks import needs_mpi, on_ranks


@needs_mpi
def test_the_command_times_each_rank_and_each_bucket():
    words = ("profile", "simple", "--input", "1x8x8", "--steps", "2", "--batch-size", "24")
    done = on_ranks(3, sys.executable, "-m", "pellucid", *words, "--json")
    said = json.loads(done.stdout)  # one document: that of rank 0
    assert (said["images"], said["threads"]) == (24, 1)
    assert [rank["images"] for rank in said["ranks"]] == [12, 6, 6]
    assert said["seconds"] == max(rank["step_seconds"] for rank in said["ranks"])
    for rank in said["ranks"]:
        parts = [s for name, s in rank.items() if name.endswith("_seconds")]
        assert all(s >= 0 for s in parts)
        assert rank["forward_seconds"] > 0 < rank["backward_seconds"]
        for bucket in rank["buckets"]:
            assert bucket["summed_seconds"] >= bucket["ready_seconds"] > 0
            assert (bucket["updated_seconds"] or np.inf) >= bucket["summed_seconds"]
    sizes = [[b["bytes"] for b in rank["buckets"]] for rank in said["ranks"]]
    assert sizes[0] == sizes[1] == sizes[2]
    numbers = 30 * (9 + 1) + 100 * (30 * 4 * 4 + 1) + 10 * 101
    assert 4 * numbers <= sum(sizes[0]) < 4 * numbers + 1000  # each parameter at a cache line


@needs_mpi
def test_the_option_starts_the_ranks(capfd):
    options = ("--input=1x8x8", "--steps=1", "--batch-size=8", "--threads=1")
    assert start_ranks(2, "profile", *options, "--", "simple") == 0
    printed, _ = capfd.readouterr()
    assert printed.startswith("training, 8 images a step, 2 ranks of 1 thread\n")
    assert "backward (#), gradients on their way (=), new weights on theirs (-)" in printed


def test_without_mpiexec_the_option_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ArgumentError, match=r"--ranks: needs mpiexec.*pip install 'pellucid\[mpi\]"
    ):
        start_ranks(2, "profile", "simple")


def test_the_parts_of_a_step_add_up_and_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 3))
    before = {key: p.data.copy() for key, p in model.parameters().items()}
    rng = np.random.default_rng(0)
    x, labels = rng.random((7, 3, 2, 2), dtype=np.float32), rng.integers(0, 3, 7)
    found = on_threads(
        2, lambda world: profile_ranks(model, x, labels, world, steps=3, optimizer="sgd")
    )
    assert found[0].ranks == found[1].ranks
    assert [rank.images for rank in found[0].ranks] == [3, 4]
    for rank in found[0].ranks:
        parts = (rank.forward, rank.loss, rank.backward, rank.small, rank.sending)
        assert all(part >= 0 for part in parts)
        assert max(parts) <= rank.step
    lines = str(found[0]).splitlines()
    bars = [line for line in lines if line.startswith(("backward  ", "bucket "))]
    assert len(bars) == 1 + len(found[0].buckets[0])
    assert set(bars[0].split()[-1]) == {"#"}
    assert all("=" in bar.split()[-1] and set(bar.split()[-1]) <= {"=", "-"} for bar in bars[1:])
    for key, p in model.parameters().items():
        np.testing.assert_array_equal(p.data, before[key])


def test_more_ranks_than_chunks_by_default_take_more_chunks():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    x, labels = np.ones((9, 1, 2, 2), np.float32), np.zeros(9, np.int64)
    found = on_threads(9, lambda world: profile_ranks(model, x, labels, world, steps=1))
    assert sum(rank.images for rank in found[0].ranks) == 9
