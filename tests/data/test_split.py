from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data import Dataset, held_out_images
from pellucid.errors import ArgumentError, DataError


def numbered(labels: list[int]) -> Dataset:
    images = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1)
    return Dataset.from_arrays(images, labels, peak=1)


@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=80),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 5),
)
def test_each_image_is_in_one_part_and_each_class_in_its_proportion(labels, share, seed):
    dataset = numbered(labels)
    counts = np.bincount(labels)
    if counts.max() < 2:
        with pytest.raises(DataError, match="no class has two images"):
            held_out_images(dataset, share, seed=seed)
        return
    train, test = held_out_images(dataset, share, seed=seed)
    for part in (train, test):
        places = part.images.ravel()
        assert (np.diff(places) > 0).all(), "in the order of the whole"
        np.testing.assert_array_equal(part.labels, dataset.labels[places.astype(int)])
    assert sorted([*train.images.ravel(), *test.images.ravel()]) == list(range(len(labels)))
    held = np.bincount(test.labels, minlength=len(counts))
    for n, k in zip(counts, held, strict=True):
        assert abs(k - share * n) <= 1
        assert k == 0 if n < 2 else 1 <= k <= n - 1
    assert (train.split, test.split) == ("train", "test")
    again = held_out_images(dataset, share, seed=seed)[1]
    np.testing.assert_array_equal(again.images, test.images)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_that_leaves_nothing_is_refused(share):
    with pytest.raises(ArgumentError, match="share: must be between 0 and 1, received"):
        held_out_images(numbered([0, 0, 1, 1]), share)
