"""The speed-ups on more cores that the model of the launches computes, as curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chart import COLOURS
from core_model import Played

__all__ = ["draw"]

SOFT = "0.55"
STYLES = ("-", "--", ":")


def draw(curves: Mapping[str, Mapping[int, Played]], path: Path) -> None:
    """Draw the speed-up of each step."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.4), layout="constrained", dpi=130)
    axes = figure.subplots()
    for place, (key, played) in enumerate(curves.items()):
        cores, one = list(played), played[1].seconds
        axes.plot(
            cores, [one / each.seconds for each in played.values()], label=key, linewidth=1.8,
            color=COLOURS[place % len(COLOURS)], linestyle=STYLES[place // len(COLOURS) % 3],
        )  # fmt: skip
    axes.plot(cores, cores, color=SOFT, linewidth=0.8, linestyle="dotted", label="n cores")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(cores, [str(n) for n in cores])
    axes.set_yticks(cores, [str(n) for n in cores])
    axes.set_xlabel("cores")
    axes.set_ylabel("times as fast as one core, by the model")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.92")
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path)
