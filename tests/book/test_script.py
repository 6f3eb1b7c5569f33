"""The script of benchmarks/book.py, unmodified, under the oracle and under ours."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "book.py"


@pytest.fixture
def folder(tmp_path):
    """Return a folder with few images in MNIST's form, bright in a row that tells the digit."""
    rng = np.random.default_rng(0)
    for split in ("train", "t10k"):
        labels = rng.integers(0, 10, 200).astype(np.uint8)
        images = rng.integers(0, 100, (200, 28, 28)).astype(np.uint8)
        images[np.arange(200), 2 * labels + 4] = 250
        for a, name in ((images, "images-idx3"), (labels, "labels-idx1")):
            header = struct.pack(f">BBBB{a.ndim}I", 0, 0, 8, a.ndim, *a.shape)
            (tmp_path / f"{split}-{name}-ubyte").write_bytes(header + a.tobytes())
    return tmp_path


def test_the_losses_are_the_oracles(folder):
    env = {**os.environ, "PELLUCID_DATA": str(folder), "BOOK_ITERATIONS": "6"}
    results = []
    for who in ("oracle", "pellucid"):
        command = [sys.executable, str(BENCHMARK), "--run", who]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout))
    theirs, ours = results
    assert len(ours["losses"]) == 6
    np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=1e-5)
    assert ours["test_accuracy"] == theirs["test_accuracy"]
