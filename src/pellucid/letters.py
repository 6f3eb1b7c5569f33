"""Grapheme clusters, their width in a terminal, and whether a stream is a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import category, east_asian_width

from .launch import launched

__all__ = ["clusters", "columns", "is_terminal"]


def clusters(text: str) -> Iterator[str]:
    """Yield grapheme clusters: letters with their accents, whole emoji (as in UAX 29).

    Examples
    --------
    >>> [len(cluster) for cluster in clusters("ae\u0301👍🏽")]
    [1, 2, 2]
    """
    cluster = ""
    for letter in text:
        joined = cluster and (
            _is_mark(letter)
            or category(letter) == "Mc"
            or cluster[-1] == "\u200d"
            or "\U0001f3fb" <= letter <= "\U0001f3ff"  # skin tones
            or (_is_flag(letter) and _is_flag(cluster[0]) and len(cluster) == 1)
        )
        if cluster and not joined:
            yield cluster
            cluster = ""
        cluster += letter
    if cluster:
        yield cluster


def columns(text: str) -> int:
    """Return the width of ``text`` in columns of a terminal.

    Korean, Japanese and Chinese letters take two each, accents none, an emoji of several
    characters two.

    Examples
    --------
    >>> [columns(text) for text in ("cat", "고양이", "e\u0301", "👨\u200d👩\u200d👧", "🇰🇷")]
    [3, 6, 1, 2, 2]
    """
    if text.isascii():
        return len(text)
    return sum(map(_columns_of, clusters(text)))


def is_terminal(stream: object) -> bool:
    """Return whether a stream is a terminal; it may be closed, None, or any object.

    One of several ranks has none: it writes to its launcher. Open MPI's gives rank 0 a
    pseudo-terminal, also where it writes to a file itself, which control codes would end up in.

    Examples
    --------
    >>> import io
    >>> is_terminal(None), is_terminal(io.StringIO()), is_terminal(object())
    (False, False, False)
    """
    if not launched().alone:
        return False
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError, OSError):
        return False


def _columns_of(cluster: str) -> int:
    first = cluster[0]
    if "\ufe0f" in cluster or (_is_flag(first) and len(cluster) > 1):
        return 2
    wide = 0 if _is_mark(first) else 2 if east_asian_width(first) in "WF" else 1
    return wide + sum(category(letter) == "Mc" for letter in cluster[1:])


def _is_flag(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def _is_mark(letter: str) -> bool:
    """Return whether it combines with the letter before it, or is invisible."""
    jamo = "\u1160" <= letter <= "\u11ff" or "\ud7b0" <= letter <= "\ud7fb"
    return jamo or category(letter) in ("Mn", "Me", "Cf")
