"""Sweeps on the digits, with real processes that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pellucid import runs, sweeps
from pellucid.errors import ArgumentError, FileFormatError
from pellucid.runs.images import load_images
from pellucid.runs.predictions import measure
from pellucid.sweeps import Range, Space, claims, sweep
from pellucid.sweeps.running import Reporting
from pellucid.sweeps.study import Study

FIXED = {"model": "INPUT -> FC", "limit": 200, "engine": "numpy", "epochs": 2, "validation": 0.2}
RATES = {"lr": Range(1e-3, 0.1, log=True)}
SPACE = Space(runs.Settings(**FIXED), RATES)


def drawn(folder):
    return [t.params for t in Study(folder, Space.read(folder / "space.toml")).trials()]


def states(folder):
    return [t.state.name for t in Study(folder, Space.read(folder / "space.toml")).trials()]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweeps") / "<b>rates"
    return sweep(SPACE, 4, folder), folder


def test_each_trial_is_a_run_and_the_best_is_measured_on_the_test_set(done):
    found, folder = done
    assert found.trials == 4
    accuracies = {}
    for number in range(4):
        run = runs.RunFolder(folder / f"trial-{number:04}")
        accuracies[number] = max(r.validation_accuracy for r in run.read_history().epochs)
        assert run.settings()["validation"] == 0.2
    best = max(accuracies, key=accuracies.get)
    assert found.best.path.name == f"trial-{best:04}"
    assert found.validation_accuracy == accuracies[best]
    import pellucid

    settings = runs.Settings(**found.best.settings())
    assert settings.lr == found.settings["lr"]
    test = load_images(settings).test
    model = pellucid.load(found.best.used)
    assert found.test_accuracy == measure(model, test, "numpy").accuracy


def test_all_trials_are_measured_on_the_same_images(tmp_path):
    space = Space(runs.Settings(**FIXED), {"seed": Range(0, 1_000_000)})
    sweep(space, 2, tmp_path)
    one, two = drawn(tmp_path)
    assert one != two
    first, second = (
        load_images(runs.Settings(**runs.RunFolder(tmp_path / name).settings())).validation
        for name in ("trial-0000", "trial-0001")
    )
    assert (first.images == second.images).all()


def test_the_same_space_draws_the_same_settings(done, tmp_path):
    sweep(SPACE, 2, tmp_path)
    assert drawn(tmp_path) == drawn(done[1])[:2]


def test_a_sweep_goes_on_to_more_trials_and_then_does_nothing(tmp_path):
    sweep(SPACE, 1, tmp_path)
    lines = []
    assert sweep(None, 2, tmp_path, on_trial=lines.append).trials == 2
    assert [line.split()[1] for line in lines] == ["1"]
    assert sweep(SPACE, 2, tmp_path, on_trial=lines.append).trials == 2
    assert len(lines) == 1


def test_another_space_is_refused(done):
    other = Space(runs.Settings(**FIXED), {"lr": Range(1e-3, 0.2, log=True)})
    with pytest.raises(ArgumentError, match=r"space: is not that of the sweep in"):
        sweep(other, 9, done[1])
    assert len(states(done[1])) == 4


def test_a_folder_without_a_sweep_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"space: is missing, and '.*' holds no sweep"):
        sweep(None, 1, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArgumentError, match=r"folder: .*is not empty and holds no sweep"):
        sweep(SPACE, 1, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_choice_that_is_unknown_is_refused_before_anything_is_written(tmp_path):
    space = Space(runs.Settings(**FIXED), {"optimizer": Range(choices=("adam", "adan"))})
    with pytest.raises(ArgumentError, match=r"optimizer: 'adan' is unknown"):
        sweep(space, 1, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_validation_set_is_made_where_there_is_none(tmp_path):
    class Heard(runs.Listener):
        def note(self, text):
            notes.append(text)

    notes: list[str] = []
    fixed = {**FIXED, "validation": None}
    sweep(Space(runs.Settings(**fixed), RATES), 1, tmp_path, listener=Heard())
    assert "10% of the training images are the validation set" in notes[0]
    assert Space.read(tmp_path / "space.toml").fixed.validation == 0.1
    sweep(Space(runs.Settings(**fixed), RATES), 1, tmp_path)  # the same space


def test_trials_that_fail_are_recorded_and_a_sweep_of_failures_ends(tmp_path):
    bad = {"model": Range(choices=("INPUT -> CONV30p0 -> FC", "INPUT -> CONV40p0 -> FC"))}
    good = {"model": Range(choices=("INPUT -> CONV30p0 -> FC", "INPUT -> FC"))}
    with pytest.raises(ArgumentError, match=r"window of [34]0 is larger than the input"):
        sweep(Space(runs.Settings(**{**FIXED, "model": None}), bad), 9, tmp_path / "bad")
    assert states(tmp_path / "bad") == ["FAIL"] * 3
    lines = []
    found = sweep(
        Space(runs.Settings(**{**FIXED, "model": None}), good), 5, tmp_path / "good",
        on_trial=lines.append,
    )  # fmt: skip
    assert sorted(set(states(tmp_path / "good"))) == ["COMPLETE", "FAIL"]
    assert found.settings == {"model": "INPUT -> FC"}
    assert "failed: " in (tmp_path / "good/sweep.html").read_text()


def test_a_trial_below_the_median_is_ended_early(tmp_path):
    space = Space(runs.Settings(**{**FIXED, "epochs": 6}), {"lr": Range(1e-8, 0.05, log=True)})
    study = Study(tmp_path, space)
    for _ in range(5):
        claimed = study.next(6)
        for epoch in range(1, 7):
            claimed.trial.report(0.9, epoch)
        study.end(claimed, 0.9)
    claimed = study.next(6)
    settings = space.settings({"lr": 1e-8})
    run = runs.begin(settings, tmp_path / "run")
    reporting = Reporting(study, claimed)
    run.trainer.callbacks.append(reporting)
    run.fit()
    assert reporting.pruned
    assert 1 <= run.trainer.epoch < 6
    assert "below the median" in run.trainer.stopped


COMMAND = (
    "import sys; from pathlib import Path; from pellucid.sweeps import sweep\n"
    "sweep(None, int(sys.argv[2]), Path(sys.argv[1]))"
)


def worker(folder, trials):
    return subprocess.Popen([sys.executable, "-c", COMMAND, folder, str(trials)])


# At a moment of its own, as it may be done before another process has seen how far it is.
KILLED_AFTER_FIVE_EPOCHS = (
    Path(__file__).parents[1] / "cli" / "interrupted.py",
    *("pellucid.training.history:History.write_csv", "6", "SIGKILL"),
)


def test_two_processes_do_each_trial_once_and_the_last_measures_the_best(tmp_path):
    sweep(SPACE, 1, tmp_path)
    both = [worker(tmp_path, 8) for _ in range(2)]
    assert [process.wait(300) for process in both] == [0, 0]
    assert set(states(tmp_path)) <= {"COMPLETE", "PRUNED"}
    assert len(states(tmp_path)) == 8
    rates = [params["lr"] for params in drawn(tmp_path)]
    assert len(set(rates)) == 8
    assert list((tmp_path / "working").iterdir()) == []
    found = sweep(None, 8, tmp_path)
    assert found.test_accuracy is not None


def test_the_trial_of_a_killed_process_is_trained_to_its_end_by_the_next(tmp_path):
    space = Space(runs.Settings(**{**FIXED, "epochs": 8}), RATES)
    sweep(space, 1, tmp_path / "a")
    arguments = ("sweep", "--out", tmp_path / "a", "--trials", "2")
    killed = subprocess.run([sys.executable, *KILLED_AFTER_FIVE_EPOCHS, *arguments])
    assert killed.returncode == -signal.SIGKILL
    history = tmp_path / "a/trial-0001/history.csv"
    assert len(history.read_text().splitlines()) == 6
    assert states(tmp_path / "a") == ["COMPLETE", "RUNNING"]
    before = history.read_text()
    found = sweep(None, 2, tmp_path / "a")
    assert found.trials == 2
    assert states(tmp_path / "a") == ["COMPLETE", "COMPLETE"]
    assert history.read_text().startswith(before[: before.rindex("\n")])  # with the same seconds
    alone = runs.begin(runs.Settings(**runs.RunFolder(history.parent).settings()), tmp_path / "b")
    alone.fit()
    assert alone.folder.model.read_bytes() == (history.parent / "model.safetensors").read_bytes()


def test_an_interrupted_trial_is_free_at_once(tmp_path):
    class Interrupted(runs.Listener):
        def writing(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(SPACE, 1, tmp_path, listener=Interrupted())
    assert states(tmp_path) == ["RUNNING"]
    assert sweep(None, 1, tmp_path).trials == 1
    assert states(tmp_path) == ["COMPLETE"]


def test_the_page_shows_every_trial_and_escapes_names(done):
    class Page(HTMLParser):
        def __init__(self):
            super().__init__()
            self.tags, self.rows = [], 0

        def handle_starttag(self, tag, attributes):
            self.tags.append(tag)
            self.rows += tag == "tr"

    text = (done[1] / "sweep.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert "b" not in page.tags
    assert "script" not in page.tags
    assert text.count("<circle") == 2 * 4  # over the trials, and over the learning rate
    assert page.rows >= 5
    assert "&lt;b&gt;rates" in text


def test_a_damaged_journal_is_refused(tmp_path):
    sweep(SPACE, 1, tmp_path)
    with (tmp_path / "optuna.journal").open("r+b") as file:
        file.write(b"not a line of JSON")
    with pytest.raises(FileFormatError, match="is not a journal of Optuna, or damaged"):
        sweep(None, 1, tmp_path)


def test_the_package_says_what_it_needs(tmp_path):
    assert "pellucid[sweep]" in sweeps.__doc__
    code = (
        "import sys; sys.modules['optuna'] = None; from pellucid.sweeps import *\n"
        "from pellucid.runs import Settings\n"
        "sweep(Space(Settings(), {'lr': Range(1, 2)}), 1, sys.argv[1])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a"], capture_output=True, text=True
    )
    assert 'pip install "pellucid[sweep]"' in ran.stderr
    assert not (tmp_path / "a").exists()


def test_a_process_that_is_halted_keeps_its_trial(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "STALE", 0.0)
    program = (
        "import sys, time; from pathlib import Path; from pellucid.sweeps.claims import claim;"
        "claim(Path(sys.argv[1]), 0); print('mine', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"mine\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        robbed = claims.claim(tmp_path, 0)
        process.kill()
    assert robbed is None
    taken = claims.claim(tmp_path, 0)
    assert taken is not None
    taken.done()


def test_the_order_of_a_space_does_not_decide_what_is_drawn():
    ranges = {"lr": Range(1e-3, 0.1, log=True), "batch_size": Range(20, 100)}
    turned = dict(reversed(ranges.items()))
    spaces = [Space(runs.Settings(**FIXED), each) for each in (ranges, turned)]
    assert [list(space.ranges) for space in spaces] == [["batch_size", "lr"]] * 2
