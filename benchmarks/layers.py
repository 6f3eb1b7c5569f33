"""Every layer by itself, against PyTorch eager and ONNX Runtime: the map of what is slow.

    python benchmarks/layers.py [CASE...] [--threads 1 2] [--short] [--out FOLDER]
                                [--precision bf16]

Each case is a layer's own step as inside a network: images are in the layout that the contender
likes best, and conversions are not counted; ours is called from a recording, as a plan does.
PyTorch has the better of its two memory formats, ONNX Runtime only inference. The contenders take
turns in short bursts in one process, so that all see the same machine; a ratio is the median of
those of the bursts. A third part of the table is the share of the machine's rate of fused multiply-
adds, from a loop that does nothing else. A turn waits for the full rate of the core
(`timing.Core`), for some seconds, and turns that had it before and after are preferred. Training is
forward, and the gradients of input, filters and bias; no optimizer.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from layer_cases import CASES, LayerCase
from layer_contenders import OnnxRuntime, Ours, Torch, inputs, our_layer
from layer_report import as_line, read, report
from machine import facts
from processes import HERE, Result
from timing import Core, seconds_of

__all__ = ["measure"]

BURST_SECONDS, BURSTS, LEAST = 0.03, 9, 2
PATIENCE = 10.0  # seconds for each layer to wait until the core has its full rate
LOOKS = 2.0  # seconds to look for that rate before the first layer, for each burst


def main() -> None:
    """Measure the selected cases, each number of threads in its own process; write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--short", action="store_true", help="each layer with one batch size only")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--before", type=Path, metavar="JSON", help="an earlier layers.json")
    parser.add_argument("--bursts", type=int, default=BURSTS)
    parser.add_argument("--precision", default="float32", help="ours: float32 or bf16")
    parser.add_argument("--of-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in set(options.cases) - set(CASES):
        parser.error(f"no case {name!r}; known: {', '.join(CASES)}")
    if options.of_process:
        of = _chosen(options), options.threads[0], options.bursts, options.precision
        for row in measure(*of):
            print(json.dumps(row), flush=True)
        return
    before = read(options.before) if options.before else []
    rows: list[Result] = []
    for threads in options.threads:
        rows += _in_process(options, threads)
    report(rows, facts(), options.out, before)
    print(f"\nwritten to {options.out}/layers.md, layers.png and layers.json")


def _chosen(options: argparse.Namespace) -> list[LayerCase]:
    if options.cases:
        return [CASES[key] for key in options.cases]
    first = {case.name: case for case in reversed(CASES.values())}
    return [case for case in CASES.values() if not options.short or first[case.name] is case]


def _in_process(options: argparse.Namespace, threads: int) -> list[Result]:
    """Measure in a process of its own, whose libraries all have this many threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    env = {**os.environ, **dict.fromkeys(names, str(threads))}
    command = [sys.executable, __file__, *options.cases, "--of-process"]
    command += ["--threads", str(threads), "--bursts", str(options.bursts)]
    command += ["--precision", options.precision]
    command += ["--short"] * options.short
    rows = []
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            rows.append(json.loads(line))
            print(as_line(rows[-1]), flush=True)
    if process.returncode:
        sys.exit(process.returncode)
    return rows


def measure(
    cases: Sequence[LayerCase], threads: int, bursts: int = BURSTS, precision: str = "float32"
) -> Iterator[Result]:
    """Measure each case in training and in inference; our products in this precision."""
    import torch

    from pellucid.kernels.pool.threads import set_num_threads

    torch.set_num_threads(threads)
    set_num_threads(threads)
    core = Core(PATIENCE)
    core.search(LOOKS * bursts)
    peak = fma_peak(core) * threads
    for case in cases:
        for training in (True, False):
            row = _one(case, threads, bursts, precision, core, training=training)
            facts_of_row = {"case": case.key, "threads": threads, "training": training}
            yield facts_of_row | {"peak": peak} | row


def _one(
    case: LayerCase, threads: int, bursts: int, precision: str, core: Core, *, training: bool
) -> Result:
    x, dy = inputs(case)
    ours = Ours(case, x, dy, training=training, precision=precision)
    contenders: dict[str, Any] = {"pellucid": ours}
    for last in (False, True):
        peer = Torch(case, x, dy, training=training, last=last)
        contenders[peer.name] = peer
    if not training and len(x) == 1 and importlib.util.find_spec("onnxruntime"):
        contenders["onnxruntime"] = OnnxRuntime(case, x, threads)
    works = {name: one.train if training else one.infer for name, one in contenders.items()}
    difference = _difference(contenders["pellucid"], contenders["torch"], training=training)
    core.patience, turns = PATIENCE, list[tuple[bool, dict[str, float]]]()
    while len(turns) < bursts or (core.patience > 0 and sum(ok for ok, _ in turns) < bursts):
        before = core.wait()
        order = list(works)[:: 1 if len(turns) % 2 == 0 else -1]
        taken = {name: _burst(works[name]) for name in order}
        turns.append((before and core.is_full(), taken))
        core.patience -= not turns[-1][0]
    chosen = sorted(turns, key=lambda turn: not turn[0])[:bursts]
    times = {name: [taken[name] for _, taken in chosen] for name in works}
    products = case.word in ("conv", "linear")
    multiply_adds = case.batch * our_layer(case).multiply_adds(x[0].shape[1:]) if products else 0
    return {
        "times": times,
        "undisturbed": sum(ok for ok, _ in chosen),  # of the turns that count
        "difference": difference,
        "flop": 2 * multiply_adds * (3 if training else 1),
        "kernel": contenders["pellucid"].step.kernel,
    }


def _difference(ours: Any, theirs: Any, *, training: bool) -> float:
    """Return the largest difference of outputs and gradients, relative to the largest number."""
    if not training:
        pairs = [(ours.numpy(ours.infer()), theirs.infer())]
    else:
        (y, dx, dw), (y_t, dx_t, dw_t) = ours.train(), theirs.train()
        pairs = [(ours.numpy(a), b) for a, b in zip((y, *dx), (y_t, *dx_t), strict=True)]
        pairs += zip(dw, dw_t, strict=True)
    found = []
    for a, b in pairs:
        right = theirs.numpy(b).reshape(a.shape)
        found.append(float(abs(a - right).max() / abs(right).max()))
    return max(found)


def _burst(work: Callable[[], Any]) -> float:
    """Return the fastest of the calls that fit into a burst, the first one apart."""
    work()
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < LEAST or time.perf_counter() - begin < BURST_SECONDS:
        times.append(seconds_of(work))
    return statistics.median(times)


def fma_peak(core: Core) -> float:
    """Return the FLOP/s of a core on a loop of fused multiply-adds in registers."""
    from pellucid.kernels.jit import LANES, kernel
    from pellucid.kernels.simd import lane_sums, outer, store_first, zeros

    @kernel
    def products(count: int, a: Any, y: Any) -> None:
        t = zeros(8, 2)
        for k in range(count):
            t = outer(t, a, k & 1, 1, a, 16)
        store_first(lane_sums(t), y, 0, LANES, 1)

    count, a = 200_000, np.ones(64, np.float32)
    y = np.empty(16 * LANES, np.float32)
    products(1, a, y)
    times = []
    for _ in range(30):
        core.wait()
        times.append(seconds_of(lambda: products(count, a, y)))
    return 2 * 16 * LANES * count / min(times)


if __name__ == "__main__":
    main()
