"""Progress and notes of a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ..data import Dataset
    from ..kernels.compiling import Compiling

__all__ = ["Listener", "Watched"]

# As `pellucid.kernels.compiling.watch`, for the kernels of one engine.
Watched: TypeAlias = "Callable[[Callable[[Compiling], None]], AbstractContextManager[None]]"


class Listener:
    """Hear of a run's progress; this one ignores it, the command line's draws and prints it."""

    def note(self, text: str) -> None:
        """Take a sentence for the user."""

    def result(self, text: str) -> None:
        """Take a sentence that says what came of the run."""

    def reading(self) -> AbstractContextManager[Callable[[int, int], None]]:
        """Return the block in which images are read.

        Its value is called with the number of images that are decoded so far, and of all.
        """
        return nullcontext(lambda done, total: None)

    def measuring(
        self, dataset: Dataset, watched: Watched
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Return the block in which a model runs on ``dataset``.

        Its value is called with the number of images after each batch; ``watched`` reports the
        kernels that are compiled meanwhile.
        """
        return nullcontext(lambda images: None)

    def found(self, files: int) -> None:
        """Take the number of picture files that are found so far; called from another thread."""

    def classified(self, files: int) -> None:
        """Take the number of picture files that a model has just classified."""

    def compiling(self, watched: Watched) -> AbstractContextManager[None]:
        """Return the block in which kernels may be compiled, which ``watched`` reports."""
        return nullcontext()

    def writing(self) -> AbstractContextManager[None]:
        """Return the block in which files are written: an interruption should wait for its end."""
        return nullcontext()
