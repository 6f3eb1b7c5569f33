"""Fallback fonts for letters that Matplotlib's own lack: Hangul, Kana, Hanja and others.

Matplotlib draws a text with the first of its fonts that has each letter. This module finds, among
the fonts of the machine, those that have the letters of a figure, and appends them to its texts.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = ["PREFERRED", "FontWarning", "fallbacks", "lend_fonts"]

# Looked at before all others: made for reading, with a regular weight.
PREFERRED = (
    "NanumGothic",
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "NanumBarunGothic",
    "Pretendard",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "IPAexGothic",
    "IPAGothic",
    "Noto Sans CJK SC",
    "Microsoft YaHei",
    "Arial Unicode MS",
)
HELP = (
    "Install one that has them (Debian and Ubuntu: fonts-nanum or fonts-noto-cjk; Windows: Malgun "
    "Gothic, among the optional features; macOS has AppleGothic)"
)

_told: set[str] = set()  # letters that were warned of


class FontWarning(UserWarning):
    """Letters that no font on this machine has; they are drawn as boxes."""


def lend_fonts(figure: Figure, fonts: Sequence[str] | None = None) -> None:
    """Give every text of ``figure`` fonts for the letters that its own do not have.

    Texts that need nothing stay as they are. Figures of Pellucid call this whenever they are drawn.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    fonts : sequence of str, optional
        Files to choose from; by default all fonts of the machine.

    Warns
    -----
    FontWarning
        Once for the same letters: that no font has them, and which to install.

    Examples
    --------
    >>> from pellucid.viz.drawing.canvas import new_figure
    >>> figure = new_figure(2, 1)
    >>> text = figure.text(0.5, 0.5, "cat")
    >>> lend_fonts(figure)                          # DejaVu Sans has these letters
    >>> text.get_fontfamily()
    ['sans-serif']
    """
    missing: set[str] = set()
    for text in _texts(figure):
        needed = _lacking(text)
        if not needed:
            continue
        found = fallbacks(needed, fonts)
        missing |= needed - _all_letters(found)
        names = [name for name, _ in found]
        own = text.get_fontfamily()
        text.set_fontfamily([*own, *(name for name in names if name not in own)])
    if missing - _told:
        _told.update(missing)
        shown = "".join(sorted(missing)[:12])
        warnings.warn(
            f"no font on this machine has {shown!r}: boxes are drawn for them. {HELP}.",
            FontWarning,
            stacklevel=2,
        )


def fallbacks(letters: Iterable[str], fonts: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """Return fonts, (name, file), that together have as many of ``letters`` as can be had.

    Parameters
    ----------
    letters : iterable of str
    fonts : sequence of str, optional
        Files to choose from; by default all fonts of the machine, also those that were installed
        since Matplotlib made its list.

    Examples
    --------
    >>> fallbacks("가", fonts=[])
    []
    """
    return list(_fallbacks("".join(sorted(set(letters))), None if fonts is None else tuple(fonts)))


@lru_cache(maxsize=64)
def _fallbacks(letters: str, fonts: tuple[str, ...] | None) -> tuple[tuple[str, str], ...]:
    left, chosen = {ord(letter) for letter in letters}, []
    for name, file in _known() if fonts is None else _named(fonts):
        gain = left & _codes(file)
        if gain:
            chosen.append((name, file))
            left -= gain
        if not left:
            break
    return tuple(chosen)


def _known() -> Iterator[tuple[str, str]]:
    """Yield all fonts, the preferred ones first; those that Matplotlib has not listed yet, last."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    listed = {f.name: f.fname for f in fontManager.ttflist if f.style == "normal" and _regular(f)}
    yield from ((name, listed[name]) for name in PREFERRED if name in listed)
    fresh = sorted(set(findSystemFonts()) - {f.fname for f in fontManager.ttflist})
    yield from sorted(_named(fresh), key=_preference)
    yield from ((name, listed[name]) for name in sorted(listed) if _is_other(name))


def _named(files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield names of font files, and let Matplotlib know of those it does not."""
    from matplotlib.font_manager import fontManager

    for file in files:
        entry = next((f for f in fontManager.ttflist if f.fname == file), None)
        if entry is None:
            try:
                fontManager.addfont(file)
            except Exception:  # a broken font, or one of bitmaps: the next one then
                continue
            entry = fontManager.ttflist[-1]
        yield entry.name, file


def _preference(font: tuple[str, str]) -> tuple[int, str]:
    name = font[0]
    return (PREFERRED.index(name) if name in PREFERRED else len(PREFERRED), name)


def _is_other(name: str) -> bool:
    """Leave out Matplotlib's font that has a frame for every letter: it would hide all boxes."""
    return name not in PREFERRED and not name.startswith("Last Resort")


def _regular(entry: object) -> bool:
    return getattr(entry, "weight", 400) in (400, "normal", "regular", "book")


@lru_cache(maxsize=256)
def _codes(file: str) -> frozenset[int]:
    from matplotlib.font_manager import get_font

    try:
        return frozenset(get_font(file).get_charmap())
    except Exception:  # see above
        return frozenset()


def _all_letters(fonts: Sequence[tuple[str, str]]) -> set[str]:
    return {chr(code) for _, file in fonts for code in _codes(file)}


def _lacking(text: Text) -> set[str]:
    """Return the letters of ``text`` that its present fonts do not have."""
    letters = {c for c in text.get_text() if ord(c) > 0x2FF and c.isprintable()}
    if not letters:
        return letters
    from matplotlib.font_manager import FontProperties, fontManager

    for family in text.get_fontfamily():
        one = FontProperties(family=[family])
        try:
            file = fontManager.findfont(one, fallback_to_default=False)
        except ValueError:
            continue
        letters -= {c for c in letters if ord(c) in _codes(str(file))}
    return letters


def _texts(figure: Figure) -> Iterator[Text]:
    """Yield all texts, with those of the ticks as they will be drawn."""
    from matplotlib.text import Text

    for axes in figure.axes:
        _settle_ticks(axes)
    yield from figure.findobj(Text)


def _settle_ticks(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        if axes.axison and axis.get_visible():
            axis.get_ticklabels()
