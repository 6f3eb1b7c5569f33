"""The grammar of network patterns: from text to words and groups, and errors that point into it.

    pattern = ["INPUT" "->"] chain
    chain   = item { "->" item }
    item    = ( word | "[" chain "]" ) { "*" number | "?" }

The words, and the numbers that may follow them, are those of the layer classes: see
`pellucid.nn.pattern_words`. What they mean is said by `pellucid.models.from_pattern`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import ArgumentError, did_you_mean
from ..nn.pattern_words import Argument, PatternWord

__all__ = ["Group", "Item", "Word", "parse", "pointing"]

MOST_LETTERS = 10_000
MOST_LAYERS = 1_000
MOST_NESTED = 20
MOST_SIZE = 100_000  # of a window, or outputs of one layer
SHOWN = 72  # letters of a pattern around the place that an error points at

_TOKEN = re.compile(r"\s*(?P<token>->|→|[][*?]|(?:(?!->)[^][\s*?→])+)")


@dataclass(frozen=True)
class Word:
    """One layer; ``given`` holds the constructor's arguments that were written after its name."""

    name: str
    given: dict[str, float]
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


def parse(text: str, words: Mapping[str, PatternWord]) -> tuple[Item, ...]:
    """Return the items of a pattern of these ``words``.

    Raises
    ------
    ArgumentError
        If the text is not a pattern, pointing at the letter where it stops being one.

    Examples
    --------
    >>> words = {text: PatternWord(text) for text in ("CONV", "RELU", "FC")}
    >>> [item.repeat for item in parse("INPUT -> [CONV -> RELU]*2 -> FC", words)]
    [2, 1]
    """
    if len(text) > MOST_LETTERS:
        raise ArgumentError(
            f"has {len(text):,} letters; at most {MOST_LETTERS:,} are allowed.", where="pattern"
        )
    return _Parser(text, words).pattern()


def pointing(
    message: str, text: str, start: int, end: int, kind: type[ArgumentError] = ArgumentError
) -> ArgumentError:
    """Return an error that shows ``text`` with a line below that marks ``start`` to ``end``.

    Its ``place`` is (start, end).
    """
    shown = re.sub(r"\s", " ", text)
    first = max(0, min(start - SHOWN // 2, len(shown) - SHOWN))
    last = first + SHOWN
    before, after = "..." * (first > 0), "..." * (last < len(shown))
    marks = " " * (start - first + len(before)) + "^" + "~" * (min(end, last) - start - 1)
    drawn = f"\n    {before}{shown[first:last]}{after}\n    {marks}"
    error = kind(message + drawn, where="pattern")
    error.place = start, end
    return error


class _Parser:
    """Reads one token after the other; ``start`` and ``end`` enclose the one that is looked at."""

    def __init__(self, text: str, words: Mapping[str, PatternWord]) -> None:
        self.text, self.words = text, words
        self.end = 0
        self._next()

    def pattern(self) -> tuple[Item, ...]:
        if self.token.upper() == "INPUT":
            self._next()
            if not self.token:
                raise self._error("is an input, not a layer; add one: INPUT -> FC.")
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
                raise self._error(f"brackets may be nested {MOST_NESTED} deep at most.")
            self._next()
            items = self._chain(depth + 1)
            if self.token != "]":
                raise self._error(self._between() if self.token else "a ']' is missing here.")
            end = self.end
            self._next()
            return Group(items, start, end, *self._signs())
        if what in ("", "->", "→", "]", "*", "?"):
            found = f"found '{what}'" if what else "the pattern ends"
            known = f"Known: {', '.join(sorted(self.words))}."
            raise self._error(f"expects a layer, but {found}. {known}")
        name, given = self._word()
        end = self.end
        self._next()
        return Word(name, given, start, end, *self._signs())

    def _signs(self) -> tuple[int, bool]:
        """Read what may follow an item: how often, and whether it may be left out."""
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
        whole = self.token.upper() in self.words  # RELU6: a word that ends in a number
        name = (self.token if whole else letters[0]).upper()
        if name.endswith("P") and name not in self.words and name[:-1] in self.words:
            name = name[:-1]  # the p of a padding: CONVp0
        length = len(name)
        if name == "INPUT":
            raise self._error("INPUT stands at the beginning, once and without a size.")
        if name == "SOFTMAX":
            raise self._error("the loss contains the softmax; let the pattern end in FC.")
        if name not in self.words:
            meant = {other: w.text for w in self.words.values() for other in w.also}
            hint = did_you_mean(meant.get(name, name), self.words)
            raise self._error(f"{self.token!r} is not a layer. {hint}")
        word = self.words[name]
        numbers = re.compile("".join(map(_expression, word.arguments)), re.IGNORECASE)
        found = numbers.match(self.token, length)
        assert found is not None  # everything in it may be left out
        if found.end() < len(self.token):
            form = f"Write {word.form}." if word.form else f"{name} is not followed by numbers."
            at = self.start + found.end()
            raise pointing(f"cannot be read from here on. {form}", self.text, at, self.end)
        given: dict[str, float] = {}
        for argument in word.arguments:
            if (digits := found[argument.name]) is not None:
                at = self.start + found.start(argument.name)
                given[argument.name] = (
                    self._number(digits, at, argument.least, MOST_SIZE)
                    if argument.whole
                    else float(digits)
                )
        return name, given

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


def _expression(argument: Argument) -> str:
    """Return the regular expression of an argument that may be left out."""
    number = r"\d+" if argument.whole else r"\d*\.\d+|\d+"
    return f"(?:{re.escape(argument.mark)}(?P<{argument.name}>{number}))?"


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
