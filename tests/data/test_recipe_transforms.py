"""Rotation, scaling, erasing, and images mixed with their labels."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees, frozen
from pellucid import ops
from pellucid.data import (
    Augmentation,
    Cutmix,
    Dataset,
    Erase,
    Loader,
    Mixup,
    Rotate,
    Scale,
    augmentation,
    balanced_weights,
)
from pellucid.data.mixing import beta_quantiles
from pellucid.engine import CPU
from pellucid.errors import ArgumentError, DataError
from pellucid.image_random import ImageRandom
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads


def images(n: int = 200, c: int = 3, h: int = 6, w: int = 7) -> np.ndarray:
    return frozen(np.random.default_rng(5).random((n, c, h, w), dtype=np.float32))


def changed(*transforms, x=None, targets=None, seed: int = 0) -> np.ndarray:
    x = images() if x is None else x
    return Augmentation(*transforms, rng=np.random.default_rng(seed))(x, targets).copy()


def turns(n: int, seed: int = 0) -> np.ndarray:
    """Return matrices (N, 2, 2): rotations, scalings, and anything."""
    rng = np.random.default_rng(seed)
    m = rng.normal(size=(n, 2, 2))
    angle = rng.uniform(-3, 3, n)
    cos, sin = np.cos(angle), np.sin(angle)
    m[::2] = np.stack([cos, sin, -sin, cos], axis=1).reshape(n, 2, 2)[::2]
    m[0] = np.eye(2)
    return m


# Affine maps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(7, 3, 6, 7), (4, 1, 28, 28), (3, 2, 1, 5), (2, 1, 4, 1)])
def test_an_affine_map_is_that_of_torch(shape, torch):
    x, m = images(*shape).astype(np.float64), turns(shape[0])
    n, _, h, w = shape
    # Torch's coordinates are (column, row), from -1 to 1 across the image.
    theta = np.zeros((n, 2, 3))
    theta[:, 0, 0], theta[:, 0, 1] = m[:, 1, 1], m[:, 1, 0] * h / w
    theta[:, 1, 0], theta[:, 1, 1] = m[:, 0, 1] * w / h, m[:, 0, 0]
    of = torch.nn.functional
    grid = of.affine_grid(torch.from_numpy(theta), list(shape), align_corners=False)
    expected = of.grid_sample(
        torch.from_numpy(x.copy()), grid, padding_mode="border", align_corners=False
    )
    np.testing.assert_allclose(ops.affine(x, m), expected.numpy(), atol=1e-12)


@pytest.mark.parametrize("shape", [(7, 3, 6, 7), (64, 3, 32, 32), (3, 2, 1, 5), (2, 1, 4, 1)])
def test_the_kernel_is_its_op_on_any_number_of_threads(shape):
    x, m = images(*shape), turns(shape[0])
    y = CPU.affine(x, m)
    assert_agrees(y, ops.affine(x.astype(np.float64), m), within=1e-6)
    threads = get_num_threads()
    try:
        set_num_threads(1)
        np.testing.assert_array_equal(CPU.affine(x, m), y)
    finally:
        set_num_threads(threads)
    exact = CPU.affine(x.astype(np.float64), m)
    np.testing.assert_array_equal(exact, ops.affine(x.astype(np.float64), m))


def test_the_map_that_changes_nothing_changes_nothing():
    x = images()
    np.testing.assert_array_equal(ops.affine(x, np.tile(np.eye(2), (len(x), 1, 1))), x)
    np.testing.assert_array_equal(CPU.affine(x, np.tile(np.eye(2), (len(x), 1, 1))), x)


def test_a_rotation_is_by_up_to_its_degrees_either_way():
    angles = []
    rotate = Rotate(30)
    rotate.affine = lambda x, m: (angles.extend(np.arctan2(m[:, 0, 1], m[:, 0, 0])), x)[1]
    changed(rotate, x=images(1000))
    degrees = np.rad2deg(angles)
    assert -30 <= degrees.min() < -28
    assert 28 < degrees.max() <= 30
    assert abs(degrees.mean()) < 2


def test_a_rotation_by_a_quarter_turns_the_image():
    x = images(1, h=5, w=5)
    quarter = ops.affine(x, np.array([[[0.0, 1.0], [-1.0, 0.0]]]))
    np.testing.assert_allclose(quarter, np.rot90(x, axes=(2, 3)), atol=1e-6)


def test_a_scaling_is_by_up_to_its_fraction_and_about_the_centre():
    x = np.zeros((500, 1, 31, 31), np.float32)
    x[:, :, 10:21, 10:21] = 1  # 11 x 11
    y = changed(Scale(0.4), x=x)
    sides = np.sqrt(y.sum(axis=(1, 2, 3)))
    assert 6.4 < sides.min() < 7.5
    assert 14.5 < sides.max() < 15.6
    np.testing.assert_allclose(y, y[:, :, ::-1, ::-1], atol=1e-5)


# Erasing --------------------------------------------------------------------------------------


def test_an_erased_image_has_one_rectangle_of_the_colour():
    x = np.full((400, 2, 20, 30), 0.5, np.float32)
    y = changed(Erase(fill=(0.25, 1.0)), x=x)
    gone = (y != 0.5).any(axis=1)
    chosen = gone.any(axis=(1, 2))
    assert 160 < chosen.sum() < 240
    areas, ratios = [], []
    for each, image in zip(gone[chosen], y[chosen], strict=True):
        rows, columns = np.flatnonzero(each.any(axis=1)), np.flatnonzero(each.any(axis=0))
        assert each.sum() == len(rows) * len(columns)
        assert set(np.unique(image[0])) == {0.25, 0.5}
        assert set(np.unique(image[1])) == {0.5, 1.0}
        areas.append(each.mean())
        ratios.append(len(rows) / len(columns))
    assert 0.01 < min(areas) < 0.05
    assert 0.3 < max(areas) < 0.42
    assert min(ratios) < 0.5
    assert max(ratios) > 1.5
    assert (gone[:, 0].any(), gone[:, -1].any(), gone[:, :, 0].any()) == (True, True, True)


@pytest.mark.parametrize(("text", "share"), [("erase", 0.5), ("erase0.1", 0.1), ("erase1", 1.0)])
def test_the_share_of_erased_images_is_the_number(text, share):
    augment = augmentation(text, rng=np.random.default_rng(0))
    assert str(augment) == text
    x = np.ones((1000, 1, 9, 9), np.float32)
    erased = (augment(x) == 0).any(axis=(1, 2, 3)).mean()
    assert erased == pytest.approx(share, abs=0.05)


# Mixing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.2, 0.4, 1.0, 2.0, 8.0, 100.0])
def test_the_quantiles_of_beta_are_those_of_numpy_s_draws(alpha):
    quantiles = beta_quantiles(alpha)
    assert (quantiles[0], quantiles[2048], quantiles[-1]) == (0.0, 0.5, 1.0)
    assert (np.diff(quantiles) >= 0).all()
    drawn = np.sort(np.random.default_rng(0).beta(alpha, alpha, 200_000))
    ranks = np.interp(drawn, quantiles, np.linspace(0, 1, len(quantiles)))
    # The largest distance of the distributions; 1.6 / sqrt(n) is exceeded once in a hundred.
    inside = (drawn > 1e-9) & (drawn < 1 - 1e-9)
    empirical = (np.arange(len(drawn)) + 0.5) / len(drawn)
    assert abs(ranks - empirical)[inside].max() < 1.7 / np.sqrt(len(drawn)) + 1 / 4096


def test_beta_is_the_arcsine_distribution_for_a_half():
    p = np.linspace(0, 1, 4097)
    np.testing.assert_allclose(beta_quantiles(0.5), np.sin(np.pi * p / 2) ** 2, atol=1e-6)


def targets(n: int, k: int) -> np.ndarray:
    return np.eye(k, dtype=np.float32)[np.random.default_rng(1).integers(0, k, n)]


def test_mixup_is_a_mean_of_an_image_and_the_next_and_of_their_labels():
    x, t = images(40).astype(np.float64), np.eye(40)
    y, mixed = x.copy(), t.copy()
    Mixup(1.0).mix(y, mixed, np.random.default_rng(0))
    shares = np.diagonal(mixed)
    by_image = shares.reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(y, by_image * x + (1 - by_image) * np.roll(x, -1, axis=0))
    np.testing.assert_allclose(
        mixed, shares[:, None] * t + (1 - shares)[:, None] * np.roll(t, -1, 0)
    )
    assert 0 < shares.min() < 0.1 < 0.9 < shares.max() < 1


def test_cutmix_pastes_a_rectangle_of_the_next_image_and_counts_its_area():
    x = np.arange(300, dtype=np.float64).reshape(300, 1, 1, 1) * np.ones((1, 2, 12, 16))
    y, mixed = x.copy(), np.eye(300)
    Cutmix(1.0).mix(y, mixed, np.random.default_rng(0))
    other = y[:, 0] == np.roll(x, -1, axis=0)[:, 0]
    np.testing.assert_array_equal(other | (y[:, 0] == x[:, 0]), True)
    for each in other:
        rows, columns = np.flatnonzero(each.any(axis=1)), np.flatnonzero(each.any(axis=0))
        assert each.sum() == len(rows) * len(columns)
    np.testing.assert_allclose(np.diagonal(mixed), 1 - other.mean(axis=(1, 2)))
    np.testing.assert_allclose(mixed.sum(axis=1), 1)


def test_an_image_that_is_replaced_as_a_whole_has_the_other_label():
    x, t = images(2, h=1, w=1).copy(), np.eye(2, dtype=np.float32)
    before, seen = x.copy(), set()
    for seed in range(20):
        y, mixed = before.copy(), t.copy()
        Cutmix(1.0).mix(y, mixed, np.random.default_rng(seed))
        seen |= set(np.diagonal(mixed).tolist())
        np.testing.assert_array_equal(y[0], before[0 if mixed[0, 0] else 1])
    assert seen == {0.0, 1.0}


@pytest.mark.parametrize("text", ["mixup0.2", "cutmix1"])
def test_an_image_alone_in_its_batch_stays_as_it_is(text):
    x, t = images(1), targets(1, 5)
    y = augmentation(text, rng=np.random.default_rng(0))(x, t)
    np.testing.assert_allclose(y, x, atol=1e-6)
    np.testing.assert_allclose(t, targets(1, 5), atol=1e-6)


@pytest.mark.parametrize("text", ["rotate20", "scale0.3", "erase", "mixup0.4", "cutmix1"])
def test_what_is_drawn_for_an_image_follows_from_seed_epoch_and_image(text):
    x, t = images(6), np.eye(6, dtype=np.float32)
    augment = augmentation(text, rng=ImageRandom(3, "augment"))

    def drawn(epoch, chosen):
        augment.rng.at(epoch, chosen)
        labels = t[chosen]
        return augment(x[chosen], labels).copy(), labels

    y, labels = drawn(2, [0, 1, 2, 3, 4])
    again, labels_again = drawn(2, [1, 2, 3])
    # The last image's partner is another one in a smaller batch.
    np.testing.assert_array_equal(again[:2], y[1:3])
    np.testing.assert_array_equal(labels_again[:2], labels[1:3])
    assert not np.array_equal(drawn(3, [0, 1, 2, 3, 4])[0], y)


def test_a_loader_gives_mixed_labels_as_rows():
    x = images(10)
    ten = Dataset.from_arrays(x, np.arange(10) % 3)
    loader = Loader(ten, 4, seed=0, augment=augmentation("flip,mixup1,cutmix1"))
    for _, labels in loader:
        assert labels.dtype == np.float32
        assert labels.shape[1] == 3
        np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)


def test_images_are_not_mixed_without_their_labels():
    with pytest.raises(ArgumentError, match=r"^augment: flip,mixup1 mixes the labels too: call it"):
        augmentation("flip,mixup1")(images())
    with pytest.raises(ArgumentError, match=r"^cutmix: mixes labels too: use it in an Augm"):
        Cutmix(1.0).apply(images(), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rotate", "rotate needs a number after it; received 'rotate'"),
        ("rotate0", r"rotate must be above 0 and at most 180 degrees, received 0\.0"),
        ("rotate181", "rotate must be above 0 and at most 180 degrees"),
        ("scale1", r"scale must be above 0 and below 1, received 1\.0"),
        ("erase0", r"erase must be above 0 and at most 1, received 0\.0"),
        ("erase1.5", "erase must be above 0 and at most 1"),
        ("mixup", "mixup needs a number after it"),
        ("mixup0", r"mixup must be from 0\.01 to 100, received 0\.0"),
        ("cutmix1000", r"cutmix must be from 0\.01 to 100"),
    ],
)
def test_a_number_that_a_transform_does_not_take_is_refused(text, reason):
    with pytest.raises(ArgumentError, match=f"^augment: {reason}"):
        augmentation(text)


def test_a_text_names_what_it_makes():
    text = "flip,rotate12.5,scale0.1,erase0.25,mixup0.2,cutmix1"
    assert str(augmentation(text)) == text


# Weights of classes ---------------------------------------------------------------------------


def test_balanced_weights_are_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0, 1, 1, 1, 2, 2, 1, 1])
    given = Dataset.from_arrays(np.zeros((8, 1, 2, 2), np.uint8), labels)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(balanced_weights(given), expected)


def test_a_class_without_images_has_no_balanced_weight():
    given = Dataset.from_arrays(np.zeros((2, 1, 2, 2), np.uint8), [0, 2], ["a", "b", "c"], "three")
    with pytest.raises(DataError, match=r"^class_weights: 'three' has no image of class 'b'"):
        balanced_weights(given)
