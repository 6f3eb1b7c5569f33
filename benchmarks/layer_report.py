"""The sweep of the layers as a table and a chart."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from pathlib import Path

from layer_cases import CASES
from processes import Result

__all__ = ["as_line", "ratio", "read", "report"]

PEERS = ("torch", "torch channels-last")
WORK = {True: "training", False: "inference"}
COLOURS = {True: "#0072B2", False: "#E69F00"}
NONE = "–"


def ratio(row: Result, *peers: str) -> float:
    """Return the median over the bursts of how many times as fast as the better of ``peers``."""
    times = row["times"]
    theirs = min((times[name] for name in peers or PEERS), key=statistics.median)
    return statistics.median(b / a for a, b in zip(times["pellucid"], theirs, strict=True))


def as_line(row: Result) -> str:
    """Return a row for the terminal."""
    onnx = f", {ratio(row, 'onnxruntime'):5.2f} ORT's" if "onnxruntime" in row["times"] else ""
    return (
        f"{row['case']:32} {WORK[row['training']]:9} {row['threads']} thr. "
        f"{_milliseconds(row):9.3f} ms {_share(row):>5}  {ratio(row):5.2f} PyTorch's{onnx}  "
        f"(difference {row['difference']:.0e}; {row['kernel']})"
    )


def read(path: Path) -> list[Result]:
    """Return the rows of an earlier sweep."""
    rows: list[Result] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return rows


def report(rows: list[Result], facts: dict[str, str], out: Path, before: list[Result]) -> None:
    """Write layers.json, layers.md and layers.png into ``out``; ``before`` is an earlier sweep."""
    out.mkdir(parents=True, exist_ok=True)
    kept = json.dumps({"facts": facts, "rows": rows}, indent=1)
    (out / "layers.json").write_text(kept + "\n", encoding="utf-8")
    page = [
        "# Layers by themselves\n",
        *(f"- {what}: {value}" for what, value in facts.items()),
        "\nA layer's own step, called as in a plan, from a recording, in the layout that each",
        "contender likes best. Training is forward, and the gradients of input, filters and bias.",
        "A ratio is how many times as fast Pellucid is as PyTorch eager in its better memory",
        "format, or as ONNX Runtime (ORT): the median of bursts that take turns, of those turns in",
        "which the core had its full rate before and after, as far as there were enough. The share",
        "is that of the cores' rate of fused multiply-adds, by the products of the definition:",
        "Winograd's algorithm needs fewer, and may exceed 100 %.",
    ]
    for threads in sorted({row["threads"] for row in rows}):
        own = [row for row in rows if row["threads"] == threads]
        old = {_key(row): row for row in before if row["threads"] == threads}
        page += [f"\n## {threads} thread{'s' * (threads > 1)}\n", *_summary(own), ""]
        page += _table(own, old)
    (out / "layers.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    _draw([row for row in rows if row["threads"] == rows[0]["threads"]], out / "layers.png")


def _key(row: Result) -> tuple[str, bool]:
    return row["case"], row["training"]


def _summary(rows: list[Result]) -> Iterable[str]:
    for training, what in WORK.items():
        found = sorted((ratio(row), row["case"]) for row in rows if row["training"] is training)
        if found:
            below = [f"{case} {value:.2f}" for value, case in found if value < 1]
            yield (
                f"- {what}: median {statistics.median(value for value, _ in found):.2f}, "
                f"{len(below)} of {len(found)} below 1" + ": " * bool(below) + ", ".join(below)
            )


def _table(rows: list[Result], before: dict[tuple[str, bool], Result]) -> list[str]:
    header = ["layer", "images", "network"]
    for what in WORK.values():
        header += [f"{what} ms", "share", *(["before"] if before else []), "ratio"]
    lines = ["| " + " | ".join([*header, "ORT", "kernel"]) + " |"]
    lines.append("|" + "---|" * (len(header) + 2))
    found = {_key(row): row for row in rows}
    for key in dict.fromkeys(row["case"] for row in rows):
        case, onnx, kernel = CASES[key], NONE, ""
        cells = [case.name, str(case.batch), case.network]
        for training in WORK:
            row, old = found.get((key, training)), before.get((key, training))
            cells += [f"{_milliseconds(row):.3f}", _share(row)] if row else [NONE] * 2
            if before:
                cells.append(f"{ratio(old):.2f}" if old else NONE)
            cells.append(f"{ratio(row):.2f}" if row else NONE)
            if row and "onnxruntime" in row["times"]:
                onnx = f"{ratio(row, 'onnxruntime'):.2f}"
            kernel = row["kernel"] if row else kernel
        lines.append("| " + " | ".join([*cells, onnx, kernel]) + " |")
    return lines


def _milliseconds(row: Result) -> float:
    return 1e3 * statistics.median(row["times"]["pellucid"])


def _share(row: Result) -> str:
    if not row["flop"]:
        return NONE
    return f"{row['flop'] / (1e-3 * _milliseconds(row) * row['peak']):.0%}"


def _draw(rows: list[Result], path: Path) -> None:
    from matplotlib.figure import Figure

    measured = {row["case"] for row in rows}
    first = {CASES[key].name: key for key in reversed(CASES) if key in measured}
    keys = list(reversed(first.values()))  # each layer with the first of its batches
    figure = Figure(figsize=(8, 1 + 0.24 * len(keys)), layout="constrained", dpi=120)
    axes = figure.subplots()
    for place, training in enumerate(WORK):
        own = [row for row in rows if row["training"] is training and row["case"] in keys]
        axes.barh(
            [keys.index(row["case"]) - 0.2 + 0.4 * place for row in own],
            [ratio(row) - 1 for row in own],
            0.4,
            left=1,
            color=COLOURS[training],
            label=WORK[training],
        )
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_xticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
    names = [f"{CASES[key].name}, {CASES[key].batch}" for key in keys]
    axes.set_yticks(range(len(keys)), names, fontsize=8)
    axes.set_ylim(len(keys) - 0.4, -0.6)
    axes.set_xlabel(f"times as fast as PyTorch eager, {rows[0]['threads']} thread")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path)
