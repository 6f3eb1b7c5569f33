"""pellucid find-lr, train --seeds and compare: what they print, write and refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import pellucid as library
from cli.conftest import SHORT
from report.html_page import Page

PAGE = Path(__file__).parents[2] / "docs" / "comparing.md"
PROGRAM = (str(Path(__file__).with_name("interrupted.py")),)
BATCH = "pellucid.training.trainer:Trainer._train_batch"


def weights(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


def test_a_rate_is_suggested_on_standard_output_and_nothing_is_left(pellucid, tmp_path):
    result = pellucid("find-lr", "--limit", "500")
    assert result.returncode == 0
    assert re.fullmatch(r"suggested learning rate 0\.\d+, between .*\n", result.stdout)
    assert "train with it: --lr 0." in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_curve_is_drawn_and_the_numbers_are_printed_as_json(pellucid, tmp_path):
    options = ("--steps", "30", "--min-lr", "1e-5", "--max-lr", "1e30", "--optimizer", "sgd")
    result = pellucid("find-lr", *options, "--json", "--out", "lr.svg", "-q")
    found = json.loads(result.stdout)
    assert found["diverged"]
    assert found["rates"][0] == pytest.approx(1e-5)
    assert len(found["rates"]) == len(found["losses"]) == len(found["smoothed"]) < 30
    assert result.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["lr.svg"]


def test_a_run_s_settings_and_model_can_be_tested(pellucid, short):
    before = weights(short)
    result = pellucid("find-lr", "--config", short, "--from", short, "--steps", "20")
    assert result.returncode == 0
    assert "suggest" in result.stdout
    assert weights(short) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--min-lr", "1", "--max-lr", "0.1"), "--max-lr: must be above --min-lr 1.0"),
        (("--min-lr", "0"), "--min-lr: must be a finite number above 0"),
        (("--steps", "3"), "--steps: must be 10 or more, received 3"),
        (("--out", "lr.txt"), "--out: must end in .png, .svg or .pdf"),
        (("--optimizer", "adamn"), "--optimizer"),
    ],
)
def test_wrong_options_of_a_test_are_refused_by_name(pellucid, tmp_path, options, said):
    result = pellucid("find-lr", *options)
    assert result.returncode == 1
    assert said in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_seeds_interrupted_in_the_second_go_on_to_the_bytes_of_single_runs(
    pellucid, finish, tmp_path
):
    train = ("train", *SHORT, "--validation", "0.2")
    begun = (*train, "--seeds", "2", "--out", "s")
    result = finish(BATCH, 9, "SIGINT", *begun, cwd=tmp_path, program=PROGRAM)
    assert result.returncode == 130
    assert "go on with this seed and the others: pellucid train --resume s" in result.stderr
    assert (tmp_path / "s/seeds.csv").read_text().splitlines()[2].startswith("1,,")
    result = pellucid("train", "--resume", "s")
    assert result.returncode == 0, result.stderr
    table = result.stdout[result.stdout.index("seed ") :].splitlines()
    assert [line.split()[0] for line in table[2:4]] == ["0", "1"]
    assert re.fullmatch(r"mean +0\.\d{4} ± 0\.\d{4}  0\.\d{4} ± 0\.\d{4} +\d+\.\d", table[5])
    assert "epoch 1/3" not in result.stdout
    kept = weights(tmp_path / "s/seed-1")
    again = pellucid(*begun)
    assert again.stdout == result.stdout[result.stdout.index("seed ") :]
    assert weights(tmp_path / "s/seed-1") == kept
    pellucid(*train, "--seed", "1", "--split-seed", "0", "--out", "one", "-q")
    assert weights(tmp_path / "one") == kept


def test_a_seed_that_diverges_is_named_and_the_others_are_trained(pellucid):
    options = ("--optimizer", "sgd", "--lr", "1e30")
    result = pellucid("train", *SHORT, *options, "--seeds", "2", "--out", "s")
    assert result.returncode == 1
    assert "seed 1 failed" in result.stderr
    assert "2 of 2 trainings diverged (seed 0, 1)" in " ".join(result.stderr.split())
    assert "0 of 2" in result.stdout


def test_options_of_seeds_are_refused_where_they_do_not_belong(pellucid, short):
    for options, said in (
        (("--vary-split",), "--vary-split: belongs to a new training with --seeds"),
        (("--resume", short, "--seeds", "3"), "is not a folder of several seeds"),
        (
            ("--seeds", "2", "--vary-split", "--split-seed", "1"),
            "--vary-split: contradicts --split-seed 1",
        ),
    ):
        result = pellucid("train", *options)
        assert result.returncode == 1
        assert said in " ".join(result.stderr.split())


def test_runs_are_compared_in_a_table_on_a_page_and_as_json(pellucid, short, trained, tmp_path):
    run, _ = trained
    result = pellucid("compare", run, short, "--out", "page.html", "--lang", "ko")
    assert result.returncode == 0, result.stderr
    accuracy = library.evaluate(
        library.load(run / "model.safetensors"), library.data.digits()[1]
    ).accuracy
    assert re.search(rf"^trained +{accuracy:.4f} ", result.stdout, re.M)
    assert re.search(r"^short +3 +0\.001 +50 *|^run +epochs", result.stdout, re.M)
    assert "학습 2개 비교" in Page((tmp_path / "page.html").read_text()).text
    fields = json.loads(pellucid("compare", run, short, "--json").stdout)
    assert [one["name"] for one in fields["runs"]] == ["trained", "short"]
    assert fields["runs"][0]["test_accuracy"] == accuracy
    assert fields["same_test_images"]
    assert fields["settings_that_differ"]["epochs"] == [5, 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none",), "'none' is not a run folder"),
        ((".", "--out", "page.txt"), "--out: must end in .html, received 'page.txt'"),
    ],
)
def test_a_wrong_comparison_is_refused(pellucid, tmp_path, arguments, said):
    result = pellucid("compare", *arguments)
    assert result.returncode == 1
    assert said in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_the_program_of_the_page_runs(finish, tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    result = finish(cwd=tmp_path, program=("-W", "error", "-c", program))
    assert result.returncode == 0, result.stderr
    said, accuracy = result.stdout.splitlines()
    assert said.startswith("suggested learning rate 0.0")
    assert float(accuracy) > 0.9
    assert [path.name for path in tmp_path.iterdir()] == ["lr.png"]
