"""The files of the page: those that are in the package, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

__all__ = ["PageFiles"]

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


class PageFiles:
    """The files below ``page/``, listed once; what a client asks for is a key of that list.

    Examples
    --------
    >>> files = PageFiles()
    >>> files.find("door.html")[1]
    'text/html; charset=utf-8'
    >>> files.find("../opened.py") is None
    True
    """

    def __init__(self) -> None:
        root = resources.files("pellucid.studio") / "page"
        self._files = dict(_below(root, "")) if root.is_dir() else {}

    def find(self, name: str) -> tuple[bytes, str] | None:
        """Return the content and the media type of a file; None if there is none of that name.

        It is read each time: who changes the page sees it when it is loaded again.
        """
        found = self._files.get(name)
        if found is None:
            return None
        return found.read_bytes(), TYPES[_ending(name)]


def _below(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        name = path + entry.name
        if entry.is_dir():
            yield from _below(entry, name + "/")
        elif _ending(name) in TYPES and entry.name != "jsconfig.json":
            yield name, entry


def _ending(name: str) -> str:
    return name[name.rfind(".") :]
