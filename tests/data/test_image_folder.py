from __future__ import annotations

import os
import re
import shutil
import threading
import time
import unicodedata
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.pictures import packed, paint, pets, reds, spoil
from pellucid import data
from pellucid.data import folder_reader, image_folder
from pellucid.errors import ArgumentError, DataError, DataNotFoundError, FileFormatError


@pytest.fixture(params=["folder", "zip"])
def place(request, tmp_path: Path):
    """Return a function that gives a folder as it is, or packed."""

    def place(folder: Path) -> Path:
        return packed(folder, tmp_path / "x.zip") if request.param == "zip" else folder

    return place


def test_classes_are_the_sorted_names_of_the_folders(tmp_path, place):
    train, test = image_folder(place(pets(tmp_path / "pets")))
    assert train.classes == test.classes == ("cat", "dog")
    assert (train.split, test.split) == ("train", "test")
    assert reds(train) == [0, 1, 2, 3, 50, 51, 52, 53]
    assert reds(test) == [100, 101, 102, 103, 150, 151, 152, 153]
    assert train.labels.tolist() == [0] * 4 + [1] * 4
    assert (train.images.dtype, train.image_shape) == (np.uint8, (3, 6, 8))
    np.testing.assert_array_equal(train.images[5, :, 2, 3], [51, 204, 25])


def test_a_folder_and_its_archive_give_the_same_with_any_number_of_threads(tmp_path):
    folder = pets(tmp_path / "pets", n=100)
    archive = packed(folder, tmp_path / "pets.zip")
    sets = [
        image_folder(path, cache=False, workers=workers)
        for path in (folder, archive)
        for workers in (1, 3)
    ]
    for train, test in sets:
        assert train.name == "pets"
        np.testing.assert_array_equal(train.images, sets[0][0].images)
        np.testing.assert_array_equal(test.images, sets[0][1].images)


@pytest.mark.parametrize("names", [("train", "val"), ("Training", "validation"), ("train", "Test")])
def test_the_two_parts_may_be_called_otherwise(tmp_path, names):
    for k, name in enumerate(names):
        for label in "ab":
            paint(tmp_path / "x" / name / label / "0.png", k)
    train, test = image_folder(tmp_path / "x")
    assert (reds(train), reds(test)) == ([0, 0], [1, 1])


def test_a_part_that_is_not_used_is_told(tmp_path):
    told = []
    for k, name in enumerate(("train", "test", "val")):
        for label in "ab":
            paint(tmp_path / "x" / name / label / "0.png", 10 * k + ord(label))
    image_folder(tmp_path / "x", tell=told.append)
    assert told == ["val/ with 2 images is not used: there is a test folder"]


def test_classes_called_train_and_car_are_classes(tmp_path):
    for name in ("train", "car", "bus"):
        for i in range(5):
            paint(tmp_path / "x" / name / f"{i}.png", i)
    assert image_folder(tmp_path / "x")[0].classes == ("bus", "car", "train")


def test_a_folder_around_everything_is_looked_through(tmp_path, place):
    pets(tmp_path / "x" / "pets-2024" / "images")
    paint(tmp_path / "x" / "pets-2024" / "README.md.png", 0).rename(tmp_path / "x" / "README.txt")
    train, test = image_folder(place(tmp_path / "x"))
    assert train.classes == ("cat", "dog")
    assert len(test) == 8


def test_images_lie_as_deep_as_they_like(tmp_path):
    for k, name in enumerate(("a/2019/1.png", "a/2020/may/1.png", "b/1.png", "b/2.png")):
        paint(tmp_path / "x" / name, k)
    train, test = image_folder(tmp_path / "x", held_out=0.5)
    assert sorted(reds(train) + reds(test)) == [0, 1, 2, 3]


def test_what_is_hidden_or_no_image_is_left_out_and_counted(tmp_path, place):
    folder = pets(tmp_path / "pets")
    for name in (".DS_Store", ".git/x.png", "train/.cache/1.png", "train/cat/._0.png"):
        paint(folder / f"{name}.png", 9).rename(folder / name)
    for name in ("labels.csv", "train/cat/notes.txt", "train/dog/Thumbs.db", "train/dog/clip.mp4"):
        (folder / name).write_bytes(b"x")
    told = []
    train, _ = image_folder(place(folder), tell=told.append)
    assert len(train) == 8
    assert told == [
        "4 files are not images and were left out: labels.csv, train/cat/notes.txt, "
        "train/dog/Thumbs.db, ..."
    ]


