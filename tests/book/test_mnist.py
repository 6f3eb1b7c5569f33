"""`dataset.mnist`: the forms in which scripts ask for MNIST, and where it is looked for."""

from __future__ import annotations

import pickle
import struct

import numpy as np
import pytest

from pellucid.book.dataset import mnist
from pellucid.errors import DataNotFoundError


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Write four files of MNIST's form with few images; return what is in them."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 30), ("t10k", 12)):
        arrays[split] = (
            rng.integers(0, 256, (count, 28, 28)).astype(np.uint8),
            rng.integers(0, 10, count).astype(np.uint8),
        )
        for a, name in zip(arrays[split], ("images-idx3", "labels-idx1"), strict=True):
            header = struct.pack(f">BBBB{a.ndim}I", 0, 0, 8, a.ndim, *a.shape)
            (tmp_path / f"{split}-{name}-ubyte").write_bytes(header + a.tobytes())
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    return arrays


def test_images_come_as_float32_rows(small):
    (x, t), (x_test, t_test) = mnist.load_mnist()
    images, labels = small["train"]
    assert (x.shape, x_test.shape, x.dtype) == ((30, 784), (12, 784), np.float32)
    np.testing.assert_array_equal(x, images.reshape(30, 784).astype(np.float32) / 255)
    np.testing.assert_array_equal(t, labels)
    np.testing.assert_array_equal(t_test, small["t10k"][1])
    assert t.dtype == np.uint8


def test_images_come_as_bytes_in_their_shape_with_labels_as_rows(small):
    (x, t), _ = mnist.load_mnist(normalize=False, flatten=False, one_hot_label=True)
    images, labels = small["train"]
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(x, images[:, np.newaxis])
    np.testing.assert_array_equal(t, np.eye(10)[labels])


def test_a_set_that_is_nowhere_is_said_in_words(tmp_path, monkeypatch):
    def no_network(source, **options):
        raise DataNotFoundError("the data set is not there. Looked in ...", where="MNIST")

    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("pellucid.data.datasets.find", lambda source, root=None: None)
    monkeypatch.setattr("pellucid.data.datasets.download_source", no_network)
    with pytest.raises(DataNotFoundError, match="the data set is not there"):
        mnist.load_mnist()


def test_the_file_for_other_scripts_goes_to_the_cache_and_is_never_read(
    small, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "cache" / "book"
    monkeypatch.setattr(mnist, "dataset_dir", str(folder))
    monkeypatch.setattr(mnist, "save_file", str(folder / "mnist.pkl"))
    mnist.init_mnist()
    assert "Done!" in capsys.readouterr().out
    arrays = pickle.loads((folder / "mnist.pkl").read_bytes())
    assert sorted(arrays) == sorted(mnist.key_file)
    np.testing.assert_array_equal(arrays["train_img"], small["train"][0].reshape(30, 784))
    np.testing.assert_array_equal(arrays["test_label"], small["t10k"][1])
    (folder / "mnist.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    (x, _), _ = mnist.load_mnist()
    assert len(x) == 30


def test_the_constants_are_the_books():
    assert (mnist.train_num, mnist.test_num, mnist.img_dim, mnist.img_size) == (
        60000, 10000, (1, 28, 28), 784,
    )  # fmt: skip
    assert mnist.save_file.endswith("mnist.pkl")
    assert "site-packages" not in mnist.dataset_dir
