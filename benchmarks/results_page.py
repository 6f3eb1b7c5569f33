"""The results as Markdown tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from typing import Any

from cases import CASES, TRAINED_TARGET
from contender import BEFORE, LOSSES, OTHERS, PEERS
from memory import WHO
from processes import Result

__all__ = ["markdown", "medians", "onnx_row", "ratios", "step_row", "trained_row"]

MIB = 2**20
NONE = "–"


def markdown(results: Result) -> str:
    """Return a page with a table for each measurement."""
    facts = "\n".join(f"- {what}: {value}" for what, value in results["facts"].items())
    parts = ["# Measurements", facts]
    for name, section in SECTIONS.items():
        if results.get(name):
            parts.append(section(results[name]))
    return "\n\n".join(parts) + "\n"


def medians(row: Result, name: str, *path: str) -> float:
    """Return the median over the rounds of the values at ``path`` from ``name``'s processes."""

    def dig(result: Any) -> float:
        for key in path:
            result = result[key]
        return sum(result.values()) if isinstance(result, dict) else result

    return statistics.median(dig(result) for result in row["rounds"][name])


def ratios(row: Result) -> list[float]:
    """Return, round by round, how many times as fast as PyTorch's better memory format."""
    peers = [row["rounds"][name] for name in PEERS if name in row["rounds"]]
    best = [min(r["step_s"]["median"] for r in results) for results in zip(*peers, strict=True)]
    own = [result["step_s"]["median"] for result in row["rounds"]["pellucid"]]
    return [b / a for b, a in zip(best, own, strict=True)] if peers else []


def step_row(row: Result) -> list[str]:
    """Return a line of the table of steps."""
    target, found = CASES[row["case"]].target, ratios(row)
    peer = _better_peer(row)
    return [
        row["case"],
        str(row["threads"]),
        f"{1e3 * medians(row, 'pellucid', 'step_s', 'median'):.3f}",
        f"{1e3 * medians(row, peer, 'step_s', 'median'):.3f} ({peer})" if peer else NONE,
        f"{statistics.median(found):.2f}" if found else NONE,
        f"{min(found):.2f} to {max(found):.2f}" if found else NONE,
        f"{target:g}",
        _yes(statistics.median(found) >= target) if found else NONE,
    ]


def _steps(rows: list[Result]) -> str:
    header = [
        *("case", "threads", "Pellucid ms", "PyTorch ms, better format"),
        *("ratio", "over the rounds", "target", "reached"),
    ]
    return "\n".join(
        [
            "## Steps\n",
            "Medians over the rounds of each process's median. A training step ends with Adam's",
            "update, PyTorch's being the fused one; images are converted beforehand.\n",
            _table(header, map(step_row, rows)),
            "\n### More about these steps\n",
            f"Losses: of the first step and {LOSSES} steps later, from the same weights and images",
            "(dropout draws differently). Start: seconds for the imports, for building and for the",
            "first step, with compiled kernels in the cache. GFLOP are the textbook's. Peak: the",
            "fastest matrix product, NumPy's or PyTorch's, in these processes after the steps.\n",
            _table(SIDES, map(_sides, rows)),
            *_others(rows),
        ]
    )


def _others(rows: list[Result]) -> list[str]:
    """Return the tables of what was measured besides PyTorch eager, if anything was."""
    names = [n for n in (BEFORE, *OTHERS) if any(n in row["rounds"] for row in rows)]
    if not names:
        return []

    def against(row: Result, name: str) -> str:
        if name not in row["rounds"]:
            return NONE
        own = [result["step_s"]["median"] for result in row["rounds"]["pellucid"]]
        theirs = [result["step_s"]["median"] for result in row["rounds"][name]]
        ratio = statistics.median(b / a for a, b in zip(own, theirs, strict=True))
        return f"{1e3 * medians(row, name, 'step_s', 'median'):.3f} ({ratio:.2f})"

    def sides(row: Result, name: str) -> str:
        if name not in row["rounds"]:
            return NONE
        return f"{_start(row, name)}; {_losses(row['rounds'][name][0])}"

    def table(cell: Callable[[Result, str], str]) -> str:
        lines = [
            [row["case"], str(row["threads"]), *(cell(row, name) for name in names)] for row in rows
        ]
        return _table(["case", "threads", *names], lines)

    return [
        "\n### Against an earlier version, compilers and runtimes\n",
        "Milliseconds, and in parentheses how many times as fast Pellucid is. ONNX Runtime and",
        "OpenVINO run the network that Pellucid exports.\n",
        table(against),
        "\nThe seconds that each needs before: imports + building, export or load + the first",
        "step, in which `torch.compile` and JAX compile; then the losses as above. JAX keeps no",
        "running averages of batch normalization; its whole step, with the update, is one",
        "function.\n",
        table(sides),
    ]


SIDES = [
    *("case", "threads", "losses, Pellucid", "losses, PyTorch", "start s, Pellucid"),
    *("start s, PyTorch", "PyTorch's default Adam ms", "GFLOP", "GFLOP/s", "of sgemm's peak"),
    *("plain layers ms",),
]


