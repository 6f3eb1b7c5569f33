"""What is drawn for an image follows from seed, name, epoch and image, and from nothing else."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from pellucid import nn
from pellucid.data import Dataset, Loader, augmentation
from pellucid.errors import ArgumentError
from pellucid.image_random import ImageRandom, permutation

IMAGES = np.arange(20, 52)
DRAWS = {
    "random": lambda rng, n: rng.random((n, 3, 5)),
    "random float32": lambda rng, n: rng.random((n, 7), dtype=np.float32),
    "uniform": lambda rng, n: rng.uniform(-1, 3, size=(n, 1, 1, 1)),
    "integers": lambda rng, n: rng.integers(0, (9, 5), size=(n, 2)),
    "normal": lambda rng, n: rng.normal(2, 3, size=(n, 4)),
    "exponential": lambda rng, n: rng.exponential(size=n),
}


def drawn(name, epoch, images, *, seed=0, stream="a", times=1):
    rng = ImageRandom(seed, stream)
    rng.at(epoch, images)
    return [DRAWS[name](rng, len(images)) for _ in range(times)][-1]


@pytest.mark.parametrize("name", DRAWS)
def test_an_image_gets_the_same_in_any_batch(name):
    whole = drawn(name, 1, IMAGES)
    order = np.random.default_rng(0).permutation(len(IMAGES))
    for part in (order[:16], order[16:17], order[17:]):
        np.testing.assert_array_equal(drawn(name, 1, IMAGES[part]), whole[part])


@pytest.mark.parametrize("name", DRAWS)
def test_all_else_changes_it(name):
    whole = drawn(name, 1, IMAGES)
    assert len(np.unique(whole.reshape(len(IMAGES), -1), axis=0)) > 1
    others = [
        drawn(name, 2, IMAGES),
        drawn(name, 1, IMAGES, seed=1),
        drawn(name, 1, IMAGES, stream="b"),
        drawn(name, 1, IMAGES, times=2),
        drawn(name, 1, IMAGES + 2**32),
    ]
    assert all((other != whole).any() for other in others)


def test_the_numbers_are_spread_evenly():
    rng = ImageRandom(3, "a")
    rng.at(0, np.arange(500))
    x = rng.random((500, 400))
    assert x.min() >= 0
    assert x.max() < 1
    np.testing.assert_allclose(np.histogram(x, 10, (0, 1))[0], x.size / 10, rtol=0.02)
    assert abs(np.corrcoef(x[:, :-1].ravel(), x[:, 1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(x[:-1].ravel(), x[1:].ravel())[0, 1]) < 0.01
    counts = np.bincount(rng.integers(3, 8, size=(500, 40)).ravel(), minlength=9)
    assert counts[[0, 1, 2, 8]].sum() == 0
    np.testing.assert_allclose(counts[3:8], 4000, rtol=0.1)


def test_a_fraction_of_float32_is_below_1(monkeypatch):
    rng = ImageRandom(0, "a")
    monkeypatch.setattr(rng, "_words", lambda size: np.full(size, 2**32 - 1, np.uint32))
    assert rng.random((1, 2), dtype=np.float32).max() < 1


def test_draws_of_another_size_are_made_once_for_the_batch():
    rng = ImageRandom(0, "a")
    rng.at(0, IMAGES)
    first = rng.random(3), rng.normal(size=2), rng.normal()
    rng.at(0, IMAGES[:5])
    again = rng.random(3), rng.normal(size=2), rng.normal()
    assert [np.shape(a) for a in first] == [(3,), (2,), ()]
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)


def test_bounds_that_leave_nothing_are_refused():
    with pytest.raises(ArgumentError, match="integers: needs low < high and 2\\*\\*32 values"):
        ImageRandom(0, "a").integers(3, 3, size=(1,))


def test_what_a_generator_does_not_have_it_does_not_have():
    with pytest.raises(AttributeError, match="no attribute 'gaussian'"):
        ImageRandom(0, "a").gaussian  # noqa: B018
    rng = copy.deepcopy(pickle.loads(pickle.dumps(ImageRandom(0, "a"))))
    assert rng.random() == ImageRandom(0, "a").random()


def test_every_epoch_has_an_order_of_its_own():
    orders = [permutation(seed, epoch, 50).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def _batches(batch_size, *, from_state=None, first=0):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 3, 8, 8), dtype=np.uint8)
    augment = augmentation("flip,crop2,cutout3,brightness0.2")
    augment.rng = ImageRandom(5, "augment")
    loader = Loader(Dataset.from_arrays(images, np.arange(30)), batch_size, seed=5, augment=augment)
    if from_state is not None:
        loader.load_state(from_state)
    return loader, augment


def test_the_size_of_a_batch_does_not_change_what_becomes_of_an_image():
    loaders = [_batches(size)[0] for size in (30, 7)]
    for _ in range(2):
        parts = [[(x.copy(), labels) for x, labels in loader] for loader in loaders]
        (whole, order), *_ = parts[0]
        np.testing.assert_array_equal(np.concatenate([x for x, _ in parts[1]]), whole)
        np.testing.assert_array_equal(np.concatenate([labels for _, labels in parts[1]]), order)


def test_a_pass_goes_on_from_its_state_alone():
    loader, _ = _batches(8)
    for _ in range(6):
        loader.next()
    again, _ = _batches(8, from_state=loader.state())
    for _ in range(5):
        for one, two in zip(loader.next(), again.next(), strict=True):
            np.testing.assert_array_equal(one, two)


def test_two_halves_of_a_batch_have_the_masks_of_the_whole():
    whole, half = nn.Dropout(0.4), nn.Dropout(0.4)
    whole.rng, half.rng = ImageRandom(1, "drop"), ImageRandom(1, "drop")
    x = np.ones((len(IMAGES), 3, 4, 4), np.float32)
    whole.rng.at(2, IMAGES)
    y = whole(x)
    for part in (slice(None, 16), slice(16, None)):
        half.rng.at(2, IMAGES[part])
        np.testing.assert_array_equal(half(x[part]), y[part])


def test_a_loader_takes_a_seed_or_a_generator():
    ten = Dataset.from_arrays(np.zeros((10, 1, 2, 2), np.uint8), np.arange(10))
    with pytest.raises(ArgumentError, match=r"^seed: must be an integer, 0 or more.* and an rng\."):
        Loader(ten, seed=1, rng=np.random.default_rng(0))
    with pytest.raises(ArgumentError, match=r"^seed: .*received -1\."):
        Loader(ten, seed=-1)
