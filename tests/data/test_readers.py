"""CIFAR-10, CIFAR-100, STL-10 and SVHN, from small files made in their exact forms."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from data.mat_files import variable, write_mat
from data.test_pickled_batch import python2_batch
from pellucid import data
from pellucid.data.catalogue import CATALOGUE
from pellucid.errors import DataNotFoundError, FileFormatError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)
LABELS = np.array([3, 0, 9, 9, 1, 7])
LARGE = RNG.integers(0, 256, (4, 3, 96, 96), dtype=np.uint8)


def cifar10_binary(folder: Path) -> None:
    for k in range(6):
        name = f"data_batch_{k + 1}.bin" if k < 5 else "test_batch.bin"
        (folder / name).write_bytes(bytes([LABELS[k]]) + IMAGES[k].tobytes())


def cifar10_python(folder: Path) -> None:
    for k in range(6):
        name = f"data_batch_{k + 1}" if k < 5 else "test_batch"
        content = python2_batch(IMAGES[k : k + 1].reshape(1, 3072), [int(LABELS[k])], b"labels")
        (folder / name).write_bytes(content)


def cifar100_binary(folder: Path) -> None:
    for name, chosen in (("train.bin", range(5)), ("test.bin", range(5, 6))):
        records = [bytes([19, LABELS[k]]) + IMAGES[k].tobytes() for k in chosen]
        (folder / name).write_bytes(b"".join(records))


def cifar100_python(folder: Path) -> None:
    for name, part in (("train", slice(5)), ("test", slice(5, 6))):
        images, labels = IMAGES[part].reshape(-1, 3072), LABELS[part].tolist()
        (folder / name).write_bytes(python2_batch(images, labels, b"fine_labels"))


def svhn(folder: Path) -> None:
    for name, part in (("train", slice(5)), ("test", slice(5, 6))):
        x = IMAGES[part].transpose(2, 3, 1, 0)
        y = np.where(LABELS[part] == 0, 10, LABELS[part]).astype(np.uint8)[:, np.newaxis]
        write_mat(folder / f"{name}_32x32.mat", variable("X", x), variable("y", y))


def stl10(folder: Path) -> None:
    for name, part in (("train", slice(3)), ("test", slice(3, 4))):
        columns = LARGE[part].swapaxes(2, 3)
        (folder / f"{name}_X.bin").write_bytes(columns.tobytes())
        (folder / f"{name}_y.bin").write_bytes((LABELS[part] + 1).astype(np.uint8).tobytes())


FORMS = {
    "cifar-10-batches-bin": ("cifar10", cifar10_binary),
    "cifar-10-batches-py": ("cifar10", cifar10_python),
    "cifar-100-binary": ("cifar100", cifar100_binary),
    "cifar-100-python": ("cifar100", cifar100_python),
    "svhn": ("svhn", svhn),
}


@pytest.fixture(params=FORMS)
def form(request, tmp_path: Path) -> tuple[str, Path]:
    """The name of a set, and a folder that has it in a subfolder."""
    name, write = FORMS[request.param]
    (tmp_path / "sets" / request.param).mkdir(parents=True)
    write(tmp_path / "sets" / request.param)
    return name, tmp_path / "sets"


def test_images_and_labels_are_read_as_they_are_laid_out(form):
    train, test = data.load(*form)
    np.testing.assert_array_equal(train.images, IMAGES[:5])
    np.testing.assert_array_equal(test.images, IMAGES[5:])
    assert (train.labels.tolist(), test.labels.tolist()) == (LABELS[:5].tolist(), [7])
    assert (train.name, train.split, test.split) == (form[0], "train", "test")
    assert train.images.flags.c_contiguous


def test_they_are_found_in_the_named_folder_the_variable_s_and_the_cache(form, monkeypatch, cache):
    name, folder = form
    (inside,) = folder.iterdir()
    assert len(data.load(name, inside)[0]) == 5
    with pytest.raises(DataNotFoundError):
        data.load(name, download=False)
    monkeypatch.setenv("PELLUCID_DATA", str(folder))
    assert len(data.load(name)[0]) == 5
    assert data.fetch(name) == inside
    assert {r.name: r.where for r in data.available()}[name] == inside
    monkeypatch.delenv("PELLUCID_DATA")
    cache.parent.mkdir(parents=True)
    folder.rename(cache)
    assert len(data.load(name)[0]) == 5


def test_a_file_that_is_cut_off_or_goes_on_is_refused_by_name(form):
    name, folder = form
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        whole = path.read_bytes()
        for content in (whole[:-7], whole[: len(whole) // 2], b""):
            path.write_bytes(content)
            with pytest.raises(FileFormatError, match=path.name):
                data.load(name, folder)
        path.write_bytes(whole)


def test_verify_reads_and_counts(form):
    name, folder = form
    checks = data.verify(name, folder)
    assert not any(check.ok for check in checks)
    assert "there are 5 images where" in checks[0].reason
    checks[0].path.write_bytes(b"nothing")
    assert data.verify(name, folder)[0].path.name in data.verify(name, folder)[0].reason


def test_stl10_lies_column_by_column_and_counts_from_one(tmp_path):
    stl10(tmp_path)
    train, test = data.load("stl10", tmp_path)
    np.testing.assert_array_equal(train.images, LARGE[:3])
    np.testing.assert_array_equal(test.images, LARGE[3:])
    assert train.labels.tolist() == [3, 0, 9]
    (tmp_path / "test_y.bin").write_bytes(b"\x0b")
    with pytest.raises(
        FileFormatError, match=r"test_X\.bin' and 'test_y\.bin' do not fit STL-10: labels: m"
    ):
        data.load("stl10", tmp_path)
    (tmp_path / "test_y.bin").write_bytes(b"\1\1")
    with pytest.raises(FileFormatError, match="received 2 labels for 1 images"):
        data.load("stl10", tmp_path)


def test_a_label_that_no_class_has_is_refused(tmp_path):
    cifar10_binary(tmp_path)
    content = bytearray((tmp_path / "data_batch_2.bin").read_bytes())
    content[0] = 10
    (tmp_path / "data_batch_2.bin").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"must lie in 0 to 9, .* received 10 at index 1"):
        data.load("cifar10", tmp_path)


@pytest.mark.parametrize(
    "batch",
    [
        {"data": IMAGES.reshape(6, 3072)},
        {"data": IMAGES.reshape(6, 3072), "labels": ["a"] * 6},
        {"data": IMAGES.reshape(6, 3072), "labels": [0] * 5},
        {"data": IMAGES, "labels": LABELS.tolist()},
        {"data": IMAGES.reshape(6, 3072).astype(np.int64), "labels": LABELS.tolist()},
        {"data": [1, 2], "labels": LABELS.tolist()},
        {"labels": LABELS.tolist()},
    ],
    ids=range(7),
)
def test_a_batch_that_is_no_images_and_labels_is_refused(tmp_path, batch):
    cifar10_python(tmp_path)
    (tmp_path / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(FileFormatError, match=r"test_batch' holds "):
        data.load("cifar10", tmp_path)


def test_svhn_needs_its_two_variables(tmp_path):
    svhn(tmp_path)
    x = IMAGES[:1].transpose(2, 3, 1, 0)
    for arrays in ([variable("X", x)], [variable("X", x[:, :30]), variable("y", LABELS[:1, None])]):
        write_mat(tmp_path / "test_32x32.mat", *arrays)
        with pytest.raises(
            FileFormatError, match=r"test_32x32\.mat' holds .*expected are X, bytes"
        ):
            data.load("svhn", tmp_path)


def test_a_set_that_is_not_there_says_what_to_get_and_where_to_put_it(tmp_path):
    for name, source in CATALOGUE.items():
        if source.bundled:
            continue
        with pytest.raises(DataNotFoundError) as caught:
            data.fetch(name)
        text = str(caught.value)
        form = source.forms[0]
        assert f"{source.title}: the data set is not there. Looked in" in text
        assert f"Get {form.archive.name if form.archive else form.files[0]}" in text
        assert f"from {source.home}" in text
        assert "PELLUCID_DATA" in text
    with pytest.raises(
        DataNotFoundError, match=r"nothing: no such folder(.|\n)*only place that is l"
    ):
        data.load("svhn", tmp_path / "nothing")


def test_the_table_has_the_published_numbers():
    table = {
        r.name: (r.image_shape, len(r.classes), r.train, r.test, r.download_size)
        for r in data.available()
    }
    assert table == {
        "mnist": ((1, 28, 28), 10, 60_000, 10_000, 11_594_722),
        "fashion-mnist": ((1, 28, 28), 10, 60_000, 10_000, 30_878_645),
        "digits": ((1, 8, 8), 10, 1_438, 359, 0),
        "cifar10": ((3, 32, 32), 10, 50_000, 10_000, 170_052_171),
        "cifar100": ((3, 32, 32), 100, 50_000, 10_000, 168_513_733),
        "stl10": ((3, 96, 96), 10, 5_000, 8_000, 2_640_397_119),
        "svhn": ((3, 32, 32), 10, 73_257, 26_032, 182_040_794 + 64_275_384),
    }
    for name in ("cifar10", "cifar100", "stl10", "svhn"):
        source = CATALOGUE[name]
        assert list(source.classes) == sorted(source.classes), "each set numbers them so"
