"""`limit`: of a folder no more training images are read than are used."""

from __future__ import annotations

import numpy as np
import pytest

from data.pictures import packed, paint, pets, reds
from pellucid.data import Split, image_folder, image_parts
from pellucid.data.folder_reader import Reader
from pellucid.data.limiting import first_images
from pellucid.errors import ArgumentError


@pytest.fixture
def decoded(monkeypatch):
    """The number of images that each reading decodes."""
    counted = []
    original = Reader.read

    def read(self, workers, place):
        counted.append(len(self.files))
        return original(self, workers, place)

    monkeypatch.setattr(Reader, "read", read)
    return counted


def three_parts(root):
    pets(root, n=9)
    for k in range(3):
        paint(root / "val" / "cat" / f"{k}.png", 200 + k)
        paint(root / "val" / "dog" / f"{k}.png", 210 + k)
    return root


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("in_memory", [0, 2**28])
@pytest.mark.parametrize(
    ("folder", "options", "read"),
    [
        ("single", {}, 5 + 4),
        ("single", {"held_out": 0.5, "seed": 3, "validation": 0.2}, 5 + 2 + 10),
        ("test", {}, 5 + 18),
        ("test", {"validation": 0.25}, 5 + 4 + 18),
        ("three", {}, 5 + 6 + 18),
    ],
)
def test_the_images_are_those_that_the_whole_folder_would_give(
    tmp_path, decoded, folder, options, read, in_memory, zipped
):
    path = tmp_path / "x"
    if folder == "three":
        three_parts(path)
    else:
        pets(path, split=folder == "test", n=9 if folder == "test" else 10)
    path = packed(path, tmp_path / "x.zip") if zipped else path
    whole = image_parts(path, **options, cache="none")
    for _ in range(2):
        some = image_parts(path, **options, limit=5, in_memory=in_memory)
        expected = whole._replace(train=first_images(whole.train, 5))
        for one, two in zip(some, expected, strict=True):
            assert repr(one) == repr(two)
            if one is not None:
                assert one.files == two.files
                assert one.held_out == two.held_out
                np.testing.assert_array_equal(one.labels, two.labels)
                np.testing.assert_array_equal(one.images, two.images)
    assert decoded[1:] == [read]


def test_a_folder_that_is_kept_already_needs_no_decoding(tmp_path, decoded):
    folder = pets(tmp_path / "x", split=False, n=10)
    image_folder(folder)
    assert len(image_folder(folder, limit=3)[0]) == 3
    assert len(image_folder(folder, limit=99)[0]) == 16
    assert decoded == [20]


def test_others_take_the_places_of_damaged_images_as_in_the_whole_folder(tmp_path):
    folder = pets(tmp_path / "x", split=False, n=10)
    some, _ = image_folder(folder, limit=4)
    path = folder / some.files[0].path
    path.write_bytes(path.read_bytes()[:-30])
    told = []
    again, _ = image_folder(folder, limit=4, corrupt="skip", tell=told.append)
    expected, _ = image_folder(folder, corrupt="skip", cache="none")
    assert again.files == first_images(expected, 4).files
    assert len(told) == 1


def test_of_an_earlier_training_only_its_images_are_read_again(tmp_path, decoded):
    folder = pets(tmp_path / "x", split=False, n=10)
    parts = image_parts(folder, limit=4, cache="none", validation=0.2)
    split = Split.of(*parts)
    assert split is not None
    again = image_parts(folder, limit=4, cache="none", split=split)
    assert [part.files for part in again] == [part.files for part in parts]
    assert decoded == [12, 12]
    file = folder / parts.train.files[0].path
    file.rename(file.with_name("another name.png"))
    again = image_parts(folder, limit=4, cache="none", split=split)
    assert sorted(reds(again.train)) == sorted(reds(parts.train))
    assert decoded[2:] == [20]


def test_a_limit_below_one_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="limit: must be 1 or more; received 0"):
        image_folder(pets(tmp_path / "x"), limit=0)
