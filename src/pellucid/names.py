"""Sanitise names given by users (classes, folders, files, layers) for display.

A name may be anything that a file system takes: control characters that move a terminal's cursor,
right-to-left letters, bytes that are not valid text, a hundred letters too many. The functions here
change only what is displayed: data sets and models keep the names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from unicodedata import category

from .letters import clusters, columns

__all__ = [
    "file_name",
    "isolated",
    "listed",
    "plain",
    "shortened",
    "shown",
    "told_apart",
    "without_surrogates",
]

OPEN, CLOSE = "\u2068", "\u2069"  # first strong isolate, pop directional isolate (UAX 9)
BYTES = re.compile("[\udc80-\udcff]+")  # of a file name that is not valid text
ISOLATED = re.compile(f"({OPEN}[^\u202a-\u202e\u2066-\u2069]*{CLOSE})")
# Invisible, or reorder other letters.
UNSEEN = frozenset(
    "\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u2800\u3164\ufeff\uffa0"
) | {chr(k) for k in (*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFFF9, 0xFFFC))}
JOINERS = "\u200c\u200d"  # between letters of some scripts, and in emoji
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
ELLIPSIS = "…"
MOST_LISTED, LONGEST_LISTED = 60, 60  # names in a sentence, and columns of each


def plain(text: str, *, lines: bool = False) -> str:
    r"""Return ``text`` with invisible and control characters escaped.

    These are control characters, direction marks, invisible characters, lone surrogates (bytes of a
    file name that are not valid text), and noncharacters of Unicode.

    Parameters
    ----------
    text : str
    lines : bool
        Keep line breaks.

    Examples
    --------
    >>> plain("cat"), plain("a\x1b[31mb\n"), plain("evil\u202etxt.exe"), plain("\udcff")
    ('cat', 'a\\x1b[31mb\\n', 'evil\\u202etxt.exe', '\\xff')
    """
    if text.isascii() and text.isprintable():
        return text
    text = _readable(text)
    parts = ISOLATED.split(text)  # every second one was isolated by `shown`
    return "".join(
        OPEN + _escaped(part[1:-1], lines) + CLOSE if k % 2 else _escaped(part, lines)
        for k, part in enumerate(parts)
    )


def _readable(text: str) -> str:
    """Return ``text`` with bytes that are UTF-8 after all read as such.

    Where Python takes names of files for ASCII (LC_ALL=C, and its UTF-8 mode turned off), those of
    all other letters come as bytes.
    """

    def read(found: re.Match[str]) -> str:
        name = found[0].encode("utf-8", "surrogateescape")
        return name.decode("utf-8", "surrogateescape")

    return BYTES.sub(read, text)


def _escaped(text: str, lines: bool) -> str:
    found, before = [], ""
    for letter in text:
        seen = (lines and letter == "\n") or not _is_unseen(letter, before)
        found.append(letter if seen else _escape(letter))
        before = letter
    return "".join(found)


def _is_unseen(letter: str, before: str) -> bool:
    if letter in JOINERS:
        return before.isascii()  # also at the beginning
    return (
        category(letter) in ("Cc", "Cs")
        or letter in UNSEEN
        or ord(letter) & 0xFFFE == 0xFFFE
        or 0xFDD0 <= ord(letter) <= 0xFDEF
    )


def _escape(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name
        code -= 0xDC00
    if letter in SHORT:
        return SHORT[letter]
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else (f"\\U{code:08x}")
    )


def without_surrogates(name: str) -> str:
    r"""Return ``name`` with invalid bytes escaped, so that it can be encoded.

    Examples
    --------
    >>> import os
    >>> without_surrogates(b"caf\xe9".decode("utf-8", "surrogateescape"))
    'caf\\xe9'
    """
    return re.sub("[\ud800-\udfff]", lambda found: _escape(found[0]), _readable(name))


def isolated(text: str) -> str:
    r"""Return ``text`` with right-to-left letters isolated, so that they do not reorder others.

    Examples
    --------
    >>> isolated("cat"), ascii(isolated("חתול"))
    ('cat', "'\\u2068\\u05d7\\u05ea\\u05d5\\u05dc\\u2069'")
    """
    if text.isascii():
        return text
    rest = ISOLATED.sub("", text)
    turns = any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in rest)
    return f"{OPEN}{text}{CLOSE}" if turns else text


def shown(
    name: str, most: float | None = None, measure: Callable[[str], float] | None = None
) -> str:
    r"""Return ``name`` for display in a line of a terminal, a table or a page.

    It is `plain` and `isolated`; a name of spaces only is quoted, so that it is visible.

    Parameters
    ----------
    name : str
    most : float, optional
        Largest size by ``measure``; the middle of a longer name is elided.
    measure : callable, optional
        By default columns of a terminal.

    Examples
    --------
    >>> shown("Ba$$in"), shown("  "), shown("\u00a0"), shown("a" * 30 + "_left", most=12)
    ('Ba$$in', "'  '", "'\\xa0'", 'aaaaaa…_left')
    """
    text = plain(name)
    if not text.strip() or all(category(letter) in ("Cf", "Mn", "Zs") for letter in text):
        text = "'" + "".join(x if x == " " else _escape(x) for x in text) + "'"
    return isolated(text if most is None else shortened(text, most, measure))


def shortened(text: str, most: float, measure: Callable[[str], float] | None = None) -> str:
    """Return ``text`` with its middle elided if it is longer than ``most`` by ``measure``.

    Both ends are kept, since similar names often differ only there. Letters are never separated
    from their accents, and emoji never split. ``measure`` counts columns of a terminal by default.

    Examples
    --------
    >>> shortened("n02085620_Chihuahua_0001", 16), shortened("고양이고양이", 7)
    ('n0208562…ua_0001', '고…양이')
    """
    measure = columns if measure is None else measure
    if measure(text) <= most:
        return text
    pieces = list(clusters(text))
    room = most - measure(ELLIPSIS)
    head, used = 0, 0.0
    widths = [measure(piece) for piece in pieces]
    while head < len(pieces) and used + widths[head] <= room * 0.55:
        used += widths[head]
        head += 1
    tail = len(pieces)
    while tail > head and used + widths[tail - 1] <= room:
        tail -= 1
        used += widths[tail]
    return "".join([*pieces[:head], ELLIPSIS, *pieces[tail:]])


def told_apart(
    names: Sequence[str], most: float, measure: Callable[[str], float] | None = None
) -> list[str]:
    """Return the names `shown` with their middles elided, so that different ones still differ.

    Names that are equal at both ends have their common beginning elided instead; if they still
    cannot be told apart, each starts with its index in the list.

    Examples
    --------
    >>> told_apart(["Ba$$in", "a long name, 1st of them", "a long name, 2nd of them"], 12)
    ['Ba$$in', '…1st of them', '…2nd of them']
    >>> middles = ("_dog_large_1_", "_dog_large_2_", "_cat_large_1_")
    >>> told_apart([f"picture{middle}reduced" for middle in middles], 12)
    ['0: pic…duced', '1: pic…duced', '…cat_l…duced']
    """
    found = [shown(name, most, measure) for name in names]
    for places in _alike(found, names):
        pieces = {k: list(clusters(plain(names[k]))) for k in places}
        abreast = zip(*pieces.values(), strict=False)
        alike = takewhile(lambda letters: len(set(letters)) == 1, abreast)
        shared = len(list(alike))
        for k in places:
            found[k] = shown(ELLIPSIS + "".join(pieces[k][shared:]), most, measure)
    for places in _alike(found, names):
        for k in places:
            found[k] = shown(f"{k}: {names[k]}", most, measure)
    return found


def _alike(texts: Sequence[str], names: Sequence[str]) -> list[list[int]]:
    """Return the indices of different names that are displayed alike."""
    places: dict[str, list[int]] = {}
    for k, text in enumerate(texts):
        places.setdefault(text, []).append(k)
    return [group for group in places.values() if len({names[k] for k in group}) > 1]


def listed(names: Iterable[str], most: int = MOST_LISTED) -> str:
    """Return names separated by commas; of very many only the first ones.

    Examples
    --------
    >>> listed(["cat", "dog", "  "]), listed(map(str, range(1000)), most=3)
    ("cat, dog, '  '", '0, 1, 2 and 997 others')
    """
    found = [shown(name, LONGEST_LISTED) for name in names]
    rest = len(found) - most
    return ", ".join(found[:most]) + (f" and {rest:,} other{'s' * (rest > 1)}" if rest > 0 else "")


def file_name(name: str, otherwise: str, most: int = 80) -> str:
    r"""Return a valid file or folder name on any system that resembles ``name``.

    Letters, accents and digits of all scripts are kept, and ``_``, ``.`` and ``-``; anything else
    between them becomes one ``-``. It starts with a letter, a digit or ``_``, and is not reserved
    by Windows.

    Parameters
    ----------
    name : str
    otherwise : str
        The name if nothing of ``name`` remains.
    most : int
        Largest number of bytes in UTF-8.

    Examples
    --------
    >>> [file_name(name, "run") for name in ("my pets", "a/b:c*", "..", "con.png", "고양이")]
    ['my-pets', 'a-b-c', 'run', 'con-.png', '고양이']
    """
    kept = [
        letter if letter in "_.-" or category(letter)[0] in "LMN" else "-"
        for letter in unicodedata.normalize("NFC", name)
    ]
    text = re.sub("-+", "-", "".join(kept)).lstrip("-.")
    while text and category(text[0])[0] == "M":
        text = text[1:]
    for cluster in list(clusters(text))[::-1]:
        if len(text.encode()) <= most:
            break
        text = text[: -len(cluster)]
    first, dot, rest = text.rstrip("-. ").partition(".")
    if re.fullmatch(r"con|prn|aux|nul|(com|lpt)[0-9¹²³]", first, re.IGNORECASE):
        first += "-"
    return f"{first}{dot}{rest}" or otherwise
