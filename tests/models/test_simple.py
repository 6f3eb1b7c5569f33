"""SimpleConvNet: the shapes of the book, and what does not fit."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

from pellucid import gradcheck
from pellucid.errors import ArgumentError, ShapeError
from pellucid.formats import load, read_tensors, save, write_tensors
from pellucid.models import DeepConvNet, SimpleConvNet
from pellucid.nn import SoftmaxCrossEntropy


def test_the_books_parameters_have_the_books_shapes():
    state = SimpleConvNet((1, 28, 28)).state_dict()
    assert {key: array.shape for key, array in state.items()} == {
        "conv1.weight": (30, 1, 5, 5),
        "conv1.bias": (30,),
        "affine1.weight": (100, 4320),  # the book's (4320, 100), the other way round as PyTorch's
        "affine1.bias": (100,),
        "affine2.weight": (10, 100),
        "affine2.bias": (10,),
    }
    assert all(not state[key].any() for key in state if key.endswith("bias"))
    assert all(state[key].std() == pytest.approx(0.01, rel=0.1) for key in state if "weight" in key)


def test_the_layers_come_in_the_books_order():
    names = [name for name, _ in SimpleConvNet().children()]
    assert names == ["conv1", "relu1", "pool1", "flatten", "affine1", "relu2", "affine2"]
    assert repr(SimpleConvNet()["pool1"]) == "MaxPool2d(2, stride=2)"


def test_every_argument_of_the_convolution_reaches_it_and_the_rest_stays_the_books():
    conv = SimpleConvNet((3, 17, 17), filters=4, kernel_size=3, padding=1, stride=2)["conv1"]
    assert repr(conv) == "Conv2d(3, 4, 3, stride=2, padding=1, weight_init=0.01)"
    assert repr(SimpleConvNet(filters=7)["conv1"]).startswith("Conv2d(1, 7, 5, w")


def test_it_has_the_arguments_of_its_family():
    shared = list(inspect.signature(DeepConvNet).parameters)
    assert list(inspect.signature(SimpleConvNet).parameters)[: len(shared) - 1] == shared[:-1]


OLD = {
    "input_dim": [1, 9, 9],
    "conv_param": {"filter_num": 3, "filter_size": 3, "pad": 1, "stride": 2},
    "hidden_size": 7,
    "output_size": 4,
    "weight_init_std": "he",
}


def test_the_arguments_in_a_file_of_version_0_1_build_the_same_network(tmp_path):
    model = SimpleConvNet(
        (1, 9, 9), 4, 7, "he", filters=3, kernel_size=3, padding=1, stride=2,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    save(model, tmp_path / "new")
    arrays, metadata = read_tensors(tmp_path / "new")
    metadata["architecture"] = json.dumps({"layer": "SimpleConvNet", "config": OLD})
    write_tensors(tmp_path / "old", arrays, metadata)
    again = load(tmp_path / "old")
    assert again.config() == model.config()
    x = np.random.default_rng(1).normal(size=(2, 1, 9, 9)).astype(np.float32)
    np.testing.assert_array_equal(again(x), model.eval()(x))


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 0), (1, 28.0, 28), (1, 1, 28, 28)])
def test_images_that_are_none_are_refused(shape):
    with pytest.raises(
        ArgumentError, match=r"^input_shape: must be \(channels, height, width\), three"
    ):
        SimpleConvNet(shape)


def test_filters_that_do_not_fit_are_refused_by_the_layer():
    with pytest.raises(
        ShapeError, match=r"^Conv2d 'conv1': a window of 5 is larger than the input's h"
    ):
        SimpleConvNet((1, 4, 8))


def test_pooling_that_does_not_fit_is_refused_by_the_layer():
    with pytest.raises(
        ShapeError, match=r"^MaxPool2d 'pool1': a window of 2 is larger than the input"
    ):
        SimpleConvNet((1, 5, 5))


def test_the_same_generator_gives_the_same_network():
    first, again, other = (
        SimpleConvNet((1, 8, 8), rng=np.random.default_rng(seed)).state_dict() for seed in (0, 0, 1)
    )
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert all(not np.array_equal(first[key], other[key]) for key in first if "weight" in key)
    assert not np.array_equal(first["affine1.weight"][:5, :5], first["affine2.weight"][:5, :5])


@pytest.mark.parametrize("std", ["he", "xavier", 0.5])
def test_the_deviation_reaches_every_layer(std):
    model = SimpleConvNet((1, 8, 8), weight_init=std)
    assert [model[name].weight_init for name in ("conv1", "affine1", "affine2")] == [std] * 3


def test_scores_come_out_in_float32_and_the_images_are_known():
    model = SimpleConvNet((3, 9, 10), classes=4, hidden_size=8)
    y = model(np.zeros((2, 3, 9, 10), dtype=np.float32))
    assert (y.shape, y.dtype) == ((2, 4), np.float32)
    assert model.input_shape == (3, 9, 10)
    assert model.output_shape((3, 9, 10)) == (4,)


def test_its_config_builds_it_again():
    model = SimpleConvNet((1, 9, 9), 4, 7, "he", filters=3, padding=1, stride=2)
    again = SimpleConvNet(**model.config())
    assert again.config() == model.config()
    assert repr(again) == repr(model)


def test_its_gradients_are_right():
    rng = np.random.default_rng(0)
    model = SimpleConvNet((1, 8, 8), 5, 9, "he", filters=3, rng=rng)
    report = gradcheck(
        model, rng.normal(size=(3, 1, 8, 8)), np.array([0, 4, 2]), SoftmaxCrossEntropy()
    )
    assert report.worst < 1e-6
