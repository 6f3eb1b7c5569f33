"""pellucid export: what other programs read, and what is refused with nothing written."""

from __future__ import annotations

import json

import numpy as np
import pytest

import pellucid as library

onnx = pytest.importorskip("onnx")


def test_a_run_is_written_with_its_classes_and_gives_its_scores(pellucid, trained, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    result = pellucid("export", trained[0], "--onnx", "digits.onnx")
    assert (result.returncode, result.stdout) == (0, "digits.onnx\n")
    assert result.stderr.endswith("images Nx1x8x8 -> scores Nx10; 7 operators of opset 18\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["digits.onnx"]
    session = runtime.InferenceSession(tmp_path / "digits.onnx")
    said = session.get_modelmeta().custom_metadata_map
    model = library.load(trained[0] / "model.safetensors")
    assert json.loads(said["classes"]) == list(model.card.classes)
    x = np.random.default_rng(0).random((7, 1, 8, 8), dtype=np.float32)
    (scores,) = session.run(None, {"images": x})
    assert np.allclose(scores, model(x), atol=1e-5 * abs(scores).max())


def test_options_of_the_file_are_taken(pellucid, trained, tmp_path):
    options = ("--opset", "11", "--softmax", "--pixels", "uint8", "--quiet")
    result = pellucid("export", trained[0], "--onnx", "a.onnx", *options)
    assert (result.returncode, result.stdout, result.stderr) == (0, "a.onnx\n", "")
    file = onnx.load(tmp_path / "a.onnx")
    assert file.opset_import[0].version == 11
    (given,), (made,) = file.graph.input, file.graph.output
    assert (given.name, given.type.tensor_type.elem_type) == ("pixels", onnx.TensorProto.UINT8)
    assert made.name == "probabilities"


def test_a_name_stands_for_new_weights_and_other_images(pellucid, tmp_path):
    options = ("--input", "3x20x24", "--classes", "4")
    result = pellucid("export", "resnet20", "--onnx", "a.onnx", *options, "--size", "dynamic")
    assert result.returncode == 0
    assert "a new one, whose weights are drawn at random" in result.stderr
    assert "images Nx3xHxW -> scores Nx4; " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("lenet", "export: say what to write, and where: --onnx FILE"),
        ("lenet --onnx old.onnx", "--onnx: 'old.onnx' exists. Choose another name, or add --overw"),
        ("lenet --onnx no/a.onnx", "--onnx: cannot write 'no/a.onnx': the folder"),
        ("gone --onnx a.onnx", "SOURCE: there is no file or folder 'gone', and no network of that"),
        ("lenet --onnx a.onnx --opset 6", "--opset: must be a version of ONNX's operators from 7"),
        ("lenet --onnx a.onnx --size 9", "--size: must be rows x columns, as 224x224, or dynamic"),
        ("lenet --onnx a.onnx --size dynamic", "--size dynamic needs layers that take any size."),
        ("old.onnx --onnx a.onnx", "'old.onnx'"),
        ("old.onnx --onnx a.onnx --classes 7", "--classes: is for a network's name; 'old.onnx' ha"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_nothing_is_written(
    pellucid, tmp_path, arguments, said
):
    (tmp_path / "old.onnx").write_text("precious")
    result = pellucid("export", *arguments.split())
    assert (result.returncode, result.stdout) == (1, "")
    assert said in result.stderr.replace("\n", " ")
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["precious"]
    if "old" in arguments.split()[-1]:
        over = pellucid("export", *arguments.split(), "--overwrite")
        assert (over.returncode, onnx.load(tmp_path / "old.onnx").producer_name) == (0, "pellucid")


def test_a_model_that_does_not_know_its_images_is_given_their_shape(pellucid, tmp_path):
    library.save(library.nn.Sequential(library.nn.ReLU()), tmp_path / "relu.safetensors")
    result = pellucid("export", "relu.safetensors", "--onnx", "a.onnx")
    assert result.returncode != 0
    assert "--input: the model does not say which images it takes. Add --input 3x224x224" in (
        result.stderr
    )
    result = pellucid("export", "relu.safetensors", "--onnx", "a.onnx", "--input", "3x4x5")
    assert result.stderr.endswith("images Nx3x4x5 -> scores Nx3x4x5; 1 operator of opset 18\n")


def test_the_file_that_is_read_is_not_written_over(pellucid, tmp_path):
    library.save(library.models.SimpleConvNet((1, 8, 8)), tmp_path / "m.safetensors")
    result = pellucid("export", "m.safetensors", "--onnx", "m.safetensors", "--overwrite")
    assert result.returncode == 1
    assert "--onnx: 'm.safetensors' is the file that is read. Choose another" in result.stderr
    library.load(tmp_path / "m.safetensors")


def test_without_the_package_the_message_says_how_to_install_it(pellucid, tmp_path):
    code = (
        "import sys\nsys.modules['onnx'] = None\nfrom pellucid.cli import main; main(sys.argv[1:])"
    )
    result = pellucid("export", "lenet", "--onnx", "a.onnx", program=("-c", code))
    assert (result.returncode, list(tmp_path.iterdir())) == (1, [])
    assert "needs the package onnx, which " in result.stderr
    assert 'pip install "pellucid[onnx]"' in result.stderr
