"""``pellucid import``: from an ONNX file to a model file that the other commands take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import pellucid
from formats.onnx_files import model, node, run, written
from pellucid.cli.app import app
from pellucid.errors import PellucidError

pytest.importorskip("onnx")
runner = CliRunner()


def _digits(folder: Path, end: str = "softmax", **metadata: str) -> Path:
    """Write a small network for images 1x8x8 and three classes."""
    from onnx import helper

    rng = np.random.default_rng(0)
    weights = {
        "conv.weight": rng.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "fc.weight": rng.normal(size=(3, 144)).astype(np.float32) / 5,
        "fc.bias": rng.normal(size=3).astype(np.float32),
    }
    nodes = [
        node("Conv x conv.weight -> maps"),
        node("Relu maps -> above"),
        node("Flatten above -> row"),
        node("Gemm row fc.weight fc.bias -> scores", transB=1),
        node("Softmax scores -> y", axis=1),
    ]
    made = model(nodes, ["N", 1, "h", "w"], weights, outputs=["y" if end else "scores"])
    helper.set_model_props(made, metadata)
    return written(made, folder, "digits.onnx")


def _run(*arguments: object) -> str:
    result = runner.invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_an_imported_model_is_one_for_the_other_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = _digits(tmp_path, classes=json.dumps(["a", "b", "c"]))
    said = _run("import", source, "--input", "1x8x8")
    assert f"{tmp_path}/digits.safetensors\n" in said
    assert "the softmax at its end was left out: networks here end in scores" in said
    assert "images 1x8x8 -> 3; 471 parameters" in said
    loaded = pellucid.load("digits.safetensors")
    x = np.random.default_rng(1).normal(size=(5, 1, 8, 8)).astype(np.float32)
    scores = loaded(x)
    wanted = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run(source, x), wanted, rtol=1e-5)
    assert list(loaded.parameters()) == ["conv.weight", "fc.weight", "fc.bias"]
    assert loaded.card is not None
    assert loaded.card.classes == ("a", "b", "c")
    summary = _run("summary", "digits.safetensors")
    assert "classes: a, b, c" in summary
    assert "conv" in summary


def test_a_file_with_the_channels_last_becomes_a_model_of_pictures(tmp_path, monkeypatch):
    from onnx import helper

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(2, 3, 5, 5)).astype(np.float32)}
    nodes = [
        node("Transpose x -> t", perm=[0, 3, 1, 2]),
        node("Conv t w -> c"),
        node("GlobalAveragePool c -> p"),
        node("Flatten p -> y"),
    ]
    made = model(nodes, ["N", "h", "w", 3], weights)
    helper.set_model_props(made, {"classes": '["a", "b"]'})
    source = written(made, tmp_path)
    with pytest.raises(PellucidError, match=r"axes 2 and 3 are open.*--input 3x224x224"):
        _run("import", source)
    said = _run("import", source, "--input", "3x16x20")
    assert "the file has the channels of images last; they are first here" in said
    assert "images 3x16x20 -> 2" in said
    x = rng.random((2, 3, 16, 20)).astype(np.float32)
    wanted = run(source, np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(pellucid.load("model.safetensors")(x), wanted, atol=1e-5)


def test_classes_come_from_a_file_of_lines_or_json(tmp_path):
    source = _digits(tmp_path)
    (tmp_path / "names.txt").write_text("un\n\ndeux\ntrois\n")
    (tmp_path / "names.json").write_text('["one", "two", "three"]')
    for file, known in (("txt", "un deux trois"), ("json", "one two three")):
        target = tmp_path / f"{file}.safetensors"
        _run("import", source, target, "--input", "1x8x8", "--classes", tmp_path / f"names.{file}")
        card = pellucid.load(target).card
        assert card is not None
        assert card.classes == tuple(known.split())


def test_mean_and_deviation_normalize_pixels_first(tmp_path):
    source, target = _digits(tmp_path), tmp_path / "a.safetensors"
    _run("import", source, target, "--input", "1x8x8", "--mean", "0.5", "--deviation", "0.25",
         "--softmax")  # fmt: skip
    x = np.random.default_rng(1).uniform(size=(2, 1, 8, 8)).astype(np.float32)
    made = pellucid.load(target)(x)
    np.testing.assert_allclose(made, run(source, (x - 0.5) / 0.25), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], r"--input: the network's input 'x' has the shape \(N, 1, h, w\), of which axes 2 "
             r"and 3 are open. Say how large the images are: --input 1x224x224, for example"),
        (["--input", "3x8x8"], r"--input: the network's input 'x' has the shape \(N, 1, h, w\)"),
        (["--input", "1x9x9"], "Gemm 'scores': .*144 input features, received 196"),
        (["--input", "1x8x8", "--bgr"], "--bgr: is for images of three channels"),
        (["a.onnx"], r"TARGET: must end in \.safetensors"),
        (["taken.safetensors"], r"TARGET: 'taken\.safetensors' exists. Choose another name"),
        (["--mean", "0.5"], "--mean and --deviation: go together"),
        (["--input", "1x8x8", "--mean", "a", "--deviation", "1"], "--mean: must be numbers"),
        (["--input", "1x8x8", "--mean", "0,0", "--deviation", "1,1"], "deviation: must be 1 numb"),
        (["--input", "1x8x8", "--classes", "two.txt"], "--classes: has 2 names, and the network 3"),
        (["--input", "1x8x8", "--classes", "none.txt"], "there is no file 'none.txt'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    _digits(tmp_path)
    Path("taken.safetensors").write_bytes(b"")
    Path("two.txt").write_text("a\nb\n")
    with pytest.raises(PellucidError, match=said):
        _run("import", "digits.onnx", *options)
    assert not Path("digits.safetensors").exists()
    assert Path("taken.safetensors").read_bytes() == b""


@pytest.mark.parametrize("pixels", ["uint8", "float32", None])
def test_a_file_that_takes_pixels_becomes_a_model_of_numbers_from_0_to_1(
    tmp_path, monkeypatch, pixels
):
    monkeypatch.chdir(tmp_path)
    network = pellucid.models.SimpleConvNet((1, 12, 12)).eval()
    network.card = pellucid.nn.Card("digits", tuple("0123456789"))
    pellucid.to_onnx(network, "a.onnx", pixels=pixels)
    said = _run("import", "a.onnx")
    assert ("takes pixels from 0 to 255" in said) == (pixels is not None)
    x = np.random.default_rng(0).random((3, 1, 12, 12), dtype=np.float32)
    np.testing.assert_allclose(pellucid.load("a.safetensors")(x), network(x), rtol=1e-4, atol=1e-6)
    if pixels == "uint8":
        image = (x * 255).astype(np.uint8)
        same = pellucid.from_onnx("a.onnx")
        scores = same(image.astype(np.float32))
        np.testing.assert_allclose(scores, run(tmp_path / "a.onnx", image), rtol=1e-4, atol=1e-6)
        assert same.card.value_range == (0, 255)
        assert pellucid.load("a.safetensors").card.value_range is None
