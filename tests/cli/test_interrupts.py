"""Ctrl-C and a request to terminate, at every moment of a training."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.runs.interrupts import Interrupts
from pellucid.training import FilterHistory

FILES = {
    "model.safetensors",
    "checkpoint.safetensors",
    "filters.safetensors",
    "history.csv",
    "config.toml",
}
PICTURES = {"curves.png", "filters.png", "confusion.png"}
PROGRAM = (str(Path(__file__).with_name("interrupted.py")),)
OPTIONS = ("--epochs", "3", "--limit", "100", "--batch-size", "50", "--out", "run")


def rows(run: Path) -> list[str]:
    return (run / "history.csv").read_text().splitlines()[1:]


@pytest.fixture(scope="module")
def weights(finish, tmp_path_factory):
    """The weights after one, two and three epochs that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    found = {}
    for epochs in (1, 2, 3):
        out = f"run{epochs}"
        options = ("--limit", "100", "--batch-size", "50", "--out", out)
        finish("train", "--epochs", str(epochs), *options, cwd=folder)
        found[epochs] = pellucid.load(folder / out / "model.safetensors").state_dict()
    return found


@pytest.fixture
def interrupt(finish, tmp_path):
    """Train; before the nth call of ``target`` come the signals."""

    def interrupt(target: str, nth: int, signals: str = "SIGINT", *more: str):
        arguments = (target, nth, signals, "train", *OPTIONS, *more)
        return finish(*arguments, cwd=tmp_path, program=PROGRAM)

    return interrupt


def require_epochs(run: Path, epochs: int, weights, *, pictures: bool = True) -> None:
    assert {path.name for path in run.iterdir()} == (FILES | PICTURES if pictures else FILES)
    assert len(rows(run)) == epochs
    state = pellucid.load(run / "model.safetensors").state_dict()
    kept = FilterHistory.load(run / "filters.safetensors").epochs
    assert list(kept) == list(range(epochs + 1))
    np.testing.assert_array_equal(kept[epochs], state["conv1.weight"])
    for name, expected in weights[epochs].items():
        np.testing.assert_array_equal(state[name], expected)


BATCH, MEASURE = (
    "pellucid.training.trainer:Trainer._train_batch",
    "pellucid.training.trainer:evaluate",
)


@pytest.mark.parametrize("signals", ["SIGINT", "SIGINT,SIGTERM"])
def test_ctrl_c_in_the_first_epoch_leaves_nothing_and_says_so(interrupt, tmp_path, signals):
    result = interrupt(BATCH, 2, signals)
    assert result.returncode in (130, 143)
    assert "stopped before the first epoch was finished; nothing to save" in result.stderr
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize(
    ("target", "nth", "epochs"),
    [
        pytest.param(BATCH, 4, 1, id="among the batches of the second epoch"),
        pytest.param(MEASURE, 4, 1, id="while the second epoch is measured"),
        pytest.param("pellucid.training.callbacks:save", 2, 2, id="before the model is written"),
        pytest.param(
            "pellucid.training.filter_file:FilterHistory.save", 2, 2, id="before the filters are"
        ),
        pytest.param(
            "pellucid.training.history:History.write_csv", 2, 2, id="amid writing the history"
        ),
    ],
)
def test_ctrl_c_keeps_the_last_finished_epoch(interrupt, tmp_path, weights, target, nth, epochs):
    result = interrupt(target, nth)
    assert result.returncode == 130
    assert f"stopped after {epochs} of 3 epochs; the last of them is saved" in result.stderr
    assert "final test accuracy" in result.stdout
    require_epochs(tmp_path / "run", epochs, weights)


def test_ctrl_c_between_counting_an_epoch_and_writing_it_loses_that_epoch_only(interrupt, tmp_path):
    result = interrupt("pellucid.training.trainer:Best", 1)
    assert result.returncode == 130
    assert "nothing to save" in result.stderr
    assert list((tmp_path / "run").iterdir()) == []


def test_two_quick_signals_are_one(interrupt, tmp_path, weights):
    result = interrupt(BATCH, 4, "SIGINT,SIGTERM")
    assert result.returncode in (130, 143)
    require_epochs(tmp_path / "run", 1, weights)


def test_after_the_first_signal_the_others_wait_until_they_are_listened_to():
    with Interrupts() as interrupts:
        assert interrupts.exit_code == 0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        interrupts.listen()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interrupts.exit_code == 143


