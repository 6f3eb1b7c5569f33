"""Pellucid against PyTorch eager on the CPU, side by side: `make bench`.

Every measurement runs in a process of its own, the contenders take turns, and the table shows
medians over the rounds with their range, ratios against the best of PyTorch's memory formats, the
losses before and after, and apart from all that the time from import to the first finished step.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from cases import CASES

HERE = Path(__file__).parent
CONTENDERS = ("pellucid", "torch", "torch-channels-last")

Result = dict[str, Any]


def main() -> None:
    """Measure the cases asked for, and write table, numbers and chart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reference", action="store_true", help="measure the plain layers too")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    contenders = CONTENDERS + ("reference",) * options.reference
    measured: list[Result] = []
    for key in options.cases:
        for threads in options.threads:
            rounds: dict[str, list[Result]] = {name: [] for name in contenders}
            for _ in range(options.rounds):
                for name in contenders:
                    rounds[name].append(_measure(name, key, threads))
            measured.append({"case": key, "threads": threads, "rounds": rounds})
            print(_row(measured[-1]), flush=True)
    options.out.mkdir(exist_ok=True)
    facts = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    numbers = json.dumps({**facts, "measured": measured}, indent=1)
    (options.out / "results.json").write_text(numbers + "\n")
    (options.out / "results.md").write_text("\n".join([*HEADER, *map(_row, measured)]) + "\n")
    _chart(measured, options.out / "results.png")
    print(f"\nwritten to {options.out}/")


def _measure(name: str, key: str, threads: int) -> Result:
    command = [sys.executable, str(HERE / "contender.py"), name, key, str(threads)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{process.stderr}")
    result: Result = json.loads(process.stdout)
    return result


HEADER = [
    "| case | threads | Pellucid ms | PyTorch ms, best format | ratio | range of ratios "
    "| loss: ours, theirs | start s: ours, theirs | peak MiB: ours, theirs |",
    "|---|---|---|---|---|---|---|---|---|",
]


def _ratios(row: Result) -> list[float]:
    """Return, round by round, how many times faster than the best of PyTorch."""
    rounds = row["rounds"]
    peers = zip(rounds["torch"], rounds["torch-channels-last"], strict=True)
    best = [min(a["median_ms"], b["median_ms"]) for a, b in peers]
    return [b / own["median_ms"] for b, own in zip(best, rounds["pellucid"], strict=True)]


def _row(row: Result) -> str:
    def middle(name: str, what: str) -> float:
        return statistics.median(result[what] for result in row["rounds"][name])

    peer = min(CONTENDERS[1:], key=lambda name: middle(name, "median_ms"))
    ratios = _ratios(row)
    losses = [
        f"{middle(name, 'first_loss'):.2f} to {middle(name, 'last_loss'):.3f}"
        for name in ("pellucid", peer)
    ]
    cells = [
        row["case"],
        str(row["threads"]),
        f"{middle('pellucid', 'median_ms'):.3f}",
        f"{middle(peer, 'median_ms'):.3f} ({peer})",
        f"{statistics.median(ratios):.2f}",
        f"{min(ratios):.2f} to {max(ratios):.2f}",
        ", ".join(losses),
        f"{middle('pellucid', 'start_s'):.2f}, {middle(peer, 'start_s'):.2f}",
        f"{middle('pellucid', 'peak_mib'):.0f}, {middle(peer, 'peak_mib'):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _chart(measured: list[Result], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1 + 0.4 * len(measured)), layout="constrained", dpi=150)
    axes = figure.subplots()
    names = [f"{row['case']}, {row['threads']} threads" for row in measured]
    values = [statistics.median(_ratios(row)) for row in measured]
    bars = axes.barh(names[::-1], values[::-1], color="#0072B2")
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("times as fast as PyTorch eager's best memory format")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
