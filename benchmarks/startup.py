"""Start-up time: imports, and everything up to the end of the first training step."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from processes import Result, call, run

__all__ = ["measure"]

CASES = ("simple-train-100", "deep-train-100")
IMPORT = "import time; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"


def measure(rounds: int, threads: int, peer: bool) -> Result:
    """Return seconds by what was started: a list of all rounds.

    The first step counts from the first import, without loading images. With an empty cache, as on
    the first run of a machine, every kernel is compiled.
    """
    torch = ["torch"] * peer
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in ("pellucid", "pellucid.engine", *torch):
            took = float(run("-c", IMPORT.format(name)))
            seconds.setdefault(f"import {name}", []).append(took)
    for key in CASES:
        with tempfile.TemporaryDirectory() as folder:
            env = _without_kernels(Path(folder))
            cold = _first_step("pellucid", key, threads, env)
            kernels = len(list(Path(folder).rglob("*.nbc")))
            seconds[f"{key}, pellucid, empty cache ({kernels} kernels compiled)"] = [cold]
            for _ in range(rounds):
                for name in ("pellucid", *torch):
                    took = _first_step(name, key, threads, env)
                    seconds.setdefault(f"{key}, {name}", []).append(took)
    return seconds


def _first_step(name: str, key: str, threads: int, env: Mapping[str, str]) -> float:
    return sum(call("contender.py", name, key, threads, 0, env=env)["start_s"].values())


def _without_kernels(folder: Path) -> dict[str, str]:
    """Copy the package without its compiled kernels; return the environment that imports the copy.

    Kernels are looked for beside the sources, too, and in the user's cache under their path.
    """
    spec = find_spec("pellucid")
    if spec is None or spec.origin is None:
        sys.exit("pellucid is not installed")
    compiled = shutil.ignore_patterns("*.nbc", "*.nbi")
    shutil.copytree(Path(spec.origin).parent, folder / "pellucid", ignore=compiled)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "NUMBA_CACHE_DIR": str(folder / "kernels")}
