"""The book's `dataset.mnist`: MNIST in the forms that the scripts ask for.

The four files are found as by `pellucid.data.mnist`: in the folder that the environment variable
``PELLUCID_DATA`` names, in the system's, or in Pellucid's own cache, to which they are downloaded
if necessary. The error for missing files says what to put where.

The book keeps the arrays in ``mnist.pkl`` next to its module. Here `init_mnist` writes that file
into the user's cache (``save_file`` is its path), for scripts that open it themselves. `load_mnist`
never reads it: the four files load in a second, and a pickle could run any code.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from ... import data
from ...data.user_folders import cache_for_checked
from ...formats.files import atomic_write
from ...typing import Array

__all__ = [
    "dataset_dir",
    "download_mnist",
    "img_dim",
    "img_size",
    "init_mnist",
    "key_file",
    "load_mnist",
    "np",
    "save_file",
    "test_num",
    "train_num",
]

key_file = {
    "train_img": "train-images-idx3-ubyte.gz",
    "train_label": "train-labels-idx1-ubyte.gz",
    "test_img": "t10k-images-idx3-ubyte.gz",
    "test_label": "t10k-labels-idx1-ubyte.gz",
}
dataset_dir = str(cache_for_checked() / "book")
save_file = str(Path(dataset_dir) / "mnist.pkl")

train_num = 60000
test_num = 10000
img_dim = (1, 28, 28)
img_size = 784

Pair = tuple[Array, Array]


def load_mnist(
    normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> tuple[Pair, Pair]:
    """Return ``(x_train, t_train), (x_test, t_test)``.

    Parameters
    ----------
    normalize : bool
        Images as float32 in [0, 1], or as uint8.
    flatten : bool
        Images (N, 784), or (N, 1, 28, 28).
    one_hot_label : bool
        Labels (N, 10), 1 at the digit, float64, or the digits (N,), uint8.

    Raises
    ------
    DataNotFoundError
        If MNIST is not found and cannot be downloaded; the message says where to put which files.
    FileFormatError
        If a file is damaged.
    """
    splits = list(data.mnist())
    # One at a time: the bytes of the first split are freed before the second one is converted.
    train, test = (_arrays(splits.pop(0), normalize, flatten, one_hot_label) for _ in range(2))
    return train, test


def init_mnist() -> None:
    """Write the four arrays to ``save_file``, as uint8, pickled like the book's."""
    train, test = data.mnist()
    arrays = {}
    for prefix, split in (("train", train), ("test", test)):
        arrays[f"{prefix}_img"] = split.images.reshape(-1, img_size)
        arrays[f"{prefix}_label"] = split.labels.astype(np.uint8)
    Path(dataset_dir).mkdir(parents=True, exist_ok=True)
    with atomic_write(save_file) as part, part.open("wb") as file:
        pickle.dump(arrays, file, protocol=-1)
    print("Done!")


def download_mnist() -> None:
    """Download the files if they are not on this machine."""
    data.mnist()


def _arrays(split: data.Dataset, normalize: bool, flatten: bool, one_hot: bool) -> Pair:
    images = split.images
    if normalize:
        images = images.astype(np.float32)
        images /= np.float32(255)
    labels = split.labels.astype(np.uint8)
    return (
        images.reshape(len(images), -1) if flatten else images,
        np.eye(10)[labels] if one_hot else labels,
    )
