"""Progress of a training in a notebook or in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..display.compiling import CompilingLine
from ..display.notebook import is_notebook
from ..letters import is_terminal
from .callbacks import Callback
from .history import EpochRecord
from .notebook_bar import NotebookBar

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, Task

    from ..kernels.compiling import Compiling
    from .trainer import Trainer

__all__ = ["ProgressBar", "shown_by_default"]

SMOOTHING = 0.05  # weight of the newest batch in the displayed loss


class ProgressBar(Callback):
    """Show a live bar with loss, accuracy, images per second and time left, and a line per epoch.

    In a notebook it is one output, which is updated in place and ends with the last epoch's line.
    If the output is not a terminal, only the lines are printed. A message announces that kernels
    are compiled.

    Parameters
    ----------
    console : rich.console.Console, optional
        By default the notebook, or standard output, in colour only on a terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console
        self._bar: Progress | NotebookBar | None = None
        self._task: Any = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Draw the bar in a notebook, or if the output is a terminal."""
        from rich.console import Console

        if self.console is None and is_notebook():
            self._bar = NotebookBar()
        elif self.console is None:
            # With FORCE_COLOR, Rich would write the bar's control codes to a file.
            plain = None if is_terminal(sys.stdout) else False
            self.console = Console(highlight=False, force_terminal=plain)
        self._loss: float | None = None
        self._accuracy = ""
        self._said = False
        if self.console is not None and self.console.is_interactive:
            self._bar = _new_bar(self.console)
        if self._bar is not None:
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
        line += f"  {record.seconds:.1f} s"
        if self.console is not None:
            self.console.print(line, soft_wrap=True)
        elif self._bar is not None:
            self._bar.update(self._task, line=line)

    def on_fit_end(self, trainer: Trainer) -> None:
        """Remove the bar; in a notebook, leave the last epoch's line."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class CompilingNews(Callback):
    """Say on a terminal that kernels are being compiled, where no progress is shown."""

    def __init__(self) -> None:
        self._line = CompilingLine(everywhere=False)

    def on_compile(self, trainer: Trainer, news: Compiling) -> None:
        """Show a line."""
        self._line.tell(news)

    def on_batch_end(self, trainer: Trainer, loss: float, images: int) -> None:
        """Erase it, before anything else is printed."""
        self._line.clear()

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Erase it, too."""
        self._line.clear()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Erase it, too."""
        self._line.clear()


def shown_by_default(progress: bool | None, callbacks: Sequence[Callback]) -> list[Callback]:
    """Return the callbacks that show a training: see ``progress`` of the Trainer."""
    if progress is False or any(isinstance(each, ProgressBar) for each in callbacks):
        return []
    return [ProgressBar() if progress or is_notebook() else CompilingNews()]


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
