"""What the tests of the book's modules share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from pellucid import data
from pellucid.book.settings import settings


@pytest.fixture(autouse=True)
def _choices_and_seed() -> Iterator[None]:
    """Seed the global generator, and put every choice back afterwards."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    before = dict(vars(settings))
    yield
    vars(settings).update(before)
    np.random.set_state(state)  # noqa: NPY002


@pytest.fixture
def strict() -> None:
    """Compute what is right where the book is not."""
    settings.strict = True


@pytest.fixture(scope="session")
def digits() -> tuple:
    """Return 1,400 digits of 8x8 as the book's scripts have their images: float32 in [0, 1]."""
    train, test = data.digits()
    x, t = train.batch(slice(1400))
    x_test, t_test = test.batch(slice(300))
    return (x, t.astype(np.uint8)), (x_test, t_test.astype(np.uint8))
