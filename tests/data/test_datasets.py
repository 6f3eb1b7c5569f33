from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import data
from pellucid.data import Dataset
from pellucid.data.catalogue import CATALOGUE
from pellucid.data.idx import write_idx
from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError

FILE_NAMES = CATALOGUE["mnist"].forms[0].files
Make = Callable[..., Any]


def same(sets: tuple[Dataset, Dataset], miniature: Any) -> None:
    for dataset, part in zip(sets, ("train", "t10k"), strict=True):
        images = miniature.arrays[f"{part}-images-idx3-ubyte"]
        np.testing.assert_array_equal(dataset.images, images[:, np.newaxis])
        np.testing.assert_array_equal(dataset.labels, miniature.arrays[f"{part}-labels-idx1-ubyte"])


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("inside", [".", "MNIST/raw", "mnist"])
def test_a_named_folder_is_read_in_every_layout(
    tmp_path: Path, miniature: Make, ending: str, dotted: bool, inside: str
) -> None:
    small = miniature("mnist")
    small.put(tmp_path / "mine" / inside, ending, dotted)
    train, test = data.mnist(tmp_path / "mine")
    same((train, test), small)
    assert (train.name, train.split, test.split, train.peak) == ("mnist", "train", "test", 255)
    assert train.classes == tuple("0123456789")


def test_fashion_mnist_is_read_from_torchvisions_layout(tmp_path: Path, miniature: Make) -> None:
    small = miniature("fashion-mnist")
    small.put(tmp_path / "FashionMNIST" / "raw", "")
    train, test = data.fashion_mnist(str(tmp_path))
    same((train, test), small)
    assert train.classes[9] == "Ankle boot"


def test_a_named_folder_may_hold_other_contents(tmp_path: Path, miniature: Make) -> None:
    small = miniature("mnist")
    small.arrays = {name: array[:3] for name, array in small.arrays.items()}
    train, _ = data.mnist(small.put(tmp_path / "part"))
    assert len(train) == 3


def test_a_named_folder_is_the_only_place(
    tmp_path: Path, cache: Path, miniature: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = miniature("mnist")
    small.put(cache / "mnist")
    small.put(tmp_path / "variable")
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "variable"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFoundError) as caught:
        data.mnist(tmp_path / "empty")
    message = str(caught.value)
    assert message.startswith("MNIST: the data set is not there. Looked in\n")
    assert f"{tmp_path / 'empty'}: none of the files" in message
    assert f"{tmp_path / 'empty' / 'MNIST' / 'raw'}: no such folder" in message
    assert all(name in message for name in FILE_NAMES)
    assert "the only place" in message
    assert str(cache) not in message


def test_a_missing_file_is_named(tmp_path: Path, miniature: Make) -> None:
    miniature("mnist").put(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataNotFoundError, match=r": no t10k-labels-idx1-ubyte\n"):
        data.mnist(tmp_path)


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataNotFoundError, match=r"file: not a folder\n"):
        data.mnist(tmp_path / "file")


@pytest.mark.parametrize("inside", [".", "mnist", "MNIST/raw"])
def test_the_environment_variable_comes_before_the_cache(
    tmp_path: Path, cache: Path, miniature: Make, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    small = miniature("mnist")
    small.put(cache / "mnist")
    small.arrays = {name: array[::-1] for name, array in small.arrays.items()}
    small.put(tmp_path / "variable" / inside)
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "variable"))
    same(data.mnist(), small)


def test_without_the_files_there_the_search_goes_on_to_system_and_cache(
    tmp_path: Path, cache: Path, miniature: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = miniature("fashion-mnist")
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "nowhere"))
    small.put(cache / "fashion-mnist")
    same(data.fashion_mnist(download=False), small)
    small.arrays = {name: array[::-1] for name, array in small.arrays.items()}
    system = small.put(tmp_path / "system")
    source = CATALOGUE["fashion-mnist"]
    monkeypatch.setitem(CATALOGUE, source.name, replace(source, system_folders=(str(system),)))
    same(data.fashion_mnist(download=False), small)


