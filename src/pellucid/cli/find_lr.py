"""``pellucid find-lr``: which learning rate to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..display.compiling import CompilingLine
from ..errors import renamed
from ..runs.settings import Settings
from .figure_output import deliver, require_deliverable
from .interrupts import stoppable
from .json_output import JsonOption, print_json
from .messages import echo, is_quiet, note
from .setting_options import command_of, takes
from .terminal import Terminal, bar

if TYPE_CHECKING:
    from ..kernels.compiling import Compiling
    from ..training import Callback, RateTest

__all__ = ["command"]

TITLE = "learning-rate test"

Command = command_of(Settings)


@takes(Settings)
def command(
    settings: Settings,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the curve into this PNG, SVG or PDF."),
    ] = None,
    min_lr: Annotated[
        float, typer.Option(metavar="X", help="The rate of the first step.", show_default="1e-7")
    ] = 1e-7,
    max_lr: Annotated[float, typer.Option(metavar="X", help="The rate of the last step.")] = 10.0,
    steps: Annotated[int, typer.Option(metavar="N", help="Batches to train on.")] = 100,
    json: JsonOption = False,
) -> None:
    """Suggest a learning rate: train for some steps while the rate rises.

    Takes the options of pellucid train, and saves no model. The loss falls
    while the rate suits, and rises once it is too high, which ends the
    test. The suggestion lies halfway (on the logarithmic scale) between
    the rate at which the loss falls fastest and a tenth of that at which
    it is lowest. --lr, --schedule and --warmup play no part in it.
    """
    from ..runs.building import build
    from ..training import find_lr

    if out is not None:
        require_deliverable(out, window=False)
    trainer = build(settings, listener=Terminal()).trainer
    with (
        stoppable("stopped; nothing was written"),
        renamed(low="--min-lr", high="--max-lr", steps="--steps"),
        _progress(steps) as callback,
    ):
        found = find_lr(trainer, min_lr, max_lr, steps, callbacks=[callback], progress=False)
    if json:
        print_json(_fields(found))
    else:
        echo(found)
        if found.suggestion is not None:
            note(f"train with it: {_options(found.suggestion, settings)}")
    if out is not None:
        from .. import viz

        figure = viz.rate_test(found)
        if json:
            viz.save_figure(figure, out)
        else:
            deliver(figure, "lr", out)


def _options(rate: float, settings: Settings) -> str:
    """Return the options of pellucid train that give this rate to these batches."""
    from ..runs.completing import base_rate, completed, rule_of

    if settings.scale_lr is None:
        return f"--lr {rate:.2g}"
    times = rule_of(completed(settings)).lr / base_rate(settings)
    return f"--lr {rate / times:.2g}, of which --scale-lr makes {rate:.2g}"


def _fields(found: RateTest) -> dict[str, object]:
    return {
        "suggestion": found.suggestion,
        "steepest": found.steepest,
        "lowest": found.lowest,
        "diverged": found.diverged,
        "rates": found.rates,
        "losses": found.losses,
        "smoothed": found.smoothed,
    }


@contextmanager
def _progress(steps: int) -> Iterator[Callback]:
    """Draw a bar over the steps; its value tells it about them."""
    from ..training import Callback

    line = CompilingLine(lambda text: drawn.update(task, description=text, refresh=True))
    with bar() as drawn:
        task = drawn.add_task(TITLE, total=steps)

        class Progress(Callback):
            def on_compile(self, trainer: object, news: Compiling) -> None:
                if not is_quiet():
                    line.tell(news)

            def on_batch_end(self, trainer: object, loss: float, images: int) -> None:
                drawn.update(task, advance=1, description=TITLE)

        yield Progress()
