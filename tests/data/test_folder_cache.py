from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data.pictures import packed, paint, pets, reds
from pellucid.data import ImageFile, cache_space, image_folder
from pellucid.data.file_tree import FolderTree
from pellucid.data.folder_cache import Decoded, read_cache, write_cache
from pellucid.data.folder_reader import Reader
from permissions import obeying


@pytest.fixture
def decodings(monkeypatch):
    """How many images were decoded."""
    counted = []
    original = Reader.read

    def read(self, workers, place):
        counted.append(len(self.files))
        return original(self, workers, place)

    monkeypatch.setattr(Reader, "read", read)
    return counted


def kept(cache: Path) -> list[Path]:
    return sorted((cache.parent / "images").iterdir())


def small(n: int = 3) -> Decoded:
    images = np.arange(n * 12, dtype=np.uint8).reshape(n, 3, 2, 2)
    files = tuple(ImageFile(f"{k}.png", f"{k:064}") for k in range(n))
    return Decoded(images, np.arange(n) % 2, ("a", "b"), n - 1, ["a note"], files)


@pytest.mark.parametrize("zipped", [False, True])
def test_the_second_time_nothing_is_decoded_and_all_is_the_same(tmp_path, cache, decodings, zipped):
    path = pets(tmp_path / "pets")
    (path / "notes.txt").write_text("x")
    path = packed(path, tmp_path / "pets.zip") if zipped else path
    told = []
    first, second = (image_folder(path, tell=told.append) for _ in range(2))
    assert decodings == [16]
    for one, two in zip(first, second, strict=True):
        assert repr(one) == repr(two)
        np.testing.assert_array_equal(one.images, two.images)
        np.testing.assert_array_equal(one.labels, two.labels)
    assert told == ["1 file is not an image and was left out: notes.txt"] * 2
    assert len(kept(cache)) == 1


def test_any_change_of_the_folder_is_seen(tmp_path, cache, decodings):
    folder = pets(tmp_path / "pets")
    image_folder(folder)
    paint(folder / "train" / "cat" / "new.png", 7)
    assert reds(image_folder(folder)[0])[4] == 7
    (folder / "train" / "cat" / "new.png").unlink()
    assert len(image_folder(folder)[0]) == 8
    file = folder / "train" / "cat" / "0.png"
    before = file.stat()
    paint(file, 9)
    if file.stat().st_size == before.st_size and file.stat().st_mtime_ns == before.st_mtime_ns:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert reds(image_folder(folder)[0])[0] == 9
    assert len(decodings) == 4
    assert len(kept(cache)) == 1, "old contents stay behind"


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell when a file was moved")
def test_images_that_change_places_are_seen_though_their_times_and_sizes_are_equal(tmp_path):
    folder = pets(tmp_path / "pets")
    one, two = (folder / "train" / kind / "0.bmp" for kind in ("cat", "dog"))
    for path, red in ((one, 10), (two, 20)):
        paint(path, red)
        os.utime(path, (10**9, 10**9))
    assert reds(image_folder(folder)[0])[0] == 10
    one.rename(tmp_path / "away")
    two.rename(one)
    (tmp_path / "away").rename(two)
    assert reds(image_folder(folder)[0])[0] == 20


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell when a file was moved")
def test_a_file_that_is_replaced_by_another_of_its_time_and_size_is_seen(tmp_path, zipped):
    sets = []
    for red in (10, 20):
        folder = pets(tmp_path / str(red) / "pets")
        paint(folder / "train" / "cat" / "0.bmp", red)
        sets.append(packed(folder, tmp_path / str(red) / "pets.zip") if zipped else folder)
    files = [path if zipped else path / "train" / "cat" / "0.bmp" for path in sets]
    for file in files:
        os.utime(file, (10**9, 10**9))
    assert files[0].stat().st_size == files[1].stat().st_size
    assert reds(image_folder(sets[0])[0])[0] == 10
    shutil.copy2(files[1], files[0])
    assert reds(image_folder(sets[0])[0])[0] == 20


def test_another_version_of_the_decoder_decodes_again(tmp_path, decodings, monkeypatch):
    folder = pets(tmp_path / "pets")
    image_folder(folder)
    monkeypatch.setattr("PIL.__version__", "0.0")
    image_folder(folder)
    assert len(decodings) == 2


def test_other_options_have_a_place_of_their_own(tmp_path, decodings):
    folder = pets(tmp_path / "pets")
    for _ in range(2):
        assert image_folder(folder)[0].image_shape == (3, 6, 8)
        assert image_folder(folder, size=4)[0].image_shape == (3, 4, 4)
        assert image_folder(folder, channels=1)[0].image_shape == (1, 6, 8)
    assert len(decodings) == 3


def test_another_share_or_seed_needs_no_decoding(tmp_path, decodings):
    folder = pets(tmp_path / "pets", split=False, n=10)
    for share, seed in ((0.2, 0), (0.5, 0), (0.5, 1)):
        image_folder(folder, held_out=share, seed=seed)
    assert len(decodings) == 1


def test_the_cache_can_be_declined(tmp_path, cache, decodings):
    for _ in range(2):
        image_folder(pets(tmp_path / "pets"), cache=False)
    assert len(decodings) == 2
    assert not (cache.parent / "images").exists()


