"""pellucid quantize: what it writes, measures and says, and the commands that take its file."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from cli.conftest import finished_here
from pellucid import nn, read_tensors, save
from pellucid.models import SimpleConvNet


@pytest.fixture(scope="module")
def run(finish, tmp_path_factory):
    """Train a network, and quantize it."""
    place = tmp_path_factory.mktemp("quantize")
    quick = ("--engine", "numpy", "--batch-size", "20", "--epochs", "2")
    told = finish("train", *quick, "--out", "run", cwd=place)
    assert told.returncode == 0, told.stderr
    return place


def test_a_quantized_model_is_written_and_measured_before_and_after(run):
    before = (run / "run" / "model.safetensors").read_bytes()
    told = finished_here("quantize", "run", cwd=run)
    assert told.returncode == 0, told.stderr
    for line in (
        r"^affine1 +int8 product \+ relu",
        r"^accuracy +0\.9\d+ +0\.9\d+ +[+-]0\.\d\d points$",
        r"^file +\S+ MB +\S+ kB +3\.\d times smaller$",
        r"^images a second +\S+ +\S+ +\S+ times as fast$",
        r"^run/int8\.safetensors: scales chosen on 512 training images, measured on 359 test",
    ):
        assert re.search(line, told.stdout, re.M), (line, told.stdout)
    assert (run / "run" / "model.safetensors").read_bytes() == before
    arrays, _ = read_tensors(run / "run" / "int8.safetensors")
    assert arrays["affine1.weight"].dtype == np.int8
    document = json.loads(
        finished_here(
            "quantize", "run", "--samples", "50", "--out", "b.safetensors", "--json", cwd=run
        ).stdout
    )
    assert (document["samples"], document["test_images"]) == (50, 359)
    assert document["before"]["size"] > 3 * document["after"]["size"]
    assert document["layers"]["conv1"] == "convolution + relu + max 2x2"  # of 25 terms each
    measured = json.loads(finished_here("evaluate", "b.safetensors", "--json", cwd=run).stdout)
    assert measured["accuracy"] == pytest.approx(document["after"]["accuracy"])


def test_other_commands_take_a_quantized_model(run):
    assert finished_here("quantize", "run", "--out", "c.safetensors", cwd=run).returncode == 0
    assert "QuantizedLinear(" in finished_here("summary", "c.safetensors", cwd=run).stdout
    exported = finished_here("export", "c.safetensors", "--onnx", "c.onnx", cwd=run)
    assert exported.returncode == 0, exported.stderr
    refused = finished_here("train", "--from", "c.safetensors", "--out", "more", cwd=run)
    assert refused.returncode == 1
    assert "cannot be trained. Train the float model, then quantize it again" in refused.stderr
    assert not (run / "more").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("c.safetensors",), "MODEL: the model is quantized already. Give the float model"),
        (("run", "--out", "run/model.safetensors"), "--out: is the model itself"),
        (("run", "--images", "nothing"), "nothing"),
        (("none",), "none"),
    ],
)
def test_what_cannot_be_quantized_is_refused_and_nothing_is_written(run, arguments, said):
    save(nn.Sequential(fc=nn.QuantizedLinear(64, 10)), run / "c.safetensors")
    before = {path: path.read_bytes() for path in run.rglob("*.safetensors")}
    refused = finished_here("quantize", *arguments, cwd=run)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert {path: path.read_bytes() for path in run.rglob("*.safetensors")} == before


def test_a_model_for_other_images_says_so(run):
    model = SimpleConvNet((1, 28, 28))
    save(model, run / "d.safetensors")
    refused = finished_here("quantize", "d.safetensors", "--images", "digits", cwd=run)
    assert refused.returncode == 1
    assert "the model was built for images 1x28x28" in refused.stderr
