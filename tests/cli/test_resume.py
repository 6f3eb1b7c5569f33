"""Going on with a run: real processes, killed at real moments."""

from __future__ import annotations

import os
import re
import resource
import signal
import time
from pathlib import Path

import pytest

from nasty import image_folder
from pellucid.cli import main
from pellucid.runs import Interrupts
from permissions import obeying

PROGRAM = (str(Path(__file__).with_name("interrupted.py")),)
# A schedule, augmentation, running statistics, masks and momentum; 4 batches an epoch.
OPTIONS = (
    *("--model", "INPUT -> [CONV -> BN -> RELU -> POOL]*2 -> FC -> RELU -> DROP -> FC"),
    *("--epochs", "4", "--limit", "200", "--optimizer", "nesterov", "--lr", "0.02"),
    *("--schedule", "one-cycle", "--augment", "crop1,cutout3", "--normalize"),
)
EACH_BATCH = ("--checkpoint-minutes", "0")
BATCH = "pellucid.training.trainer:Trainer._train_batch"


def without_seconds(history: Path) -> list[str]:
    return [row.rsplit(",", 1)[0] for row in history.read_text().splitlines()]


def require_same_run(run: Path, whole: Path, *, besides: tuple[str, ...] = ()) -> None:
    names = {path.name for path in whole.iterdir()}
    assert {path.name for path in run.iterdir()} == names
    for name in names - {"history.csv", "checkpoint.safetensors", *besides}:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert without_seconds(run / "history.csv") == without_seconds(whole / "history.csv")


