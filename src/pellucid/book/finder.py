"""Giving a script our ``common`` and ``dataset`` where it imports the book's."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

__all__ = ["PACKAGES", "BookFinder"]

PACKAGES = ("common", "dataset")


class BookFinder(MetaPathFinder):
    """Finds ``common.layers`` in `pellucid.book.common.layers`, and so on: the very same modules.

    What lies beside the script comes first, as ever: a ``common.py`` or a ``common/__init__.py``
    there is the script's own. The packages of the same names further away, in the parent folder
    that the book's scripts add to ``sys.path``, are passed over; only what we lack is taken from
    them, such as a module that the reader has added.

    Parameters
    ----------
    folder : Path
        Where the script lies.
    on_use : callable, optional
        Called with the name of each of our modules, before it is imported.

    Attributes
    ----------
    own : dict
        Where the script has a package of its own in place of ours.
    used : list of str
        The names that were found in ours.
    """

    def __init__(self, folder: Path, on_use: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self.own: dict[str, str] = {}
        self.used: list[str] = []
        self._on_use = on_use

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a module of the book's from ours; None leaves it to the others."""
        package, _, rest = fullname.partition(".")
        if package not in PACKAGES:
            return None
        if not rest:
            beside = PathFinder.find_spec(package, [str(self.folder)])
            if beside is not None and beside.origin is not None:  # no mere folder of that name
                self.own[package] = beside.origin
                return None
        elif package in self.own:
            return None
        ours = f"{__package__}.{fullname}"
        if importlib.util.find_spec(ours) is None:
            return self._in_theirs(fullname, package)
        self.used.append(fullname)
        if self._on_use:
            self._on_use(fullname)
        return ModuleSpec(fullname, _Alias(ours), origin=ours)

    def _in_theirs(self, fullname: str, package: str) -> ModuleSpec | None:
        folders = [str(Path(entry) / package) for entry in sys.path]
        return PathFinder.find_spec(fullname, folders)


class _Alias(Loader):
    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> None:
        """Take any module: `exec_module` puts another in its place."""

    def exec_module(self, module: ModuleType) -> None:
        """Enter ours under the name that was asked for: importlib looks it up there afterwards."""
        sys.modules[module.__name__] = importlib.import_module(self._name)
