"""Guess the encoding of file names that do not declare it.

A name in a zip archive is UTF-8 only where a flag says so; Windows packs names in the encoding of
its language, and unpacked elsewhere they keep those bytes. Each encoding serves as a model of text,
and the one under which all names of an archive are most likely is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..names import plain

__all__ = ["guess_encoding", "some"]

# In the order of preference among equally likely ones, with the names people know.
ENCODINGS = {
    "utf-8": "UTF-8",
    "cp949": "CP949 (Korean)",
    "cp932": "Shift-JIS (Japanese)",
    "gbk": "GBK (Chinese)",
    "big5": "Big5 (Chinese)",
    "cp437": "CP437 (zip's own)",
    "cp850": "CP850 (Western European)",
    "cp1252": "CP1252 (Western European)",
    "cp866": "CP866 (Cyrillic)",
    "cp1251": "CP1251 (Cyrillic)",
}
MAX_NAMES = 4000  # more names do not make the guess better
RARE = 1e-7
LONG = 160  # characters of a path in a list


def guess_encoding(names: Iterable[bytes]) -> tuple[str, str]:
    """Return the most likely encoding of names, and its name in messages.

    Examples
    --------
    >>> guess_encoding(["고양이/1.png".encode("cp949"), "개/1.png".encode("cp949")])
    ('cp949', 'CP949 (Korean)')
    >>> guess_encoding(["ねこ".encode("cp932")])[0], guess_encoding(["Hündin".encode("cp1252")])[0]
    ('cp932', 'cp1252')
    """
    pieces = {piece for name in names for piece in name.split(b"/") if not piece.isascii()}
    every = sorted(pieces)
    some = every[:: max(1, len(every) // MAX_NAMES)]
    best, likeliest = "cp437", -math.inf
    for encoding in ENCODINGS:
        try:
            for piece in every:
                piece.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8":  # text in other encodings is hardly ever valid UTF-8
            return encoding, ENCODINGS[encoding]
        chance = sum(_chance(piece.decode(encoding), encoding) for piece in some)
        if chance > likeliest:
            best, likeliest = encoding, chance
    return best, ENCODINGS[best]


def some(paths: Sequence[str]) -> str:
    """Return the first three of some paths, shortened and escaped for printing.

    Examples
    --------
    >>> some(["a/1.png", "a/2.png", "a/3.png", "a/4.png"])
    'a/1.png, a/2.png, a/3.png, ...'
    """
    short = [p if len(p) <= LONG else f"{p[: LONG // 2]}...{p[-LONG // 2 :]}" for p in paths[:3]]
    return ", ".join(map(plain, short)) + ", ..." * (len(paths) > 3)


def _chance(text: str, encoding: str) -> float:
    """Return the log-likelihood of a text in the language of an encoding."""
    return sum(
        math.log(_single(text, k, encoding) if encoding in _SINGLE else _double(c, encoding))
        for k, c in enumerate(text)
        if not c.isascii()
    )


def _double(c: str, encoding: str) -> float:
    """Return the likelihood of a character in a two-byte East Asian encoding.

    In all of them the frequent characters come first: common Hangul (KS X 1001), first-level kanji
    and hanzi.
    """
    raw = c.encode(encoding)
    lead, trail = raw[0], raw[-1]
    if len(raw) == 1:  # Shift-JIS's half-width katakana, rarely used
        return 0.002 / 63
    if encoding == "cp949":
        if 0xB0 <= lead <= 0xC8 and trail >= 0xA1:
            return 0.95 / 2350
        if lead == 0xA4 and 0xA1 <= trail <= 0xD3:  # single letters, such as ㄱ and ㅏ
            return 0.03 / 51
        return 0.01 / 4888 if lead >= 0xCA and trail >= 0xA1 else RARE
    if encoding == "cp932":
        if (lead == 0x82 and trail >= 0x9F) or lead == 0x83:
            return 0.6 / 170
        if 0x88 <= lead <= 0x97:
            return 0.35 / 2965
        return 0.02 / 3390 if lead >= 0x98 or c == "ー" else RARE
    if encoding == "gbk":
        if 0xB0 <= lead <= 0xD7 and trail >= 0xA1:
            return 0.93 / 3755
        return 0.05 / 3008 if 0xD8 <= lead <= 0xF7 and trail >= 0xA1 else RARE
    return 0.93 / 5401 if 0xA4 <= lead <= 0xC6 else 0.05 / 7652


_SINGLE = {"cp437", "cp850", "cp1252", "cp866", "cp1251"}


def _single(text: str, k: int, encoding: str) -> float:
    """Return the likelihood of a character in a one-byte encoding, given its neighbours."""
    c = text[k]
    around: Sequence[str] = [n for n in (text[k - 1 : k], text[k + 1 : k + 2]) if n.isalpha()]
    if encoding in ("cp866", "cp1251"):
        if "а" <= c.lower() <= "я" and not any(n.isascii() for n in around):
            if not around:
                return 0.005 / 60
            shouted = c.isupper() and any(n.islower() for n in (text[k - 1 : k],))
            return 0.002 if shouted else 0.9 / 40
        return RARE
    if not ("À" <= c <= "ÿ" and c.isalpha()):
        return 0.001 / 60
    words = any(n.isascii() for n in around)
    inside = c.islower() or not text[k - 1 : k].islower()
    return (0.6 if inside else 0.02) / 30 if words else 0.01 / 60