def test_the_content_decides_what_is_an_image_and_others_are_counted_by_kind(tmp_path, place):
    folder = pets(tmp_path / "pets")
    for name in ("png.txt", "photo", "jpeg.dat"):
        content = (folder / "train" / "cat" / "1.png").read_bytes()
        (folder / "train" / "cat" / name).write_bytes(content)
    heic = b"\0\0\0\x1cftypheic" + bytes(40)
    others = {"1.heic": heic, "2.HEIC": heic, "3.cr2": b"II*\0" + bytes(60), "4.psd": b"8BPS more"}
    for name, content in {**others, "notes.txt": b"BM and more words"}.items():
        (folder / "train" / "dog" / name).write_bytes(content)
    told = []
    train, _ = image_folder(place(folder), tell=told.append)
    assert len(train) == 8 + 3
    assert sorted(told) == [
        "1 file is a Photoshop file, which is not read, and was left out: train/dog/4.psd",
        "1 file is a camera's raw file, which is not read, and was left out: train/dog/3.cr2",
        "1 file is not an image and was left out: train/dog/notes.txt",
        "2 files are each a HEIC picture, which is not read, and were left out: train/dog/1.heic, "
        "train/dog/2.HEIC",
    ]


def test_the_rest_that_mac_packs_into_archives_is_hidden(tmp_path):
    archive = packed(pets(tmp_path / "pets"), tmp_path / "x.zip")
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("__MACOSX/train/cat/0.png", b"resource fork")
    assert len(image_folder(archive)[0]) == 8


def test_images_in_no_class_are_told(tmp_path):
    folder = pets(tmp_path / "pets")
    paint(folder / "train" / "stray.png", 0)
    told = []
    image_folder(folder, tell=told.append)
    assert told == ["1 file is outside the class folders and was left out: train/stray.png"]


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "ppm", "webp", "JPEG", "PNG"])
def test_several_formats_are_read(tmp_path, ending):
    for name in "ab":
        for i in range(2):
            paint(tmp_path / "x" / name / f"{i}.{ending}", 90)
    train, _ = image_folder(tmp_path / "x", held_out=0.5)
    np.testing.assert_allclose(train.images[0, :, 0, 0], [90, 165, 45], atol=3)


def test_grey_images_stay_grey_unless_they_are_asked_for_in_colour(tmp_path, place):
    for name in "ab":
        for i in range(2):
            paint(tmp_path / "x" / name / f"{i}.png", 70, mode="L")
    path = place(tmp_path / "x")
    assert image_folder(path)[0].image_shape == (1, 6, 8)
    train, _ = image_folder(path, channels=3)
    assert np.unique(train.images).tolist() == [70]
    assert train.image_shape == (3, 6, 8)


def test_grey_among_colours_becomes_three_equal_channels(tmp_path):
    folder = pets(tmp_path / "x")
    paint(folder / "train" / "dog" / "grey.png", 70, mode="L")
    train, _ = image_folder(folder)
    assert train.images[-1, :, 0, 0].tolist() == [70, 70, 70]


def test_colours_among_grey_need_a_decision(tmp_path):
    folder = pets(tmp_path / "x")
    paint(folder / "train" / "cat" / "0.png", 70, mode="L")
    with pytest.raises(DataError, match=r"'.*1\.png' has colours, '.*0\.png' is grey.*channels=3"):
        image_folder(folder, workers=1)
    assert image_folder(folder, channels=1)[0].image_shape == (1, 6, 8)
    assert image_folder(folder, channels=3)[0].images[0, :, 0, 0].tolist() == [70] * 3


def test_images_of_another_size_are_refused_with_advice(tmp_path, place):
    folder = pets(tmp_path / "x")
    paint(folder / "test" / "dog" / "3.png", 0, size=(7, 8))
    with pytest.raises(
        DataError, match=r"'.*3\.png' .*is 7x8 \(rows x columns\).* is 6x8\. .*size="
    ):
        image_folder(place(folder))


