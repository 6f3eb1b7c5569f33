from __future__ import annotations

from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data import Dataset, Loader, augmentation, digits
from pellucid.distributed import Share
from pellucid.errors import ArgumentError
from pellucid.image_random import ImageRandom


def numbered(n: int) -> Dataset:
    """Images whose only pixel is their index."""
    return Dataset.from_arrays(np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1), np.arange(n) % 3)


def seen(loader: Loader) -> list[list[int]]:
    return [(x.ravel() * 255).round().astype(int).tolist() for x, _ in loader]


def test_without_an_rng_the_images_come_in_order_and_the_rest_at_the_end() -> None:
    loader = Loader(numbered(7), batch_size=3)
    assert seen(loader) == [[0, 1, 2], [3, 4, 5], [6]]
    assert seen(loader) == [[0, 1, 2], [3, 4, 5], [6]]
    assert len(loader) == 3


def test_the_labels_go_with_their_images() -> None:
    for x, labels in Loader(numbered(50), 8, rng=np.random.default_rng(1)):
        np.testing.assert_array_equal(labels, (x.ravel() * 255).round().astype(int) % 3)
        assert (x.dtype, labels.dtype) == (np.float32, np.int64)


@given(n=st.integers(1, 60), size=st.integers(1, 70), seed=st.integers(0, 9))
def test_each_pass_hands_out_every_image_once_in_a_fresh_order(
    n: int, size: int, seed: int
) -> None:
    loader = Loader(numbered(n), size, rng=np.random.default_rng(seed))
    passes = [[i for batch in seen(loader) for i in batch] for _ in range(2)]
    rng = np.random.default_rng(seed)
    assert passes == [rng.permutation(n).tolist(), rng.permutation(n).tolist()]
    assert sum(1 for _ in loader) == len(loader)


@given(n=st.integers(1, 40), size=st.integers(1, 9), stop=st.integers(0, 60))
def test_a_restored_loader_continues_bit_for_bit(n: int, size: int, stop: int) -> None:
    def endless(loader: Loader) -> Any:
        while True:
            yield from loader

    rng = np.random.default_rng(5)
    loader = Loader(numbered(n), size, rng=rng)
    batches = endless(loader)
    for _ in islice(batches, stop):
        pass
    saved, bits = loader.state(), rng.bit_generator.state
    rest = [x.tobytes() for x, _ in islice(batches, 12)]

    other = np.random.default_rng(99)
    resumed = Loader(numbered(n), size, rng=other)
    resumed.load_state(saved)
    other.bit_generator.state = bits
    assert [x.tobytes() for x, _ in islice(endless(resumed), 12)] == rest


def test_a_batch_counts_from_the_moment_it_is_handed_out() -> None:
    loader = Loader(numbered(7), 3)
    assert loader.position == 0
    batches = iter(loader)
    next(batches)
    assert loader.position == 3
    assert seen(loader) == [[3, 4, 5], [6]]
    assert loader.position == 7


def test_making_a_loader_draws_nothing() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    Loader(numbered(7), rng=rng)
    assert rng.bit_generator.state == before


def test_the_state_is_a_copy() -> None:
    loader = Loader(numbered(4), 2)
    next(iter(loader))
    loader.state()["order"][:] = 0
    assert seen(loader) == [[2, 3]]
    saved = {"order": np.array([3, 2, 1, 0]), "position": 2}
    loader.load_state(saved)
    saved["order"][:] = 0  # type: ignore[index]
    assert seen(loader) == [[1, 0]]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, r"expects 'order' and 'position', received only \[\]"),
        ({"order": [0, 1], "position": 0}, r"order has shape \(2,\), .* data set has 4 images"),
        ({"order": [[0, 1, 2, 3]], "position": 0}, r"order has shape \(1, 4\)"),
        ({"order": [0, 1, 2, 2], "position": 0}, r"is not a permutation of 0 to 3: some image"),
        ({"order": [0, 1, 2, 4], "position": 0}, r"is not a permutation of 0 to 3"),
        ({"order": [0, 1, 2, -1], "position": 0}, r"is not a permutation of 0 to 3"),
        ({"order": [0.0, 1, 2, 3], "position": 0}, r"is not a permutation of 0 to 3"),
        ({"order": [3, 2, 1, 0], "position": 5}, r"position must lie in 0 to 4, received 5"),
        ({"order": [3, 2, 1, 0], "position": -1}, r"position must lie in 0 to 4, received -1"),
        ({"order": [3, 2, 1, 0], "position": "1"}, r"position must lie in 0 to 4, received '1'"),
        ({"order": [], "position": 1}, r"position must lie in 0 to 0, received 1"),
    ],
)
def test_a_state_of_another_data_set_is_refused(state: dict[str, Any], message: str) -> None:
    loader = Loader(numbered(4), 2)
    with pytest.raises(ArgumentError, match=f"load_state: .*{message}"):
        loader.load_state(state)
    assert seen(loader) == [[0, 1], [2, 3]]


@pytest.mark.parametrize("size", [0, -1, 2.0, "2", True, None])
def test_a_batch_size_that_is_no_count_is_refused(size: Any) -> None:
    with pytest.raises(ArgumentError, match="batch_size: must be an integer, 1 or more; received"):
        Loader(numbered(4), size)


def test_a_seed_in_place_of_an_rng_is_refused_with_advice() -> None:
    with pytest.raises(ArgumentError, match=r"rng: .* received 0\. Make one: `np\.random\.default"):
        Loader(numbered(4), rng=0)  # type: ignore[arg-type]


def test_ranks_refuse_an_augmentation_that_does_not_draw_by_the_image() -> None:
    several: Any = SimpleNamespace(rank=1, size=2)
    how = augmentation("flip", rng=np.random.default_rng(0))
    Loader(numbered(4), augment=how, share=Share())
    with pytest.raises(ArgumentError, match=r"augment: must draw by the image .*ImageRandom"):
        Loader(numbered(4), augment=how, share=Share(several))


def test_it_prints_itself() -> None:
    assert repr(Loader(numbered(4))) == (
        "Loader(Dataset('arrays', train: 4 images 1x1x1, 3 classes), batch_size=100, in order)"
    )


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("augment", [None, "flip,crop1", "mixup0.4", "cutmix1,rotate9,mixup1"])
def test_the_ranks_of_a_training_have_together_the_batches_of_one_process(
    n: int, augment: str | None
) -> None:
    images = digits()[0].take(43)  # the last batch has 3 images, fewer than 8 ranks

    def loader(share: Share | None = None) -> Loader:
        rng = ImageRandom(5, "augment")
        how = None if augment is None else augmentation(augment, rng=rng)
        return Loader(images, 10, seed=1, augment=how, share=share)

    ranks: list[Any] = [SimpleNamespace(rank=rank, size=n) for rank in range(n)]
    shares = [Share(rank) for rank in ranks]
    whole, parts = loader(), [loader(share) for share in shares]
    for _ in range(2 * len(whole)):
        expected = whole.next()
        found = [[a.copy() for a in part.next()] for part in parts]
        for own, part, share in zip(found, parts, shares, strict=True):
            assert len(own[0]) == len(part.chosen) <= share.largest(10)
            assert part.position == whole.position
            assert part.first == whole.chosen[0]
        assert np.array_equal(np.concatenate([part.chosen for part in parts]), whole.chosen)
        for array, own_arrays in zip(expected, zip(*found, strict=True), strict=True):
            assert {a.dtype for a in own_arrays} == {array.dtype}
            assert np.array_equal(np.concatenate(own_arrays), array)
