"""Inference of a network by name in Pellucid and in ONNX Runtime, in turns: prints JSON.

    python benchmarks/onnx_runtime.py NETWORK BATCH THREADS [BURSTS]

Both run the same weights: the network is exported to ONNX, and ONNX Runtime's default provider for
the CPU runs the file at its highest level of optimisation. Short bursts take turns in one process,
so that both see the same machine; what counts is the median of the paired ratios.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["NETWORKS", "cases"]

NETWORKS = ("mobilenet-v2", "squeezenet", "resnet18")
BATCHES = (1, 16)
BURSTS, BURST_SECONDS, LEAST = 15, 0.25, 2


def cases() -> dict[str, tuple[str, int]]:
    """Return network and batch of each case by its name for the command line.

    Examples
    --------
    >>> list(cases())[:2]
    ['mobilenet-v2-onnx-1', 'mobilenet-v2-onnx-16']
    """
    return {f"{name}-onnx-{n}": (name, n) for name in NETWORKS for n in BATCHES}


def main() -> None:
    """Build, export, compare the scores, then time the bursts."""
    name, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    bursts = int(sys.argv[4]) if len(sys.argv) > 4 else BURSTS

    import numpy as np
    from ours import use_threads
    from timing import spread, timed

    from pellucid import models

    use_threads(threads)
    shape, classes = models.published_for(name)
    model = models.by_name(name, shape, classes, rng=np.random.default_rng(0)).eval()
    x = np.random.default_rng(1).random((batch, *shape), dtype=np.float32)
    ours, built = timed(lambda: _ours(model, shape, batch))
    theirs, exported = timed(lambda: _theirs(model, shape, threads))
    scores = [np.array(run(x)) for run in (ours, theirs)]
    times: dict[str, list[float]] = {"pellucid": [], "onnxruntime": []}
    for turn in range(bursts):
        for who in list(times)[:: 1 if turn % 2 == 0 else -1]:
            run = ours if who == "pellucid" else theirs
            times[who].append(_burst(run, x, BURST_SECONDS if bursts == BURSTS else 0.0))
    pairs = zip(times["onnxruntime"], times["pellucid"], strict=True)
    result: dict[str, Any] = {who: spread(found) for who, found in times.items()}
    result["ratio"] = spread([them / us for them, us in pairs])
    result["difference"] = float(np.abs(scores[0] - scores[1]).max() / np.abs(scores[1]).max())
    result["start_s"] = {"plan": built, "export and session": exported}
    print(json.dumps(result))


def _ours(model: Any, shape: tuple[int, ...], batch: int) -> Callable[[Any], Any]:
    from pellucid import engine

    plan = engine.compile(model, shape, batch)
    plan.freeze()  # as `predict` does: the weights do not change
    return plan


def _theirs(model: Any, shape: tuple[int, ...], threads: int) -> Callable[[Any], Any]:
    import onnxruntime

    import pellucid

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        pellucid.to_onnx(model, path, input_shape=shape)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return lambda x: session.run(None, {given.name: x})[0]


def _burst(run: Callable[[Any], Any], x: Any, seconds: float) -> float:
    """Return the median time of the calls that fit into ``seconds``, the first one apart."""
    from timing import seconds_of

    run(x)
    times: list[float] = []
    while len(times) < LEAST or sum(times) < seconds:
        times.append(seconds_of(lambda: run(x)))
    return statistics.median(times)


if __name__ == "__main__":
    main()
