"""Files that version 0.1 wrote: they load, and the networks give the scores they gave then."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid import formats

FILES = Path(__file__).parent / "files_0_1"
MODELS = ("simple", "residual", "branches", "pattern", "layers")
ARCHITECTURES = json.loads((FILES / "architectures.json").read_text())


def expected(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(FILES / "expected.npz") as arrays:
        return arrays[f"{name}/images"], arrays[f"{name}/scores"]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_the_scores_it_gave(name):
    images, scores = expected(name)
    model = pellucid.load(FILES / f"{name}.safetensors")
    assert model.input_shape == images.shape[1:]
    np.testing.assert_allclose(model(images), scores, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_the_engine_predicts_what_the_scores_say(name):
    images, scores = expected(name)
    exp = np.exp(scores - scores.max(axis=1, keepdims=True))
    guessed = pellucid.predict(pellucid.load(FILES / f"{name}.safetensors"), images)
    np.testing.assert_allclose(guessed, exp / exp.sum(axis=1, keepdims=True), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_saved_again_gives_the_same_scores(name, tmp_path):
    images, _ = expected(name)
    model = pellucid.load(FILES / f"{name}.safetensors")
    pellucid.save(model, tmp_path / "again.safetensors")
    again = pellucid.load(tmp_path / "again.safetensors")
    np.testing.assert_array_equal(again(images), model(images))
    assert (again.card, again.input_shape) == (model.card, model.input_shape)


def test_a_card_says_what_it_said():
    digits = pellucid.load(FILES / "simple.safetensors").card
    assert (digits.dataset, digits.classes) == ("digits", tuple("0123456789"))
    assert digits.preparation == pellucid.data.digits()[0].preparation
    shapes = pellucid.load(FILES / "pattern.safetensors").card
    assert (shapes.dataset, shapes.classes) == ("shapes", ("circle", "square", "star"))
    assert pellucid.load(FILES / "residual.safetensors").card is None


@pytest.mark.parametrize("name", ["book.pkl", "book-protocol-5.pkl"])
def test_a_pickle_of_the_book_gives_the_scores_it_gave(name):
    images, scores = expected("simple")
    model = formats.from_book(formats.read_pickle(FILES / name), input_shape=images.shape[1:])
    np.testing.assert_allclose(model(images), scores, rtol=0, atol=1e-6)


def test_an_npz_export_holds_the_parameters_of_its_model():
    model = pellucid.load(FILES / "simple.safetensors")
    with np.load(FILES / "book.npz") as arrays:
        again = formats.from_book(dict(arrays), input_shape=model.input_shape)
    for key, values in model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[key], values)


def test_a_raw_npz_export_holds_the_state_of_its_model():
    state = pellucid.load(FILES / "residual.safetensors").state_dict()
    with np.load(FILES / "residual.npz") as arrays:
        assert set(arrays) == set(state)
        for key, values in state.items():
            np.testing.assert_array_equal(arrays[key], values)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_with_a_name_has_the_weights_it_had(name):
    written = ARCHITECTURES[name]
    model = formats.build(written["architecture"])
    state = {key: [a.dtype.name, list(a.shape)] for key, a in model.state_dict().items()}
    assert state == written["tensors"]
    assert model.output_shape(tuple(written["input_shape"])) == (7,)
