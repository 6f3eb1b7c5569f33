"""Plain-text tables."""

from __future__ import annotations

from collections.abc import Sequence

from .letters import columns
from .names import isolated, plain

__all__ = ["text_table"]


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
    lines = [
        [isolated(plain(cell)) for cell in line]
        for line in (header, *rows, *([total] if total else []))
    ]
    widths = [max(columns(line[column]) for line in lines) for column in range(len(header))]
    text = [
        "  ".join(
            _filled(cell, width, to_the_left=column in left)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    rule = "-" * max(columns(line) for line in text)
    body = [*text[1:-1], rule, text[-1]] if total else text[1:]
    return "\n".join([text[0], rule, *body])


def _filled(cell: str, width: int, *, to_the_left: bool) -> str:
    space = " " * (width - columns(cell))
    return cell + space if to_the_left else space + cell
