"""Tables in plain text, for everything that prints one."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["text_table"]


def text_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Sequence[int] = (0,),
    total: Sequence[str] | None = None,
) -> str:
    """Return ``rows`` under ``header``, in columns as wide as their longest cell.

    Parameters
    ----------
    header, rows
        Cells as text, all rows as long as the header.
    left : sequence of int
        Columns that are aligned left; the others, numbers, are aligned right.
    total : sequence of str, optional
        A last row under a line of its own.

    Examples
    --------
    >>> print(text_table(["layer", "parameters"], [["conv1", "780"], ["fc", "5"]]))
    layer  parameters
    -----------------
    conv1         780
    fc              5
    """
    lines = [header, *rows, *([total] if total else [])]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    rule = "-" * max(len(line) for line in text)
    body = [*text[1:-1], rule, text[-1]] if total else text[1:]
    return "\n".join([text[0], rule, *body])