def test_a_damaged_cache_is_as_good_as_none(tmp_path):
    path = tmp_path / "x.images"
    assert write_cache(path, "now", small())
    whole = path.read_bytes()
    assert read_cache(path, "now") is not None
    assert read_cache(path, "then") is None
    # Of the last labels all bytes are under the checksum, as are those of the images.
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = read_cache(path, "now")
        assert found is None or found.images.tobytes() == small().images.tobytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert read_cache(path, "now") is None
    path.write_bytes(whole + b"x")
    assert read_cache(path, "now") is None


def test_what_was_longest_of_no_use_makes_room(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_space, "MAX_CACHE", 4000)
    for k in range(3):
        assert write_cache(tmp_path / f"{k}.images", "now", small(12))
        os.utime(tmp_path / f"{k}.images", (1000 + k, 1000 + k))
    assert {p.name for p in tmp_path.iterdir()} == {"1.images", "2.images"}
    assert read_cache(tmp_path / "1.images", "now") is not None  # it is of use now
    assert write_cache(tmp_path / "3.images", "now", small(12))
    assert {p.name for p in tmp_path.iterdir()} == {"1.images", "3.images"}
    assert not write_cache(tmp_path / "4.images", "now", small(100)), "larger than all may be"
    assert {p.name for p in tmp_path.iterdir()} == {"1.images", "3.images"}


def test_a_full_disk_is_left_alone(tmp_path, monkeypatch):
    usage = type("usage", (), {"free": 100})
    monkeypatch.setattr(cache_space.shutil, "disk_usage", lambda path: usage)
    assert not write_cache(tmp_path / "x.images", "now", small())
    assert list(tmp_path.iterdir()) == []


def test_the_rest_of_a_write_that_was_killed_is_swept_away_later(tmp_path):
    for name, age in ((".part-old", 2 * cache_space.ABANDONED), (".part-new", 0)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    write_cache(tmp_path / "x.images", "now", small())
    assert {path.name for path in tmp_path.iterdir()} == {".part-new", "x.images"}


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    pets(tmp_path / "pets")
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o500)
    code = (
        "import sys; from pellucid.data import image_folder;"
        "print(len(image_folder(sys.argv[1])[0]))"
    )
    for home in ("home", "home/deeper"):
        done = subprocess.run(
            [*obeying(), sys.executable, "-c", code, tmp_path / "pets"],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / home)},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "8\n", "")
    assert list((tmp_path / "home").iterdir()) == []


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("pellucid.formats.files._flush_to_disk", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_cache(tmp_path / "x.images", "now", small())
    assert list(tmp_path.iterdir()) == []


HOMELESS = """
import os, pwd, sys

def unknown(user):
    raise KeyError(user)

pwd.getpwuid = unknown  # as in a container that runs under a number
from pellucid.data import image_folder
from pellucid.data.locations import cache_folder
from pellucid.data.catalogue import CATALOGUE
from pellucid.kernels import cache
print(len(image_folder(sys.argv[1])[0]), cache_folder(CATALOGUE["mnist"]).is_absolute())
print(all(place.is_absolute() for place in cache.folders("/nowhere/kernels.py")))
import pellucid.book.dataset.mnist
"""


@pytest.mark.skipif(os.name != "posix", reason="other systems ask otherwise for the home")
def test_a_user_without_a_home_reads_folders_and_gets_no_folder_called_tilde(tmp_path):
    folder, work = pets(tmp_path / "pets"), tmp_path / "work"
    work.mkdir()
    nobody = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    command = [sys.executable, "-c", HOMELESS, str(folder)]
    done = subprocess.run(
        command, cwd=work, env=nobody, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("8 True\nTrue\n", 0), done.stderr
    assert list(work.iterdir()) == []


def test_a_file_that_could_not_be_read_for_once_is_not_left_out_for_good(tmp_path, monkeypatch):
    folder = pets(tmp_path / "pets")
    there, gone = folder / "train" / "cat" / "0.png", tmp_path / "0.png"

    def read(self, entry, original=FolderTree.read):
        if entry.path != "train/cat/0.png":
            return original(self, entry)
        there.rename(gone)  # a drive that is away for a moment
        try:
            return original(self, entry)
        finally:
            gone.rename(there)

    with monkeypatch.context() as patched:
        patched.setattr(FolderTree, "read", read)
        patched.setattr(FolderTree, "fingerprint", lambda self: "as it was")
        assert len(image_folder(folder, corrupt="skip")[0]) == 7
        patched.undo()
        patched.setattr(FolderTree, "fingerprint", lambda self: "as it was")
        assert len(image_folder(folder, corrupt="skip")[0]) == 8


def test_a_damaged_file_is_left_out_without_being_read_again(tmp_path, decodings):
    folder = pets(tmp_path / "pets")
    whole = (folder / "train" / "cat" / "0.png").read_bytes()
    (folder / "train" / "cat" / "0.png").write_bytes(whole[:-30])
    for _ in range(2):
        assert len(image_folder(folder, corrupt="skip")[0]) == 7
    assert len(decodings) == 1
