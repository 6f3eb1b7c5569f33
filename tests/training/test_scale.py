"""What is given to a model must lie on the scale, and along the axes, that it was trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import pellucid
from pellucid import data, nn, predict
from pellucid.data import Dataset
from pellucid.errors import ArgumentError, DataError, FileFormatError, ShapeError
from pellucid.formats import read_tensors, write_tensors
from pellucid.training import Trainer, evaluate
from training.setup import network

ENGINES = ["compiled", "numpy"]
DRAWN = np.random.default_rng(0).random((12, 1, 8, 8), dtype=np.float32)


def images(low: float, high: float, **options) -> Dataset:
    x = (low + (high - low) * DRAWN).astype(np.float32)
    x[0, 0, 0, :2] = low, high
    return Dataset(x, np.arange(12) % 10, tuple("0123456789"), "drawn", **options)


def knowing(low: float, high: float) -> nn.Layer:
    model = network()
    Trainer(model, images(low, high, peak=1), batch_size=4)
    return model


# Data sets.


@pytest.mark.parametrize(
    ("low", "high", "mend"),
    [
        (0, 255, r"up to 255\. Divide them by .*`images / 255`, or convert .*`peak=255`\.$"),
        (0, 250, r"up to 250\. .*`images / 255`.*`peak=255`"),
        (0, 16, r"up to 16\. .*`images / 16`\. .*`peak=16`"),
        (0, 65535, r"up to 65535\. .*`images / 65535`"),
        (0, 1.6, r"up to 1\.6\."),
        (-128, 127, r"from -128 to 127\. Subtract their mean .*`peak=1`"),
        (-100, 30, r"from -100 to 30"),
    ],
)
def test_floats_on_another_scale_are_refused(low, high, mend):
    with pytest.raises(DataError, match=f"^images: expects floats in \\[0, 1\\], .*{mend}"):
        images(low, high)
    for dtype in (np.float32, np.float64):
        x = images(low, high, peak=1).images.astype(dtype)
        with pytest.raises(DataError, match=r"^images: expects floats in \[0, 1\]"):
            Dataset.from_arrays(x, np.zeros(12, np.int64))


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0, 1.5), (-1, 1), (-2.1, 2.7), (-0.4, 2.8), (0, 0), (-0.1, 1.1)]
)
def test_floats_from_0_to_1_and_standardised_ones_are_taken(low, high):
    assert len(images(low, high)) == 12


def test_a_pixel_that_is_seldom_bright_may_stand_out_when_standardised():
    x = np.zeros((1000, 1, 2, 2), np.float32)
    x[0, 0, 0, 0] = 1
    deviation = x.std(axis=0)
    deviation[deviation == 0] = 1
    x = (x - x.mean(axis=0)) / deviation
    assert x.max() > 30 and x.min() < 0  # noqa: PT018
    Dataset.from_arrays(x, np.zeros(1000, np.int64))


def test_a_peak_that_is_given_is_believed():
    for low, high, peak in ((0, 255, 255), (0, 16, 16), (-128, 127, 1), (0, 255, 1)):
        dataset = images(low, high, peak=peak)
        x, _ = dataset.batch([0])
        assert x[0, 0, 0, 1] == pytest.approx(high / peak)
        part = dataset.take(3).subset([0, 1])  # and so are its parts
        assert part.peak == peak
    x = images(0, 255, peak=255).images
    dataset = Dataset.from_arrays(x, np.zeros(12, np.int64), peak=255)
    assert dataset.batch(slice(None))[0].max() == 1
    bytes = Dataset.from_arrays(np.full((1, 1, 2, 2), 16, np.uint8), [0], peak=16)
    assert bytes.batch([0])[0].max() == 1


# Models.


@pytest.mark.parametrize(
    ("dataset", "known"),
    [
        (images(0, 1), (0, 1)),
        (images(0.25, 0.5), (0.25, 0.5)),
        (images(-2, 3), (-2, 3)),
        (images(0, 255, peak=255), (0, 1)),
        (images(0.5, 0.5), None),
        (data.digits()[0].take(40), (0, 1)),
    ],
)
def test_the_card_tells_the_range_and_travels_with_the_model(dataset, known, tmp_path):
    model = network()
    Trainer(model, dataset, batch_size=4)
    assert model.card.value_range == known
    pellucid.save(model, tmp_path / "m.safetensors")
    assert pellucid.load(tmp_path / "m.safetensors").card == model.card


def test_a_model_file_without_a_range_is_read(tmp_path):
    path = tmp_path / "m.safetensors"
    pellucid.save(knowing(0, 1), path)
    arrays, metadata = read_tensors(path)
    older = metadata["card"].replace(', "value_range": [0.0, 1.0]', "")
    assert older != metadata["card"]
    write_tensors(path, arrays, metadata | {"card": older})
    assert pellucid.load(path).card.value_range is None


@pytest.mark.parametrize("ends", ["[1.0, 0.0]", "[0.0]", "3", "[NaN, 1]", '["a", 1]', "[0, 1e999]"])
def test_a_model_file_with_a_range_that_is_none_is_refused(ends, tmp_path):
    path = tmp_path / "m.safetensors"
    pellucid.save(knowing(0, 1), path)
    arrays, metadata = read_tensors(path)
    card = metadata["card"].replace("[0.0, 1.0]", ends)
    write_tensors(path, arrays, metadata | {"card": card})
    with pytest.raises(FileFormatError, match=r"m\.safetensors' has malformed metadata"):
        pellucid.load(path)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("known", "given", "message"),
    [
        ((0, 1), (0, 255), r"from 0 to 1, received 0 to 255\. Divide .*`x / 255`"),
        ((0, 1), (-2, 2.5), r"from 0 to 1, received -2 to 2\.5\. Prepare them as"),
        ((0, 1), (-128, 127), "received -128 to 127"),
        ((-2, 2.5), (0, 255), r"from -2 to 2\.5, received 0 to 255\. Prepare them"),
        ((0, 255), (-2, 2), None),
        ((0, 255), (0, 255), None),
        ((0, 1 / 255), (0, 1), "from 0 to 0.003922, received 0 to 1"),
        ((0, 1), (-0.45, 1.45), None),
        ((0, 0.2), (0, 1), None),
        ((-2, 2.5), (0, 1), None),
    ],
)
def test_numbers_far_beyond_those_of_the_training_are_refused(known, given, message, engine):
    model, dataset = knowing(*known), images(*given, peak=1)
    for call in (
        lambda: predict(model, dataset.images, engine=engine),
        lambda: predict(model, dataset.images.astype(np.float64), engine=engine),
        lambda: predict(model, dataset, engine=engine),
        lambda: evaluate(model, dataset, engine=engine),
    ):
        if message is None:
            call()
            continue
        with pytest.raises(
            DataError, match=f"^(predict|evaluate): the model was trained on numbers .*{message}"
        ):
            call()


def test_of_a_model_that_does_not_say_images_like_bytes_are_refused():
    for model in (network(), knowing(0, 1)):
        if model.card is not None:
            model.card = replace(model.card, value_range=None)
        with pytest.raises(
            DataError,
            match=r"^predict: expects images .* up to 255\. Divide .*value_range=\(0, 255",
        ):
            predict(model, images(0, 255, peak=1).images)
        predict(model, images(-3, 3).images)
        predict(model, 2 * images(0, 1).images)


def test_features_that_are_no_images_may_be_large():
    model = nn.Sequential(nn.Linear(3, 2))
    assert predict(model, np.full((2, 3), 99, np.float32)).shape == (2, 2)


def test_a_test_set_on_another_scale_is_refused_at_construction():
    with pytest.raises(
        DataError, match=r"^validation: the training set has numbers from -2 to 2, rec"
    ):
        Trainer(network(), images(-2, 2), images(0, 255, peak=1), batch_size=4)
    Trainer(network(), images(0, 1), images(0, 255, peak=255), batch_size=4)


# Other input.


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("engine", ENGINES)
def test_images_that_are_not_finite_are_refused(value, engine):
    x = DRAWN.copy()
    x[3, 0, 1, 1] = x[5, 0, 2, 2] = value
    with pytest.raises(DataError, match=r"^predict: 2 of 12 images contain NaN .* at index 3\."):
        predict(network(), x, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_other_floats_lists_and_data_sets_are_predicted_alike(engine):
    model, x = network(), DRAWN
    expected = predict(model, x, engine=engine)
    dataset = Dataset.from_arrays(x, np.zeros(12, np.int64))
    for given, rtol in (
        (x.astype(np.float64), 1e-6), (x.astype(np.float16), 2e-2), (x.tolist(), 1e-6),
        (list(x), 1e-6), (dataset, 1e-6),
    ):  # fmt: skip
        for size in (5, 12, 100):
            y = predict(model, given, engine=engine, batch_size=size)
            np.testing.assert_allclose(y, expected, rtol=rtol)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("shape", "mend"),
    [
        ((1, 8, 8), r"one image add the batch axis: `x\[np\.newaxis\]`\.$"),
        ((12, 8, 8), r"Add the channel axis: `x\[:, np\.newaxis\]`\.$"),
        ((8, 8, 1), r"`x\.transpose\(2, 0, 1\)\[np\.newaxis\]`\.$"),
        ((12, 8, 8, 1), r"Channels come before rows and columns: `x\.transpose\(0, 3, 1, 2\)`\.$"),
        ((12, 64), r"`x\.reshape\(-1, 1, 8, 8\)`\.$"),
        ((12, 3, 8, 8), r"It was built for images \(1, 8, 8\)\.$"),
    ],
)
def test_axes_that_are_missing_or_turned_are_pointed_out(shape, mend, engine):
    with pytest.raises(ShapeError, match=mend):
        predict(knowing(0, 1), np.zeros(shape, np.float32), engine=engine)


@pytest.mark.parametrize("x", [0.5, np.zeros(3), [0.1, 0.2]])
def test_what_has_no_batch_axis_is_refused(x):
    with pytest.raises(
        ShapeError, match=r"^predict: expects images \(N, C, H, W\), received shape"
    ):
        predict(network(), x)


@pytest.mark.parametrize("x", [None, "image", [np.zeros((1, 8, 8)), np.zeros((1, 9, 9))], [[1, 2]]])
def test_what_is_no_array_of_floats_is_refused(x):
    with pytest.raises(DataError, match=r"^predict: expects (an array of )?images"):
        predict(network(), x)


@pytest.mark.parametrize("size", [0, -3, 1.5, None])
def test_a_batch_of_no_image_is_refused(size):
    with pytest.raises(ArgumentError, match=r"^batch_size: must be"):
        predict(network(), DRAWN, batch_size=size)


def test_arrays_are_not_evaluated_without_labels():
    with pytest.raises(
        ArgumentError,
        match=r"^evaluate: expects a Dataset or \(images, labels\), received ndarray\. Make",
    ):
        evaluate(network(), DRAWN)
