"""Build HTML elements: all text that goes into them is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ..names import plain

__all__ = ["Html", "cell", "code", "element", "escaped", "join", "table"]


class Html(str):
    """Text that is HTML already; all other text is escaped before it enters a page."""


def escaped(text: str) -> str:
    r"""Escape ``text`` so that a page shows it, whatever it contains.

    Examples
    --------
    >>> escaped("<b> & \x1b[31m\udcff")
    '&lt;b&gt; &amp; \\x1b[31m\\xff'
    """
    return escape(plain(text, lines=True))


def element(name: str, *inside: str, **attributes: str | None) -> Html:
    """Return an element around ``inside``; attributes that are None are left out.

    Examples
    --------
    >>> element("p", "a < b", element("b", "c"), class_="note")
    '<p class="note">a &lt; b<b>c</b></p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{join(inside)}</{name}>")


def join(parts: Iterable[str]) -> Html:
    """Concatenate the parts."""
    return Html("".join(part if isinstance(part, Html) else escaped(str(part)) for part in parts))


def code(*lines: str) -> Html:
    """Return lines to type, as a code block."""
    return element("pre", element("code", "\n".join(lines)))


def cell(*inside: str, class_: str | None = None, style: str | None = None) -> Html:
    """Return a table cell with its own class or style."""
    return element("td", *inside, class_=class_, style=style)


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: Sequence[int] = (0,),
    total: Sequence[str] | None = None,
) -> Html:
    """Return a table that scrolls sideways if it is too wide; its first column names the rows.

    Parameters
    ----------
    header, rows
        Texts, escaped here; HTML that begins with a cell (``<td``) is inserted as it is.
    left : sequence of int
        Columns of words; the others are numbers, aligned right.
    total : sequence of str, optional
        A last row.
    """

    def line(cells: Sequence[str]) -> Html:
        parts = [element("th", element("span", cells[0]), scope="row")]
        for k, inside in enumerate(cells[1:], 1):
            ready = isinstance(inside, Html) and inside.startswith("<td")
            parts.append(
                Html(inside) if ready else cell(inside, class_="left" if k in left else None)
            )
        return element("tr", *parts)

    head = element(
        "tr",
        *(
            element("th", text, scope="col", class_="left" if k in left else None)
            for k, text in enumerate(header)
        ),
    )
    body = element("tbody", *(line(row) for row in rows))
    foot = [element("tfoot", line(total))] if total is not None else []
    whole = element("table", element("thead", head), body, *foot)
    return element("div", whole, class_="scroll", tabindex="0")
