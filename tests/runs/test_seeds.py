"""Training with several seeds: one run each, mean and deviation, and going on."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid import runs
from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError
from pellucid.runs.seeds_file import mean_and_deviation, read_seeds
from pellucid.training import Callback

SHORT = runs.Settings(epochs=2, limit=150, batch_size=50, validation=0.2)


def single(seed: int, folder: Path, **more) -> runs.Run:
    run = runs.begin(replace(SHORT, seed=seed, **more), folder)
    run.fit()
    return run


def same_bytes(one: Path, two: Path) -> bool:
    names = ("model.safetensors", "best.safetensors", "split.csv", "config.toml")
    return all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> runs.Seeds:
    seeds = runs.Seeds(SHORT, tmp_path_factory.mktemp("seeds") / "two", 2)
    seeds.train()
    return seeds


def test_each_seed_has_the_bytes_of_a_single_run_with_that_seed_and_split(two, tmp_path):
    for seed in range(2):
        single(seed, tmp_path / str(seed), split_seed=0)
        assert same_bytes(two.folder / f"seed-{seed}", tmp_path / str(seed))


def test_the_split_is_one_for_all_seeds_unless_it_is_to_vary(two, tmp_path):
    splits = {(two.folder / f"seed-{seed}" / "split.csv").read_bytes() for seed in range(2)}
    assert len(splits) == 1
    vary = runs.Seeds(SHORT, tmp_path / "vary", 2, vary_split=True)
    for seed in vary.left:
        vary.run(seed).fit()
    assert len({path.read_bytes() for path in vary.folder.glob("seed-*/split.csv")}) == 2
    single(1, tmp_path / "one")
    assert same_bytes(vary.folder / "seed-1", tmp_path / "one")
    assert runs.Seeds.resume(vary.folder).settings == vary.settings


def test_the_table_has_mean_and_deviation_of_the_kept_models(two):
    test = pellucid.data.digits()[1]
    right = []
    for seed, result in two.results.items():
        folder = runs.RunFolder(two.folder / f"seed-{seed}")
        right.append(pellucid.evaluate(pellucid.load(folder.used), test).accuracy)
        best = folder.read_history().best
        assert (result.epoch, result.validation_accuracy) == (best.epoch, best.accuracy)
    assert [result.test_accuracy for result in two.results.values()] == right
    last = str(two).splitlines()[-1]
    assert f"{np.mean(right):.4f} ± {np.std(right, ddof=1):.4f}" in last
    assert read_seeds(two.folder) == two.results
    with (two.folder / "seeds.csv").open() as file:
        assert [row["seed"] for row in csv.DictReader(file)] == ["0", "1"]


def test_started_again_it_trains_what_is_left_and_ends_with_the_same_bytes(two, tmp_path):
    class Break(Callback):
        def on_batch_end(self, trainer, loss, images):
            if len(trainer.history.losses) == 4:  # within the second epoch
                raise KeyboardInterrupt

    seeds = runs.Seeds(SHORT, tmp_path / "s", 2)
    run = seeds.run(0)
    run.fit()
    seeds.record(run, runs.finish(run).evaluation)
    broken = seeds.run(1)
    broken.trainer.callbacks.append(Break())
    with pytest.raises(KeyboardInterrupt):
        broken.fit()
    runs.finish(broken)
    seeds.record(broken)
    again = runs.Seeds(SHORT, tmp_path / "s", 2)
    assert again.left == [1]
    kept = (tmp_path / "s/seed-0/model.safetensors").stat().st_mtime_ns
    again.train()
    assert again.left == []
    for seed in range(2):
        assert same_bytes(tmp_path / f"s/seed-{seed}", two.folder / f"seed-{seed}")
    assert (tmp_path / "s/seed-0/model.safetensors").stat().st_mtime_ns == kept


def test_a_run_that_ended_without_its_row_is_measured_and_not_trained(two, tmp_path):
    seeds = runs.Seeds(SHORT, tmp_path / "s", 1)
    run = seeds.run(0)
    run.fit()
    runs.finish(run)  # and then the process was killed
    later = runs.Seeds.resume(tmp_path / "s")
    assert later.left == [0]
    later.record(later.run(0))
    expected = replace(two.results[0], seconds=0)
    assert replace(later.results[0], seconds=0) == expected


def test_more_seeds_and_more_epochs_go_on(tmp_path):
    runs.Seeds(SHORT, tmp_path / "s", 1).train()
    more = runs.Seeds.resume(tmp_path / "s", 2, epochs=3)
    assert more.left == [0, 1]
    more.train()
    assert [result.epochs for result in more.results.values()] == [3, 3]
    single(1, tmp_path / "one", split_seed=0, epochs=3)
    assert same_bytes(tmp_path / "s/seed-1", tmp_path / "one")
    assert list(runs.Seeds.resume(tmp_path / "s", 1).results) == [0, 1]


def test_other_settings_are_refused_by_name_and_replaced_if_told_to(tmp_path):
    runs.Seeds(SHORT, tmp_path / "s", 2).run(0).fit()
    other = replace(SHORT, batch_size=30)
    with pytest.raises(ArgumentError, match="batch_size: is 30, but the training began with 50"):
        runs.Seeds(other, tmp_path / "s", 2)
    seeds = runs.Seeds(other, tmp_path / "s", 2, overwrite=True)
    assert seeds.left == [0, 1]
    seeds.run(0).fit()
    single(0, tmp_path / "one", split_seed=0, batch_size=30)
    assert same_bytes(tmp_path / "s/seed-0", tmp_path / "one")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_holds_something_else_is_left_alone(overwrite, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    said = "holds something other than the runs" if overwrite else "is not empty"
    with pytest.raises(ArgumentError, match=said):
        runs.Seeds(SHORT, tmp_path, 2, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_wrong_settings_leave_no_folder(tmp_path):
    with pytest.raises(ArgumentError, match="optimizer"):
        runs.Seeds(replace(SHORT, optimizer="adamn"), tmp_path / "s", 2)
    with pytest.raises(ArgumentError, match="vary_split: contradicts split_seed=3"):
        runs.Seeds(replace(SHORT, split_seed=3), tmp_path / "s", 2, vary_split=True)
    with pytest.raises(ArgumentError, match="count: must be 1 or more, received 0"):
        runs.Seeds(SHORT, tmp_path / "s", 0)
    seeds = runs.Seeds(replace(SHORT, data="mnist", data_dir=tmp_path), tmp_path / "s", 2)
    with pytest.raises(DataNotFoundError):
        seeds.run(0)
    assert not (tmp_path / "s").exists()


def test_a_damaged_table_is_refused(two, tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "config.toml").write_bytes((two.folder / "config.toml").read_bytes())
    (folder / "seeds.csv").write_text("seed,epochs\n0,many\n")
    with pytest.raises(FileFormatError, match="is not a table as `pellucid train --seeds`"):
        runs.Seeds.resume(folder)


def test_a_folder_of_seeds_is_not_taken_for_a_model(two):
    with pytest.raises(DataNotFoundError, match=r"several seeds. Give one of them: .*seed-0\."):
        runs.model_path(two.folder)
    with pytest.raises(ArgumentError, match="holds the runs of several seeds"):
        runs.begin(SHORT, two.folder, overwrite=True)


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked")
def test_two_processes_do_not_train_in_one_folder(two):
    code = (
        "import sys; from pellucid import runs\n"
        "try: runs.Seeds.resume(sys.argv[1])\n"
        "except runs.seeds.ArgumentError as error: print(error)"
    )
    program = [sys.executable, "-c", code, str(two.folder)]
    said = subprocess.run(program, capture_output=True, text=True, env=os.environ, check=True)
    assert "is the folder of another training that still runs" in said.stdout


def test_the_deviation_is_that_of_a_sample():
    values = [0.91, 0.95, 0.9, 0.97]
    mean, deviation = mean_and_deviation(values)
    assert mean == pytest.approx(np.mean(values))
    assert deviation == pytest.approx(np.std(values, ddof=1))
