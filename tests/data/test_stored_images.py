"""Sets of images that do not fit into memory: in the cache, or decoded whenever they are needed."""

from __future__ import annotations

import hashlib
import os
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.pictures import packed, pets, reds
from pellucid import models
from pellucid.data import Loader, cache_space, image_folder
from pellucid.data.cache_file import CacheFile
from pellucid.data.stored_images import StoredImages, concatenated
from pellucid.errors import ArgumentError, DataError, FileFormatError
from pellucid.training import Callback, Trainer, evaluate

WAYS = [{"cache": "disk"}, {"cache": "none"}]


def noisy(root: Path, n: int = 30) -> Path:
    """Write two classes of pictures of several sizes and formats."""
    rng = np.random.default_rng(0)
    for k in range(2 * n):
        path = root / ("cat", "dog")[k % 2] / f"{k}.{('png', 'jpg', 'bmp')[k % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (50 + k % 5, 48, 3) if k % 4 else (50, 60)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return root


def caches(cache: Path) -> list[Path]:
    return sorted((cache.parent / "images").iterdir())


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_images_on_disk_are_those_in_memory(tmp_path, way, zipped):
    folder = spoil(noisy(tmp_path / "x"))
    path = packed(folder, tmp_path / "x.zip") if zipped else folder
    options = {"size": 48, "channels": 3, "corrupt": "skip"}
    told: list[list[str]] = [[], [], []]
    sets = [
        image_folder(path, **options, cache="none", tell=told[0].append),
        image_folder(path, **options, **way, in_memory=0, tell=told[1].append),
        image_folder(path, **options, **way, in_memory=0, tell=told[2].append),
    ]
    assert told[0] == told[1] == told[2] != []
    for parts in sets[1:]:
        for one, two in zip(sets[0], parts, strict=True):
            assert isinstance(one.images, np.ndarray)
            assert isinstance(two.images, StoredImages)
            assert repr(one) == repr(two)
            assert one.files == two.files
            np.testing.assert_array_equal(one.labels, two.labels)
            np.testing.assert_array_equal(one.images, two.images)
            assert one.statistics() == two.statistics()


def spoil(folder: Path) -> Path:
    """Damage three pictures."""
    for k in (0, 7, 20):
        file = next(folder.glob(f"*/{k}.*"))
        file.write_bytes(file.read_bytes()[:200])
    return folder


def trained(path: Path, **options: object) -> str:
    train, test = image_folder(path, size=48, channels=3, **options)
    model = models.SimpleConvNet(train.image_shape, 2, rng=np.random.default_rng(0))
    Trainer(
        model, train, test, epochs=2, batch_size=7, augment="flip,crop2", evaluate_samples=9
    ).fit()
    digest = hashlib.sha256()
    for key, array in sorted(model.state_dict().items()):
        digest.update(key.encode() + array.tobytes())
    return digest.hexdigest()


def test_the_weights_do_not_depend_on_where_the_images_are(tmp_path):
    folder = noisy(tmp_path / "x")
    weights = [
        trained(folder, cache="none"),
        trained(folder, in_memory=0),  # while it is written
        trained(folder, in_memory=0),  # from the cache
        trained(folder, in_memory=0, cache="none"),
        trained(folder, in_memory=0, cache="none", workers=1),
    ]
    assert len(set(weights)) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_training_that_is_interrupted_and_resumed_ends_with_the_same_weights(tmp_path, way):
    train, test = image_folder(noisy(tmp_path / "x"), size=48, channels=3, in_memory=0, **way)

    def trainer() -> Trainer:
        model = models.SimpleConvNet(train.image_shape, 2, rng=np.random.default_rng(0))
        return Trainer(model, train, test, epochs=2, batch_size=7)

    whole, first, second = trainer(), trainer(), trainer()
    whole.fit()

    class Stop(Callback):
        def on_batch_end(self, trainer, loss, images):
            if len(trainer.history.losses) == 3:
                raise KeyboardInterrupt

    first.callbacks = [Stop()]
    with pytest.raises(KeyboardInterrupt):
        first.fit()
    assert first.loader.position == 21  # of images used, not of those that are read ahead
    second.load_state(first.state())
    second.fit()
    for key, array in whole.model.state_dict().items():
        np.testing.assert_array_equal(array, second.model.state_dict()[key])


@pytest.mark.parametrize("way", WAYS)
def test_selections_read_nothing(tmp_path, way):
    train, test = image_folder(pets(tmp_path / "x"), in_memory=0, **way)
    loaded = []
    store = train.images.store
    original = store.load
    store.load = lambda row, out: (loaded.append(row), original(row, out))
    some = train[2:].subset([5, 0]).take(1)
    assert isinstance(some.images, StoredImages)
    assert len(concatenated([train.images, test.images])) == 16
    assert loaded == []
    assert reds(some) == [53]
    assert loaded == [7]
    assert train[-1][0].shape == (3, 6, 8)
    assert [image[0, 0, 0] for image, _ in train] == reds(train)
    assert train.images.max() == np.asarray(train.images).max()
    batch = np.divide(np.asarray(train.images)[[1, 5]], 255, dtype=np.float32)
    np.testing.assert_array_equal(train.batch([1, 5])[0], batch)


