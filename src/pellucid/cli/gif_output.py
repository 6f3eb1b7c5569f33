"""Deliver animations: a GIF of all steps, or a still figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ..errors import ArgumentError, renamed
from .figure_output import deliver, require_deliverable
from .messages import echo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AnimatedOption", "deliver_still_or_moving", "is_moving", "require_animated"]

MOST_FRAMES = 100

AnimatedOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="PNG, SVG or PDF file; or a GIF, which shows all steps in turn. "
        "[dim]Default: KIND.png in this folder.[/dim]",
    ),
]


def is_moving(out: Path | None) -> bool:
    """Return whether ``out`` is an animation."""
    return out is not None and out.suffix.lower() == ".gif"


def require_animated(out: Path | None, window: bool) -> None:
    """Refuse what `deliver_still_or_moving` could not deliver, before any work is done.

    Raises
    ------
    ArgumentError
        Naming the option.
    """
    if is_moving(out):
        if window:
            raise ArgumentError(
                "a window shows one step; leave out --out FILE.gif.", where="--window"
            )
        return
    if out is not None and out.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ArgumentError(
            f"must end in .png, .svg, .pdf or .gif, received '{out}'.", where="--out"
        )
    require_deliverable(out, window)


def deliver_still_or_moving(
    draw: Callable[[int | None], Figure], steps: int, kind: str, out: Path | None, *, window: bool
) -> None:
    """Write ``draw(None)``; for a GIF ``draw(1)``, ``draw(2)``, ... up to ``steps``.

    Prints the path of the file.
    """
    if not is_moving(out):
        deliver(draw(None), kind, out, window=window)
        return
    from .. import viz

    assert out is not None
    if steps > MOST_FRAMES:
        raise ArgumentError(
            f"would have {steps} frames, one for each step; at most {MOST_FRAMES} are allowed. "
            "Use a smaller input or a larger stride, or draw one step with --step.",
            where="--out",
        )
    with renamed(save_animation="--out", path="--out"):
        viz.save_animation((draw(step) for step in range(1, steps + 1)), out)
    echo(f"{out}")
