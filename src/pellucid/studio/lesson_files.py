"""Lessons: files of steps, each a text and what the page shows beside it.

A lesson is JSON::

    {"title": {"en": "Our filters", "ko": "우리의 필터"},
     "network": "runs/digits-1",
     "trained": true,
     "steps": [
       {"text": {"en": ["With *emphasis* and a `formula`.", "Another one."], "ko": "..."},
        "state": {"view": "maps", "value": "Conv2d:1", "unit": "strongest"},
        "look": "sheet"}]}

``state`` is what the page has in its address, and each step keeps what the steps before it set. A
value may be named by its kind, "Conv2d:1" for the first of them and "Conv2d:-1" for the last, with
alternatives, "MaxPool2d:1|AvgPool2d:1". A unit is "0.3.5", where "middle" and "last" may stand for
an index, or "strongest", the one with the largest number; "" takes it away. ``look`` is what is
outlined: a ``data-part`` or a class of the page, or a CSS selector. ``network`` is opened by
``pellucid studio --lesson FILE`` when nothing else is; ``trained`` has the page say that random
weights will not do.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from ..errors import DataNotFoundError, FileFormatError, did_you_mean
from ..typing import PathLike

__all__ = ["built_in", "read_lesson"]

MOST = 1 << 20  # bytes of a file
MOST_STEPS = 200
LANGUAGES = ("en", "ko")
LESSON_KEYS = ("title", "network", "trained", "steps")
STEP_KEYS = ("text", "state", "look")
VALUE = re.compile(r"\d+|[A-Za-z]\w*:-?[1-9]\d*(\|[A-Za-z]\w*:-?[1-9]\d*)*")
UNIT = re.compile(r"strongest|(\d+|middle|last)(\.(\d+|middle|last))*")
SELECTOR = re.compile(r"[\w\-.#:=\"'\[\]()>+~*, |^$]{1,200}")


def read_lesson(path: PathLike) -> dict[str, Any]:
    """Read a lesson, and refuse what is not one.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is not a lesson: what is wrong, and in which step.
    """
    path = Path(path)
    if not path.is_file():
        raise DataNotFoundError(f"there is no file '{path}'.", where="lesson")
    with path.open("rb") as file:
        content = file.read(MOST + 1)
    if len(content) > MOST:
        raise FileFormatError(f"'{path}' has more than {MOST:,} bytes.", where="lesson")
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"'{path}' is not JSON in UTF-8: {error}.", where="lesson") from None
    _Checked(str(path)).lesson(found)
    return dict(found)


@cache
def built_in() -> dict[str, dict[str, Any]]:
    """Return the lessons that come with the studio, by name, in the order of teaching."""
    folder = resources.files(__package__) / "page" / "lessons"
    names = ("convolution", "seeing", "learning")
    return {
        name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in names
    }


class _Checked:
    """Refuses what is not a lesson, with the place in the file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def refuse(self, place: str, what: str) -> NoReturn:
        raise FileFormatError(f"'{self.file}', {place}: {what}", where="lesson")

    def lesson(self, found: Any) -> None:
        self._keys(found, "the file", LESSON_KEYS, ("title", "steps"))
        self._words(found["title"], "the title", str)
        for key, kind in (("network", str), ("trained", bool)):
            if key in found and not isinstance(found[key], kind):
                self.refuse(f"`{key}`", f"must be {kind.__name__}, received {found[key]!r:.60}.")
        steps = found["steps"]
        if not isinstance(steps, list) or not 1 <= len(steps) <= MOST_STEPS:
            self.refuse("`steps`", f"must be a list of 1 to {MOST_STEPS} steps.")
        for number, step in enumerate(steps, 1):
            self._step(step, f"step {number}")

    def _step(self, step: Any, place: str) -> None:
        self._keys(step, place, STEP_KEYS, ("text",))
        self._words(step["text"], f"the text of {place}", str | list)
        state = step.get("state", {})
        if not isinstance(state, dict):
            self.refuse(place, f'`state` must be as {{"view": "maps"}}, received {state!r:.60}.')
        for key, value in state.items():
            if not isinstance(value, str | int) or isinstance(value, bool):
                self.refuse(
                    place, f"`state.{key}` must be text or a whole number, received {value!r:.60}."
                )
        for key, pattern, form in (
            ("value", VALUE, "7, or a kind and which of them: Conv2d:1, Linear:-1"),
            ("unit", UNIT, "strongest, or indices: 0.3.5, 0.middle.last"),
        ):
            if state.get(key, "") != "" and not pattern.fullmatch(str(state[key])):
                self.refuse(place, f"`state.{key}` must be {form}; received {state[key]!r:.60}.")
        look = step.get("look", "x")
        if not isinstance(look, str) or not SELECTOR.fullmatch(look):
            self.refuse(place, f"`look` must be a class or a CSS selector, received {look!r:.60}.")

    def _keys(
        self, found: Any, place: str, known: tuple[str, ...], needed: tuple[str, ...]
    ) -> None:
        if not isinstance(found, dict):
            self.refuse(
                place, f"must be an object with {', '.join(known)}, received {found!r:.60}."
            )
        for key in found:
            if key not in known:
                self.refuse(place, f"`{key}` is unknown. {did_you_mean(key, known)}")
        for key in needed:
            if key not in found:
                self.refuse(place, f"`{key}` is missing.")

    def _words(self, found: Any, place: str, kind: Any) -> None:
        """Require text in one of the languages; a list of paragraphs where ``kind`` has lists."""
        if not isinstance(found, dict) or not found or not set(found) <= set(LANGUAGES):
            self.refuse(place, f'must be as {{"en": "...", "ko": "..."}}, received {found!r:.60}.')
        for language, words in found.items():
            each = words if isinstance(words, list) else [words]
            if (
                not isinstance(words, kind)
                or not each
                or not all(isinstance(w, str) and w for w in each)
            ):
                also = " or a list of paragraphs" if kind is not str else ""
                self.refuse(place, f"`{language}` must be text{also}, received {words!r:.60}.")
