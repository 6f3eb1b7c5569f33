"""The setting ``log``: a run's logs in its folder."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pellucid import runs
from pellucid.errors import ArgumentError
from pellucid.training import Callback

FEW = {"epochs": 1, "limit": 100}


def test_a_run_logs_its_settings_its_steps_and_its_final_accuracy(tmp_path):
    run = runs.begin(runs.Settings(log="jsonl", **FEW), tmp_path / "a")
    run.fit()
    done = runs.finish(run)
    lines = [json.loads(line) for line in (tmp_path / "a/log.jsonl").read_text().splitlines()]
    assert lines[0]["parameters"]["batch_size"] == 50
    assert [line["step"] for line in lines[1:]] == [1, 2, 2, 2]
    assert lines[-1]["final_test_accuracy"] == done.evaluation.accuracy
    assert {"log.jsonl"} <= run.folder.files().keys()


def test_a_run_that_is_replaced_leaves_no_log(tmp_path):
    for log in ("jsonl,tensorboard", None):
        run = runs.begin(runs.Settings(log=log, **FEW), tmp_path, overwrite=True)
        run.fit()
    assert not {"log.jsonl", "tensorboard"} & {path.name for path in tmp_path.iterdir()}


def test_a_run_that_replaces_another_logs_its_first_epoch(tmp_path):
    for _ in range(2):
        run = runs.begin(runs.Settings(log="jsonl,tensorboard", **FEW), tmp_path, overwrite=True)
        run.fit()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines[1:]] == [1, 2, 2]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_a_resumed_run_goes_on_in_its_log_from_the_first_epoch(tmp_path):
    class Stop(Callback):
        def on_batch_end(self, trainer, loss, images):
            raise KeyboardInterrupt

    run = runs.begin(runs.Settings(log="jsonl,tensorboard", **FEW), tmp_path)
    run.trainer.callbacks.append(Stop())
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    runs.resume(tmp_path).fit()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line).get("step", 0) for line in lines] == [0, 1, 2, 2]


def test_a_numbered_folder_without_an_epoch_goes_with_its_logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = runs.begin(runs.Settings(log="jsonl,tensorboard", **FEW))
    for callback in run.trainer.callbacks[1:]:
        callback.on_fit_begin(run.trainer)
        callback.on_fit_end(run.trainer)
    assert (run.folder.path / "log.jsonl").exists()
    assert runs.finish(run) is None
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("log", ["json", "jsonl,wandb"])
def test_an_unknown_log_is_refused_before_anything_is_read(tmp_path, log):
    with pytest.raises(ArgumentError, match=r"log: '\w+' is not a log\. .*Known: jsonl, mlflow, t"):
        runs.begin(runs.Settings(data="absent", log=log), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path):
    code = "import sys; sys.modules['tensorboard'] = None; from pellucid.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "train", "--log", "tensorboard"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "--log: tensorboard needs the package tensorboard" in ran.stderr
    assert 'pip install "pellucid[tensorboard]"' in ran.stderr
    assert list(tmp_path.iterdir()) == []
