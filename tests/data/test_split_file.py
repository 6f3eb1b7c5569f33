"""Who was which: kept in a file, and found again in a folder that has changed."""

from __future__ import annotations

import csv
import hashlib
import os
import re

import numpy as np
import pytest

from data.pictures import paint, pets
from pellucid.data import Dataset, ImageFile, Split, image_folder
from pellucid.errors import DataError, DataNotFoundError, FileFormatError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    return pets(tmp_path / "pets", split=False, n=10)


def paths(dataset: Dataset) -> set[str]:
    return {file.path for file in dataset.files or ()}


def test_the_split_comes_back_from_its_file(tmp_path, folder):
    split = Split.of(*image_folder(folder, seed=3))
    split.save(tmp_path / "split.csv")
    assert Split.load(tmp_path / "split.csv") == split
    with (tmp_path / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == sorted(row["file"] for row in rows)
    assert sum(row["role"] == "test" for row in rows) == 4
    digest = hashlib.sha256((folder / rows[0]["file"]).read_bytes()).hexdigest()
    assert rows[0]["sha256"] == digest


def test_any_name_comes_back(tmp_path):
    names = [
        "a,b.png",
        'quote".png',
        "new\nline.png",
        "cr\r.png",
        "한글/사진.png",
        os.fsdecode(b"\xff\xfe.png"),
        " ",
    ]
    split = Split({ImageFile(name, "00"): "train" for name in names})
    split.save(tmp_path / "split.csv")
    assert Split.load(tmp_path / "split.csv") == split


def test_a_split_is_found_again_whatever_the_seed(folder):
    train, test = image_folder(folder, seed=1)
    again = image_folder(folder, seed=2, split=Split.of(train, test))
    assert [paths(part) for part in again] == [paths(train), paths(test)]
    assert paths(image_folder(folder, seed=2)[1]) != paths(test)


def test_what_was_added_changed_or_removed_is_told_and_left_out(folder):
    train, test = image_folder(folder, seed=1)
    split = Split.of(train, test)
    gone, changed = sorted(paths(test))[:2]
    (folder / gone).unlink()
    paint(folder / changed, 250)
    paint(folder / "cat" / "new.png", 251)
    told: list[str] = []
    one, other = image_folder(folder, split=split, tell=told.append)
    assert paths(one) == paths(train)
    assert paths(other) == paths(test) - {gone, changed}
    assert told == [
        "1 image was not there when the model was trained and is left out: cat/new.png",
        f"1 image was changed since the model was trained and is left out: {changed}",
        f"1 image was there when the model was trained and is gone: {gone}",
    ]


def test_a_renamed_or_moved_image_is_known_by_its_contents(folder):
    train, test = image_folder(folder, seed=1)
    split = Split.of(train, test)
    for part, name in ((train, "cat/renamed.png"), (test, "dog/deep/er.png")):
        own = next(path for path in paths(part) if path.startswith(name[:3]))
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / own).rename(folder / name)
    told: list[str] = []
    one, other = image_folder(folder, split=split, tell=told.append)
    assert "cat/renamed.png" in paths(one)
    assert "dog/deep/er.png" in paths(other)
    assert (len(one), len(other), told) == (16, 4, [])


def test_a_copy_of_an_image_does_not_count_twice(folder):
    train, test = image_folder(folder, seed=1)
    own = next(iter(paths(test)))
    (folder / own).with_name("copy.png").write_bytes((folder / own).read_bytes())
    _, other = image_folder(folder, split=Split.of(train, test))
    assert paths(other) == paths(test)
    one, other = image_folder(folder, split=Split.of(train, test), new_images="draw")
    assert paths(one) == paths(train), "a copy of a test image is not learned from"


def test_equal_images_in_both_parts_keep_their_parts(folder):
    for name in ("cat/1.png", "cat/2.png", "cat/3.png", "dog/4.png"):
        (folder / name).write_bytes((folder / "cat" / "0.png").read_bytes())
    for seed in range(4):
        train, test = image_folder(folder, seed=seed, held_out=0.5)
        again = image_folder(folder, split=Split.of(train, test))
        assert [paths(part) for part in again] == [paths(train), paths(test)]