class Deaf:
    """An object in whose ``__del__`` a signal arrives."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_whose_exception_python_drops_is_raised_again():
    def be_deaf() -> None:
        Deaf()
        time.sleep(60)

    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            be_deaf()
        assert interrupts.exit_code == 143


def test_the_handlers_of_the_program_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_curves_end_with_the_last_finished_epoch(interrupt, pellucid, tmp_path):
    interrupt(BATCH, 4)
    pellucid("train", *OPTIONS, "--epochs", "1", "--out", "whole/run")  # the title names the run
    curves = (tmp_path / "run" / "curves.png").read_bytes()
    assert curves == (tmp_path / "whole" / "run" / "curves.png").read_bytes()


def test_a_request_to_terminate_keeps_the_epoch_draws_nothing_and_exits_with_143(
    interrupt, tmp_path, weights
):
    result = interrupt(BATCH, 4, "SIGTERM")
    assert result.returncode == 143
    assert "terminated in epoch 2, after 1 of its 2 batches; the checkpoint is wr" in result.stderr
    assert result.stderr.endswith("go on with: pellucid train --resume run\n")
    require_epochs(tmp_path / "run", 1, weights, pictures=False)


def test_ctrl_c_while_the_pictures_are_drawn_keeps_model_and_history(interrupt, tmp_path, weights):
    result = interrupt("pellucid.viz:curves", 1)
    assert result.returncode == 130
    assert "stopped; the model of epoch 3 is in run/" in result.stderr
    require_epochs(tmp_path / "run", 3, weights, pictures=False)


def test_ctrl_c_amid_a_picture_leaves_no_part_of_it(interrupt, tmp_path):
    result = interrupt("matplotlib.figure:Figure.savefig", 2)
    assert result.returncode == 130
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == FILES | {"curves.png", "confusion.png"}


def test_the_old_run_stays_until_the_first_epoch_is_finished(interrupt, pellucid, tmp_path):
    pellucid("train", *OPTIONS)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    result = interrupt(BATCH, 2, "SIGINT", "--overwrite", "--seed", "1")
    assert result.returncode == 130
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_no_picture_of_an_old_run_stays_beside_a_new_model(interrupt, pellucid, tmp_path, weights):
    pellucid("train", *OPTIONS, "--seed", "1")
    interrupt("pellucid.viz:curves", 1, "SIGINT", "--overwrite")
    require_epochs(tmp_path / "run", 3, weights, pictures=False)


def test_an_unnamed_run_that_came_to_nothing_leaves_no_folder(finish, tmp_path):
    arguments = (BATCH, 2, "SIGINT", "train", "--limit", "100")
    assert finish(*arguments, cwd=tmp_path, program=PROGRAM).returncode == 130
    assert list((tmp_path / "runs").iterdir()) == []


def wait_for_epoch(process: subprocess.Popen[str], number: int) -> None:
    for line in process.stdout:
        if line.startswith("epoch") and line.split()[1].startswith(f"{number}/"):
            return
    raise AssertionError("the training ended before it could be interrupted")


LONG = ("train", "--epochs", "100000", "--limit", "50", "--out", "run")


def test_a_signal_from_outside_ends_a_training_cleanly(start, tmp_path):
    with start(*LONG, cwd=tmp_path) as process:
        wait_for_epoch(process, 2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in err
    saved = int(err.split("stopped after ")[1].split(" of 100000")[0])
    assert len(rows(tmp_path / "run")) == saved >= 2
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES | PICTURES


def test_an_ignored_signal_stays_ignored(start, tmp_path):
    options = ("train", "--epochs", "3", "--limit", "50", "--out", "run")
    program = (
        "-c",
        "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        "from pellucid.cli import main; main(sys.argv[1:])",
    )
    with start(*options, cwd=tmp_path, program=program) as process:
        wait_for_epoch(process, 1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode == 0
    assert len(rows(tmp_path / "run")) == 3


def test_files_are_whole_after_a_kill(start, tmp_path):
    with start(*LONG, cwd=tmp_path) as process:
        wait_for_epoch(process, 2)
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=300)
    run = tmp_path / "run"
    assert pellucid.load(run / "model.safetensors").input_shape == (1, 8, 8)
    assert [row.split(",")[0] for row in rows(run)] == [str(i + 1) for i in range(len(rows(run)))]


@pytest.mark.skipif(os.name == "nt", reason="folders are not locked there")
@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_a_second_training_does_not_mix_its_files_into_a_running_one(
    start, pellucid, tmp_path, more
):
    with start(*LONG, "--seed", "1", cwd=tmp_path) as process:
        wait_for_epoch(process, 1)
        other = pellucid("train", "--epochs", "1", "--seed", "2", "--out", "run", *more)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert other.returncode == 1
    assert "--out: 'run' is " in other.stderr
    if more:
        assert "another training that still runs" in other.stderr
    assert "seed = 1\n" in (tmp_path / "run" / "config.toml").read_text()
    again = pellucid("train", "--epochs", "1", "--seed", "2", "--out", "run", "--overwrite")
    assert again.returncode == 0, again.stderr


@pytest.mark.skipif(os.name == "nt", reason="folders are not locked there")
def test_of_two_trainings_that_begin_at_once_in_one_folder_one_is_refused(start, tmp_path):
    options = ("train", "--epochs", "30", "--limit", "200", "--out", "run")
    both = [start(*options, "--seed", str(seed), cwd=tmp_path) for seed in (1, 2)]
    said = [process.communicate(timeout=300) for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    winner = 1 + [process.returncode for process in both].index(0)
    assert f"seed = {winner}\n" in (tmp_path / "run" / "config.toml").read_text()
    assert "Give another folder" in said[2 - winner][1]
