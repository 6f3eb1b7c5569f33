"""Three roles: what is trained on, what is chosen by, and what is tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.pictures import packed, paint, pets
from pellucid import data
from pellucid.data import Dataset, Split, image_folder, image_parts
from pellucid.data.division import numbered, with_validation
from pellucid.errors import ArgumentError, DataError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path) -> Path:
    return pets(tmp_path / "pets", split=False, n=20)


@pytest.fixture
def three(tmp_path) -> Path:
    """Cats and dogs in train/, test/ and val/."""
    root = pets(tmp_path / "three", n=6)
    for label, name in enumerate(("cat", "dog")):
        for i in range(3):
            paint(root / "val" / name / f"{i}.png", 200 + 10 * label + i)
    return root


def paths(part: Dataset | None) -> set[str]:
    return {file.path for file in (part.files if part is not None else None) or ()}


def test_a_drawn_validation_set_leaves_the_test_set_as_it_was(folder):
    parts = image_parts(folder, held_out=0.2, validation=0.25, seed=3)
    train, test = image_folder(folder, held_out=0.2, seed=3)
    assert paths(parts.test) == paths(test)
    assert paths(parts.train) | paths(parts.validation) == paths(train)
    assert not paths(parts.train) & paths(parts.validation)
    assert np.bincount(parts.validation.labels).tolist() == [4, 4]
    assert [part.split for part in parts] == ["train", "validation", "test"]
    assert paths(image_parts(folder, validation=0.25, seed=4).validation) != paths(parts.validation)


def test_parts_without_a_validation_set_are_those_of_the_folder(folder):
    parts = image_parts(folder, seed=3)
    assert parts.validation is None
    assert [paths(part) for part in (parts.train, parts.test)] == [
        paths(part) for part in image_folder(folder, seed=3)
    ]
    with pytest.raises(ArgumentError, match="split: 'pets' has no validation set"):
        parts.part("validation")


@pytest.mark.parametrize("name", ["val", "valid", "validation", "검증"])
@pytest.mark.parametrize("place", [lambda path: path, lambda path: packed(path, path / "a.zip")])
def test_a_validation_folder_beside_a_test_folder_is_the_validation_set(three, name, place):
    (three / "val").rename(three / name)
    told = []
    parts = image_parts(place(three), tell=told.append)
    assert [len(part) for part in parts] == [12, 6, 12]
    assert paths(parts.validation) == {
        f"{name}/{c}/{i}.png" for c in ("cat", "dog") for i in (0, 1, 2)
    }
    assert parts.validation.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert any(f"validation: {name}/ (6 images)" in note for note in told)
    assert parts.train.held_out is None


def test_the_parts_of_a_folder_come_back_from_the_cache(three):
    first, second = image_parts(three), image_parts(three)
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.images, other.images)
        assert (one.files, one.split) == (other.files, other.split)


def test_a_pair_leaves_the_validation_folder_out_and_says_so(three):
    told = []
    train, test = image_folder(three, tell=told.append)
    assert (len(train), len(test)) == (12, 12)
    assert told == ["val/ with 6 images is not used: there is a test folder"]


def test_a_validation_folder_without_a_test_folder_is_the_test_set(three):
    import shutil

    shutil.rmtree(three / "test")
    parts = image_parts(three, validation=0.5)
    assert paths(parts.test) == {f"val/{c}/{i}.png" for c in ("cat", "dog") for i in (0, 1, 2)}
    assert [len(part) for part in parts] == [6, 6, 6]
    # Unless a share to test on is asked for.
    parts = image_parts(three, held_out=0.33)
    assert paths(parts.validation) == {
        f"val/{c}/{i}.png" for c in ("cat", "dog") for i in (0, 1, 2)
    }
    assert [len(part) for part in parts] == [8, 6, 4]


def test_a_second_validation_set_is_refused(three):
    with pytest.raises(ArgumentError, match=r"^validation: draws .* 'three' has one, of 6 images"):
        image_parts(three, validation=0.1)


@pytest.mark.parametrize("share", [0, 1, -0.1, 2, float("nan")])
def test_a_share_must_be_one(folder, share):
    with pytest.raises(ArgumentError, match=r"^validation: must be a share between 0 and 1"):
        image_parts(folder, validation=share)


def test_too_few_images_to_draw_from_are_refused(tmp_path):
    root = pets(tmp_path / "x", n=1)
    with pytest.raises(DataError, match=r"no class has two images, .* as validation images"):
        image_parts(root, validation=0.5)


def test_what_the_training_part_does_not_have_is_left_out_of_the_validation_part(three):
    paint(three / "val" / "cow" / "1.png", 3)
    told = []
    parts = image_parts(three, tell=told.append)
    assert (parts.validation.classes, len(parts.validation)) == (("cat", "dog"), 6)
    assert "val/cow/ with 1 image is not used: its class has no training images" in told


def test_images_that_cannot_be_read_leave_the_parts_apart(three):
    (three / "train" / "cat" / "1.png").write_bytes(b"no")
    (three / "test" / "dog" / "1.png").write_bytes(b"no")
    (three / "val" / "cat" / "0.png").write_bytes(b"no")
    parts = image_parts(three, corrupt="skip")
    assert [len(part) for part in parts] == [11, 5, 11]
    for part, name in zip(parts, ("train", "val", "test"), strict=True):
        assert {path.split("/")[0] for path in paths(part)} == {name}


def test_a_split_with_validation_comes_back_whatever_the_seed(tmp_path, folder):
    parts = image_parts(folder, validation=0.25, seed=1)
    Split.of(*parts).save(tmp_path / "split.csv")
    split = Split.load(tmp_path / "split.csv")
    assert split == Split.of(*parts)
    (folder / "cat" / "0.png").rename(folder / "cat" / "moved.png")
    again = image_parts(folder, split=split, seed=9)
    for one, other in zip(parts, again, strict=True):
        assert {file.sha256 for file in one.files} == {file.sha256 for file in other.files}
        assert one.split == other.split


def test_new_images_join_all_three_roles(folder):
    parts = image_parts(folder, validation=0.25, seed=1)
    for k in range(10):
        paint(folder / "cat" / f"new{k}.png", 200 + k)
    again = image_parts(folder, split=Split.of(*parts), new_images="draw", seed=1)
    for one, other in zip(parts, again, strict=True):
        assert paths(one) < paths(other)
    assert len(again.test) == len(parts.test) + 2
    assert len(again.validation) == len(parts.validation) + 2
    left = image_parts(folder, split=Split.of(*parts), seed=1)
    assert [len(part) for part in left] == [len(part) for part in parts]


def test_a_validation_set_of_images_that_were_trained_on_is_told(folder):
    before = image_parts(folder, seed=1)
    told = []
    parts = image_parts(
        folder, split=Split.of(*before), new_images="draw", validation=0.25, tell=told.append
    )
    assert paths(parts.test) == paths(before.test)
    assert paths(parts.validation) < paths(before.train)
    assert any("8 of the validation images were training images of" in note for note in told)


def test_a_validation_set_of_which_nothing_is_left_is_refused(folder):
    parts = image_parts(folder, validation=0.25)
    for path in paths(parts.validation):
        (folder / path).unlink()
    with pytest.raises(DataError, match="none of the validation images of that training is left"):
        image_parts(folder, split=Split.of(*parts))


def test_copies_are_told_over_all_three_roles_by_bytes_and_by_pixels(three):
    (three / "test" / "cat" / "0.png").write_bytes((three / "train" / "cat" / "1.png").read_bytes())
    (three / "val" / "dog" / "0.png").write_bytes((three / "train" / "dog" / "2.png").read_bytes())
    (three / "test" / "dog" / "1.png").write_bytes((three / "val" / "dog" / "1.png").read_bytes())
    Image.open(three / "train" / "cat" / "3.png").save(three / "val" / "cat" / "2.bmp")
    Image.open(three / "train" / "cat" / "4.png").save(three / "train" / "dog" / "9.bmp")
    told = []
    image_parts(three, tell=told.append)
    assert [note for note in told if "train: " not in note] == [
        "1 test image is a copy of a training image, which makes the test accuracy too high: "
        "train/cat/1.png = test/cat/0.png",
        "1 validation image is a copy of a training image, which makes the validation accuracy too "
        "high: train/dog/2.png = val/dog/0.png",
        "1 validation image has the same pixels as a training image, which makes the validation "
        "accuracy too high: train/cat/3.png = val/cat/2.bmp",
        "1 test image is a copy of a validation image, so that the test set has a part in what is "
        "chosen: val/dog/1.png = test/dog/1.png",
        "1 image has the same pixels as one in another class, which no network can tell apart: "
        "train/cat/4.png = train/dog/9.bmp",
    ]


def test_a_named_data_set_draws_from_its_training_images():
    train, test = data.digits()
    parts = with_validation(train, test, 0.1, seed=5)
    assert np.array_equal(parts.test.images, test.images)
    assert len(parts.train) + len(parts.validation) == len(train)
    first = parts.validation.files[0]
    index = int(first.path.removeprefix("train/"))
    assert np.array_equal(train.images[index], parts.validation.images[0])
    assert with_validation(train, test, None).validation is None
    assert with_validation(train, test, None).train is train


def test_a_named_data_set_is_divided_as_it_was_and_other_images_are_refused():
    train, test = data.digits()
    parts = with_validation(train, test, 0.1, seed=5)
    roles = Split.of(*parts).roles
    again = with_validation(train, test, None, 0, roles)
    assert paths(again.validation) == paths(parts.validation)
    images = train.images[:-1].copy()
    images[0, 0, 0, 0] += 1
    other = Dataset.from_arrays(images, train.labels[:-1], train.classes, "digits", peak=16)
    with pytest.raises(DataError, match=r"1 of the 1,437 training images are not those"):
        with_validation(other, test, None, 0, roles)
    strange = numbered(Dataset.from_arrays(np.zeros((2, 1, 8, 8)), [0, 1]))
    assert with_validation(strange, test, None, 0, roles).validation is None