def test_new_images_join_the_parts_and_no_test_image_is_ever_learned_from(folder):
    train, test = image_folder(folder, seed=1)
    for k in range(10):
        paint(folder / "cat" / f"new{k}.png", 200 + k)
    one, other = image_folder(folder, split=Split.of(train, test), new_images="draw", seed=9)
    assert paths(train) < paths(one)
    assert paths(test) < paths(other)
    assert (len(one), len(other)) == (24, 6)
    assert one.held_out == other.held_out


def test_with_a_test_folder_new_images_stay_in_their_part(tmp_path):
    folder = pets(tmp_path / "pets")
    train, test = image_folder(folder)
    paint(folder / "test" / "cat" / "new.png", 77)
    paint(folder / "train" / "cat" / "new.png", 78)
    one, other = image_folder(folder, split=Split.of(train, test), new_images="draw")
    assert paths(one) - paths(train) == {"train/cat/new.png"}
    assert paths(other) - paths(test) == {"test/cat/new.png"}


def test_the_split_of_another_data_set_does_not_count(tmp_path, folder):
    strange = Split({ImageFile("x.png", "00"): "train"})
    one, other = image_folder(folder, split=strange)
    assert (len(one), len(other)) == (16, 4)


def test_a_part_of_which_nothing_is_left_is_refused(folder):
    train, test = image_folder(folder)
    for path in paths(test):
        (folder / path).unlink()
    with pytest.raises(DataError, match="none of the test images of that training is left"):
        image_folder(folder, split=Split.of(train, test))


def test_the_data_sets_know_how_they_were_drawn(folder):
    train, test = image_folder(folder, seed=1, held_out=0.3)
    assert (train.held_out.share, train.held_out.seed) == (0.3, 1)
    assert image_folder(folder, seed=1, held_out=0.3)[1].held_out == test.held_out
    assert image_folder(folder, seed=2, held_out=0.3)[1].held_out != test.held_out
    assert train.take(3).held_out == train.held_out
    assert train.subset([5, 2]).files == (train.files[5], train.files[2])


def test_images_of_arrays_have_no_files_and_no_split():
    ten = Dataset.from_arrays(np.zeros((10, 1, 2, 2), np.uint8), [0] * 10)
    assert Split.of(ten, ten) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must begin with the columns file, role, sha256"),
        ("file,role\na,train\n", "must begin with the columns"),
        (
            "file,role,sha256\na,train,00\nb,teach,00\n",
            r"line 3 of .* its role \(train, validation or test\)",
        ),
        ("file,role,sha256\na\n", "line 2 of"),
        ("file,role,sha256\n\x00", r"line 2 of|cannot be read as CSV"),
    ],
)
def test_another_file_is_refused(tmp_path, text, reason):
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(FileFormatError, match=reason):
        Split.load(tmp_path / "split.csv")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataNotFoundError, match=re.escape("there is no file")):
        Split.load(tmp_path / "split.csv")


def test_an_image_that_has_changed_its_class_is_told(folder):
    train, test = image_folder(folder, seed=1)
    moved = sorted(path for path in paths(train) if path.startswith("cat/"))[:2]
    for path in moved:
        (folder / path).rename(folder / "dog" / f"was-{path[4:]}")
    told: list[str] = []
    again, _ = image_folder(folder, split=Split.of(train, test), tell=told.append)
    assert len(again) == len(train)
    (note,) = told
    assert note.startswith("2 images were in another class when the model was trained and are")
    assert f"{moved[0]} is dog/was-{moved[0][4:]} now" in note


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_split_that_a_spreadsheet_has_written_is_read(tmp_path, separator, encoding, end):
    split = Split({ImageFile("나비/a,b;c.png", "00"): "train", ImageFile("b.png", "01"): "test"})
    with (tmp_path / "split.csv").open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=separator, lineterminator=end)
        writer.writerow(["file", "role", "sha256"])
        writer.writerows((image.path, role, image.sha256) for image, role in split.roles.items())
        writer.writerow(["", "", ""])
    assert Split.load(tmp_path / "split.csv") == split


def test_an_image_of_two_roles_is_refused(tmp_path):
    text = "file,role,sha256\na.png,train,00\nb.png,test,01\na.png,train,00\na.png,test,00\n"
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(FileFormatError, match=r"line 5 of .* calls 'a\.png' a test image, but a"):
        Split.load(tmp_path / "split.csv")
