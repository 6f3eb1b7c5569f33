from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.data import load_mnist
from pellucid.data.catalogue import CATALOGUE
from pellucid.errors import DataNotFoundError

FILE_NAMES = CATALOGUE["mnist"].forms[0].files


@pytest.fixture
def small(tmp_path: Path, miniature: Callable[..., Any]) -> Any:
    made = miniature("mnist")
    made.put(tmp_path / "mine")
    made.folder = tmp_path / "mine"
    return made


def test_by_default_it_returns_what_the_book_returns(small: Any) -> None:
    (x_train, t_train), (x_test, t_test) = load_mnist(root=small.folder)
    assert (x_train.shape, x_test.shape) == ((12, 784), (4, 784))
    assert (x_train.dtype, t_train.dtype) == (np.float32, np.uint8)
    images = small.arrays[FILE_NAMES[0]].reshape(-1, 784)
    np.testing.assert_array_equal(x_train, images.astype(np.float32) / 255.0)
    np.testing.assert_array_equal(t_test, small.arrays[FILE_NAMES[3]])


def test_without_normalizing_and_flattening_the_images_are_bytes(small: Any) -> None:
    (x, _), _ = load_mnist(normalize=False, flatten=False, root=small.folder)
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(x[:, 0], small.arrays[FILE_NAMES[0]])


def test_the_three_switches_are_positional_as_in_the_book(small: Any) -> None:
    (x, t), _ = load_mnist(True, False, True, root=small.folder)
    assert (x.shape, x.dtype) == ((12, 1, 28, 28), np.float32)
    assert (t.shape, t.dtype) == ((12, 10), np.float64)
    np.testing.assert_array_equal(t.argmax(axis=1), small.arrays[FILE_NAMES[1]])
    np.testing.assert_array_equal(t.sum(axis=1), 1)


def test_it_can_be_kept_from_downloading() -> None:
    with pytest.raises(DataNotFoundError, match="No download was tried"):
        load_mnist(download=False)
