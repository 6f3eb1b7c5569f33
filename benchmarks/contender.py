"""One case by one contender, in this process: prints times and losses as JSON.

    python benchmarks/contender.py CONTENDER CASE THREADS [SECONDS]

With SECONDS 0 it ends after the first step.
"""

from __future__ import annotations

import json
import math
import os
import sys
from functools import partial
from typing import Any

__all__ = ["BEFORE", "CONTENDERS", "OTHERS", "PEERS", "WITHOUT_TRAINING"]

PEERS = ("torch", "torch channels-last")
# What compiles a whole network, with the module that each needs; the last two have no training.
OTHERS = {
    "torch.compile": "torch",
    "torch.compile channels-last": "torch",
    "jax": "jax",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
}
WITHOUT_TRAINING = ("onnxruntime", "openvino")
BEFORE = "pellucid before"  # an earlier version, which PYTHONPATH names
CONTENDERS = ("pellucid", BEFORE, *PEERS, *OTHERS, "reference")
IMAGES = 3200  # of all batches together, within bounds
BYTES = 2**26  # at most, so that large images are few
LOSSES = 10  # steps after which the losses of both sides are compared


def main() -> None:
    """Import, build, take the first step, warm up, measure; print."""
    name, key, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 1.2
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = os.environ["NUMBA_NUM_THREADS"] = str(threads)
    if name == "jax" and hasattr(os, "sched_setaffinity"):  # XLA makes a thread for each core
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

    from cases import CASES
    from timing import timed

    case = CASES[key]
    make, imported = timed(lambda: _builder(name))
    from images import batches

    stream = batches(case.image, case.batch)
    room = BYTES // (4 * math.prod(case.image) * case.batch)
    count = min(max(IMAGES // case.batch, 8), 64, max(room, 4))
    data = [next(stream) for _ in range(count)]
    contestant, built = timed(lambda: make(case, data, threads))
    result = _measure(contestant, case.training, seconds)
    result["start_s"] |= {"import": imported, "build": built}
    if name in ("pellucid", BEFORE, "reference"):
        from ours import flop

        result["flop"] = flop(case)
    print(json.dumps(result))


def _builder(name: str) -> Any:
    """Import the contender's library; return its function that builds a case."""
    if name.startswith("torch"):
        from theirs import Torch

        how = {"last": name.endswith("channels-last"), "compiled": name.startswith("torch.compile")}
        return partial(Torch, **how)
    if name == "jax":
        from theirs_jax import Jax

        return Jax
    if name in WITHOUT_TRAINING:
        from runtimes import OnnxRuntime, OpenVino

        return OnnxRuntime if name == "onnxruntime" else OpenVino
    from ours import Pellucid

    return partial(Pellucid, fast=name != "reference")


def _measure(contestant: Any, training: bool, seconds: float) -> Any:
    from timing import seconds_of, sgemm_peak, spread, time_steps

    losses: list[float] = []
    step = (lambda: losses.append(contestant.train())) if training else contestant.infer
    with contestant.session:
        if not training:
            losses.append(contestant.loss())
        result: dict[str, Any] = {"start_s": {"first step": seconds_of(step)}}
        if seconds > 0:
            times = time_steps(step, seconds)
            result |= {"step_s": spread(times), "steps": len(times)}
            for name, use in contestant.slower_variants.items():
                use()
                result[name] = spread(time_steps(step, seconds / 2))
            result["sgemm_flops"] = sgemm_peak(contestant.square_product)
    return result | {"losses": losses[: LOSSES + 1]}


if __name__ == "__main__":
    main()
