"""The speed-ups that the model of a step's time computes, and those measured, as curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chart import COLOURS
from step_model import Link, Network, StepModel

__all__ = ["draw"]

RANKS = [2**k for k in range(11)]
SOFT = "0.55"


def draw(
    networks: Sequence[Network], links: Sequence[Link], measured: Sequence[dict[str, Any]],
    path: Path, batch: int, images: int,
) -> None:  # fmt: skip
    """Draw a column for each network: one batch on more and more ranks; a batch for each rank."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.2), layout="constrained", dpi=130)
    axes = figure.subplots(2, len(networks), sharex=True, sharey=True, squeeze=False)
    for column, network in enumerate(networks):
        for link, colour in zip(links, COLOURS, strict=False):
            model = StepModel(network, link)
            one, own = axes[:, column]
            _curve(one, lambda n, m=model: m.speed_up(n, batch), link, colour)
            _curve(own, lambda n, m=model: m.scaled_speed_up(n, images), link, colour)
        axes[0, column].set_title(f"{network.name}, {4e-6 * network.numbers:.1f} MB", fontsize=10)
    for row, says in enumerate((f"a batch of {batch:,} images", f"{images} images a rank")):
        axes[row, 0].set_ylabel(f"times as fast as one rank\n({says})", fontsize=9)
        for one in axes[row]:
            _prepare(one)
    for point in measured:
        names = [network.name for network in networks]
        place = axes[point["row"], names.index(point["network"])]
        place.plot(
            point["ranks"], point["speed_up"], "o", color="black", mfc="white", ms=6, zorder=5
        )
    for one in axes[-1]:
        one.set_xlabel("ranks of one thread", fontsize=9)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if measured:
        (dot,) = axes[0, 0].plot([], [], "o", color="black", mfc="white", ms=6)
        handles, labels = [*handles, dot], [*labels, "measured, one machine"]
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    figure.savefig(path)


def _curve(axes: Any, of: Callable[[int], float], link: Link, colour: str) -> None:
    values = [of(n) for n in RANKS]
    axes.plot(RANKS, values, color=colour, label=link.name, linewidth=1.8)


def _prepare(axes: Any) -> None:
    axes.plot(RANKS, RANKS, color=SOFT, linewidth=0.8, linestyle="dotted", label="n ranks")
    axes.fill_between(
        RANKS, [0.9 * n for n in RANKS], RANKS, color=SOFT, alpha=0.18, linewidth=0,
        label="90 % or more",
    )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    ticks = [1, 4, 16, 64, 256, 1024]
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks], fontsize=8)
    axes.set_yticks(ticks, [f"{n:,}" for n in ticks], fontsize=8)
    axes.set_ylim(0.5, 1400)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.92")