def test_the_next_batch_is_read_while_the_one_before_is_used(tmp_path):
    train, _ = image_folder(pets(tmp_path / "x"), in_memory=0)
    read = threading.Event()
    store = train.images.store
    original = store.load

    def load(row, out):
        original(row, out)
        if row == 5:
            read.set()

    store.load = load
    loader = Loader(train, 3)
    loader.next()
    assert read.wait(300), "nothing was read ahead"
    assert loader.position == 3
    loader.rewind(0)  # what was read ahead is of no use
    np.testing.assert_array_equal(loader.next()[0] * 255, np.asarray(train.images)[:3])
    np.testing.assert_array_equal(loader.next()[0] * 255, np.asarray(train.images)[3:6])


def test_what_was_read_ahead_is_not_taken_for_other_images(tmp_path):
    train, _ = image_folder(pets(tmp_path / "x"), in_memory=0)
    everything = np.asarray(train.images)
    train.images.prefetch(np.array([0, 1]))
    np.testing.assert_array_equal(train.images[np.array([1, 0])], everything[[1, 0]])
    train.images.prefetch(np.array([0, 1]))
    train.images.prefetch(np.array([2, 3]))
    np.testing.assert_array_equal(train.images[np.array([2, 3])], everything[[2, 3]])


def damage(file: Path) -> None:
    """Change a byte of the first image in place."""
    with file.open("r+b") as damaged:
        damaged.seek(100)
        byte = damaged.read(1)[0]
        damaged.seek(100)
        damaged.write(bytes([byte ^ 1]))


def test_a_cache_that_is_damaged_when_it_is_read_is_decoded_again(tmp_path, cache):
    folder = pets(tmp_path / "x")
    image_folder(folder)
    (file,) = caches(cache)
    damage(file)
    assert reds(image_folder(folder)[0]) == [0, 1, 2, 3, 50, 51, 52, 53]


@pytest.mark.parametrize(
    "options", [{}, {"in_memory": 0}, {"in_memory": 0, "cache": "none"}], ids=str
)
def test_images_with_the_same_pixels_are_found_wherever_they_are_kept(
    tmp_path, cache, options, monkeypatch
):
    read = []
    load = CacheFile.load
    monkeypatch.setattr(CacheFile, "load", lambda *given: (read.append(given[1]), load(*given)))
    folder = pets(tmp_path / "x")
    Image.open(folder / "train/cat/0.png").save(folder / "train/dog/9.bmp")
    for _ in "decoded", "from the cache":
        notes = []
        image_folder(folder, tell=notes.append, **options)
        assert [note.split(",")[0] for note in notes if "same pixels" in note][-1] == (
            "1 image has the same pixels as one in another class"
        )
    if options == {"in_memory": 0}:
        assert len(set(read)) == 2  # no others were read


def test_a_cache_damaged_while_it_is_used_is_an_error_and_is_decoded_again(tmp_path, cache):
    folder = pets(tmp_path / "x")
    image_folder(folder, in_memory=0)
    (file,) = caches(cache)
    train, _ = image_folder(folder, in_memory=0)
    damage(file)
    with pytest.raises(DataError, match=r"are damaged \(image 0\).*anew"):
        train.batch([0])
    assert not file.exists()
    assert reds(image_folder(folder, in_memory=0)[0]) == [0, 1, 2, 3, 50, 51, 52, 53]


def test_a_cache_cut_short_is_an_error_and_ends_no_process(tmp_path, cache):
    folder = pets(tmp_path / "x")
    image_folder(folder, in_memory=0)
    (file,) = caches(cache)
    train, _ = image_folder(folder, in_memory=0)
    os.truncate(file, 200)
    with pytest.raises(DataError, match="start again"):
        train.batch([7])
    assert len(image_folder(folder, in_memory=0)[0]) == 8


def test_a_cache_replaced_during_a_training_stays_as_it_was_for_it(tmp_path, cache):
    folder = pets(tmp_path / "x")
    image_folder(folder, in_memory=0)
    train, _ = image_folder(folder, in_memory=0)
    Image.new("RGB", (8, 6), (77, 0, 0)).save(folder / "train" / "cat" / "0.png")
    new, _ = image_folder(folder, in_memory=0)
    assert (reds(train)[0], reds(new)[0]) == (0, 77)
    assert len(caches(cache)) == 1


