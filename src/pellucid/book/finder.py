"""An import hook that resolves the book's ``common`` and ``dataset`` to Pellucid's."""

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
    """Resolves ``common.layers`` to `pellucid.book.common.layers`, and so on: the same objects.

    Modules next to the script take precedence, as usual: a ``common.py`` or a
    ``common/__init__.py`` there is the script's own. Packages of the same names elsewhere, in the
    parent folder that the book's scripts add to ``sys.path``, are used only for modules that
    Pellucid lacks, such as one that the reader has added.

    Parameters
    ----------
    folder : Path
        The folder of the script.
    on_use : callable, optional
        Called with the name of each module of Pellucid, before it is imported.

    Attributes
    ----------
    own : dict
        The packages of the script that replace Pellucid's, and their files.
    used : list of str
        The names that were resolved to Pellucid's modules.
    """

    def __init__(self, folder: Path, on_use: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self.own: dict[str, str] = {}
        self.used: list[str] = []
        self._on_use = on_use

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of Pellucid's module; None leaves the import to the other finders."""
        package, _, rest = fullname.partition(".")
        if package not in PACKAGES:
            return None
        if not rest:
            own = PathFinder.find_spec(package, [str(self.folder)])
            # A folder without __init__.py has no origin.
            if own is not None and own.origin is not None:
                self.own[package] = own.origin
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
        """Let importlib create a module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Register Pellucid's module under the book's name, where importlib looks it up."""
        sys.modules[module.__name__] = importlib.import_module(self._name)
