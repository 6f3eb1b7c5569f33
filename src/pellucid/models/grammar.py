"""The grammar of network patterns: from text to words and groups, and errors that point into it.

    pattern = ["INPUT" "->"] chain
    chain   = item { "->" item }
    item    = ( word | "[" chain "]" ) { "*" number | "?" }

What the words mean is said by `pellucid.models.from_pattern`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import ArgumentError, did_you_mean

__all__ = ["Group", "Item", "Word", "parse", "pointing"]

MOST_LETTERS = 10_000
MOST_LAYERS = 1_000
MOST_NESTED = 20
MOST_SIZE = 100_000  # of a window, or outputs of one layer
SHOWN = 72  # letters of a pattern around the place that an error points at

_WINDOW, _MOVES = r"(?P<window>\d+)?", r"(?:/(?P<stride>\d+))?(?:[pP](?P<padding>\d+))?"
SIZES = {
    "CONV": re.compile(_WINDOW + r"(?:-(?P<filters>\d+))?" + _MOVES),
    "POOL": re.compile(_WINDOW + _MOVES),
    "AVGPOOL": re.compile(_WINDOW + _MOVES),
    "FC": re.compile(r"(?P<outputs>\d+)?"),
    "DROP": re.compile(r"(?P<p>\d*\.\d+|\d+)?"),
    **dict.fromkeys(("GAP", "BN", "LRN", "RELU", "SIGMOID", "TANH"), re.compile("")),
}
FORMS = {
    "CONV": "CONV5-32/2p1: window, filters, stride, padding",
    "POOL": "POOL3/2p1: window, stride, padding",
    "AVGPOOL": "AVGPOOL3/2p1: window, stride, padding",
    "FC": "FC128: outputs",
    "DROP": "DROP0.5: the probability of silence",
}
MEANT = {"MAXPOOL": "POOL", "DROPOUT": "DROP", "BATCHNORM": "BN", "LINEAR": "FC", "AFFINE": "FC"}
_TOKEN = re.compile(r"\s*(?P<token>->|→|[][*?]|(?:(?!->)[^][\s*?→])+)")


@dataclass(frozen=True)
class Word:
    """One layer; ``sizes`` holds what was written behind its name."""

    name: str
    sizes: dict[str, float]
    start: int
    end: int
    repeat: int = 1
    optional: bool = False

    @property
    def layers(self) -> int:
        """How many layers it stands for at most."""
        return self.repeat


@dataclass(frozen=True)
class Group:
    """A chain in brackets."""

    items: tuple[Item, ...]
    start: int
    end: int
    repeat: int = 1
    optional: bool = False

    @property
    def layers(self) -> int:
        """How many layers it stands for at most."""
        return self.repeat * sum(item.layers for item in self.items)


Item: TypeAlias = Word | Group


def parse(text: str) -> tuple[Item, ...]:
    """Return the items of a pattern.

    Raises
    ------
    ArgumentError
        If it is none, pointing at the letter where it stops being one.

    Examples
    --------
    >>> [item.repeat for item in parse("INPUT -> [CONV5-32/2 -> RELU]*2 -> FC")]
    [2, 1]
    """
    if len(text) > MOST_LETTERS:
        raise ArgumentError(
            f"has {len(text):,} letters; at most {MOST_LETTERS:,} are allowed.", where="pattern"
        )
    return _Parser(text).pattern()


def pointing(
    message: str, text: str, start: int, end: int, kind: type[ArgumentError] = ArgumentError
) -> ArgumentError:
    """Return an error that shows ``text`` with a line below that marks ``start`` to ``end``."""
    shown = re.sub(r"\s", " ", text)
    first = max(0, min(start - SHOWN // 2, len(shown) - SHOWN))
    last = first + SHOWN
    before, behind = "..." * (first > 0), "..." * (last < len(shown))
    marks = " " * (start - first + len(before)) + "^" + "~" * (min(end, last) - start - 1)
    return kind(f"{message}\n    {before}{shown[first:last]}{behind}\n    {marks}", where="pattern")


class _Parser:
    """Reads one token after the other; ``start`` and ``end`` enclose the one that is looked at."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.end = 0
        self._next()

    def pattern(self) -> tuple[Item, ...]:
        if self.token.upper() == "INPUT":
            self._next()
            if not self.token:
                raise self._error("is an input and no layer; add one: INPUT -> FC.")
            self._arrow()
        items = self._chain(0)
        if self.token:
            raise self._error(
                "this bracket closes nothing." if self.token == "]" else self._between()
            )
        _require_few(items, self.text)
        return items

    def _chain(self, depth: int) -> tuple[Item, ...]:
        items = [self._item(depth)]
        while self.token in ("->", "→"):
            self._next()
            items.append(self._item(depth))
        return tuple(items)

    def _item(self, depth: int) -> Item:
        start, what = self.start, self.token
        if what == "[":
            if depth == MOST_NESTED:
                raise self._error(f"brackets may be nested {MOST_NESTED} deep and no deeper.")
            self._next()
            items = self._chain(depth + 1)
            if self.token != "]":
                raise self._error(self._between() if self.token else "a ']' is missing here.")
            end = self.end
            self._next()
            return Group(items, start, end, *self._signs())
        if what in ("", "->", "→", "]", "*", "?"):
            found = f"found '{what}'" if what else "the pattern ends"
            raise self._error(f"expects a layer, but {found}. {_KNOWN}")
        name, sizes = self._word()
        end = self.end
        self._next()
        return Word(name, sizes, start, end, *self._signs())

    def _signs(self) -> tuple[int, bool]:
        """Read what may stand behind an item: how often, and whether it may be left out."""
        repeat, optional = 1, False
        while self.token in ("*", "?"):
            if self.token == "?":
                optional = True
            else:
                self._next()
                if not re.fullmatch("[0-9]+", self.token):
                    raise self._error("expects how many times, a number, as in [CONV -> RELU]*2.")
                repeat *= self._number(self.token, self.start, least=0, most=MOST_LAYERS)
            self._next()
        return repeat, optional

    def _word(self) -> tuple[str, dict[str, float]]:
        letters = re.match("[A-Za-z]*", self.token)
        assert letters is not None
        name = letters[0].upper()
        if name.endswith("P") and name not in SIZES and name[:-1] in SIZES:
            name = name[:-1]  # the p of a padding: CONVp0
        length = len(name)
        if name == "INPUT":
            raise self._error("INPUT stands at the beginning, once and without a size.")
        if name == "SOFTMAX":
            raise self._error("the loss contains the softmax; let the pattern end in FC.")
        if name not in SIZES:
            hint = did_you_mean(MEANT.get(name, name), SIZES)
            raise self._error(f"{self.token!r} is no layer. {hint}")
        found = SIZES[name].match(self.token, length)
        assert found is not None  # everything in it may be left out
        if found.end() < len(self.token):
            form = f"Write {FORMS[name]}." if name in FORMS else f"{name} has no sizes."
            at = self.start + found.end()
            raise pointing(f"cannot be read from here on. {form}", self.text, at, self.end)
        sizes: dict[str, float] = {}
        for what, digits in found.groupdict().items():
            if digits is not None:
                at = self.start + found.start(what)
                least = 0 if what == "padding" else 1
                is_size = what != "p"
                sizes[what] = (
                    self._number(digits, at, least, MOST_SIZE) if is_size else float(digits)
                )
        return name, sizes

    def _number(self, digits: str, at: int, least: int, most: int) -> int:
        if len(digits) > len(str(most)) or not least <= int(digits) <= most:
            message = f"must be from {least} to {most:,}."
            raise pointing(message, self.text, at, at + len(digits))
        return int(digits)

    def _arrow(self) -> None:
        if self.token not in ("->", "→"):
            raise self._error(self._between())
        self._next()

    def _between(self) -> str:
        return f"expects '->' between two layers, but found {self.token!r}."

    def _next(self) -> None:
        found = _TOKEN.match(self.text, self.end)
        if found is None:  # nothing but spaces is left
            self.token, self.start = "", len(self.text.rstrip())
            self.end = self.start + 1
        else:
            self.token, (self.start, self.end) = found["token"], found.span("token")

    def _error(self, message: str) -> ArgumentError:
        return pointing(message, self.text, self.start, self.end)


def _require_few(items: Sequence[Item], text: str) -> None:
    """Refuse what stands for too many layers, pointing at the item that has most."""
    layers = [item.layers for item in items]
    if sum(layers) > MOST_LAYERS:
        item = items[layers.index(max(layers))]
        message = (
            f"stands for {sum(layers):,} layers, most of them here; at most {MOST_LAYERS:,} are "
            "allowed."
        )
        raise pointing(message, text, item.start, item.end)


_KNOWN = f"Known: {', '.join(sorted(SIZES))}."
