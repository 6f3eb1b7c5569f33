"""The layer that knows its training images, in a model and its file."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import data, models, nn
from pellucid.engine import compile as plan_of
from pellucid.errors import ArgumentError, ShapeError


@pytest.fixture
def model() -> nn.Sequential:
    rng = np.random.default_rng(0)
    network = models.SimpleConvNet((1, 8, 8), kernel_size=3, padding=1, rng=rng)
    return nn.Normalize([0.3], [0.25]).before(network)


def test_the_training_images_get_mean_0_and_deviation_1():
    rng = np.random.default_rng(0)
    images = np.stack([rng.integers(0, 200, (50, 9, 9)), rng.integers(90, 99, (50, 9, 9))], axis=1)
    dataset = data.Dataset.from_arrays(images.astype(np.uint8), rng.integers(0, 2, 50))
    layer = nn.Normalize(*dataset.statistics())
    y = layer(dataset.batch(slice(None), np.float64)[0])
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=2e-4)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), 1, atol=2e-4)


def test_the_keys_of_the_network_stay_as_they_are(model):
    plain = models.SimpleConvNet((1, 8, 8), kernel_size=3, padding=1)
    assert list(model.state_dict()) == list(plain.state_dict())
    assert model.input_shape == (1, 8, 8)


def test_a_layer_that_is_no_chain_goes_inside_as_it_is():
    whole = nn.Normalize([0.5], [0.5]).before(nn.Flatten())
    assert [name for name, _ in whole.children()] == ["normalize", "network"]


def test_it_travels_in_the_file(model, tmp_path):
    x = np.random.default_rng(1).random((3, 1, 8, 8), dtype=np.float32)
    pellucid.save(model, tmp_path / "m.safetensors")
    again = pellucid.load(tmp_path / "m.safetensors")
    assert repr(again["normalize"]) == "Normalize((0.3,), (0.25,))"
    np.testing.assert_array_equal(again(x), model.eval()(x))


def test_it_does_to_a_network_what_it_does_to_the_images(model):
    x = np.random.default_rng(1).random((3, 1, 8, 8))
    model.astype(np.float64)
    inside = nn.Sequential(**{k: v for k, v in model.children() if k != "normalize"})
    expected = inside((x - 0.3) / 0.25)
    np.testing.assert_allclose(model(x), expected, rtol=1e-12)


def test_a_plan_runs_it(model):
    x = np.random.default_rng(1).random((3, 1, 8, 8), dtype=np.float32)
    plan = plan_of(model, (1, 8, 8), 3)
    np.testing.assert_allclose(plan(x), model(x), rtol=1e-4, atol=1e-5)


def test_evaluate_and_predict_apply_it(model):
    _, test = data.digits()
    fast, plain = (pellucid.evaluate(model, test, engine=e) for e in ("compiled", "numpy"))
    assert fast.loss == pytest.approx(plain.loss, rel=1e-5)


@pytest.mark.parametrize(
    ("mean", "std"), [((0.5,), (0.0,)), ((0.5,), (-1.0,)), ((0.5, 0.5), (1.0,)), ((), ()),
                      ((np.nan,), (1.0,)), ((0.5,), (np.inf,))]
)  # fmt: skip
def test_numbers_that_normalise_nothing_are_refused(mean, std):
    with pytest.raises(
        ArgumentError, match="a finite mean and a positive deviation for each channel"
    ):
        nn.Normalize(mean, std)


def test_images_of_other_channels_are_refused_by_name(model):
    with pytest.raises(ShapeError, match=r"Normalize 'normalize': has mean .* 1 channels, .*\(3,"):
        model.output_shape((3, 8, 8))
