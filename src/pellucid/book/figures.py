"""Show the figures of a script on the screen, or save them as numbered PNG files.

Matplotlib draws with the backend that ``MPLBACKEND`` names. On a machine with a screen it is not
changed. Otherwise it is set to `figure_backend`, whose ``show`` passes every figure to the object
`figures` of this module. This module does not import Matplotlib: most scripts never draw.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BACKEND", "Figures", "figures", "has_screen"]

BACKEND = f"module://{__package__}.figure_backend"
# Backends that open windows, and the package that each of these needs.
_TOOLKITS = {
    "macosx": "matplotlib.backends._macosx",
    "qtagg": "PyQt6",
    "qtcairo": "PySide6",
    "qt5agg": "PyQt5",
    "qt5cairo": "PySide2",
    "gtk4agg": "gi",
    "gtk4cairo": "gi",
    "gtk3agg": "gi",
    "gtk3cairo": "gi",
    "tkagg": "_tkinter",
    "tkcairo": "_tkinter",
    "wxagg": "wx",
    "wxcairo": "wx",
    "wx": "wx",
}
_IN_A_BROWSER = ("webagg", "nbagg", "notebook")
# Marks a PNG as written by us: the next run may overwrite such files, and no others.
_MARK = "pellucid book"
_NO_GLYPH = r"Glyph (\d+) .*missing from"


class Figures:
    """The folder for the figures of a script, and the files written so far.

    Attributes
    ----------
    folder : Path or None
        None while figures are shown on the screen.
    saved : list of Path
        The files that were written.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.saved: list[Path] = []
        self._said = Path()
        self._number = 0
        self._missing: dict[str, None] = {}
        self._told = False

    def save_to(self, folder: Path) -> None:
        """Let ``plt.show()`` save into ``folder`` from now on, which is created when needed."""
        self.folder, self._said = folder.absolute(), folder
        os.environ["MPLBACKEND"] = BACKEND
        self._collect_missing_letters()

    def save(self, figure: Figure) -> None:
        """Write ``figure`` under the next number, and name the file on standard error.

        A file of that name that was not written by an earlier run is kept, and its number is
        skipped. If a file cannot be written, a note says so and the script goes on.
        """
        assert self.folder is not None
        self._number += 1
        while _is_foreign(path := self.folder / f"figure-{self._number}.png"):
            self._number += 1
        from ..formats.files import atomic_write  # not at the top: most scripts never draw

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as part:
                figure.savefig(part, format="png", metadata={"Software": _MARK})
        except OSError as error:
            reason = error.strerror or error
            print(
                f"note: could not save '{path}' ({reason}). Name another folder with --figures.",
                file=sys.stderr,
            )
            return
        self.saved.append(path)
        self._note_letters()
        print(f"saved {self._said / path.name}", file=sys.stderr, flush=True)

    def _collect_missing_letters(self) -> None:
        """Collect Matplotlib's warnings about letters that no font has, for a single note."""
        show = warnings.showwarning

        def collect(message: Warning | str, *arguments: Any, **options: Any) -> None:
            if found := re.match(_NO_GLYPH, str(message)):
                self._missing[chr(int(found[1]))] = None
            else:
                show(message, *arguments, **options)

        warnings.filterwarnings("always", _NO_GLYPH, UserWarning)
        warnings.showwarning = collect

    def _note_letters(self) -> None:
        if self._missing and not self._told:
            self._told = True
            letters = "".join(self._missing)
            shown = letters if len(letters) <= 8 else f"{letters[:8]}..."
            print(
                f"note: no font on this machine has the letters {shown}; they are drawn as boxes. "
                "Install one, Noto Sans CJK for example.",
                file=sys.stderr,
            )


figures = Figures()


def has_screen(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Return whether windows can be opened, as far as is known without opening one.

    Parameters
    ----------
    environment : mapping
        ``DISPLAY`` and ``WAYLAND_DISPLAY`` say so on Linux. ``MPLBACKEND`` may name a backend that
        draws to files, or into a notebook in another process.
    platform : str
        As `sys.platform`.

    Examples
    --------
    >>> has_screen({}, "linux"), has_screen({"DISPLAY": ":0", "MPLBACKEND": "agg"}, "linux")
    (False, False)
    """
    wanted = environment.get("MPLBACKEND", "").lower()
    if wanted in _IN_A_BROWSER:
        return True
    if wanted and wanted not in _TOOLKITS:
        return False
    windows = platform in ("win32", "cygwin", "darwin")
    if not (windows or environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        return False
    toolkits = [_TOOLKITS[wanted]] if wanted else [*_TOOLKITS.values()]
    return any(_is_installed(toolkit) for toolkit in toolkits)


def _is_installed(package: str) -> bool:
    if "." in package:  # a part of Matplotlib, on one platform
        return sys.platform == "darwin"
    return importlib.util.find_spec(package) is not None


def _is_foreign(path: Path) -> bool:
    if not path.is_file():
        return path.exists()
    with path.open("rb") as file:
        return f"Software\0{_MARK}".encode() not in file.read(1024)