def done(*arguments: str | Path) -> None:
    """Run the command line in this process, to the end."""
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    assert not end.value.code


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The run that nobody interrupted."""
    run = tmp_path_factory.mktemp("whole") / "run"
    done("train", *OPTIONS, "--out", run)
    return run


@pytest.fixture
def stop(finish, tmp_path):
    """Train; before the nth call of ``target`` the process sends itself a signal."""

    def stop(target: str, nth: int, signal: str, *arguments: str):
        return finish(target, nth, signal, "train", *arguments, cwd=tmp_path, program=PROGRAM)

    return stop


def test_a_run_killed_at_any_moment_and_while_resuming_ends_with_the_same_bits(
    stop, tmp_path, whole
):
    begin = (*OPTIONS, *EACH_BATCH, "--out", "run")
    go_on = ("--resume", "run", *EACH_BATCH)
    for target, nth, arguments in (
        (BATCH, 3, begin),  # within the first epoch
        (BATCH, 1, go_on),  # before anything is learned
        ("pellucid.formats.files:_flush_to_disk", 5, go_on),  # while a checkpoint is written
        ("pellucid.training.callbacks:save", 1, go_on),  # between checkpoint and model
        ("pellucid.training.filter_file:FilterHistory.save", 2, go_on),
        ("pellucid.training.trainer:evaluate", 1, go_on),
        ("pellucid.training.history:History.write_csv", 1, go_on),
        (BATCH, 3, go_on),
        ("pellucid.viz:save_figure", 2, go_on),
    ):
        killed = stop(target, nth, "SIGKILL", *arguments)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    done("train", "--resume", tmp_path / "run")
    require_same_run(tmp_path / "run", whole, besides=("config.toml",))


def test_a_run_killed_from_outside_goes_on_from_its_checkpoint(capsys, start, tmp_path, whole):
    with start("train", *OPTIONS, *EACH_BATCH, "--out", "run", cwd=tmp_path) as process:
        while not (tmp_path / "run" / "history.csv").exists():
            time.sleep(0.001)
            assert process.poll() is None
        process.kill()
        process.communicate(timeout=300)
    done("train", "--resume", tmp_path / "run" / "checkpoint.safetensors")
    said = capsys.readouterr().out
    assert re.search(r"^  goes on in epoch \d of 4|^  all 4 epochs", said, re.M)
    require_same_run(tmp_path / "run", whole, besides=("config.toml",))


@pytest.mark.parametrize(
    ("target", "nth", "said"),
    [
        (BATCH, 2, "terminated in epoch 1, after 1 of its 4 batches; the checkpoint is written"),
        ("pellucid.training.trainer:evaluate", 3, "in epoch 2, after 4 of its 4 batches; the ch"),
    ],
)
def test_a_request_to_terminate_writes_a_checkpoint_to_go_on_from(
    stop, tmp_path, whole, target, nth, said
):
    ended = stop(target, nth, "SIGTERM", *OPTIONS, "--out", "run")
    assert ended.returncode == 143
    assert said in ended.stderr
    assert ended.stderr.endswith("go on with: pellucid train --resume run\n")
    done("train", "--resume", tmp_path / "run")
    require_same_run(tmp_path / "run", whole)


def test_ctrl_c_says_how_to_go_on_and_what_it_drew_does_not_stay(stop, tmp_path, whole):
    ended = stop(BATCH, 6, "SIGINT", *OPTIONS, "--out", "run")
    assert ended.returncode == 130
    assert ended.stderr.endswith("go on with: pellucid train --resume run\n")
    assert (tmp_path / "run" / "curves.png").exists()
    killed = stop("pellucid.viz:curves", 1, "SIGKILL", "--resume", "run")
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "run" / "curves.png").exists()
    done("train", "--resume", tmp_path / "run")
    require_same_run(tmp_path / "run", whole)


def test_a_run_that_is_replaced_stays_until_its_successor_has_a_checkpoint(
    stop, pellucid, tmp_path
):
    short = ("--limit", "50", "--out", "run")
    pellucid("train", "--epochs", "1", *short)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    again = ("--epochs", "2", "--seed", "1", "--batch-size", "10", *short, "--overwrite")
    ended = stop(BATCH, 2, "SIGTERM", *again)
    assert ended.returncode == 143
    assert "nothing was written yet" in ended.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    assert stop(BATCH, 3, "SIGKILL", *again, *EACH_BATCH).returncode == -signal.SIGKILL
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"checkpoint.safetensors", "config.toml"}
    assert "seed = 1\n" in (tmp_path / "run" / "config.toml").read_text()
    done("train", "--resume", tmp_path / "run")
    assert len(without_seconds(tmp_path / "run" / "history.csv")) == 3


LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
    "from pellucid.cli import main; main(sys.argv[1:])"
)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_full_disk_leaves_the_last_checkpoint_whole_and_says_so(pellucid, tmp_path):
    assert resource.RLIMIT_FSIZE is not None
    pellucid("train", "--epochs", "1", "--limit", "50", "--out", "run")
    run = tmp_path / "run"
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    full = pellucid("train", "--resume", "run", "--epochs", "2", program=("-c", LIMITED))
    assert full.returncode == 1
    assert "could not be written" in full.stderr
    assert "the last checkpoint is whole: the training can go on from it" in full.stderr
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    fresh = pellucid("train", "--limit", "50", "--out", "fresh", program=("-c", LIMITED))
    assert (fresh.returncode, list((tmp_path / "fresh").iterdir())) == (1, [])
    assert "the first checkpoint could not be written" in fresh.stderr
    done("train", "--resume", run, "--epochs", "2")


def test_a_folder_that_may_not_be_written_to_is_refused_before_the_images_are_read(start, tmp_path):
    import subprocess
    import sys

    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0o555)
    for out in ("locked", "locked/run"):
        command = [
            *obeying(),
            sys.executable,
            "-m",
            "pellucid",
            "train",
            "--data",
            "no/such/images",
        ]
        result = subprocess.run(
            [*command, "--out", out], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == 1
        assert "locked' may not be written to. Give another folder." in result.stderr


def refused(capsys, *arguments: str | Path) -> str:
    """Run the command line in this process; return what it says against it."""
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    assert end.value.code == 1
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--batch-size 7", "--batch-size: is 7, but the training began with 50."),
        ("--optimizer sgd", "--optimizer: is sgd, but the training began with nesterov."),
        ("--model lenet", "--model: is lenet, but the training began with INPUT ->"),
        ("--data mnist", "--data: is mnist, but the training began with digits."),
        ("--lr none", "--lr: is not given, but the training began with 0.02."),
        ("--no-normalize", "--normalize: is False, but the training began with True."),
        ("--epochs 2", "--epochs: is 2, but 4 epochs are finished already."),
        ("--out elsewhere", "--resume: goes on in the folder of the run, with its settings. Leave"),
        ("--overwrite", "Leave --overwrite out."),
    ],
)
def test_what_would_change_the_training_is_refused_by_name(capsys, whole, options, words):
    assert words in refused(capsys, "train", "--resume", whole, *options.split())


def test_a_finished_run_has_nothing_to_do_and_says_so(capsys, whole):
    before = {path: path.stat().st_mtime_ns for path in whole.iterdir()}
    with pytest.raises(SystemExit) as end:
        main(["train", "--resume", str(whole / "config.toml"), "--epochs", "4"])
    assert not end.value.code
    said = capsys.readouterr()
    assert "all 4 epochs are finished" in said.out
    assert said.err.endswith("nothing to do; more --epochs train on\n")
    assert {path: path.stat().st_mtime_ns for path in whole.iterdir()} == before


def test_what_holds_no_checkpoint_is_refused_with_advice(capsys, tmp_path):
    assert "there is no" in refused(capsys, "train", "--resume", tmp_path / "gone")
    (tmp_path / "old").mkdir()
    said = refused(capsys, "train", "--resume", tmp_path / "old")
    assert "holds no checkpoint.safetensors. Start one there" in said
    (tmp_path / "old" / "model.safetensors").write_bytes(b"")
    said = refused(capsys, "train", "--resume", tmp_path / "old" / "model.safetensors")
    assert "To start from its model: pellucid train --from" in said
    (tmp_path / "old" / "checkpoint.safetensors").write_bytes(b"torn")
    assert "checkpoint.safetensors" in refused(capsys, "train", "--resume", tmp_path / "old")


def test_a_changed_folder_is_refused_by_what_has_changed_and_a_moved_one_is_not(
    capsys, stop, pellucid, tmp_path
):
    images = image_folder(tmp_path / "images", ("cat", "dog", "owl"), images=6)
    options = ("--data", "images", "--epochs", "2", "--batch-size", "4", "--out")
    assert pellucid("train", *options, "whole/run").returncode == 0
    ended = stop(BATCH, 3, "SIGTERM", *options, "run")
    assert ended.returncode == 143
    (images / "cat" / "0.png").rename(tmp_path / "kept.png")
    (images / "dog" / "more.png").write_bytes((images / "owl" / "1.png").read_bytes())
    (images / "owl" / "2.png").write_bytes((images / "cat" / "3.png").read_bytes())
    said = refused(capsys, "train", "--resume", tmp_path / "run")
    assert "1 image added (dog/more.png); 1 image removed (cat/0.png); 1 image changed (owl" in said
    (tmp_path / "kept.png").rename(images / "cat" / "0.png")
    (images / "dog" / "more.png").unlink()
    said = refused(capsys, "train", "--resume", tmp_path / "run")
    assert "error: --data: " in said
    assert "not what the training began with: 1 image changed (owl/2.png)." in said
    image_folder(tmp_path / "elsewhere" / "images", ("cat", "dog", "owl"), images=6)
    result = pellucid("train", "--resume", "run", "--data", "elsewhere/images")
    assert result.returncode == 0, result.stderr
    whole = tmp_path / "whole" / "run"
    require_same_run(tmp_path / "run", whole, besides=("config.toml",))


def test_more_epochs_are_those_of_a_longer_run_and_stretch_a_schedule(capsys, tmp_path):
    short = ("--limit", "100", "--batch-size", "50", "--out")
    whole, run, cosine = (tmp_path / name / "run" for name in ("whole", "cut", "cosine"))
    done("train", "--epochs", "3", *short, whole)
    done("train", "--epochs", "1", *short, run)
    done("train", "--resume", run, "--epochs", "3")
    require_same_run(run, whole)
    done("train", "--epochs", "1", "--schedule", "cosine", *short, cosine)
    done("train", "--resume", cosine, "--epochs", "2")
    words = "the schedule cosine is stretched from 1 to 2 epochs: its factor is 0.5 from here on"
    assert words in capsys.readouterr().out


def test_an_option_of_a_settings_file_can_be_emptied(capsys, tmp_path, short):
    (tmp_path / "config.toml").write_text(
        f'from = "{short}"\nnormalize = true\nlimit = 50\nepochs = 1\nsize = "9"\nlr = 0.5\n'
    )
    options = ("--from", "", "--no-normalize", "--limit=none", "--size=", "--lr", "none")
    done("train", "--config", tmp_path, *options, "--out", tmp_path / "run")
    assert capsys.readouterr().out.startswith("simple, 49,410 parameters, on 1,438 images")
    config = (tmp_path / "run" / "config.toml").read_text()
    assert "lr = 0.001\n" in config
    assert not re.search("^(from|normalize|limit|size)", config, re.M)


def test_a_typed_option_wins_over_one_of_the_file_that_contradicts_it(capsys, tmp_path, short):
    a, b = tmp_path / "a", tmp_path / "b"
    done("train", "--config", short, "--from", short, "--epochs", "1", "--out", a)
    note = f"note: --model simple of '{short}' is left out, as it contradicts --from"
    assert capsys.readouterr().err.splitlines()[0] == note
    done("train", "--config", a, "--model", "INPUT -> FC", "--out", b)
    assert "is left out, as it contradicts --model" in capsys.readouterr().err
    assert not re.search("^from", (tmp_path / "b" / "config.toml").read_text(), re.M)


def test_typed_options_that_contradict_each_other_are_refused(capsys, tmp_path, short):
    options = ("--model", "lenet", "--from", short, "--out", tmp_path / "run")
    assert "Leave --model out." in refused(capsys, "train", *options)
    (tmp_path / "config.toml").write_text('data = "digits"\nsize = "9"\n')
    said = refused(capsys, "train", "--config", tmp_path, "--out", tmp_path / "run")
    assert said.startswith("error: --size: needs a folder")


def test_the_later_of_an_empty_and_a_given_value_counts(tmp_path):
    options = ("--limit", "50", "--epochs", "1", "--out", tmp_path / "run")
    done("train", "--lr", "none", "--lr", "0.5", *options)
    assert "lr = 0.5\n" in (tmp_path / "run" / "config.toml").read_text()


def test_a_request_to_terminate_is_heard_after_ctrl_c():
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)  # while Ctrl-C is served
        with pytest.raises(KeyboardInterrupt):
            interrupts.listen()
    assert interrupts.terminated
