"""pellucid train --from: going on from a network that has learned something else."""

from __future__ import annotations

import re

import numpy as np
import pytest
from safetensors.numpy import save_file

import pellucid as library
from cli.test_train import SHORT, same, weights
from data.pictures import paint
from pellucid import models
from test_graphs_everywhere import GATE, graph


def _pictures(root, classes, size):
    """Paint eight grey pictures of each class; returns their folder."""
    for k, name in enumerate(classes):
        for i in range(8):
            paint(root / name / f"{i}.png", 60 * k + i, size, "L")
    return root


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """Pictures of three other classes, of the size of the digits."""
    return _pictures(tmp_path_factory.mktemp("letters"), "abc", (8, 8))


def test_the_same_classes_keep_the_last_layer_and_go_on_where_the_run_ended(pellucid, short):
    result = pellucid("train", "--from", short, *SHORT, "--out", "on")
    assert result.returncode == 0, result.stderr
    assert f"  from {short}, which was trained on digits\n" in result.stdout
    assert "is new" not in result.stdout
    first = float(re.search(r"epoch 1/3  loss (\S+)", result.stdout)[1])
    last = [line.split(",")[1] for line in (short / "history.csv").read_text().splitlines()][-1]
    assert first < float(last)


def test_other_classes_get_a_new_last_layer_and_frozen_layers_stay(
    pellucid, tmp_path, short, letters
):
    result = pellucid("train", "--data", letters, "--from", short, "--freeze", "conv*",
                      "--epochs", "2", "--out", "tuned")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "'affine2' is new, for 3 other classes" in result.stdout
    assert re.search(r"48,703 parameters, 48,403 of them learn", result.stdout)
    before, after = weights(short), weights(tmp_path / "tuned")
    for key in ("conv1.weight", "conv1.bias"):
        np.testing.assert_array_equal(after[key], before[key])
    assert (after["affine1.weight"] != before["affine1.weight"]).any()
    assert after["affine2.weight"].shape == (3, 100)
    model = library.load(tmp_path / "tuned" / "model.safetensors")
    assert model.card.classes == ("a", "b", "c")


def test_such_a_run_can_be_repeated_from_its_settings(pellucid, tmp_path, short, letters):
    given = ("--data", letters, "--from", short, "--freeze", "conv1", "--rates", "affine1=0.1",
             "--schedule", "one-cycle", "--epochs", "2")  # fmt: skip
    assert pellucid("train", *given, "--out", "one").returncode == 0
    assert pellucid("train", "--config", "one", "--out", "two").returncode == 0
    assert same(weights(tmp_path / "one"), weights(tmp_path / "two"))


def test_weights_of_pytorch_go_into_the_network_they_belong_to(pellucid, tmp_path, letters):
    model = models.by_name("simple", (1, 8, 8), 10, rng=np.random.default_rng(1))
    save_file(model.state_dict(), tmp_path / "torch.safetensors")
    given = ("train", "--data", letters, "--epochs", "1", "--from", "torch.safetensors")
    refused = pellucid(*given)
    assert refused.returncode == 1
    assert "holds weights but no architecture. Say which network" in refused.stderr
    result = pellucid(*given, "--model", "simple", "--freeze", "*1", "--out", "tuned")
    assert result.returncode == 0, result.stderr
    assert "'affine2' is new" in result.stdout
    after = weights(tmp_path / "tuned")
    np.testing.assert_array_equal(after["affine1.weight"], model.state_dict()["affine1.weight"])
    wrong = pellucid(*given, "--model", "deep")
    assert wrong.returncode == 1
    assert "missing: conv2.weight" in wrong.stderr


