"""Progress and notes on the terminal: standard error, as standard output is for results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from ..names import shown
from ..runs.listener import Listener, Watched
from .compiling import announced
from .interrupts import stoppable
from .messages import echo, is_quiet, note

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..data import Dataset
    from ..runs.interrupts import Interrupts

__all__ = ["Terminal", "bar"]


def bar() -> Progress:
    """Return a progress bar for standard error, which is erased at the end.

    Nothing is drawn if that is not a terminal, or with ``--quiet``.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=is_quiet() or not console.is_terminal)


class Terminal(Listener):
    """Print notes and draw progress bars.

    Parameters
    ----------
    interrupts : Interrupts, optional
        Held while files are written.
    """

    def __init__(self, interrupts: Interrupts | None = None) -> None:
        self.interrupts = interrupts

    def note(self, text: str) -> None:
        """Print a sentence to standard error."""
        note(text)

    def result(self, text: str) -> None:
        """Print a sentence to standard output."""
        echo(text)

    @contextmanager
    def reading(self) -> Iterator[Callable[[int, int], None]]:
        """Draw a bar while a folder is decoded; Ctrl-C ends the program."""
        with stoppable("stopped while the images were read; nothing was written"), bar() as drawn:
            task = drawn.add_task("reading images", total=None, visible=False)

            def advance(done: int, total: int) -> None:
                drawn.update(task, completed=done, total=total, visible=True)

            yield advance

    @contextmanager
    def measuring(self, dataset: Dataset, watched: Watched) -> Iterator[Callable[[int], None]]:
        """Draw a bar over the images, and say when kernels are compiled."""
        from rich.markup import escape

        title = escape(f"{shown(dataset.name, 40)}, {dataset.split}")
        with bar() as progress:
            task = progress.add_task(title, total=len(dataset))

            def advance(images: int) -> None:
                progress.update(task, advance=images, description=title)

            def live(text: str) -> None:
                progress.update(task, description=escape(text), refresh=True)

            with announced(watched, live):
                yield advance

    def writing(self) -> AbstractContextManager[None]:
        """Let Ctrl-C wait until the files are written."""
        return nullcontext() if self.interrupts is None else self.interrupts.held()
