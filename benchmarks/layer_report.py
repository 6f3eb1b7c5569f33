"""The sweep of the layers as a table and a chart."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from processes import Result

__all__ = ["as_line", "ratio", "report"]

PEERS = ("torch", "torch channels-last")


def ratio(row: Result, *peers: str) -> float:
    """Return the median over the bursts of how many times as fast as the better of ``peers``."""
    times = row["times"]
    theirs = min((times[name] for name in peers or PEERS), key=statistics.median)
    return statistics.median(b / a for a, b in zip(times["pellucid"], theirs, strict=True))


def as_line(row: Result) -> str:
    """Return a row for the terminal."""
    what = "train" if row["training"] else "infer"
    ms = 1e3 * statistics.median(row["times"]["pellucid"])
    share = 100 * row["flop"] / (statistics.median(row["times"]["pellucid"]) * row["peak"])
    onnx = f" ort {ratio(row, 'onnxruntime'):5.2f}" if "onnxruntime" in row["times"] else ""
    return (
        f"{row['case']:36} {what} {row['threads']} thr {ms:9.3f} ms {share:4.0f} % "
        f"torch {ratio(row):5.2f}{onnx}  diff {row['difference']:.0e}  {row['kernel']}"
    )


def report(rows: list[Result], out: Path) -> None:
    """Write layers.json."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "layers.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
