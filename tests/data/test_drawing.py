"""Finding digits in pictures of paper: any margin, any lightness, and never in what is right."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid import data
from pellucid.data import Drawing, Preparation, read_image
from pellucid.data.drawing import find_drawing
from pellucid.errors import DataNotFoundError

FASHION = Path("/usr/share/datasets/fashion-mnist")


def seven(longest: int) -> np.ndarray:
    """A seven in a stroke of an eighth of its height, 1 where ink is; nothing is free around it."""
    side = max(longest, 64)
    y, x = np.mgrid[:side, :side] / (side - 1)
    ink = (y < 0.14) | (np.abs(x - (0.95 - 0.55 * y)) < 0.07)
    ink &= x > 0.25
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    wide = max(round(longest * ink.shape[1] / ink.shape[0]), 1)
    picture = Image.fromarray(ink.astype(np.float32)).resize((wide, longest), Image.Resampling.BOX)
    return np.asarray(picture)


def on_paper(
    longest: int = 120, margin: float = 1.0, paper: float = 1.0, ink: float = 0.0,
    shade: float = 0.0, noise: float = 0.0, place: tuple[float, float] = (0.5, 0.5),
) -> np.ndarray:  # fmt: skip
    """A photograph: the paper reaches ``margin`` times the digit's height around it."""
    drawn = seven(longest)
    free = round(2 * margin * longest)
    above, left = (round(free * share) for share in place)
    drawn = np.pad(drawn, ((above, free - above), (left, free - left)))
    grey = paper + (ink - paper) * drawn
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]] / max(grey.shape)
    grey = grey * (1 - shade * (x + y) / 2)
    grey = grey + np.random.default_rng(0).normal(0, noise, grey.shape)
    return grey.clip(0, 1).astype(np.float32)


PERFECT, _ = find_drawing(on_paper(longest=20 * 16), Drawing(), (28, 28))
CASES = {
    "white paper": {},
    "no margin": {"margin": 0.0},
    "a little margin": {"margin": 0.05},
    "much margin": {"margin": 4.0},
    "a digit in a corner of a large sheet": {"margin": 12.0, "longest": 60, "place": (0.05, 0.9)},
    "grey paper": {"paper": 0.6, "ink": 0.1},
    "dark paper": {"paper": 0.35, "ink": 0.05},
    "grey ink": {"paper": 0.9, "ink": 0.65},
    "chalk": {"paper": 0.1, "ink": 0.95},
    "chalk on grey": {"paper": 0.6, "ink": 1.0},
    "lit from one side": {"paper": 0.95, "ink": 0.1, "shade": 0.7},
    "noise": {"paper": 0.8, "ink": 0.2, "noise": 0.03},
    "all of it": {"paper": 0.7, "ink": 0.2, "noise": 0.02, "shade": 0.5, "margin": 2.0},
    "small": {"longest": 24},
    "large": {"longest": 700},
}


@pytest.mark.parametrize("case", CASES)
def test_a_digit_on_paper_looks_as_in_mnist(case):
    image, account = find_drawing(on_paper(**CASES[case]), Drawing(), (28, 28))
    assert image is not None
    assert image.dtype == np.float32
    assert image.shape == (28, 28)
    rows, columns = np.flatnonzero(image.max(1) > 0.2), np.flatnonzero(image.max(0) > 0.2)
    assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
    mass = image.sum()
    assert abs((image.sum(1) * (np.arange(28) + 0.5)).sum() / mass - 14.5) < 0.51
    assert abs((image.sum(0) * (np.arange(28) + 0.5)).sum() / mass - 14.5) < 0.51
    assert image[:2].max() == 0, "paper is black"
    assert np.median(image[image > 0.3]) > 0.85, "ink is white"
    assert np.corrcoef(image.ravel(), PERFECT.ravel())[0, 1] > 0.93
    assert (
        "light on a dark" if "chalk" in case else "dark on a light background, inverted"
    ) in account


