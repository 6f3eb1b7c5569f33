from __future__ import annotations

import numpy as np
import pytest

from ops.witness import frozen
from pellucid.data import (
    Augmentation,
    Brightness,
    Crop,
    Cutout,
    Dataset,
    Flip,
    Loader,
    augmentation,
)
from pellucid.errors import ArgumentError, DataError


def images(n: int = 200, c: int = 3, h: int = 6, w: int = 7) -> np.ndarray:
    x = np.random.default_rng(5).random((n, c, h, w), dtype=np.float32)
    return frozen(0.1 + 0.8 * x)


def changed(*transforms, x=None, seed: int = 0) -> np.ndarray:
    x = images() if x is None else x
    return Augmentation(*transforms, rng=np.random.default_rng(seed))(x).copy()


def test_a_flip_mirrors_about_half_of_the_images_left_and_right():
    x = images()
    y = changed(Flip())
    same = (y == x).all(axis=(1, 2, 3))
    mirrored = (y == x[:, :, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_a_crop_is_a_shift_by_up_to_its_padding_each_way():
    x = images()
    y = changed(Crop(2, fill=0.5))
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), constant_values=0.5)
    seen = set()
    for before, after in zip(padded, y, strict=True):
        found = [
            (i, j) for i in range(5) for j in range(5)
            if np.array_equal(before[:, i : i + 6, j : j + 7], after)
        ]  # fmt: skip
        assert len(found) == 1
        seen |= set(found)
    assert len(seen) == 25


def test_what_comes_in_stays_of_its_colour_from_batch_to_batch():
    augment = Augmentation(Crop(3, fill=(0.0, 0.25, 1.0)), rng=np.random.default_rng(0))
    for n in (4, 9, 2):
        y = augment(np.full((n, 3, 5, 5), 0.5, np.float32))
        for channel, fill in enumerate((0.0, 0.25, 1.0)):
            assert set(np.unique(y[:, channel])) <= {np.float32(fill), np.float32(0.5)}


def test_cutout_hides_one_square_that_may_reach_over_the_edge():
    x = images()
    y = changed(Cutout(3, fill=(0.0, 0.05, 1.0)))
    areas = set()
    for before, after in zip(x, y, strict=True):
        hidden = (before != after).all(axis=0)
        rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
        assert hidden.sum() == len(rows) * len(columns)
        assert np.ptp(rows) < 3
        assert np.ptp(columns) < 3
        np.testing.assert_allclose(after[:, hidden].T, [[0.0, 0.05, 1.0]] * hidden.sum())
        np.testing.assert_array_equal(after[:, ~hidden], before[:, ~hidden])
        areas.add(int(hidden.sum()))
    assert areas == {4, 6, 9}


def test_any_pixel_may_be_the_centre_of_the_square():
    y = changed(Cutout(1), x=np.ones((2000, 1, 4, 5), np.float32))
    assert (y == 0).sum(axis=(1, 2, 3)).tolist() == [1] * 2000
    assert (y == 0).any(axis=(0, 1)).all()


def test_brightness_multiplies_each_image_by_one_factor_and_stops_at_white():
    x = images()
    y = changed(Brightness(0.2))
    factors = (y / x).reshape(len(x), -1)
    dark = y.max(axis=(1, 2, 3)) < 1
    assert np.ptp(factors[dark], axis=1).max() < 1e-5
    assert 0.8 <= factors.min() < 0.85
    assert 1.15 < factors.max() <= 1.2 + 1e-6
    assert y.max() <= 1


def test_brightness_leaves_what_is_brighter_than_white_already():
    x = np.full((50, 1, 2, 2), 1.25, np.float32)
    x[:, :, 0, 0] = -0.1  # as resizing may leave it
    y = changed(Brightness(0.5), x=x)
    assert y.max() == 1.25
    assert (y.max(axis=(1, 2, 3)) == 1.25).sum() > 10


def test_standardised_images_are_not_made_brighter_by_a_factor():
    x = (images() - 0.5) / 0.25
    with pytest.raises(DataError, match=r"^brightness: expects images in \[0, 1\].*nn.Normalize"):
        changed(Brightness(0.2), x=x)
    dataset = Dataset.from_arrays(x, np.arange(len(x)) % 2)
    loader = Loader(dataset, 10, augment=augmentation("flip,crop1,cutout2"))
    assert loader.next()[0].max() > 1


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_cutout_hides_opposite_sides_equally_often(size):
    x = np.ones((40_000, 1, 9, 10), np.float32)
    hidden = 1 - changed(Cutout(size), x=x).mean(axis=(0, 1))
    for turned in (hidden[::-1], hidden[:, ::-1]):
        np.testing.assert_allclose(hidden, turned, atol=0.012)


