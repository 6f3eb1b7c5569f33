"""Pellucid against PyTorch eager and others on the CPU, side by side: `make bench`.

Every measurement runs in its own process, the contenders take turns, and the results are medians
over the rounds with their range. Steps count while the core has its full rate (`timing.Core`).
Compiling and warming up are reported separately. The results go to a folder: results.md,
results.json and results.png.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import chart
import onnx_runtime
import results_page
import startup
from cases import CASES, TRAINED
from contender import BEFORE, OTHERS, PEERS, WITHOUT_TRAINING
from machine import facts
from memory import WHO
from processes import HERE, Result, call
from timing import RATE, Core

ONNX = onnx_runtime.cases()
LOOKS = 15.0  # seconds to look for the highest rate of the core


def main() -> None:
    """Run the selected measurements, and write the results after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(EVERYTHING)}")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.2, help="of steps in each process")
    parser.add_argument("--reference", action="store_true", help="time the plain layers too")
    parser.add_argument("--no-peer", action="store_true", help="measure without PyTorch")
    parser.add_argument(
        "--others",
        nargs="*",
        choices=OTHERS,
        default=[],
        metavar="NAME",
        help=f"compilers and runtimes to measure too, if installed: {', '.join(OTHERS)}",
    )
    parser.add_argument("--before", type=Path, metavar="SRC", help="an earlier version's src/, too")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--quick", action="store_true", help="trial run with meaningless numbers")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.05
    for name in set(options.cases) - set(EVERYTHING):
        parser.error(f"no case {name!r}; known: {', '.join(EVERYTHING)}")
    if options.before and not (options.before / "pellucid").is_dir():
        parser.error(f"--before: no package pellucid in {options.before}; name a folder src/")
    if not options.no_peer and importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: Pellucid is measured alone")
        options.no_peer = True
    wanted = set(options.cases or EVERYTHING)
    core = Core(0)
    core.search(0 if options.quick else LOOKS)
    os.environ[RATE] = str(core.peak)  # of the processes that measure
    results: Result = {"facts": facts()}
    for name, measure in PARTS.items():
        for found in measure(options, wanted):
            results[name] = found
            _write(results, options.out)
    compared = [row for row in results.get("steps", ()) if results_page.ratios(row)]
    if compared:
        chart.draw(compared, options.out / "results.png")
    print(f"\nwritten to {options.out}/")


def _steps(options: argparse.Namespace, wanted: set[str]) -> Iterator[list[Result]]:
    contenders = ["pellucid", *PEERS] if not options.no_peer else ["pellucid"]
    contenders += ["reference"] * options.reference + [BEFORE] * (options.before is not None)
    env = {BEFORE: {"PYTHONPATH": str(options.before)}}
    found = [name for name in options.others if importlib.util.find_spec(OTHERS[name])]
    for name in set(options.others) - set(found):
        print(f"{name} is not measured: {OTHERS[name]} is not installed")
    measured = []
    for key in (key for key in CASES if key in wanted):
        without = WITHOUT_TRAINING if CASES[key].training else ()
        everyone = [*contenders, *(name for name in found if name not in without)]
        for threads in options.threads:
            for name in (name for name in ("pellucid", BEFORE) if name in everyone):
                call("contender.py", name, key, threads, 0, env=env.get(name))  # fills the cache
            rounds: dict[str, list[Result]] = {name: [] for name in everyone}
            for turn in range(options.rounds):
                for name in everyone[:: 1 if turn % 2 == 0 else -1]:
                    result = call(
                        "contender.py", name, key, threads, options.seconds, env=env.get(name)
                    )
                    rounds[name].append(result)
            measured.append({"case": key, "threads": threads, "rounds": rounds})
            _say(results_page.step_row(measured[-1]))
            yield measured


def _trained(options: argparse.Namespace, wanted: set[str]) -> Iterator[list[Result]]:
    measured = []
    for key in (key for key in TRAINED if key in wanted):
        for threads in options.threads:
            found = call("trained.py", key, threads, *([0.02] if options.quick else []))
            measured.append({"case": key, "threads": threads, **found})
            _say(results_page.trained_row(measured[-1]))
            yield measured


def _onnx(options: argparse.Namespace, wanted: set[str]) -> Iterator[list[Result]]:
    keys = [key for key in ONNX if key in wanted]
    if keys and (options.no_peer or importlib.util.find_spec("onnxruntime") is None):
        print("ONNX Runtime is not compared with: not installed, or --no-peer")
        return
    measured = []
    for key in keys:
        for threads in options.threads:
            arguments = [*ONNX[key], threads, *([1] if options.quick else [])]
            found = call("onnx_runtime.py", *arguments)
            measured.append({"case": key, "threads": threads, **found})
            _say(results_page.onnx_row(measured[-1]))
            yield measured


def _memory(options: argparse.Namespace, wanted: set[str]) -> Iterator[Result]:
    if not _has_mnist(wanted, "memory"):
        return
    everyone = [who for who in WHO if who != "torch" or not options.no_peer]
    images = [300] if options.quick else []
    peaks = {
        who: [call("memory.py", who, *images) for _ in range(options.rounds)] for who in everyone
    }
    for who, found in peaks.items():
        _say(["memory", who, f"{found[0]['training'] / 2**20:.0f} MiB"])
    yield peaks


def _startup(options: argparse.Namespace, wanted: set[str]) -> Iterator[Result]:
    if "start-up" not in wanted:
        return
    seconds = startup.measure(options.rounds, max(options.threads), not options.no_peer)
    for what, found in seconds.items():
        _say([what, f"{min(found):.2f} s"])
    yield seconds


def _recipe(options: argparse.Namespace, wanted: set[str]) -> Iterator[Result]:
    if not _has_mnist(wanted, "recipe"):
        return
    short = ["--seeds", 1, "--limit", 2000] if options.quick else []
    found = call("recipe.py", *short)
    _say(["recipe", *(f"{100 * accuracy:.2f} %" for accuracy in found["test_accuracies"])])
    yield found


def _book(options: argparse.Namespace, wanted: set[str]) -> Iterator[Result]:
    if not _has_mnist(wanted, "book"):
        return
    found = call("book_job.py", *([1] if options.quick else []))
    _say(["book", f"{found['seconds']:.1f} s", f"{100 * found['test_accuracy']:.2f} %"])
    yield found


Part = Callable[[argparse.Namespace, set[str]], Iterator[Result] | Iterator[list[Result]]]
PARTS: dict[str, Part] = {
    "steps": _steps,
    "trained": _trained,
    "onnx": _onnx,
    "memory": _memory,
    "start-up": _startup,
    "recipe": _recipe,
    "book": _book,
}
EVERYTHING = [*CASES, *TRAINED, *ONNX, "memory", "start-up", "recipe", "book"]


def _has_mnist(wanted: set[str], name: str) -> bool:
    """Return whether ``name`` is wanted and can be measured."""
    if name not in wanted:
        return False
    found: bool = call("images.py")["mnist"]
    if not found:
        print(f"{name}: skipped, MNIST was not found (set PELLUCID_TEST_MNIST to its folder)")
    return found


def _write(results: Result, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "results.md").write_text(results_page.markdown(results), encoding="utf-8")


def _say(cells: list[str]) -> None:
    print(" | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
