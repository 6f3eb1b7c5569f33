from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from pellucid.data import Dataset, Drawing, HeldOut, ImageFile, Preparation
from pellucid.errors import ArgumentError, DataError

BYTES = np.arange(5 * 2 * 3 * 4, dtype=np.uint8).reshape(5, 2, 3, 4)
LABELS = np.array([0, 1, 2, 1, 0])


def five(images: Any = BYTES, labels: Any = LABELS) -> Dataset:
    return Dataset(images, labels, ("a", "b", "c"), "five")


def test_it_knows_its_sizes_and_prints_them() -> None:
    dataset = five()
    assert len(dataset) == 5
    assert dataset.image_shape == (2, 3, 4)
    assert repr(dataset) == "Dataset('five', train: 5 images 2x3x4, 3 classes)"


def test_the_images_are_kept_not_copied_and_the_labels_are_int64() -> None:
    dataset = five(labels=LABELS.astype(np.uint8))
    assert dataset.images is BYTES
    assert dataset.labels.dtype == np.int64


def test_it_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        five().name = "six"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            BYTES[:, 0],
            r"images: expects shape \(N, C, H, W\), received \(5, 3, 4\). Add the channel",
        ),
        (BYTES[:0], r"images: received no pixels, shape \(0, 2, 3, 4\)\. A network"),
        (BYTES[..., :0], r"received no pixels, shape \(5, 2, 3, 0\)"),
        (BYTES.astype(np.float64), r"received float64\. Use `Dataset\.from_arrays`"),
        (BYTES > 3, r"received bool\. For black and white, use `255 \*"),
        (BYTES.astype(np.int64), r"received int64\. If they lie in 0 to 255"),
        (BYTES.astype(np.uint16), r"received uint16\. Divide them by"),
        (BYTES.astype(complex), r"received complex128\. Convert them"),
    ],
)
def test_images_of_another_kind_are_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        five(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:4], r"labels: expects one label per image, received 4 labels for 5 images\."),
        (LABELS * 0.5, r"labels: must be integers, received float64\. Number the classes from 0"),
        (LABELS > 1, r"labels: must be integers, received bool"),
        (
            np.eye(5, dtype=int),
            r"received \(5, 5\)\. Turn one-hot rows into labels: `labels\.argmax",
        ),
        (LABELS + 1, r"must lie in 0 to 2, one .* the 3 classes; received 3 at index 2\. Count"),
        (LABELS - 1, r"must lie in 0 to 2, .* received -1 at index 0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        five(labels=labels)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_float_images_must_be_finite(bad: float) -> None:
    images = BYTES.astype(np.float32)
    images[[2, 4], 1, 2, 3] = bad
    with pytest.raises(DataError, match=r"2 of 5 images contain NaN or infinity, .* index 2\."):
        five(images)


@pytest.mark.parametrize("peak", [0, -1, float("nan")])
def test_a_peak_that_is_not_positive_is_refused(peak: float) -> None:
    with pytest.raises(ArgumentError, match=r"peak: must be the pixel value that means 1\.0"):
        Dataset(BYTES, LABELS, ("a", "b", "c"), "five", peak=peak)


def test_a_batch_is_float32_divided_by_the_peak_as_the_book_does() -> None:
    x, labels = five().batch([4, 0])
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, BYTES[[4, 0]].astype(np.float32) / 255.0)
    np.testing.assert_array_equal(labels, [0, 0])


def test_a_batch_of_floats_is_a_new_array() -> None:
    dataset = Dataset.from_arrays(np.ones((2, 1, 2, 2), np.float32), [0, 0])
    dataset.batch(slice(None))[0][:] = 7
    assert dataset.images.max() == 1


def test_a_batch_can_be_float64() -> None:
    x, _ = five().batch(np.array([1]), dtype=np.float64)
    assert x.dtype == np.float64
    np.testing.assert_array_equal(x, BYTES[1:2] / 255)


def test_take_views_the_first_images() -> None:
    taken = five().take(2)
    assert len(taken) == 2
    assert np.shares_memory(taken.images, BYTES)
    assert len(five().take(99)) == 5
    with pytest.raises(ArgumentError, match="take: must be 1 or more images, received 0"):
        five().take(0)


