"""The book's training from beginning to end, as `pellucid train` does it: prints JSON.

    python benchmarks/book_job.py [EPOCHS]

SimpleConvNet on all of MNIST, 20 epochs of 600 batches, Adam at 1e-3, the accuracy measured on
10,000 training images and on the test set after each; then the model, its history and the figures
are written. The seconds count all of it, from the start of Python to its end; the kernels have been
compiled before, by a training on few images.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
from pathlib import Path

from processes import Result, run
from timing import seconds_of

__all__ = ["measure"]

EPOCHS = 20


def measure(epochs: int = EPOCHS) -> Result:
    """Train in a separate process; return the seconds and the final test accuracy."""
    folder = os.environ.get("PELLUCID_TEST_MNIST")
    data = ["--data", "mnist", *(["--data-dir", folder] if folder else [])]
    job = ["-m", "pellucid", "train", *data, "--engine", "compiled"]
    with tempfile.TemporaryDirectory() as parent:
        out = Path(parent, "run")
        run(*job, "--epochs", "1", "--limit", "200", "--out", str(Path(parent, "rehearsal")))
        seconds = seconds_of(lambda: run(*job, "--epochs", str(epochs), "--out", str(out)))
        with (out / "history.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    return {
        "epochs": epochs,
        "seconds": seconds,
        "training_seconds": sum(float(row["seconds"]) for row in rows),
        "test_accuracy": float(rows[-1]["test_accuracy"]),
    }


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
