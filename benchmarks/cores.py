"""How the networks of the benchmarks would speed up on 1 to 64 cores, and what bounds them.

    python benchmarks/cores.py [CASE...] [--steps N] [--costs FILE] [--out FOLDER]

Measures how long each task of each launch takes on one thread, and plays them on more cores (see
`core_model`): a table, what the time is spent on, the launches that lose most, and a chart. Writes
cores.json (which --costs reads again), cores.md and cores.png.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from cases import CASES
from core_model import Launch, Played, Queue, play
from cores_chart import draw
from processes import HERE, Result, call

__all__ = ["CHOSEN", "CORES"]

CORES = (1, 2, 4, 8, 16, 32, 64)
CHOSEN = (
    "simple-train-100", "deep-train-100", "lenet-train-100", "resnet20-train-128",
    "resnet18-train-8", "googlenet-train-8", "alexnet-train-32", "mobilenet-v2-train-8",
    "resnet18-infer-8", "resnet18-infer-1",
)  # fmt: skip
WORST = 5  # launches of which the table says what they lose


def main() -> None:
    """Measure or read, then write all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--steps", type=int, default=5, help="of which the least times count")
    parser.add_argument("--costs", type=Path, help="cores.json of an earlier time")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    given = parser.parse_args()
    for name in set(given.cases) - set(CASES):
        parser.error(f"no case {name!r}; known: {', '.join(CASES)}")
    given.out.mkdir(parents=True, exist_ok=True)
    if given.costs:
        found: dict[str, Result] = json.loads(given.costs.read_text(encoding="utf-8"))
        found = {key: found[key] for key in given.cases or found}
    else:
        keys = given.cases or CHOSEN
        found = {key: call("core_costs.py", key, given.steps) for key in keys}
        (given.out / "cores.json").write_text(json.dumps(found), encoding="utf-8")
    curves = {key: curve(*read(one)) for key, one in found.items()}
    measured = ", ".join(sorted({one["processor"] for one in found.values()}))
    text = f"One thread was measured on: {measured}.\n\n" + table(curves) + "\n"
    text += "".join(losses(key, *read(one)) for key, one in found.items())
    print(text)
    (given.out / "cores.md").write_text(text, encoding="utf-8")
    draw(curves, given.out / "cores.png")


def read(found: Result) -> tuple[list[Launch], Queue]:
    """Return the launches of JSON, and the queue."""
    launches = [Launch(**one | {"tasks": tuple(one["tasks"])}) for one in found["launches"]]
    return launches, Queue(**found["queue"])


def curve(launches: Sequence[Launch], queue: Queue) -> dict[int, Played]:
    """Return what a step takes on each number of cores."""
    return {n: play(launches, n, queue) for n in CORES}


def table(curves: dict[str, dict[int, Played]]) -> str:
    """Return the speed-ups, and what a step on 64 cores is spent on."""
    most = CORES[-1]
    lines = [
        "| step | ms on one | " + " | ".join(f"x{n}" for n in CORES[1:])
        + f" | on {most}: caller alone, not shared, work, uneven |",
        "|---" * (len(CORES) + 2) + "|",
    ]  # fmt: skip
    for key, played in curves.items():
        one, all_ = played[1].seconds, played[most]
        ratios = " | ".join(f"{one / played[n].seconds:.1f}" for n in CORES[1:])
        parts = (all_.before, all_.alone, all_.work, all_.uneven)
        shares = ", ".join(f"{part / all_.seconds:.0%}" for part in parts)
        lines.append(f"| {key} | {1e3 * one:.2f} | {ratios} | {shares} |")
    return "\n".join(lines) + "\n"


def losses(key: str, launches: Sequence[Launch], queue: Queue, cores: int = 16) -> str:
    """Return the kernels that lose most on this many cores, in their launches together."""
    lost: dict[str, float] = defaultdict(float)
    tasks: dict[str, list[int]] = defaultdict(list)
    for launch in launches:
        played = play([launch], cores, queue)
        total = sum(launch.tasks)
        lost[launch.name] += played.seconds - total / cores
        tasks[launch.name].append(len(launch.tasks) if launch.shared else 1)
    whole = play(launches, cores, queue).seconds
    worst = sorted(lost, key=lambda name: -lost[name])[:WORST]
    lines = [f"\n{key}: lost on {cores} cores, of {1e3 * whole:.2f} ms\n"]
    for name in worst:
        counts = tasks[name]
        lines.append(
            f"- {name}: {lost[name] / whole:.0%} in {len(counts)} launches of {min(counts)} to "
            f"{max(counts)} tasks\n"
        )
    return "".join(lines)


if __name__ == "__main__":
    main()
