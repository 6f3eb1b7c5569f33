"""Progress of a training in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..letters import is_terminal
from .callbacks import Callback
from .history import EpochRecord

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, Task

    from ..kernels.compiling import Compiling
    from .trainer import Trainer

__all__ = ["ProgressBar"]

SMOOTHING = 0.05  # weight of the newest batch in the displayed loss


class ProgressBar(Callback):
    """Show a live bar with loss, accuracy, images per second and time left, and a line per epoch.

    If the output is not a terminal, only the lines are printed. A message announces that kernels
    are compiled.

    Parameters
    ----------
    console : rich.console.Console, optional
        Standard output by default, in colour only on a terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console
        self._bar: Progress | None = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Draw the bar if the output is a terminal."""
        from rich.console import Console

        if self.console is None:
            # With FORCE_COLOR, Rich would write the bar's control codes to a file.
            plain = None if is_terminal(sys.stdout) else False
            self.console = Console(highlight=False, force_terminal=plain)
        self._loss: float | None = None
        self._accuracy = ""
        self._said = False
        if self.console.is_interactive:
            self._bar = _new_bar(self.console)
            images = trainer.loader.images
            done = trainer.epoch * images + trainer.loader.position % images
            total = trainer.epochs * images
            self._task = self._bar.add_task("", total=total, completed=done, news="", notice="")
            self._bar.start()

    def on_compile(self, trainer: Trainer, news: Compiling) -> None:
        """Show the message in place of the bar; without a bar, once on standard error."""
        if self._bar is not None:
            self._bar.update(self._task, notice=str(news), refresh=True)
        elif not self._said:
            self._said = True
            print(news.notice, file=sys.stderr)

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Show the number of the epoch."""
        if self._bar is not None:
            self._bar.update(self._task, description=f"epoch {trainer.epoch + 1}/{trainer.epochs}")

    def on_batch_end(self, trainer: Trainer, loss: float, images: int) -> None:
        """Advance the bar."""
        before = loss if self._loss is None else self._loss
        self._loss = before + SMOOTHING * (loss - before)
        if self._bar is not None:
            news = f"loss {_short(self._loss)}{self._accuracy}"
            self._bar.update(self._task, advance=images, news=news, notice="")

    def on_evaluate_begin(self, trainer: Trainer) -> None:
        """Show that accuracy is being measured."""
        if self._bar is not None:
            self._bar.update(self._task, news="measuring accuracy")

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Print the epoch's line."""
        assert self.console is not None
        if self._bar is not None:
            self._bar.update(self._task, notice="")
        width = len(str(trainer.epochs))
        line = f"epoch {record.epoch:{width}}/{trainer.epochs}  loss {_short(record.loss)}"
        line += f"  train {record.train_accuracy:.4f}"
        self._accuracy = f"  train {record.train_accuracy:.4f}"
        if record.held_accuracy is not None:
            name = "val" if record.role == "validation" else "test"
            line += f"  {name} {record.held_accuracy:.4f}"
            self._accuracy = f"  {name} {record.held_accuracy:.4f}"
        self.console.print(f"{line}  {record.seconds:.1f} s", soft_wrap=True)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _short(loss: float) -> str:
    return f"{loss:.4f}" if loss < 1000 else f"{loss:.3e}"


def _new_bar(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{f'{task.speed:,.0f}' if task.speed else '-':>7} images/s")

    class Bar(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            notice = "".join(task.fields["notice"] for task in self.tasks)
            yield Text(notice) if notice else self.make_tasks_table(self.tasks)

    # Columns of fixed width, or the bar would jump; and space for the ^C that a terminal echoes,
    # or the line would wrap and could not be erased.
    room = console.width - 71
    wide = [BarColumn(bar_width=min(room, 40))] if room >= 8 else []
    return Bar(
        TextColumn("{task.description:11}"),
        *wide,
        TextColumn("{task.fields[news]:24}"),
        *([Speed()] if wide else []),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console,
        transient=True,
    )