def test_a_checkpoint_of_pytorch_itself_goes_in_and_where_the_weights_were_is_said(
    pellucid, tmp_path, letters, torch
):
    model = models.by_name("resnet20", (1, 8, 8), 10, rng=np.random.default_rng(1))
    state = {f"module.{k}": torch.from_numpy(v) for k, v in model.state_dict().items()}
    half = {key: value.bfloat16() if value.ndim else value for key, value in state.items()}
    torch.save({"epoch": 3, "state_dict": half}, tmp_path / "weights.pth")
    result = pellucid(
        "train", "--data", letters, "--epochs", "1", "--from", "weights.pth",
        "--model", "resnet20", "--freeze", "conv1", "--out", "tuned",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "  from weights.pth\n" in result.stdout
    assert "  taken from 'state_dict'\n" in result.stdout
    assert re.search(r"  converted from bfloat16 to float32: \d+ tensors\n", result.stdout)
    assert "  taken without 'module.' before every key\n" in result.stdout
    assert "is new, for 3 other classes" in result.stdout
    expected = half["module.conv1.weight"].float().numpy()
    np.testing.assert_array_equal(weights(tmp_path / "tuned")["conv1.weight"], expected)


def test_weights_of_another_network_by_name_are_told_which_they_fit(pellucid, tmp_path, letters):
    model = models.by_name("resnet20", (3, 32, 32), 7)
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    given = ("train", "--data", letters, "--from", "w.safetensors", "--model")
    refused = pellucid(*given, "simple")
    assert refused.returncode == 1
    assert refused.stderr.endswith("They fit resnet20: name it with --model resnet20.\n")
    assert len(refused.stderr.splitlines()) <= 8
    state["module.extra"] = np.ones(3, np.float32)
    save_file(state, tmp_path / "w.safetensors")
    refused = pellucid(*given, "resnet20")
    assert refused.returncode == 1
    assert "They fit" not in refused.stderr  # it is this network already


def test_where_weights_were_that_do_not_fit_is_said(pellucid, tmp_path, letters, torch):
    torch.save({"net": {"a.weight": torch.ones(2, 2)}, "epoch": 1}, tmp_path / "w.pth")
    refused = pellucid("train", "--data", letters, "--from", "w.pth", "--model", "simple")
    assert refused.returncode == 1
    assert "taken from 'net'" in refused.stderr


def test_weights_out_of_a_wrapper_without_counts_go_in_and_it_is_said(pellucid, tmp_path, letters):
    model = models.by_name("resnet20", (1, 8, 8), 3, rng=np.random.default_rng(1))
    own = model.state_dict()
    old = {f"module.{k}": v for k, v in own.items() if not k.endswith("num_batches_tracked")}
    save_file(old, tmp_path / "old.safetensors")
    result = pellucid(
        "train", "--data", letters, "--epochs", "1", "--from", "old.safetensors",
        "--model", "resnet20", "--freeze", "conv1", "--out", "tuned",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "taken without 'module.' before every key" in result.stdout
    assert "num_batches_tracked, missing in the file, starts at 0" in result.stdout
    assert "is new" not in result.stdout
    np.testing.assert_array_equal(weights(tmp_path / "tuned")["conv1.weight"], own["conv1.weight"])


def test_weights_that_are_not_finite_are_refused_before_anything_is_written(
    pellucid, tmp_path, letters
):
    model = models.by_name("simple", (1, 8, 8), 3, rng=np.random.default_rng(1))
    state = model.state_dict()
    state["conv1.weight"][0] = np.nan
    save_file(state, tmp_path / "bad.safetensors")
    result = pellucid("train", "--data", letters, "--from", "bad.safetensors", "--model", "simple")
    assert result.returncode == 1
    assert result.stderr.startswith("error: --from: ")
    assert "numbers of conv1.weight are NaN or infinite" in result.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.safetensors"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "nowhere"], "there is no 'nowhere'"),
        (["--freeze", "conf*"], "--freeze: 'conf*' matches no layer with parameters."),
        (["--freeze", "*"], "--freeze: nothing is left that learns."),
        (["--rates", "conv1"], "--rates: must be layers with learning-rate multipliers"),
        (["--rates", "conv1=-1"], "received 'conv1=-1'"),
        (["--schedule", "cosin"], "--schedule: 'cosin' is unknown. Did you mean 'cosine'?"),
        (
            ["--decay-all"],
            "--decay-all: needs a weight decay above 0: give --weight-decay 0.01 too.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    pellucid, tmp_path, options, message
):
    result = pellucid("train", *SHORT, *options)
    assert result.returncode == 1
    assert message in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_says_its_architecture_takes_no_other_name(pellucid, short):
    result = pellucid("train", *SHORT, "--from", short, "--model", "lenet")
    assert result.returncode == 1
    assert "--model: '" in result.stderr
    assert "holds its own architecture. Leave --model out." in " ".join(result.stderr.split())


def test_images_that_do_not_fit_the_model_are_refused_with_both_sizes(pellucid, short, tmp_path):
    folder = _pictures(tmp_path / "large", "ab", (12, 12))
    result = pellucid("train", "--data", folder, "--from", short)
    assert result.returncode == 1
    said = " ".join(result.stderr.split())
    assert "was built for images 1x8x8, and does not take 1x12x12" in said
    assert "--size" in said


def test_a_graph_is_trained_from_its_file_evaluated_and_shown(pellucid, tmp_path):
    library.save(graph(), tmp_path / "graph.safetensors")
    result = pellucid("train", "--from", "graph.safetensors", *SHORT, "--freeze", "/stem/*",
                      "--rates", "layer1.*=0.5", "--out", "run")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "'classifier.0' is new, for 10 other classes" in result.stdout
    for command in (
        ("evaluate", "run"),
        ("show", "features", "run", "--layers", "/stem/conv/Conv_output_0"),
    ):
        assert pellucid(*command).returncode == 0, command
    assert {path.name for path in tmp_path.iterdir()} == {
        "graph.safetensors",
        "run",
        "features.png",
    }


def test_a_graph_of_several_outputs_is_refused_with_the_call_that_chooses_one(pellucid, tmp_path):
    library.save(graph(output=("classifier.0", GATE)), tmp_path / "two.safetensors")
    assert pellucid("summary", "two.safetensors").returncode == 0
    two = "two.safetensors"
    for command in (("train", "--from", two), ("evaluate", two, "--data", "digits")):
        result = pellucid(*command)
        assert result.returncode == 1, command
        assert "`model.ending_at('classifier.0')`" in result.stderr.replace("\n", " "), command
