"""Logs: what the packages' own readers find in them, also after a resume."""

from __future__ import annotations

import json

import numpy as np
import pytest
from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pellucid import data, nn
from pellucid.errors import PellucidError
from pellucid.training import JsonLinesLog, Log, MlflowLog, TensorBoardLog, Trainer
from pellucid.training.logs import LogWarning

TRAIN, TEST = (part.take(200) for part in data.digits())
SETTINGS = {"lr": 0.01, "model": "linear", "normalize": True}


def trained(*logs: Log, state=None, epochs=2, **options) -> Trainer:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, rng=np.random.default_rng(0)))
    trainer = Trainer(
        model, TRAIN, TEST, epochs=3, batch_size=50, lr=0.01, engine="numpy", callbacks=logs,
        **options,
    )  # fmt: skip
    if state is not None:
        trainer.load_state(state)
    trainer.fit(epochs)
    return trainer


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def scalars(folder, name):
    log = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    log.Reload()
    return [(event.step, event.value) for event in log.Scalars(name)]


@pytest.fixture
def mlflow_file(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return tmp_path / "mlflow.txt"


def test_a_json_lines_log_has_a_line_for_each_step_and_epoch(tmp_path):
    path = tmp_path / "log.jsonl"
    trainer = trained(JsonLinesLog(path, SETTINGS), schedule="cosine", clip_norm=1.0)
    head, *rest = lines(path)
    assert head == {"parameters": SETTINGS}
    steps = [line for line in rest if "loss" in line]
    assert [line["loss"] for line in steps] == trainer.history.losses
    assert steps[-1].keys() == {"step", "loss", "lr", "gradient_norm"}
    assert steps[-1]["lr"] == trainer.last_lr < steps[0]["lr"]
    epochs = [line for line in rest if "epoch" in line]
    record = trainer.history.epochs[1]
    assert (epochs[1]["step"], epochs[1]["epoch"]) == (8, 2)
    assert epochs[1]["epoch_loss"] == record.loss
    assert epochs[1]["train_accuracy"] == record.train_accuracy


def test_a_json_lines_log_goes_on_where_the_state_was_taken(tmp_path):
    path, whole = tmp_path / "log.jsonl", tmp_path / "whole.jsonl"
    state = trained(JsonLinesLog(path, SETTINGS), epochs=1).state()
    trained(JsonLinesLog(path), state=state, epochs=1)
    with path.open("a") as file:
        file.write('{"step": 9, "lo')  # killed while it wrote
    trained(JsonLinesLog(path), state=state, epochs=2)
    trained(JsonLinesLog(whole, SETTINGS), epochs=3)

    def without_seconds(path):
        return [{k: v for k, v in line.items() if k != "seconds"} for line in lines(path)]

    assert without_seconds(path) == without_seconds(whole)


def test_a_file_that_is_not_a_log_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("my diary\nof today\n")
    state = trained(epochs=1).state()
    with pytest.raises(PellucidError, match=r"line 1 of '.*' is not a line of a log"):
        trained(JsonLinesLog(path), state=state)
    assert path.read_text() == "my diary\nof today\n"


def test_tensorboard_reads_its_log(tmp_path):
    trainer = trained(TensorBoardLog(tmp_path, SETTINGS))
    expected = list(enumerate(np.float32(trainer.history.losses).tolist(), 1))
    assert scalars(tmp_path, "loss") == expected
    assert scalars(tmp_path, "epoch") == [(4, 1.0), (8, 2.0)]
    assert scalars(tmp_path, "test_accuracy")[1][1] == np.float32(
        trainer.history.epochs[1].test_accuracy
    )
    log = EventAccumulator(str(tmp_path))
    log.Reload()
    content = log.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"linear" in content


def test_a_tensorboard_log_goes_on_where_the_state_was_taken(tmp_path):
    state = trained(TensorBoardLog(tmp_path), epochs=1).state()
    trained(TensorBoardLog(tmp_path), state=state, epochs=1, clip_norm=None)
    trained(TensorBoardLog(tmp_path), state=state, epochs=2)
    assert [step for step, _ in scalars(tmp_path, "loss")] == list(range(1, 13))
    assert [value for _, value in scalars(tmp_path, "epoch")] == [1, 2, 3]


@pytest.mark.filterwarnings("ignore")  # SQLAlchemy's, about MLflow
def test_mlflow_reads_its_log_and_a_resumed_one_goes_on_in_the_same_run(mlflow_file):
    state = trained(MlflowLog(mlflow_file, "mine", SETTINGS), epochs=1).state()
    first = mlflow_file.read_text()
    trained(MlflowLog(mlflow_file), state=state, epochs=1)
    trainer = trained(MlflowLog(mlflow_file), state=state, epochs=2)
    assert mlflow_file.read_text() == first
    client = MlflowClient()
    run = client.get_run(first.strip())
    assert client.get_experiment(run.info.experiment_id).name == "pellucid"
    assert run.info.run_name == "mine"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"lr": "0.01", "model": "linear", "normalize": "True"}
    history = sorted((m.step, m.value) for m in client.get_metric_history(first.strip(), "loss"))
    assert history == list(enumerate(trainer.history.losses, 1))
    epochs = client.get_metric_history(first.strip(), "epoch")
    assert sorted((m.step, m.value) for m in epochs) == [(4, 1), (8, 2), (12, 3)]


def test_a_log_that_fails_does_not_end_the_training():
    class Full(Log):
        written = 0

        def write(self, step, values):
            self.written += 1
            if step == 3:
                raise OSError(28, "No space left on device")

    log = Full()
    with pytest.warns(LogWarning, match=r"Full could not be written \(.*No space.*goes on") as told:
        trainer = trained(log)
    assert trainer.epoch == 2
    assert log.written == 3
    assert len(told) == 1


def test_a_log_that_cannot_be_opened_is_refused_before_the_first_batch(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        trained(JsonLinesLog(tmp_path / "absent" / "log.jsonl"))
