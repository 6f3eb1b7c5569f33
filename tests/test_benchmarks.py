"""The benchmarks run, and both sides do the same work; the times are not asserted on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

RUN = Path(__file__).parents[1] / "benchmarks" / "run.py"


def _measured(out: Path, *arguments: str) -> dict[str, Any]:
    """Rehearse a case on one thread; return its row."""
    command = [sys.executable, str(RUN), *arguments, "--quick", "--threads", "1", "--out", str(out)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, process.stderr
    (row,) = json.loads((out / "results.json").read_text(encoding="utf-8"))["steps"]
    return row


def test_a_case_is_measured_and_written_down_without_a_peer(tmp_path):
    row = _measured(tmp_path, "simple-infer-1", "--no-peer")
    (result,) = row["rounds"]["pellucid"]
    assert result["steps"] > 1
    assert result["flop"] == 2 * 865_000
    assert "| simple-infer-1 | 1 |" in (tmp_path / "results.md").read_text(encoding="utf-8")


def test_the_contenders_start_alike_and_learn_alike(peer, tmp_path):
    peer("torch")
    row = _measured(tmp_path, "simple-train-100", "--reference")
    losses = {name: results[0]["losses"] for name, results in row["rounds"].items()}
    assert set(losses) == {"pellucid", "torch", "torch channels-last", "reference"}
    assert losses["torch"][-1] < losses["torch"][0]
    for own in losses.values():
        np.testing.assert_allclose(own, losses["torch"], rtol=1e-3)
    assert (tmp_path / "results.png").is_file()


def test_a_network_is_measured_against_onnx_runtime_with_equal_scores(peer, tmp_path):
    peer("onnxruntime")
    command = [sys.executable, str(RUN), "squeezenet-onnx-1", "--quick", "--threads", "1"]
    process = subprocess.run(
        [*command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    (row,) = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["onnx"]
    assert row["difference"] < 1e-5
    assert "| squeezenet-onnx-1 | 1 |" in (tmp_path / "results.md").read_text(encoding="utf-8")


def test_runtimes_and_an_earlier_version_are_measured_with_the_same_scores(peer, tmp_path):
    peer("onnxruntime")
    others = ["--others", "onnxruntime", "--before", RUN.parents[1] / "src"]
    row = _measured(tmp_path, "simple-infer-1", "--no-peer", *others)
    losses = {name: results[0]["losses"] for name, results in row["rounds"].items()}
    assert set(losses) == {"pellucid", "pellucid before", "onnxruntime"}
    assert losses["pellucid before"] == losses["pellucid"]
    np.testing.assert_allclose(losses["onnxruntime"], losses["pellucid"], rtol=1e-5)
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| case | threads | pellucid before | onnxruntime |" in page


def test_a_layer_is_measured_by_itself_and_computes_what_pytorch_does(peer, tmp_path):
    peer("torch")
    command = [sys.executable, str(RUN.with_name("layers.py")), "5x5-6>16-@14-b1", "sum-256-@56-b1"]
    process = subprocess.run(
        [*command, "--bursts", "1", "--threads", "1", "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    rows = json.loads((tmp_path / "layers.json").read_text(encoding="utf-8"))["rows"]
    assert [(row["case"], row["training"]) for row in rows] == [
        ("5x5-6>16-@14-b1", True), ("5x5-6>16-@14-b1", False),
        ("sum-256-@56-b1", True), ("sum-256-@56-b1", False),
    ]  # fmt: skip
    assert all(row["difference"] < 1e-5 for row in rows)
    assert "| 5x5 6>16 @14 | 1 | LeNet-5 |" in (tmp_path / "layers.md").read_text(encoding="utf-8")
    assert (tmp_path / "layers.png").is_file()


def test_an_unknown_case_is_refused(tmp_path):
    command = [sys.executable, str(RUN), "simpel", "--out", str(tmp_path)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 2
    assert "no case 'simpel'" in process.stderr
