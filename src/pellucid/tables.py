"""Plain-text tables."""

from __future__ import annotations

from collections.abc import Sequence

from .letters import columns
from .names import isolated, plain

__all__ = ["GrowingTable", "text_table"]


def text_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Sequence[int] = (0,),
    total: Sequence[str] | None = None,
) -> str:
    """Return ``rows`` under ``header``, in columns as wide as their longest cell.

    Control characters in cells are escaped, and right-to-left letters do not reorder neighbouring
    cells.

    Parameters
    ----------
    header, rows
        Cells as text, all rows as long as the header.
    left : sequence of int
        Columns that are aligned left; the others, numbers, are aligned right.
    total : sequence of str, optional
        A last row, separated by a line.

    Examples
    --------
    >>> print(text_table(["layer", "parameters"], [["conv1", "780"], ["fc", "5"]]))
    layer  parameters
    -----------------
    conv1         780
    fc              5
    """
    lines = [header, *rows, *([total] if total else [])]
    text, _ = _aligned(lines, [0] * len(header), left)
    rule = "-" * max(columns(line) for line in text)
    body = [*text[1:-1], rule, text[-1]] if total else text[1:]
    return "\n".join([text[0], rule, *body])


class GrowingTable:
    """A table whose rows come a few at a time: a column widens when a longer cell comes.

    Parameters
    ----------
    header, left
        As for `text_table`.

    Examples
    --------
    >>> table = GrowingTable(["file", "class"], left=(0, 1))
    >>> print(table.text([["a.png", "cat"]]))
    file   class
    ------------
    a.png  cat
    >>> print(table.text([["b.png", "dog"], ["longer.png", "cat"]]))
    b.png       dog
    longer.png  cat
    """

    def __init__(self, header: Sequence[str], *, left: Sequence[int] = (0,)) -> None:
        self._header: Sequence[str] | None = header
        self._left, self._widths = left, [0] * len(header)

    def text(self, rows: Sequence[Sequence[str]]) -> str:
        """Return the lines of the next ``rows``, the first time under the header."""
        header, self._header = self._header, None
        lines = rows if header is None else [header, *rows]
        text, self._widths = _aligned(lines, self._widths, self._left)
        if header is not None:
            text.insert(1, "-" * max(columns(line) for line in text))
        return "\n".join(text)


def _aligned(
    lines: Sequence[Sequence[str]], least: Sequence[int], left: Sequence[int]
) -> tuple[list[str], list[int]]:
    """Return the lines as text, and the widths of their columns, which are ``least`` or wider."""
    shown = [[isolated(plain(cell)) for cell in line] for line in lines]
    widths = [
        max(before, *(columns(line[column]) for line in shown))
        for column, before in enumerate(least)
    ]
    text = [
        "  ".join(
            _filled(cell, width, to_the_left=column in left)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in shown
    ]
    return text, widths


def _filled(cell: str, width: int, *, to_the_left: bool) -> str:
    space = " " * (width - columns(cell))
    return cell + space if to_the_left else space + cell