@pytest.mark.parametrize("transform", [Flip(), Crop(1), Cutout(2), Brightness(0.5)])
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.full((4, 1, 5, 5), 200, np.uint8), r"received uint8 of shape .* Divide them by the la"),
        (np.ones((4, 1, 5, 5), np.int64), r"received int64 of shape"),
        (np.ones((4, 1, 5, 5), bool), r"received bool of shape"),
        (
            np.ones((1, 5, 5), np.float32),
            r"received float32 of shape \(1, 5, 5\). For one image ad",
        ),
        (np.ones((4, 5), np.float32), r"received float32 of shape \(4, 5\)\.$"),
    ],
)
def test_what_is_no_batch_of_floats_is_refused(transform, x, words):
    with pytest.raises(DataError, match=r"^augment: expects float images \(N, C, H, W\), " + words):
        Augmentation(transform)(x)


def test_an_empty_batch_stays_one():
    x = np.empty((0, 3, 5, 5), np.float32)
    assert augmentation("flip,crop2,cutout3,brightness0.5")(x).shape == x.shape


def test_they_are_applied_in_their_order():
    rng = np.random.default_rng(3)
    x = images(20)
    both = Augmentation(Crop(2), Cutout(3, 0.5), rng=rng)(x).copy()
    rng = np.random.default_rng(3)
    one = Augmentation(Crop(2), rng=rng)(x).copy()
    np.testing.assert_array_equal(Augmentation(Cutout(3, 0.5), rng=rng)(one), both)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays_and_the_input_is_not_written_to(dtype):
    x = frozen(np.asarray(images(5), dtype))
    before = x.copy()
    y = augmentation("flip,crop2,cutout3,brightness0.5")(x)
    assert y.dtype == dtype
    assert y.shape == x.shape
    np.testing.assert_array_equal(x, before)


def test_a_batch_of_another_size_gets_the_same_treatment():
    augment = augmentation("flip,crop1,cutout2", rng=np.random.default_rng(0))
    for shape in ((8, 1, 4, 4), (3, 1, 4, 4), (1, 3, 5, 6), (8, 1, 4, 4)):
        assert augment(np.ones(shape, np.float32)).shape == shape


def test_the_text_is_read_back_from_what_it_makes():
    text = "flip,crop4,cutout8,brightness0.2"
    assert (
        str(augmentation(text)) == str(augmentation(" Flip, CROP 4 ,cutout8,brightness.2")) == text
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"there is no ''\. Known: brightness, crop, cutmix, cutout, erase, .* Write for "),
        ("flip,", "there is no ''"),
        ("rotat5", r"there is no 'rotat5'\. Did you mean 'rotate'\?"),
        ("cutuot8", r".*Did you mean 'cutout'\?"),
        ("crop", "crop needs a number after it; received 'crop'"),
        ("flip3", "flip takes no number; received 'flip3'"),
        ("crop2.5", r"crop must be an integer number of pixels, received 2\.5\. Write"),
        ("crop0", r"crop must be 1 pixel or more, received 0\."),
        ("cutout-3", "there is no 'cutout-3'"),
        ("brightness2", r"brightness must be above 0 and at most 1, received 2\.0"),
    ],
)
def test_a_text_that_means_nothing_is_refused_with_an_example(text, reason):
    with pytest.raises(ArgumentError, match=f"augment: {reason}"):
        augmentation(text)


def test_a_colour_needs_one_number_a_channel():
    with pytest.raises(
        ArgumentError, match="fill: expects one number or one for each of 3 channels"
    ):
        changed(Cutout(2, fill=(0.1, 0.2)))


def ten() -> Dataset:
    x = np.random.default_rng(0).integers(0, 256, (10, 1, 4, 4), dtype=np.uint8)
    return Dataset.from_arrays(x, np.arange(10))


def loader(seed: int) -> Loader:
    augment = augmentation("flip,crop1", rng=np.random.default_rng(seed + 1))
    return Loader(ten(), 4, rng=np.random.default_rng(seed), augment=augment)


def test_a_loader_augments_each_batch_by_its_own_generator():
    plain = Loader(ten(), 4, rng=np.random.default_rng(7))
    augment = augmentation("flip,crop1", rng=np.random.default_rng(8))
    expected = [(augment(x).copy(), t) for x, t in plain]
    for (x, labels), (y, t) in zip(loader(7), expected, strict=True):
        np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(labels, t)


def test_a_batch_that_is_taken_back_comes_again_as_it_was_drawn():
    whole = [x.copy() for x, _ in loader(0)]
    again = loader(0)
    batches = iter(again)
    next(batches)
    next(batches)
    again.rewind(4)
    rest = [x.copy() for x, _ in again]
    for x, y in zip(rest, whole[1:], strict=True):
        np.testing.assert_array_equal(x, y)


def test_taking_nothing_back_changes_nothing():
    whole = [x.copy() for x, _ in loader(0)]
    again = loader(0)
    found = []
    for x, _ in again:
        found.append(x.copy())
        again.rewind(again.position)
    for x, y in zip(found, whole, strict=True):
        np.testing.assert_array_equal(x, y)