def test_one_set_is_not_taken_for_another(
    tmp_path: Path, miniature: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits, fashion = miniature("mnist"), miniature("fashion-mnist")
    digits.put(tmp_path)
    with pytest.raises(DataNotFoundError, match="these are the files of MNIST"):
        data.fashion_mnist(tmp_path)
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    with pytest.raises(DataNotFoundError, match="these are the files of MNIST"):
        data.fashion_mnist(download=False)
    fashion.put(tmp_path / "fashion-mnist")
    same(data.fashion_mnist(), fashion)
    same(data.mnist(), digits)


def test_nothing_is_downloaded_without_leave(cache: Path) -> None:
    with pytest.raises(DataNotFoundError) as caught:
        data.mnist(download=False)
    message = str(caught.value)
    assert f"{cache / 'mnist'}: no such folder" in message
    assert "No download was tried." in message
    assert "pass the folder as root=..., or name it in the environment variable PELLUC" in message
    assert not cache.exists()


def test_a_changed_file_in_the_cache_is_refused(cache: Path, miniature: Make) -> None:
    small = miniature("mnist")
    small.put(cache / "mnist")
    write_idx(cache / "mnist" / f"{FILE_NAMES[1]}.gz", small.arrays[FILE_NAMES[1]][::-1])
    with pytest.raises(
        FileFormatError, match=r"train-labels.*' has other contents: the SHA-256 of its unc"
    ):
        data.mnist(download=False)


def replaced(folder: Path, name: str, array: np.ndarray) -> None:
    write_idx(folder / f"{name}.gz", array)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        (
            "train-images-idx3-ubyte",
            lambda a: a[:, :8, :8],
            r"shape \(12, 8, 8\); expected is \(N, 28, 28\)",
        ),
        ("train-images-idx3-ubyte", lambda a: a[0], r"holds an array of shape \(28, 28\)"),
        ("train-labels-idx1-ubyte", lambda a: a[:-1], r"do not fit .*11 labels for 12 images"),
        (
            "t10k-labels-idx1-ubyte",
            lambda a: a + 30,
            r"do not fit .*must lie in 0 to 9, .* index 0",
        ),
        (
            "t10k-labels-idx1-ubyte",
            lambda a: a[:, None],
            r"do not fit .*shape \(N,\), received \(4,",
        ),
        ("t10k-images-idx3-ubyte", lambda a: a[:0], r"do not fit .*received no pixels"),
    ],
    ids=range(6),
)
def test_files_that_do_not_belong_together_are_refused(
    tmp_path: Path, miniature: Make, name: str, change: Callable[[Any], Any], reason: str
) -> None:
    small = miniature("mnist")
    small.put(tmp_path)
    replaced(tmp_path, name, change(small.arrays[name]))
    with pytest.raises(FileFormatError, match=reason):
        data.mnist(tmp_path)


def test_a_damaged_file_in_a_named_folder_is_named(tmp_path: Path, miniature: Make) -> None:
    miniature("mnist").put(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(FileFormatError, match=r"train-labels-idx1-ubyte\.gz' is damaged"):
        data.mnist(tmp_path)


@pytest.mark.parametrize("function", [data.load, data.fetch, data.verify])
def test_an_unknown_name_is_answered_with_the_nearest(function: Callable[[str], Any]) -> None:
    with pytest.raises(
        ArgumentError, match=r"no data set 'fashion'\. Did you mean 'fashion-mnist'\?"
    ):
        function("fashion")


def test_the_digits_are_always_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    train, test = data.digits()
    assert (len(train), len(test)) == (1438, 359)
    assert train.image_shape == test.image_shape == (1, 8, 8)
    assert (train.peak, train.images.max()) == (16, 16)
    x, _ = train.batch(slice(None))
    assert (x.min(), x.max()) == (0, 1)


def test_the_digits_are_those_of_the_repository() -> None:
    train, test = data.digits()
    assert np.bincount(train.labels).tolist() == [
        151, 161, 143, 131, 147, 154, 150, 136, 127, 138,
    ]  # fmt: skip
    assert np.bincount(test.labels).tolist() == [27, 21, 34, 52, 34, 28, 31, 43, 47, 42]
    assert train.labels[:8].tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert test.labels[:4].tolist() == [4, 9, 4, 9]
    assert train.images[0, 0, :3].tolist() == [
        [0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0], [0, 3, 15, 2, 0, 11, 8, 0],
    ]  # fmt: skip
    assert train.images[:3].sum(axis=(1, 2, 3)).tolist() == [294, 313, 344]
    assert test.images[:3].sum(axis=(1, 2, 3)).tolist() == [258, 329, 348]
    assert all(check.ok for check in data.verify("digits"))


def test_the_digits_are_those_that_scikit_learn_returns() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    known = datasets.load_digits()
    held_out = np.arange(len(known.images)) % 5 == 4
    train, test = data.digits()
    np.testing.assert_array_equal(train.images[:, 0], known.images[~held_out])
    np.testing.assert_array_equal(test.labels, known.target[held_out])


def real_mnist() -> Path | None:
    beside = Path(__file__).parents[3] / "shared" / "data" / "mnist"
    folder = Path(os.environ.get("PELLUCID_TEST_MNIST", beside))
    return folder if folder.is_dir() else None


@pytest.mark.slow
@pytest.mark.skipif(real_mnist() is None, reason="PELLUCID_TEST_MNIST names no folder")
def test_the_real_mnist_is_what_the_table_says() -> None:
    folder = real_mnist()
    assert all(check.ok for check in data.verify("mnist", folder))
    train, test = data.mnist(folder)
    assert (len(train), len(test), train.image_shape) == (60_000, 10_000, (1, 28, 28))
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    (x, t), (_, t_test) = data.load_mnist(root=folder)
    assert (x.shape, x.dtype, t_test.shape) == ((60_000, 784), np.float32, (10_000,))
    assert x.mean() == pytest.approx(0.1307, abs=1e-4)
    assert t[0] == 5
