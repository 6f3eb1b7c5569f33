"""Predictions as a table, as lines of JSON and as CSV, a batch at a time."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..letters import is_terminal
from ..names import told_apart, without_surrogates
from ..runs.classifying import Classified
from ..runs.listener import Listener, Watched
from ..tables import GrowingTable
from .compiling import announced
from .images import drawing_note
from .json_output import file_fields, json_text
from .messages import complain, note
from .terminal import bar

if TYPE_CHECKING:
    from ..typing import Array

__all__ = ["CsvLines", "JsonLines", "Table", "Watcher"]

LONGEST = 40  # columns of a class's name


class _Output:
    """Base class: the best guesses for each file, in order.

    Parameters
    ----------
    classes : sequence of str
    top : int
        Number of guesses.
    """

    def __init__(self, classes: Sequence[str], top: int) -> None:
        self.classes, self.top = classes, top

    def text(self, batch: Sequence[Classified]) -> str:
        """Return the lines for a batch of files; empty if there is nothing to print."""
        raise NotImplementedError

    def _best(self, probabilities: Array) -> Iterator[tuple[int, Any]]:
        """Yield the classes of the best guesses, and their probabilities."""
        for k in probabilities.argsort()[::-1][: self.top]:
            yield int(k), probabilities[k]


class Table(_Output):
    """A table for reading: only files that could be read."""

    def __init__(self, classes: Sequence[str], top: int) -> None:
        super().__init__(told_apart(classes, LONGEST), top)
        header = ("image", *(f"guess {k + 1}" for k in range(top)))
        self._table = GrowingTable(header, left=range(top + 1))

    def text(self, batch: Sequence[Classified]) -> str:
        """Return the rows; the first time under the header."""
        rows = [
            (
                str(one.path),
                *(f"{self.classes[k]} {100 * p:.1f} %" for k, p in self._best(one.probabilities)),
            )
            for one in batch
            if one.probabilities is not None
        ]
        return self._table.text(rows) if rows else ""


class JsonLines(_Output):
    """An object a line for each file: with ``guesses`` and ``notes``, or with ``error``."""

    def text(self, batch: Sequence[Classified]) -> str:
        """Return the lines."""
        return "".join(json_text(self._object(one)) + "\n" for one in batch)

    def _object(self, one: Classified) -> dict[str, Any]:
        told: dict[str, Any] = file_fields(one.path)
        if one.probabilities is None:
            return told | {"error": str(one.error)}
        guesses = [
            {"class": self.classes[k], "index": k, "probability": p}
            for k, p in self._best(one.probabilities)
        ]
        return told | {"guesses": guesses, "notes": list(one.notes)}


class CsvLines(_Output):
    """A row for each file; of a file that could not be read only the last column, ``error``."""

    _begun = False

    def text(self, batch: Sequence[Classified]) -> str:
        """Return the rows; the first time under the header."""
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        quoted = csv.writer(lines, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if not self._begun:
            places = range(1, self.top + 1)
            pairs = (name for k in places for name in (f"class_{k}", f"probability_{k}"))
            writer.writerow(["file", *pairs, "error"])
            self._begun = True
        for one in batch:
            if one.probabilities is None:
                cells: list[Any] = [""] * 2 * self.top
            else:
                best = self._best(one.probabilities)
                cells = [cell for k, p in best for cell in (self.classes[k], p)]
            error = "" if one.error is None else str(one.error)
            row = [_text(cell) for cell in (one.path, *cells, error)]
            # Python's csv does not quote a carriage return by itself.
            (quoted if any("\r" in cell for cell in row) else writer).writerow(row)
        return lines.getvalue()


def _text(cell: object) -> str:
    return without_surrogates(str(cell))


class Watcher(Listener):
    """Draw a bar, print notes and errors, and say when kernels are compiled.

    The bar is drawn where standard output is not a terminal too: there, results are the progress.

    Parameters
    ----------
    notes : bool
        Whether to print how drawings were found.
    """

    def __init__(self, *, notes: bool) -> None:
        self.notes = notes
        self._bar = bar()
        self._bar.disable |= is_terminal(sys.stdout)
        self._task = self._bar.add_task("pictures", total=None)
        self._live = not self._bar.disable

    def __enter__(self) -> Watcher:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def found(self, files: int) -> None:
        """Let the bar end at this number of files."""
        self._bar.update(self._task, total=files)

    def classified(self, files: int) -> None:
        """Advance the bar."""
        self._bar.update(self._task, advance=files)

    @contextmanager
    def compiling(self, watched: Watched) -> Iterator[None]:
        """Say in place of the bar's title when kernels are compiled."""

        def live(text: str) -> None:
            self._bar.update(self._task, description=text, refresh=True)

        with announced(watched, live if self._live else None):
            yield
        self._bar.update(self._task, description="pictures")

    def tell(self, batch: Sequence[Classified]) -> bool:
        """Print the notes and errors of a batch; return whether there was an error."""
        for one in batch:
            if self.notes:
                for told in one.notes:
                    note(f"note: {drawing_note(one.path, told)}")
            if one.error is not None:
                complain(one.error, self._bar.console if self._live else None)
        return any(one.error is not None for one in batch)
