"""What is evaluated is what is predicted, and what was learned from is never tested on."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid as library
from cli.conftest import finished_here
from data.pictures import paint, pets


@pytest.fixture
def pellucid(here):
    """What a command writes and says is tested here, not that it is a process."""
    return here


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


QUICK = ("--epochs", "4", "--batch-size", "5")


def photos(root: Path, lightness: dict[str, tuple[float, float]], n: int = 20) -> Path:
    """Grey photographs: per class the lightness of the ground and of the square on it."""
    rng = np.random.default_rng(0)
    for name, (ground, thing) in lightness.items():
        (root / name).mkdir(parents=True)
        for i in range(n):
            grey = np.full((24, 24), ground) + rng.normal(0, 4, (24, 24))
            y, x = rng.integers(4, 10, 2)
            grey[y : y + 10, x : x + 10] += thing - ground
            pixels = grey.clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def accuracy(told: str) -> float:
    return float(re.search(r"^(?:test|train) accuracy ([\d.]+)", told, re.MULTILINE)[1])


def roles_of(run: Path) -> dict[str, str]:
    with (run / "split.csv").open(newline="") as file:
        return {row["file"]: row["role"] for row in csv.DictReader(file)}


def predicted(told: str) -> list[tuple[str, str]]:
    """The class of each file by its folder, and the first guess."""
    rows = [line.split() for line in told.splitlines() if ".png " in line]
    return [(Path(row[0]).parent.name, row[1]) for row in rows]


@pytest.mark.parametrize(
    "lightness",
    [
        {"bright": (200, 220), "dark": (40, 60)},
        {"on-dark": (40, 200), "on-white": (230, 90), "plain-white": (230, 225)},
    ],
    ids=["bright and dark", "one class on dark, two on white"],
)
def test_prediction_gives_the_files_of_a_folder_the_classes_that_evaluation_does(
    pellucid, tmp_path, lightness
):
    folder = photos(tmp_path / "photos", lightness)
    result = pellucid(
        "train", "--data", folder, "--epochs", "12", "--batch-size", "10", "--out", "run"
    )
    assert result.returncode == 0, result.stderr
    told = pellucid("predict", "run", *sorted(folder.rglob("*.png")), "--top", "1").stdout
    assert "note" not in told
    guessed = predicted(told)
    roles = roles_of(tmp_path / "run")
    names = [f"{path.parent.name}/{path.name}" for path in sorted(folder.rglob("*.png"))]
    for split in ("train", "test"):
        right = [
            a == b for name, (a, b) in zip(names, guessed, strict=True) if roles[name] == split
        ]
        assert accuracy(pellucid("evaluate", "run", "--split", split).stdout) == pytest.approx(
            np.mean(right), abs=1e-4
        )
    assert np.mean([a == b for a, b in guessed]) > 0.9, "learned, so that a difference would show"


def test_images_that_came_later_are_told_and_not_measured(pellucid, tmp_path):
    pets(tmp_path / "pets", split=False, n=10)
    assert (
        pellucid("train", "--data", "pets", *QUICK, "--seed", "1", "--out", "run").returncode == 0
    )
    before = pellucid("evaluate", "run").stdout
    assert re.search(r"^all +4 ", before, re.MULTILINE)
    for k in range(12):
        paint(tmp_path / "pets" / "cat" / f"new{k}.png", 200 + k)
    for command in (
        ["run"],
        ["run/model.safetensors"],
        ["run/model.safetensors", "--data", "pets"],
    ):
        result = pellucid("evaluate", *command)
        assert "note: 12 images were not there when the model was trained and are left out" in (
            result.stderr
        )
        assert result.stdout.splitlines()[-1] == before.splitlines()[-1]


def test_a_model_file_alone_knows_which_images_are_its_test(pellucid, tmp_path):
    pets(tmp_path / "pets", split=False, n=10)
    pellucid("train", "--data", "pets", *QUICK, "--seed", "1", "--held-out", "0.4", "--out", "run")
    before = pellucid("evaluate", "run").stdout
    assert re.search(r"^all +8 ", before, re.MULTILINE)
    shutil.copy(tmp_path / "run" / "model.safetensors", tmp_path / "alone.safetensors")
    assert pellucid("evaluate", "alone.safetensors", "--data", "pets").stdout == before
    paint(tmp_path / "pets" / "cat" / "new.png", 200)
    result = pellucid("evaluate", "alone.safetensors", "--data", "pets")
    assert result.returncode == 1
    assert "'pets' is not as it was then" in result.stderr
    assert "Name its run folder, whose split.csv says it" in result.stderr


def test_images_that_a_training_never_saw_are_all_measured(pellucid, tmp_path):
    pets(tmp_path / "pets", split=False, n=10)
    pellucid("train", "--data", "pets", *QUICK, "--out", "run")
    for name in ("cat", "dog"):
        for k in range(5):
            paint(tmp_path / "others" / name / f"{k}.png", 20 + 90 * (name == "dog") + k)
    result = pellucid("evaluate", "run", "--data", "others")
    said = (
        "note: the training saw none of these 10 images, though 10 have the name of one that it saw"
    )
    assert f"{said}; all of them are used\n" in result.stderr
    assert re.search(r"^all +10 ", result.stdout, re.MULTILINE)


def test_going_on_from_a_run_tests_on_what_that_run_never_learned_from(pellucid, tmp_path):
    pets(tmp_path / "pets", split=False, n=10)
    pellucid("train", "--data", "pets", *QUICK, "--seed", "1", "--out", "first")
    for k in range(5):
        paint(tmp_path / "pets" / "dog" / f"new{k}.png", 150 + k)
    options = ("--data", "pets", *QUICK, "--seed", "7")
    for source in ("first", "first/model.safetensors"):
        result = pellucid("train", *options, "--from", source, "--out", "second", "--overwrite")
        assert result.returncode == 0, result.stderr
        assert "note: 5 images were not there when the model was trained and are new" in (
            result.stderr
        )
        first, second = (roles_of(tmp_path / run) for run in ("first", "second"))
        assert len(second) == 25
        assert all(second[name] == role for name, role in first.items())


def test_a_limited_training_is_measured_on_the_images_that_it_used(pellucid, tmp_path):
    pets(tmp_path / "pets", split=False, n=10)
    pellucid("train", "--data", "pets", *QUICK, "--limit", "6", "--out", "run")
    for part, images in ("train", 6), ("test", 4):  # the other ten are in neither
        told = pellucid("evaluate", "run", "--split", part)
        assert told.stderr == ""
        assert re.search(rf"^all +{images} ", told.stdout, re.MULTILINE)


def test_a_data_set_by_name_needs_no_split(pellucid, tmp_path):
    pellucid("train", "--limit", "100", "--epochs", "1", "--out", "run")
    assert not (tmp_path / "run" / "split.csv").exists()


def test_a_damaged_split_is_refused_rather_than_drawn_anew(pellucid, tmp_path):
    pets(tmp_path / "pets", split=False, n=10)
    pellucid("train", "--data", "pets", *QUICK, "--out", "run")
    (tmp_path / "run" / "split.csv").write_text("file,role\n")
    result = pellucid("evaluate", "run")
    assert result.returncode == 1
    assert "must begin with the columns file, role, sha256" in result.stderr


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    result = finished_here("train", "--epochs", "8", "--out", "run", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_digits_on_paper_are_found_told_and_taken_as_they_are_on_request(digits):
    _, test = library.data.digits()
    paths = []
    for k in range(12):
        pixels = np.kron(test.images[k, 0] / 16, np.ones((12, 12)))
        paper = 235 - 190 * np.pad(pixels, ((40, 90), (70, 20)))
        paths.append(digits / f"paper{k}.png")
        Image.fromarray(paper.astype(np.uint8)).save(paths[-1])
    result = finished_here("predict", "run", *paths, "--top", "1", cwd=digits)
    told = result.stderr
    guesses = [int(line.split()[1]) for line in result.stdout.splitlines() if "%" in line]
    assert sum(a == b for a, b in zip(guesses, test.labels[:12], strict=True)) >= 10
    assert told.count("a drawing was found (dark on a light background, inverted)") == 12
    assert told.count("(--as-is: leave it as it is)") == 12
    plain = finished_here("predict", "run", *paths, "--top", "1", "--as-is", cwd=digits)
    assert "note" not in plain.stderr
    assert plain.stdout != result.stdout
    why = finished_here("show", "why", "run", paths[0], cwd=digits)
    assert "a drawing was found" in why.stderr
    why = finished_here("show", "why", "run", paths[0], "--as-is", cwd=digits)
    assert "a drawing" not in why.stderr


def test_the_summary_says_what_is_done_to_a_picture(digits, pellucid, tmp_path):
    told = finished_here("summary", "run", cwd=digits).stdout
    assert "a picture is made to fit 8x8, grey; a drawing on plain ground is found" in told
    pets(tmp_path / "pets")
    pellucid("train", "--data", "pets", *QUICK, "--normalize", "--out", "run")
    told = pellucid("summary", "run").stdout
    assert "a picture is made to fit 6x8, RGB; the layer 'normalize' normalises it" in told


def test_a_folder_of_drawings_is_prepared_alike_everywhere(pellucid, tmp_path):
    train, _ = library.data.digits()
    for k in range(120):
        label = int(train.labels[k])
        if label > 1:
            continue
        pixels = np.kron(train.images[k, 0] / 16, np.ones((6, 6)))
        paper = (150 + k % 100) * (1 - 0.8 * np.pad(pixels, k % 40))
        path = tmp_path / "paper" / "ab"[label] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(paper.astype(np.uint8)).save(path)
    options = (
        "--data",
        "paper",
        "--drawings",
        "--size",
        "28",
        "--epochs",
        "6",
        "--batch-size",
        "5",
    )
    result = pellucid("train", *options, "--out", "run")
    assert result.returncode == 0, result.stderr
    told = pellucid("predict", "run", *(tmp_path / "paper").rglob("*.png"), "--top", "1").stdout
    assert np.mean([a == b for a, b in predicted(told)]) > 0.95
    for split in ("train", "test"):
        assert accuracy(pellucid("evaluate", "run", "--split", split).stdout) > 0.95
    again = pellucid("train", "--config", "run", "--out", "again")
    assert again.returncode == 0, again.stderr
    assert "20 pixels long" in pellucid("summary", "again").stdout
    assert pellucid("train", "--data", "paper", "--drawings", "--out", "x").stderr.startswith(
        "error: --drawings: needs a size"
    )
    assert "--drawings: needs a folder" in pellucid("train", "--drawings").stderr