def test_files_that_vanish_or_change_are_errors_when_they_are_decoded_again(tmp_path):
    folder = pets(tmp_path / "x")
    train, _ = image_folder(folder, cache="none", in_memory=0)
    (folder / "train" / "cat" / "0.png").unlink()
    with pytest.raises(FileFormatError, match=r"0\.png' cannot be read"):
        train.batch([0, 1])
    changed = folder / "train" / "cat" / "1.png"
    content = bytearray(changed.read_bytes())
    content[-20] ^= 1  # of the same size
    changed.write_bytes(content)
    with pytest.raises(DataError, match=r"1\.png' was changed since the folder was read"):
        train.batch([1])
    assert train.batch([2])[0].shape == (1, 3, 6, 8)


def test_an_archive_stays_open_as_long_as_its_images_are_used(tmp_path):
    path = packed(pets(tmp_path / "x"), tmp_path / "x.zip")
    train, test = image_folder(path, cache="none", in_memory=0)
    assert reds(train) == [0, 1, 2, 3, 50, 51, 52, 53]
    assert zipfile.is_zipfile(path)
    assert len(reds(test)) == 8


def test_a_disk_without_room_is_refused_before_anything_is_decoded(tmp_path, cache, monkeypatch):
    usage = type("usage", (), {"free": 10_000})
    monkeypatch.setattr(cache_space.shutil, "disk_usage", lambda path: usage)
    folder, done = pets(tmp_path / "x"), []
    with pytest.raises(DataError, match=r"16 images 3x6x8 take .*size=.*cache='none'"):
        image_folder(folder, in_memory=0, on_progress=lambda *now: done.append(now))
    assert done == []
    assert caches(cache) == []
    assert len(image_folder(folder, in_memory=0, cache="none")[0]) == 8


def test_a_limit_in_the_environment_holds(tmp_path, cache, monkeypatch):
    folder = pets(tmp_path / "x")
    monkeypatch.setenv("PELLUCID_CACHE_GB", "0.000001")
    with pytest.raises(DataError, match="PELLUCID_CACHE_GB"):
        image_folder(folder, in_memory=0)
    monkeypatch.setenv("PELLUCID_CACHE_GB", "plenty")
    with pytest.raises(ArgumentError, match="'plenty'"):
        image_folder(folder, in_memory=0)
    monkeypatch.setenv("PELLUCID_CACHE_GB", "1")
    assert len(image_folder(folder, in_memory=0)[0]) == 8


def test_a_disk_that_gets_full_leaves_nothing_and_says_so(tmp_path, cache, monkeypatch):
    import errno

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pellucid.data.folder_cache.CacheWriter._write", full)
    with pytest.raises(DataError, match=r"cannot be written to the cache.*No space.*cache='none'"):
        image_folder(pets(tmp_path / "x"), in_memory=0)
    assert caches(cache) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows refuses to remove an open file by itself")
def test_what_a_program_reads_is_not_removed_to_make_room(tmp_path, cache, monkeypatch):
    used = image_folder(pets(tmp_path / "used"), in_memory=0)
    image_folder(pets(tmp_path / "old"), in_memory=0)
    sizes = [path.stat().st_size for path in caches(cache)]
    monkeypatch.setattr(cache_space, "MAX_CACHE", 2 * max(sizes) + 10)
    image_folder(pets(tmp_path / "new"), in_memory=0)
    assert reds(image_folder(tmp_path / "used", in_memory=0)[0]) == reds(used[0])
    assert len(caches(cache)) == 2
    freed, left = cache_space.clear()
    assert freed > 0
    assert left > 0
    assert [path.stat().st_size for path in caches(cache)] == [left]
    del used
    assert cache_space.clear()[1] == 0


def test_two_programs_that_read_a_new_folder_at_once_see_the_same(tmp_path, cache):
    folder, seen = noisy(tmp_path / "x"), []

    def read() -> None:
        train, _ = image_folder(folder, size=48, channels=3, in_memory=0)
        seen.append(np.asarray(train.images).tobytes())

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert len(caches(cache)) == 1


def test_a_forked_child_reads_with_threads_of_its_own(tmp_path):
    train, _ = image_folder(pets(tmp_path / "x"), in_memory=0)
    train.batch([0])
    child = os.fork()
    if not child:
        os._exit(0 if reds(train)[-1] == 53 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_set_on_disk_is_evaluated_as_one_in_memory(tmp_path):
    folder = noisy(tmp_path / "x")
    (_, one), (_, two) = (
        image_folder(folder, size=48, channels=3, in_memory=m) for m in (0, 2**28)
    )
    model = models.SimpleConvNet(one.image_shape, 2, rng=np.random.default_rng(0))
    results = [evaluate(model, part) for part in (one, two)]
    assert results[0].loss == results[1].loss