def test_a_subset_keeps_the_order_asked_for() -> None:
    chosen = five().subset([3, 0, 3])
    np.testing.assert_array_equal(chosen.images, BYTES[[3, 0, 3]])
    np.testing.assert_array_equal(chosen.labels, [1, 0, 1])
    assert chosen.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0, 5], r"subset: there is no image 5: this set has images 0 to 4\."),
        ([-1], r"there is no image -1"),
        ([True, False], r"received bool of shape \(2,\)\. Turn a mask into indices"),
        ([0.5], r"expects integers \(M,\), received float64"),
        ([[0]], r"received int64 of shape \(1, 1\)"),
    ],
)
def test_indices_that_do_not_exist_are_refused(indices: list[Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        five().subset(indices)


def test_floats_are_not_divided_by_the_peak_of_bytes() -> None:
    images = np.array([0, 0.5, 1], dtype=np.float32).reshape(3, 1, 1, 1)
    floats = Dataset(images, np.zeros(3, np.int64), ("a",), "floats")
    assert floats.batch(slice(None))[0].ravel().tolist() == [0, 0.5, 1]
    assert floats.take(1).peak == 1


def test_from_arrays_names_the_classes_and_finds_the_peak() -> None:
    dataset = Dataset.from_arrays(BYTES, [0, 2, 1, 0, 0], name="mine", split="test")
    assert (dataset.classes, dataset.peak, dataset.split) == (("0", "1", "2"), 255, "test")
    floats = Dataset.from_arrays(BYTES / 255, LABELS, classes=["x", "y", "z"])
    assert (floats.images.dtype, floats.peak, floats.classes) == (np.float32, 1, ("x", "y", "z"))


def test_from_arrays_refuses_what_becomes_infinite_in_float32() -> None:
    with pytest.raises(DataError, match="5 of 5 images contain NaN or infinity"):
        Dataset.from_arrays(np.full((5, 1, 2, 2), 1e300), LABELS)


def test_from_arrays_refuses_negative_labels_and_other_dtypes() -> None:
    with pytest.raises(DataError, match="received -3 at index 0"):
        Dataset.from_arrays(BYTES, LABELS - 3)
    with pytest.raises(DataError, match="labels: must be integers, received <U1"):
        Dataset.from_arrays(BYTES, list("abcde"))
    with pytest.raises(DataError, match=r"images: must be uint8 .* received bool"):
        Dataset.from_arrays(BYTES > 0, LABELS)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_statistics_are_those_of_the_batches(dtype) -> None:
    images = np.random.default_rng(0).integers(0, 200, (600, 3, 5, 4)).astype(dtype)
    dataset = Dataset(images, np.zeros(600, int), ("a",), "x", peak=199)
    x = dataset.batch(slice(None), np.float64)[0]
    mean, deviation = dataset.statistics()
    np.testing.assert_allclose(mean, x.mean(axis=(0, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(deviation, x.std(axis=(0, 2, 3)), atol=1e-6)


def test_a_channel_that_is_the_same_everywhere_has_deviation_one() -> None:
    images = np.full((300, 1, 5, 4), 51, np.uint8)
    assert Dataset.from_arrays(images, np.zeros(300, int)).statistics() == ((0.2,), (1.0,))


@pytest.mark.parametrize(("loc", "scale"), [(1e4, 1e-2), (3e4, 0.1), (0.5, 1e-5), (-2, 30)])
def test_a_mean_far_from_zero_costs_the_deviation_no_digits(loc, scale) -> None:
    images = (loc + scale * np.random.default_rng(0).normal(size=(300, 2, 6, 6))).astype(np.float32)
    mean, deviation = Dataset.from_arrays(images, np.zeros(300, int), peak=1).statistics()
    exact = images.astype(np.float64)
    np.testing.assert_allclose(deviation, exact.std(axis=(0, 2, 3)), rtol=1e-5)
    off = np.abs(mean - exact.mean(axis=(0, 2, 3)))
    assert (off < 1e-5 * np.array(deviation)).all()


def test_statistics_of_sorted_images_are_exact() -> None:
    images = np.repeat(np.float32([1000, -1000, 1001]), 256).reshape(-1, 1, 1, 1)
    mean, deviation = Dataset.from_arrays(images, np.zeros(768, int), peak=1).statistics()
    assert mean == pytest.approx((images.mean(dtype=float),), rel=1e-6)
    assert deviation == pytest.approx((images.std(dtype=float),), rel=1e-6)


def test_an_index_gives_an_image_as_it_is_stored_and_its_label() -> None:
    dataset = five()
    for index in (1, np.int64(1), -4):
        image, label = dataset[index]
        assert (image.shape, image.dtype, label, type(label)) == ((2, 3, 4), np.uint8, 1, int)
        assert np.shares_memory(image, BYTES[1])


def test_it_is_iterated_over_as_images_with_their_labels() -> None:
    pairs = list(five())
    assert [label for _, label in pairs] == LABELS.tolist()
    assert all(type(label) is int for _, label in pairs)
    for (image, _), expected in zip(pairs, BYTES, strict=True):
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("index", [slice(1, 4), slice(None, None, 2), slice(None, None, -1)])
def test_a_slice_is_a_data_set_that_knows_what_the_whole_knew(index: slice) -> None:
    files = [ImageFile(f"{k}.png", "0" * 64) for k in range(5)]
    held_out = HeldOut(0.2, 0, "0" * 64)
    preparation = Preparation((3, 4), 2, Drawing())
    whole = Dataset(
        BYTES, LABELS, ("a", "b", "c"), "five", 200, "test", preparation, files, held_out
    )
    part = whole[index]
    assert isinstance(part, Dataset)
    assert np.shares_memory(part.images, BYTES)
    np.testing.assert_array_equal(part.images, BYTES[index])
    np.testing.assert_array_equal(part.labels, LABELS[index])
    assert part.files == tuple(files[index])
    assert (part.classes, part.name, part.peak, part.split) == (whole.classes, "five", 200, "test")
    assert (part.preparation, part.held_out) == (preparation, held_out)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (5, "there is no image 5: this set has images 0 to 4, or -5 to -1 from the end"),
        (-6, "there is no image -6: this set has images 0 to 4"),
        (1.0, r"expects an integer or a slice, received 1\.0 \(float\)\. Select several .*subset"),
        ("a", r"received 'a' \(str\)"),
        (None, r"received None \(NoneType\)"),
        (True, r"received True \(bool\)"),
        ([0, 1], r"received \[0, 1\] \(list\)"),
        ((0, 1), r"received \(0, 1\) \(tuple\)"),
        (LABELS == 1, r"received an array of bool \(5,\)\. .* `np\.flatnonzero\(mask\)`"),
        (slice(5, 9), r"slice\(5, 9, None\) selects none of the 5 images"),
        (slice(0, 3, 0), r"cannot take slice\(0, 3, 0\): slice step cannot be zero"),
        (slice(0.5), r"cannot take slice\(None, 0\.5, None\): slice indices must be integers"),
    ],
)
def test_an_index_of_no_image_is_refused(index: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        five()[index]