@pytest.mark.parametrize(
    "picture",
    [
        np.full((60, 80), 0.7, np.float32),
        np.random.default_rng(1).normal(0.6, 0.05, (80, 80)).clip(0, 1).astype(np.float32),
        (np.mgrid[:90, :90].sum(0) / 180).astype(np.float32),
        np.zeros((28, 28), np.float32),
        np.ones((1, 1), np.float32),
    ],
    ids=["plain", "noise", "slope", "black of its size", "a pixel"],
)
def test_where_nothing_is_drawn_the_picture_stays_as_it_is(picture):
    image, account = find_drawing(picture, Drawing(), (28, 28))
    assert image is None
    assert account is None or "no drawing was found" in account


def test_specks_and_dust_are_no_part_of_a_digit():
    clean = on_paper(longest=150)
    dirty = clean.copy()
    for i, j in np.random.default_rng(3).integers(0, clean.shape[0] - 3, (40, 2)):
        dirty[i : i + 2, j : j + 2] = 0
    one, other = (find_drawing(p, Drawing(), (28, 28))[0] for p in (clean, dirty))
    np.testing.assert_allclose(one, other, atol=0.25)


def sets() -> list[data.Dataset]:
    found = list(data.digits())
    if FASHION.is_dir():
        found += data.fashion_mnist(FASHION, download=False)
    if "PELLUCID_TEST_MNIST" in os.environ:
        found += data.mnist(os.environ["PELLUCID_TEST_MNIST"], download=False)
    return found


def test_no_image_of_a_set_is_taken_for_a_picture_of_paper():
    for part in sets():
        assert part.preparation.drawing is not None
        for image in part.batch(slice(None))[0][:, 0]:
            found, account = find_drawing(image, part.preparation.drawing, image.shape)
            assert found is None
            assert account is None


def test_an_image_of_a_set_as_a_file_gives_the_numbers_of_the_set(tmp_path):
    train, _ = data.digits()
    for k in range(0, 200, 11):
        pixels = np.rint(train.batch([k])[0][0, 0] * 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "x.png")
        x = read_image(tmp_path / "x.png", train.preparation, tell=pytest.fail)
        np.testing.assert_array_equal(x[0, 0], pixels / np.float32(255))


def test_black_on_white_of_the_right_size_is_inverted_and_told(tmp_path):
    train, _ = data.digits()
    pixels = np.rint(train.batch([3])[0][0, 0] * 255).astype(np.uint8)
    Image.fromarray(255 - np.pad(pixels, 1)).save(tmp_path / "x.png")
    told: list[str] = []
    prepared = Preparation((10, 10), 1, Drawing(0.8, "box"))
    x = read_image(tmp_path / "x.png", prepared, tell=told.append)
    assert len(told) == 1
    assert "inverted" in told[0]
    np.testing.assert_allclose(x[0, 0, 1:-1, 1:-1], pixels / 255, atol=0.35)


def test_a_network_for_colours_gets_the_drawing_in_all_channels(tmp_path):
    Image.fromarray(np.rint(on_paper() * 255).astype(np.uint8)).save(tmp_path / "x.png")
    x = read_image(tmp_path / "x.png", Preparation((28, 28), 3, Drawing()))
    np.testing.assert_array_equal(x[0, 0], x[0, 2])
    np.testing.assert_allclose(x[0, 0], PERFECT, atol=0.35)


def test_a_folder_of_photographs_is_trained_on_as_it_is_predicted(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for k in range(4):
        path = tmp_path / "x" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = on_paper(paper=0.5 + k / 10, margin=k / 2, longest=40 + 30 * k)
        Image.fromarray(np.rint(grey * 255).astype(np.uint8)).save(path)
    for cached in range(2):
        train, test = data.image_folder(tmp_path / "x", size=28, drawing=Drawing(), held_out=0.5)
        for part in (train, test):
            x, _ = part.batch(slice(None))
            for image, file in zip(x, part.files, strict=True):
                path = tmp_path / "x" / file.path
                np.testing.assert_array_equal(image, read_image(path, part.preparation)[0])
                assert np.corrcoef(image.ravel(), PERFECT.ravel())[0, 1] > 0.9, cached
    plain, _ = data.image_folder(tmp_path / "x", size=28, held_out=0.5)
    assert plain.preparation.drawing is None
    assert plain.images.mean() > 100, "another option, another place in the cache"


def test_no_file_is_no_drawing(tmp_path):
    with pytest.raises(DataNotFoundError):
        read_image(tmp_path / "none.png", Preparation((28, 28), 1, Drawing()))