def test_images_are_made_to_fit_as_they_are_for_prediction(tmp_path):
    rng = np.random.default_rng(0)
    for k, size in enumerate([(40, 60), (31, 17), (6, 8), (9, 9)]):
        path = tmp_path / "x" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    train, test = image_folder(tmp_path / "x", size=(12, 10), held_out=0.5)
    for dataset in (train, test):
        for image in dataset.images:
            expected = [
                data.read_image(path, (3, 12, 10))[0] * 255
                for path in sorted((tmp_path / "x").rglob("*.png"))
            ]
            assert min(np.abs(image - e).max() for e in expected) < 0.6
    assert image_folder(tmp_path / "x", size=12, held_out=0.5)[0].image_shape == (3, 12, 12)


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path):
    rows = np.add.outer(np.linspace(0, 200, 600), np.linspace(0, 55, 800)).astype(np.uint8)
    for name in "ab":
        for i in range(2):
            path = tmp_path / "x" / name / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.stack([rows] * 3, axis=2)).save(path, quality=95)
    train, _ = image_folder(tmp_path / "x", size=24, held_out=0.5)
    expected = data.read_image(path, (3, 24, 24))[0] * 255
    np.testing.assert_allclose(train.images[0], expected, atol=3)


def test_sixteen_bits_and_transparency_are_read_as_everywhere(tmp_path):
    deep = np.full((6, 8), 40_000, np.uint16)
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(deep).save(tmp_path / "x" / name)
    assert np.unique(image_folder(tmp_path / "x")[0].images).tolist() == [round(40_000 / 257)]
    Image.new("RGBA", (8, 6), (0, 0, 0, 0)).save(tmp_path / "x" / "a" / "1.png")
    train, test = image_folder(tmp_path / "x", channels=3, size=(6, 8))
    values = np.unique(np.concatenate([train.images, test.images]))
    assert values.tolist() == [round(40_000 / 257), 255]


def test_corrupt_images_are_named_all_at_once(tmp_path, place):
    with pytest.raises(FileFormatError) as caught:
        image_folder(place(spoil(pets(tmp_path / "pets"))))
    text = str(caught.value)
    assert "3 of 16 images cannot be read:" in text
    assert re.search(r"train/cat/1\.png'.* begins like a PNG file, but is damaged", text)
    assert re.search(r"train/dog/2\.png'.* is not PNG, JPEG, .*begins with b'hello'", text)
    assert re.search(r"test/dog/0\.png'.* is empty", text)
    assert "corrupt='skip'" in text


def test_corrupt_images_are_left_out_on_request(tmp_path, place):
    told = []
    path = place(spoil(pets(tmp_path / "pets")))
    for _ in range(2):  # the second time from the cache
        train, test = image_folder(path, corrupt="skip", tell=told.append)
        assert reds(train) == [0, 2, 3, 50, 51, 53]
        assert reds(test) == [100, 101, 102, 103, 151, 152, 153]
        assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert told == [
        "1 image cannot be decoded and was left out: train/cat/1.png "
        "(begins like a PNG file, but is damaged or of a rare kind that is not read)",
        "1 image cannot be decoded and was left out: train/dog/2.png "
        "(is not PNG, JPEG, BMP, PPM, WEBP, TIFF or GIF)",
        "1 image cannot be decoded and was left out: test/dog/0.png (is empty)",
    ] * 2  # fmt: skip


def test_a_folder_of_corrupt_images_alone_is_refused(tmp_path):
    for name in ("a/1.png", "b/1.png"):
        paint(tmp_path / "x" / name, 0).write_bytes(b"nothing")
    for corrupt in ("error", "skip"):
        with pytest.raises(FileFormatError, match="2 of 2 images cannot be read"):
            image_folder(tmp_path / "x", corrupt=corrupt)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    folder = pets(tmp_path / "x")
    Image.new("1", (5000, 5000)).save(folder / "train" / "cat" / "9.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            FileFormatError, match=r"9\.png' declares 5000x5000 pixels; at most 167"
        ):
            image_folder(folder)


def test_without_a_test_part_a_share_of_each_class_is_held_out(tmp_path):
    folder = pets(tmp_path / "pets", split=False, n=10)
    train, test = image_folder(folder, held_out=0.3)
    assert np.bincount(train.labels).tolist() == [7, 7]
    assert np.bincount(test.labels).tolist() == [3, 3]
    assert sorted(reds(train) + reds(test)) == [*range(10), *range(50, 60)]
    assert reds(image_folder(folder, held_out=0.3)[1]) == reds(test)
    assert reds(image_folder(folder, held_out=0.3, seed=1)[1]) != reds(test)


