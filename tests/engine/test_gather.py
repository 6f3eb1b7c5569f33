"""The engine's gather is `Dataset.batch`, to the bit; a Loader may use it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data import Dataset, Loader
from pellucid.engine.cpu.gather import Gather
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads


def _dataset(n, shape=(3, 5, 4), dtype=np.uint8, **options):
    rng = np.random.default_rng(n)
    images = rng.integers(0, 256, size=(n, *shape), dtype=np.uint8)
    if dtype == np.float32:
        images = (images / 255).astype(np.float32)
    return Dataset(images, rng.integers(0, 7, n), tuple("abcdefg"), "drawn", **options)


def _same(gather, dataset, chosen):
    x, labels = gather(dataset, chosen)
    expected, expected_labels = dataset.batch(chosen)
    assert (x.dtype, labels.dtype) == (np.float32, np.int64)
    assert x.flags.c_contiguous
    np.testing.assert_array_equal(x, expected)
    assert x.tobytes() == expected.tobytes()
    np.testing.assert_array_equal(labels, expected_labels)


@given(
    n=st.integers(1, 30), dtype=st.sampled_from([np.uint8, np.float32]),
    peak=st.sampled_from([None, 16, 255, 0.3, 1e-50, 1e300]), seed=st.integers(0, 9),
)  # fmt: skip
def test_a_batch_is_that_of_the_data_set(n, dtype, peak, seed):
    dataset, gather = _dataset(n, dtype=dtype, peak=peak), Gather()
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        for size in (1, 7, 3):
            _same(gather, dataset, rng.integers(-n, n, size))


@pytest.mark.parametrize(
    "chosen",
    [
        [2, 0],
        slice(1, 9, 3),
        np.array([], int),
        np.arange(12) % 3 == 0,
        np.array([[1, 2], [3, 4]]),
        np.array([5, 1], np.uint8),
        np.array([7, 7, -1], np.int32),
        np.arange(12)[::-2],
    ],
    ids=str,
)
def test_whatever_a_data_set_understands(chosen):
    _same(Gather(), _dataset(12), chosen)


@pytest.mark.parametrize("chosen", [np.array([0, 12]), np.array([-13]), np.array([0.5])], ids=str)
def test_what_is_not_there_is_refused_in_the_same_words(chosen):
    dataset = _dataset(12)
    with pytest.raises(IndexError) as own:
        Gather()(dataset, chosen)
    with pytest.raises(IndexError) as plain:
        dataset.batch(chosen)
    assert str(own.value) == str(plain.value)


def test_images_that_are_no_run_of_memory_or_must_not_be_written_to():
    whole = _dataset(12, (3, 5, 8))
    turned = Dataset(whole.images[:, ::-1, :, ::2], whole.labels, whole.classes, "turned")
    _same(Gather(), turned, np.array([1, 1, 5]))
    fixed = whole.images.copy()
    fixed.setflags(write=False)
    _same(Gather(), Dataset(fixed, whole.labels, whole.classes, "fixed"), np.array([1, 1, 5]))
    assert whole.images.flags.writeable


def test_a_data_set_of_ones_own_keeps_its_batches():
    class Negative(Dataset):
        def batch(self, indices, dtype=np.float32):
            x, labels = super().batch(indices, dtype)
            return 1 - x, labels

    plain = _dataset(12)
    _same(Gather(), Negative(plain.images, plain.labels, plain.classes, "n"), np.array([1, 2]))


def test_a_loader_hands_out_the_same_batches():
    dataset = _dataset(23)
    plain = Loader(dataset, 5, rng=np.random.default_rng(3))
    fast = Loader(dataset, 5, rng=np.random.default_rng(3), gather=Gather())
    for _ in range(2):
        one = [(x.tobytes(), labels.tolist()) for x, labels in plain]
        two = [(x.tobytes(), labels.tolist()) for x, labels in fast]
        assert one == two
        assert len(two) == 5


def test_the_bits_do_not_depend_on_the_threads():
    dataset, before = _dataset(300, (3, 32, 32)), get_num_threads()
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            _same(Gather(), dataset, np.arange(299, -1, -1))
    finally:
        set_num_threads(before)
