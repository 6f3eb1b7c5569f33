"""What tests of the studio's page begin with: a Chromium, and a network that has learned digits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import Trainer, data, models, save
from standalone.browser import CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("needs an installed Chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small SimpleConvNet, trained on the embedded digits for a second."""
    model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    Trainer(model, data.digits()[0], epochs=15, optimizer="adam").fit()
    path = tmp_path_factory.mktemp("digits") / "digits.safetensors"
    save(model, path)
    return path