def test_progress_counts_to_the_end(tmp_path):
    seen = []
    image_folder(pets(tmp_path / "x", n=60), on_progress=lambda *news: seen.append(news))
    assert seen[-1] == (240, 240)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_an_interruption_stops_the_threads_and_keeps_nothing(tmp_path, cache, monkeypatch):
    decoded = []

    def slowly(*args, **options):
        decoded.append(1)
        time.sleep(0.001)
        return np.zeros((3, 6, 8), np.uint8)

    def interrupt(done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder_reader, "decode", slowly)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        image_folder(pets(tmp_path / "x", n=200), on_progress=interrupt, workers=2)
    assert threading.active_count() <= before  # one of an earlier test may have ended
    assert len(decoded) < 3 * folder_reader.SHARE, "two threads were at work on a share each"
    assert not (cache.parent / "images").exists()


def test_an_error_in_a_thread_stops_the_others(tmp_path, monkeypatch):
    calls = []

    def decode(*args, **options):
        calls.append(1)
        if len(calls) > 1:
            raise MemoryError("full")
        return np.zeros((3, 6, 8), np.uint8)

    monkeypatch.setattr(folder_reader, "decode", decode)
    with pytest.raises(MemoryError, match="full"):
        image_folder(pets(tmp_path / "x", n=400), workers=2)
    assert len(calls) < 200


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), r"no class was found\. Expected is one folder per class"),
        (("1.png", "2.png"), "no class was found"),
        (("a/1.png", "a/2.png"), "there is only the class 'a'"),
        (("train/a/1.png", "train/b/1.png", "test/c/1.png"), r"the class 'c' is in test/, but not"),
        (("train/1.png", "test/1.png"), "no class was found"),
    ],
)
def test_a_folder_without_two_classes_is_refused_with_the_layout(tmp_path, names, reason):
    (tmp_path / "x").mkdir()
    for name in names:
        paint(tmp_path / "x" / name, 0)
    with pytest.raises(DataError, match=reason):
        image_folder(tmp_path / "x")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"size": 0}, r"size: must be an integer or \(H, W\), 1 or more; received 0"),
        ({"size": (3, 4, 5)}, "size: must be an integer"),
        ({"channels": 2}, r"channels: must be 1 \(grey\), 3 \(RGB\) or None; received 2"),
        ({"corrupt": "drop"}, "corrupt: must be 'error' or 'skip'; received 'drop'"),
        ({"held_out": 1}, "held_out: must be a share between 0 and 1; received 1"),
        ({"workers": 0}, "workers: must be 1 or more; received 0"),
    ],
)
def test_arguments_are_checked_first(tmp_path, options, reason):
    with pytest.raises(ArgumentError, match=reason):
        image_folder(tmp_path / "nothing", **options)


def test_what_is_neither_folder_nor_archive_is_refused(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"there is no folder or zip archive '.*gone'"):
        image_folder(tmp_path / "gone")
    (tmp_path / "x.tar").write_bytes(b"ustar")
    with pytest.raises(FileFormatError, match=r"x\.tar' is neither a folder nor a zip archive"):
        image_folder(tmp_path / "x.tar")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_links_are_followed_but_not_in_circles_and_pipes_not_at_all(tmp_path):
    folder = pets(tmp_path / "x")
    (folder / "train" / "cat" / "again").symlink_to(folder)
    (folder / "train" / "cat" / "linked.png").symlink_to(folder / "test" / "dog" / "0.png")
    os.mkfifo(folder / "train" / "dog" / "pipe.png")
    assert reds(image_folder(folder)[0]) == [0, 1, 2, 3, 150, 50, 51, 52, 53]


def test_a_class_whose_images_are_all_damaged_is_refused_or_left_out_whole(tmp_path, place):
    folder = pets(tmp_path / "pets")
    for part in ("train", "test"):
        for i in range(3):
            paint(folder / part / "cow" / f"{i}.png", 30 + i)
    for i in range(3):
        (folder / "train" / "cow" / f"{i}.png").write_bytes(b"nothing")
    path = place(folder)
    with pytest.raises(DataError, match=r"no image of the class 'cow' can be decoded.*skip_empty"):
        image_folder(path, corrupt="skip")
    told = []
    for _ in range(2):  # the second time from the cache
        train, test = image_folder(path, corrupt="skip", skip_empty=True, tell=told.append)
        assert train.classes == test.classes == ("cat", "dog")
        assert reds(train) == [0, 1, 2, 3, 50, 51, 52, 53]
        assert train.labels.tolist() == test.labels.tolist() == [0] * 4 + [1] * 4
        assert reds(test) == [100, 101, 102, 103, 150, 151, 152, 153]
    assert "1 class has no image that can be decoded and was left out: 'cow'" in told


