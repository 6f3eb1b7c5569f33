"""pellucid calibrate, and the commands that show calibration and results by class."""

from __future__ import annotations

import json
import re

import pytest

from cli.conftest import finished_here
from pellucid import read_tensors

QUICK = ("--engine", "numpy", "--batch-size", "20", "--limit", "200", "--epochs", "2")


@pytest.fixture(scope="module")
def run(finish, tmp_path_factory):
    place = tmp_path_factory.mktemp("calibrate")
    told = finish("train", *QUICK, "--validation", "0.2", "--out", "run", cwd=place)
    assert told.returncode == 0, told.stderr
    return place


def test_a_temperature_is_tried_kept_and_removed(run):
    best = run / "run" / "best.safetensors"
    before, first = best.read_bytes(), read_tensors(best)[0]
    tried = finished_here("calibrate", "run", "--dry-run", cwd=run)
    assert tried.returncode == 0, tried.stderr
    assert best.read_bytes() == before
    t = re.search(r"^temperature (\S+), fitted to 287 validation images", tried.stdout, re.M)[1]
    assert re.search(rf"^on the test set +without +divided by {t}$", tried.stdout, re.M)
    accuracy = re.search(r"^accuracy +(\S+) +(\S+)$", tried.stdout, re.M)
    assert accuracy[1] == accuracy[2]
    said = finished_here("calibrate", "run", "--json", cwd=run)
    document = json.loads(said.stdout)
    assert f"{document['temperature']:.3f}" == t
    assert document["calibrated"]["nll"] < document["without"]["nll"]
    assert (document["kept"], document["validation_images"]) == (True, 287)
    assert "Temperature(" in finished_here("summary", "run", cwd=run).stdout
    measured = json.loads(finished_here("evaluate", "run", "--json", cwd=run).stdout)
    assert measured["calibration"]["ece"] == pytest.approx(document["calibrated"]["ece"], rel=1e-4)
    again = json.loads(finished_here("calibrate", "run", "--json", cwd=run).stdout)
    assert again["temperature"] == pytest.approx(document["temperature"], rel=1e-5)
    removed = finished_here("calibrate", "run", "--remove", cwd=run)
    assert "no longer divided" in removed.stderr
    assert "Temperature(" not in finished_here("summary", "run", cwd=run).stdout
    weights = read_tensors(best)[0]
    assert weights.keys() == first.keys()
    assert all((w == first[k]).all() for k, w in weights.items())
    assert "nothing to do" in finished_here("calibrate", "run", "--remove", cwd=run).stderr


def test_the_reliability_diagram_is_drawn(run):
    drawn = finished_here("show", "calibration", "run", "--split", "validation", cwd=run)
    assert (drawn.returncode, drawn.stdout) == (0, "calibration.png\n")
    assert (run / "calibration.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_tells_how_each_class_does(run):
    document = json.loads(finished_here("evaluate", "run", "--json", cwd=run).stdout)
    told = finished_here("evaluate", "run", cwd=run).stdout.splitlines()
    assert told[-2].startswith(f"balanced accuracy {document['balanced_accuracy']:.4f}, macro F1 ")
    first = document["classes"][0]
    assert first["recall"] == first["accuracy"]
    assert told[2].split()[2:5] == [f"{first[k]:.4f}" for k in ("recall", "precision", "f1")]


def test_what_has_no_validation_set_is_refused(run):
    assert finished_here("train", *QUICK, "--out", "bare", cwd=run).returncode == 0
    model = (run / "bare" / "model.safetensors").read_bytes()
    refused = finished_here("calibrate", "bare", cwd=run)
    assert refused.returncode == 1
    assert "there is no validation set" in refused.stderr
    assert "--validation 0.1" in refused.stderr
    assert (run / "bare" / "model.safetensors").read_bytes() == model
    begun = finished_here("train", *QUICK, "--calibrate", "--out", "none", cwd=run)
    assert begun.returncode == 1
    assert "error: --calibrate: fits a temperature to a validation set" in begun.stderr
    assert "--validation 0.1" in begun.stderr
    assert not (run / "none").exists()
