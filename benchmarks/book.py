"""The book's training script under a plain `common` and under ours: time, memory, losses.

    python benchmarks/book.py [ITERATIONS] [--rounds R]

benchmarks/book_convnet.py is the script. It runs unmodified, each time in a new process:
with tests/book/oracle (straightforward NumPy) as `common`, and with `pellucid.book.common`. MNIST
comes from the folder PELLUCID_TEST_MNIST. Both use two threads. Seconds are measured for
training and the final test, and separately for starting and loading; the kernels are compiled
before. On a busy machine CPU seconds are more reliable, but do not show that ours used two cores.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import resource
import runpy
import statistics
import sys
import tempfile
import time
from contextlib import redirect_stdout

import numpy as np
from processes import HERE, Result, run

__all__ = ["measure"]

UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in one of ru_maxrss
MODULES = ("functions", "gradient", "layers", "optimizer", "trainer", "util")


def measure(iterations: int, rounds: int = 1) -> Result:
    """Run the script under both in turn; return the medians and the difference of the losses."""
    _child("pellucid", 2)  # compiles
    runs: dict[str, list[Result]] = {"oracle": [], "pellucid": []}
    for _ in range(rounds):
        for who, results in runs.items():
            results.append(_child(who, iterations))
    losses = {who: np.array(results[0]["losses"]) for who, results in runs.items()}
    first = slice(100)
    apart = np.abs(losses["pellucid"][first] / losses["oracle"][first] - 1)
    summary: Result = {
        "iterations": iterations,
        "times_as_fast": _ratio(runs, "training"),
        "times_as_fast_by_core_seconds": _ratio(runs, "cores"),
        "largest_relative_difference_in_100_losses": float(apart.max()),
    }
    for who, results in runs.items():
        for key in ("training", "cores", "everything", "peak_mb", "test_accuracy"):
            summary[f"{who}_{key}"] = statistics.median(one[key] for one in results)
    return summary


def _ratio(runs: dict[str, list[Result]], key: str) -> float:
    both = zip(runs["oracle"], runs["pellucid"], strict=True)
    return statistics.median(slow[key] / fast[key] for slow, fast in both)


def _child(who: str, iterations: int) -> Result:
    folder = os.environ.get("PELLUCID_TEST_MNIST")
    env = dict.fromkeys(("PELLUCID_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2")
    env |= {"BOOK_ITERATIONS": str(iterations)}
    env |= {"PELLUCID_DATA": folder} if folder else {}
    begin = time.perf_counter()
    result: Result = json.loads(run(str(HERE / "book.py"), "--run", who, env=env))
    return {**result, "everything": time.perf_counter() - begin}


def _run_here(who: str) -> None:
    """Run the script in this process, with the modules of ``who`` in the book's place."""
    home = "pellucid.book.common" if who == "pellucid" else "oracle"
    sys.path.insert(0, str(HERE.parent / "tests" / "book"))
    sys.modules["common"] = importlib.import_module(home)
    for name in MODULES:
        sys.modules[f"common.{name}"] = importlib.import_module(f"{home}.{name}")
    for name in ("dataset", "dataset.mnist"):
        sys.modules[name] = importlib.import_module(f"pellucid.book.{name}")
    trainer = sys.modules["common.trainer"].Trainer
    seconds = []

    def timed(self: object, train=trainer.train) -> None:  # type: ignore[no-untyped-def]
        begin, busy = time.perf_counter(), time.process_time()
        train(self)
        seconds.append((time.perf_counter() - begin, time.process_time() - busy))

    trainer.train = timed
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with redirect_stdout(printed):
            names = runpy.run_path(str(HERE / "book_convnet.py"), run_name="__main__")
        os.chdir(HERE)
    print(
        json.dumps(
            {
                "training": seconds[0][0],
                "cores": seconds[0][1],
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 1e6,
                "losses": [float(loss) for loss in names["trainer"].train_loss_list],
                "test_accuracy": float(printed.getvalue().rsplit("test acc:", 1)[1]),
            }
        )
    )


def main() -> None:
    """Read the command line; print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("iterations", nargs="?", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--run", choices=("oracle", "pellucid"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        _run_here(chosen.run)
    else:
        print(json.dumps(measure(chosen.iterations, chosen.rounds), indent=1))


if __name__ == "__main__":
    main()