def test_an_empty_class_is_refused_though_it_was_left_out_before(tmp_path, place):
    folder = pets(tmp_path / "pets")
    (folder / "train" / "cow").mkdir()
    path = place(folder)
    told = []
    train, _ = image_folder(path, skip_empty=True, tell=told.append)
    assert train.classes == ("cat", "dog")
    assert told == ["1 class folder holds no images and was left out: train/cow/"]
    with pytest.raises(DataError, match=r"holds no images: train/cow/\. .* skip_empty=True"):
        image_folder(path)


def test_a_class_that_becomes_empty_is_noticed_though_the_images_are_in_the_cache(tmp_path):
    folder = pets(tmp_path / "pets", split=False)
    image_folder(folder)
    (folder / "ant").mkdir()
    with pytest.raises(DataError, match="holds no images: ant/"):
        image_folder(folder)


def test_classes_packed_on_a_korean_windows_have_their_names(tmp_path):
    folder = tmp_path / "x"
    for k, name in enumerate(("cats", "dogs")):
        for i in range(4):
            paint(folder / "train" / name / f"{i}.png", 10 * k + i)
    content = packed(folder, tmp_path / "x.zip").read_bytes()
    for old, new in (("train/cats/", "train\\나비\\"), ("train/dogs/", "train\\바둑\\")):
        content = content.replace(old.encode(), new.encode("cp949"))  # four bytes for four
    (tmp_path / "x.zip").write_bytes(content)
    told = []
    train, _ = image_folder(tmp_path / "x.zip", tell=told.append, held_out=0.5)
    assert train.classes == ("나비", "바둑")
    assert told == ["names in the archive are not marked as UTF-8; they are read as CP949 (Korean)"]


@pytest.mark.skipif(os.name == "nt", reason="a Mac's names are composed there")
def test_a_class_named_on_a_mac_is_opened_by_its_own_name(tmp_path):
    name = unicodedata.normalize("NFD", "고양이")
    for i in range(2):
        paint(tmp_path / "x" / "train" / "고양이" / f"{i}.png", i)
        paint(tmp_path / "x" / "train" / "개" / f"{i}.png", i)
        paint(tmp_path / "x" / "test" / name / f"{i}.png", 9)
    train, test = image_folder(tmp_path / "x")
    assert train.classes == ("개", "고양이")
    assert (reds(test), test.labels.tolist()) == ([9, 9], [1, 1])


def test_copies_in_both_parts_or_in_two_classes_are_told(tmp_path):
    folder = pets(tmp_path / "pets")
    for one, other in (
        ("train/cat/0.png", "test/cat/again.png"),
        ("train/cat/1.png", "train/dog/again.png"),
        ("train/dog/2.png", "train/dog/within.png"),  # no harm: it weighs twice
        ("test/cat/3.png", "test/dog/again.png"),
    ):
        shutil.copy(folder / one, folder / other)
    for _ in range(2):  # from the cache, too
        told = []
        image_folder(folder, tell=told.append)
        assert told == [
            "1 test image is a copy of a training image, which makes the test accuracy too high: "
            "train/cat/0.png = test/cat/again.png",
            "2 images lie in more than one class, which no network can tell apart: "
            "train/cat/1.png = train/dog/again.png, test/cat/3.png = test/dog/again.png",
        ]


def test_copies_are_told_where_a_share_is_held_out(tmp_path):
    for i in range(10):
        paint(tmp_path / "x" / "a" / f"{i}.png", 0)
        paint(tmp_path / "x" / "b" / f"{i}.png", i + 1)
    told = []
    image_folder(tmp_path / "x", tell=told.append)
    (note,) = told
    assert note.startswith("2 test images are copies of training images, which")


def test_white_icons_on_transparent_ground_are_told_to_vanish(tmp_path):
    def icon(path, value, alpha):
        layers = np.full((8, 8, 4), value, np.uint8)
        layers[..., 3] = 0
        layers[2:6, 2:6, 3] = alpha
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(layers).save(path)

    for i in range(4):
        icon(tmp_path / "x" / "a" / f"{i}.png", 252 + i, 255)
        icon(tmp_path / "x" / "b" / f"{i}.png", 100 + i, 255)
    icon(tmp_path / "x" / "b" / "empty.png", 0, 0)
    for _ in range(2):
        told = []
        image_folder(tmp_path / "x", tell=told.append)
        assert told == [
            "4 images are white on a transparent background, and invisible on white: "
            "a/0.png, a/1.png, a/2.png, ...",
            "1 image has the same pixels as one in another class, which no network can tell apart: "
            "a/3.png = b/empty.png",
        ]