def _sides(row: Result) -> list[str]:
    peer, own = _better_peer(row), row["rounds"]["pellucid"][0]
    rate = own["flop"] / medians(row, "pellucid", "step_s", "median")
    peak = max(r["sgemm_flops"] for results in row["rounds"].values() for r in results)
    default = peer and "default Adam" in row["rounds"][peer][0]
    plain = "reference" in row["rounds"]
    return [
        row["case"],
        str(row["threads"]),
        _losses(own),
        _losses(row["rounds"][peer][0]) if peer else NONE,
        _start(row, "pellucid"),
        _start(row, peer) if peer else NONE,
        f"{1e3 * medians(row, peer, 'default Adam', 'median'):.3f}" if default else NONE,
        f"{own['flop'] / 1e9:.3f}",
        f"{rate / 1e9:.0f}",
        f"{rate / peak:.0%} of {peak / 1e9:.0f}",
        f"{1e3 * medians(row, 'reference', 'step_s', 'median'):.1f}" if plain else NONE,
    ]


def _better_peer(row: Result) -> str:
    """Return the faster of PyTorch's memory formats, or "" where PyTorch was not measured."""
    peers = [name for name in PEERS if name in row["rounds"]]
    return min(peers, key=lambda name: medians(row, name, "step_s", "median"), default="")


def _losses(result: Result) -> str:
    losses = result["losses"]
    return ", ".join(f"{loss:.4f}" for loss in dict.fromkeys([losses[0], losses[-1]]))


def _start(row: Result, name: str) -> str:
    return " + ".join(
        f"{medians(row, name, 'start_s', part):.2f}" for part in ("import", "build", "first step")
    )


def trained_row(row: Result) -> list[str]:
    """Return a line of the table of trained weights."""
    ratio = row["ratio"]
    return [
        row["case"],
        str(row["threads"]),
        f"{1e3 * row['fresh']['median']:.3f}",
        f"{1e3 * row['trained']['median']:.3f}",
        f"{ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f})",
        f"{row['losses'][0]:.3f}, {row['losses'][1]:.3f}",
        f"{1 + TRAINED_TARGET:g} at most",
        _yes(ratio["median"] <= 1 + TRAINED_TARGET),
    ]


def _trained(rows: list[Result]) -> str:
    header = [
        *("case", "threads", "fresh ms", "trained ms", "ratio (quartiles)", "losses"),
        *("target", "reached"),
    ]
    return "## Trained weights against fresh ones\n\n" + _table(header, map(trained_row, rows))


def onnx_row(row: Result) -> list[str]:
    """Return a line of the table of ONNX Runtime."""
    ratio = row["ratio"]
    return [
        row["case"],
        str(row["threads"]),
        f"{1e3 * row['pellucid']['median']:.3f}",
        f"{1e3 * row['onnxruntime']['median']:.3f}",
        f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})",
        f"{row['difference']:.0e}",
        " + ".join(f"{seconds:.2f}" for seconds in row["start_s"].values()),
    ]


def _onnx(rows: list[Result]) -> str:
    header = [
        *("case", "threads", "Pellucid ms", "ONNX Runtime ms", "ratio (quartiles)"),
        *("difference of the scores", "start s: plan + export and session"),
    ]
    return (
        "## Inference against ONNX Runtime\n\nThe network's name and the number of images; the "
        "ratio is how many times as fast Pellucid is, the median of bursts in turns.\n\n"
        + _table(header, map(onnx_row, rows))
    )


def _memory(peaks: dict[str, list[Result]]) -> str:
    def row(who: str) -> list[str]:
        imports, data, training = (
            statistics.median(result[stage] for result in peaks[who]) / MIB
            for stage in ("imports", "data", "training")
        )
        numbers = (training, imports, training - imports, training - data)
        return [who, *(f"{number:.0f}" for number in numbers)]

    header = ["library", "peak MiB", "interpreter and imports", "above imports", "above MNIST, too"]
    return (
        "## Peak memory: SimpleConvNet on MNIST, 100 images a step\n\n"
        "A thousand test images are evaluated in batches of 100, or (reference-1000) in one.\n\n"
        + _table(header, [row(who) for who in WHO if who in peaks])
    )


def _startup(seconds: dict[str, list[float]]) -> str:
    rows = [
        [what, f"{statistics.median(s):.2f}", f"{min(s):.2f} to {max(s):.2f}"]
        for what, s in seconds.items()
    ]
    return (
        "## Start-up\n\nImports; and all from the first import to the end of the first training "
        "step. The cache is empty only on the first run of a machine.\n\n"
        + _table(["what", "seconds", "over the rounds"], rows)
    )


def _recipe(result: Result) -> str:
    accuracies, seconds = result["test_accuracies"], result["seconds"]
    rows = [
        [str(seed), f"{100 * accuracy:.2f}", f"{took:.2f}"]
        for seed, (accuracy, took) in enumerate(zip(accuracies, seconds, strict=True))
    ]
    reached = sum(accuracy >= 0.99 for accuracy in accuracies)
    return (
        f"## MNIST to 99 %\n\n{reached} of {len(rows)} seeds reach 99 % on the test set; "
        f"{statistics.median(seconds):.2f} s of training (median), kernels compiled before.\n\n"
        + _table(["seed", "test accuracy %", "seconds"], rows)
    )


def _book(result: Result) -> str:
    return (
        f"## The book's training\n\nSimpleConvNet, MNIST, {result['epochs']} epochs of 600 steps, "
        f"by `pellucid train --engine compiled`: {result['seconds']:.1f} s from start to end, "
        f"{result['training_seconds']:.1f} s of it in epochs and their measuring; test accuracy "
        f"{100 * result['test_accuracy']:.2f} %."
    )


SECTIONS: dict[str, Callable[[Any], str]] = {
    "steps": _steps,
    "trained": _trained,
    "onnx": _onnx,
    "memory": _memory,
    "start-up": _startup,
    "recipe": _recipe,
    "book": _book,
}


def _table(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _yes(reached: bool) -> str:
    return "yes" if reached else "no"
