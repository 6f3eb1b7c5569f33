"""The lessons that a page walks through: those that come with the studio, and one's own."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError, did_you_mean
from ..lesson_files import built_in
from ..opening import Studio
from ..registry import question

__all__ = ["lesson", "lessons"]


@question("lessons", studio=True)
def lessons(studio: Studio) -> dict[str, Any]:
    """Return the names of all lessons, one's own first, with titles and numbers of steps.

    ``begins`` is the one that the page begins with: the first of one's own.
    """
    found = studio.lessons | built_in()
    return {
        "begins": next(iter(studio.lessons), None),
        "lessons": [
            {"name": name, "title": each["title"], "steps": len(each["steps"])}
            for name, each in found.items()
        ],
    }


@question("lesson", studio=True)
def lesson(studio: Studio, *, name: str) -> dict[str, Any]:
    """Return a lesson: its title, its steps, and whether it needs trained weights."""
    found = studio.lessons | built_in()
    if name not in found:
        raise ArgumentError(
            f"there is no lesson {name!r:.60}. {did_you_mean(name, found)}", where="name"
        )
    title, steps, trained = (found[name].get(key) for key in ("title", "steps", "trained"))
    return {"name": name, "title": title, "steps": steps, "trained": bool(trained)}
