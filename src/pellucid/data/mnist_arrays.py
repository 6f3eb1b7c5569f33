"""MNIST as plain arrays, with the signature and shapes of "Deep Learning from Scratch"."""

from __future__ import annotations

import numpy as np

from ..typing import Array, PathLike
from .dataset import Dataset
from .datasets import mnist

__all__ = ["load_mnist"]


def load_mnist(
    normalize: bool = True,
    flatten: bool = True,
    one_hot_label: bool = False,
    *,
    root: PathLike | None = None,
    download: bool = True,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return MNIST as ``(x_train, t_train), (x_test, t_test)``, as in the book's section 3.6.1.

    Parameters
    ----------
    normalize : bool
        float32 images in [0, 1]; otherwise uint8, 0 to 255.
    flatten : bool
        Images of shape (N, 784); otherwise (N, 1, 28, 28).
    one_hot_label : bool
        Labels as float64 rows (N, 10) with a single 1; otherwise uint8 (N,).
    root, download
        As in `pellucid.data.load`.

    Raises
    ------
    DataNotFoundError, FileFormatError
        As in `pellucid.data.load`.

    Examples
    --------
    On files in MNIST's form, here with five images per split:

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pellucid.data import write_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for split in ("train", "t10k"):
    ...         images, labels = np.zeros((5, 28, 28), np.uint8), np.arange(5, dtype=np.uint8)
    ...         write_idx(Path(folder, f"{split}-images-idx3-ubyte"), images)
    ...         write_idx(Path(folder, f"{split}-labels-idx1-ubyte"), labels)
    ...     (x_train, t_train), (x_test, t_test) = load_mnist(one_hot_label=True, root=folder)
    >>> x_train.shape, x_train.dtype, t_test.shape
    ((5, 784), dtype('float32'), (5, 10))
    """
    train, test = mnist(root, download=download)
    return (
        _as_arrays(train, normalize, flatten, one_hot_label),
        _as_arrays(test, normalize, flatten, one_hot_label),
    )


def _as_arrays(
    dataset: Dataset, normalize: bool, flatten: bool, one_hot_label: bool
) -> tuple[Array, Array]:
    x = dataset.batch(slice(None))[0] if normalize else dataset.images
    t = dataset.labels
    return (
        x.reshape(len(x), -1) if flatten else x,
        np.eye(len(dataset.classes))[t] if one_hot_label else t.astype(np.uint8),
    )
