"""Format names, numbers and sums for figures, and measure their width."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache, partial

from ...errors import PellucidError
from ...letters import columns
from ...names import CLOSE, OPEN, shown, told_apart
from ...shapes import Windows, output_size
from ...typing import Array

__all__ = [
    "added",
    "breadth",
    "figure_text",
    "figure_texts",
    "is_rounded",
    "number",
    "size_formulas",
    "wrapped",
]

MINUS = "\u2212"
LARGE, SMALL = 1e5, 5e-4  # beyond them with an exponent
AXES = ("rows", "columns")


def number(value: float | Array) -> str:
    """Return a number in few characters: integers as such, others with about three digits.

    Examples
    --------
    >>> [number(v) for v in (3.0, -2.5, 1 / 3, -0.0, 4829.6, 0.00445, 1234567, 1e-7)]
    ['3', '−2.5', '0.333', '0', '4830', '0.004', '1.23e6', '1e−7']
    """
    value = float(value) + 0.0  # no -0
    size = abs(value)
    if size >= LARGE or 0 < size < SMALL:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    elif value.is_integer() or size >= 1000:
        text = f"{value:.0f}"
    else:
        text = f"{value:.3g}" if size >= 1 else f"{value:.3f}".rstrip("0")
    return text.replace("-", MINUS)


def is_rounded(values: Array) -> bool:
    """Return whether `number` leaves out digits of any of them.

    Examples
    --------
    >>> import numpy as np
    >>> is_rounded(np.array([0.25, 7])), is_rounded(np.array([1 / 3]))
    (False, True)
    """
    written = (float(number(v).replace(MINUS, "-")) for v in values.flat)
    return any(abs(w - v) > 1e-9 * abs(v) for w, v in zip(written, values.flat, strict=True))


def added(terms: Sequence[str]) -> list[str]:
    """Return ``terms`` with signs between them: pieces of one line, to be wrapped.

    Examples
    --------
    >>> " ".join(added(["2", "−3", "1·4"]))
    '2 − 3 + 1·4'
    """
    pieces = [*terms[:1]]
    for term in terms[1:]:
        negative = term.startswith(MINUS)
        pieces.append(f"{MINUS if negative else '+'} {term.removeprefix(MINUS)}")
    return pieces


def figure_text(name: str, width: float | None = None, *, bold: bool = False) -> str:
    r"""Return a user's name as a figure shows it, escaped and shortened.

    What cannot be seen is escaped, as in `pellucid.names.shown`. That a dollar stays a dollar is
    seen to by `canvas.as_written`.

    Parameters
    ----------
    name : str
    width : float, optional
        How wide it may be, in units of the letters' size; of a wider one the middle is left out.
    bold : bool
        Whether its letters are.

    Examples
    --------
    >>> figure_text("Ba$$in"), figure_text("a\nb"), figure_text("n" * 40 + "_7", 6)
    ('Ba$$in', 'a\\nb', 'nnnn…nn_7')
    """
    return _drawn(shown(_composed(name), width, partial(breadth, bold=bold)))


def figure_texts(names: Sequence[str], width: float) -> list[str]:
    """Return `figure_text` of all names; what is left out of one leaves it unlike the others."""
    composed = [_composed(name) for name in names]
    return [_drawn(text) for text in told_apart(composed, width, partial(breadth, bold=False))]


def _composed(name: str) -> str:
    """Return one letter with its accent, rather than two: more fonts have it."""
    return unicodedata.normalize("NFC", name)


def _drawn(text: str) -> str:
    return text if _orders_letters() else text.replace(OPEN, "").replace(CLOSE, "")


@lru_cache(maxsize=1)
def _orders_letters() -> bool:
    """Return whether Matplotlib writes from right to left, and then knows what isolates mean."""
    import matplotlib

    return matplotlib.__version_info__ >= (3, 11)


def breadth(text: str, bold: bool = True) -> float:
    """Return how wide ``text`` is, in units of its size."""
    return sum(_letter(letter, bold) for letter in text)


@lru_cache(maxsize=1000)
def _letter(letter: str, bold: bool) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    if ord(letter) not in _letters_of(bold):  # another font will have it
        return 0.6 * columns(letter)
    # Between two bars, so that a space has its width and each letter what is free beside it.
    between, bars = (
        TextPath((0, 0), text, size=100, prop=font).get_extents().width
        for text in (f"|{letter}|", "||")
    )
    return float(between - bars) / 100


@lru_cache(maxsize=2)
def _letters_of(bold: bool) -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    return frozenset(get_font(findfont(font)).get_charmap())


def wrapped(pieces: Sequence[str], width: float) -> list[str]:
    """Return the pieces in lines of at most ``width``, in units of the letters' size.

    Examples
    --------
    >>> wrapped("1 + 2 + 3 = 6".split(), 3.5)
    ['1 + 2', '+ 3 =', '6']
    """
    lines: list[str] = []
    for piece in pieces:
        longer = f"{lines[-1]} {piece}" if lines else ""
        if lines and breadth(longer, bold=False) <= width:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def size_formulas(windows: Windows) -> list[str]:
    """Return how rows and columns of the output are counted, and what does not fit.

    Examples
    --------
    >>> from pellucid.shapes import slide
    >>> for line in size_formulas(slide((5, 4), 3, stride=2, padding=(0, 0, 1, 1))):
    ...     print(line)
    output size = (H + 2P − E) // S + 1
    rows: (5 + 0 + 0 − 3) // 2 + 1 = 2, columns: (4 + 1 + 1 − 3) // 2 + 1 = 2
    columns: a window of 3 with stride 2 does not fit a length of 4: (4 + 2 − 3) / 2 + 1 = 2.5 is not a whole number. Change stride or padding, or choose misfit='floor' or 'pad'.
    """  # noqa: E501
    sizes, refusals = [], {}
    for a, axis in enumerate(AXES):
        size, extent, stride = windows.input[a], windows.extent[a], windows.stride[a]
        before, after = windows.padding[a]
        sizes.append(
            f"{axis}: ({size} + {before} + {after} {MINUS} {extent}) // {stride} + 1 = "
            f"{windows.output[a]}"
        )
        try:
            output_size(size, extent, stride, (before, after), misfit="error")
        except PellucidError as error:
            refusals[axis] = error.text.replace(" - ", f" {MINUS} ")
    if len(set(refusals.values())) == 1:
        refusals = {" and ".join(refusals): refusals.popitem()[1]}
    (fh, fw), (dh, dw), (eh, ew) = windows.window, windows.dilation, windows.extent
    stretched = (
        f"E = D·(F {MINUS} 1) + 1: a filter of {fh}x{fw} with dilation {dh}, {dw} covers {eh}x{ew} "
        "cells"
    )
    head = f"output size = (H + 2P {MINUS} E) // S + 1"
    return [
        head,
        *[stretched] * (windows.dilation != (1, 1)),
        ", ".join(sizes),
        *(f"{axes}: {why}" for axes, why in refusals.items()),
    ]
