"""Run a script of the book unchanged, with Pellucid's modules in place of the book's.

The script runs as ``__main__`` in its own folder, as ``python train_convnet.py`` would run it
there. `finder` resolves ``common`` and ``dataset`` to Pellucid's; `figures` saves its figures.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from ..errors import ArgumentError, DataNotFoundError
from ..typing import PathLike
from .figures import figures, has_screen
from .finder import PACKAGES, BookFinder
from .mnist_folder import use_folder
from .scripts import compiled, find_script
from .settings import settings
from .traces import is_the_reader_s, last_place, without_ours

__all__ = ["Outcome", "run_script"]


@dataclass(slots=True)
class Outcome:
    """The result of a script.

    Attributes
    ----------
    exit_code : int
        0; 1 after an error; 130 after Ctrl-C.
    message : str
        The text for standard error, or "".
    notes : list of str
        Hints for the user.
    """

    exit_code: int = 0
    message: str = ""
    notes: list[str] = field(default_factory=list)


def run_script(
    script: PathLike,
    arguments: Sequence[str] = (),
    *,
    strict: bool = False,
    float64: bool = False,
    velocity_first: bool = False,
    figures_folder: PathLike | None = None,
    data_dir: PathLike | None = None,
    on_use: Callable[[str], None] | None = None,
) -> Outcome:
    """Run ``script`` to its end, in this process.

    The working directory, ``sys.argv``, ``sys.path`` and ``__main__`` become those of the script,
    and are not restored. An exception that the script does not catch is printed as Python prints
    it, without the frames of Pellucid; ``SystemExit`` is not caught.

    Parameters
    ----------
    script : str or path
        The program.
    arguments : sequence of str
        ``sys.argv[1:]``.
    strict : bool
        Correct the errors of the book (docs/book-errata.md).
    float64 : bool
        Compute in float64 instead of float32.
    velocity_first : bool
        `Settings.velocity_first`: the other edition's `Nesterov`.
    figures_folder : str or path, optional
        Save figures there instead of showing them.
    data_dir : str or path, optional
        The folder of MNIST.
    on_use : callable, optional
        Called with the name of each module of Pellucid that replaces one of the book's.

    Returns
    -------
    Outcome

    Raises
    ------
    ArgumentError
        If there is no such script, or ``figures_folder`` or ``data_dir`` is not a folder.
    DataNotFoundError
        If MNIST is not in ``data_dir``.
    """
    path = find_script(script)
    if figures_folder is not None and Path(figures_folder).is_file():
        raise ArgumentError(f"must be a folder; '{figures_folder}' is a file.", where="figures")
    use_folder(data_dir, path.parent)
    if figures_folder is not None or not has_screen(os.environ):
        figures.save_to(Path(figures_folder or "."))
    settings.strict, settings.float64 = strict, float64
    settings.velocity_first = velocity_first
    finder = BookFinder(path.parent, on_use)
    outcome = _run(path, arguments, finder)
    if outcome.exit_code == 0:
        outcome.notes += _notes(finder, path)
    return outcome


def _run(path: Path, arguments: Sequence[str], finder: BookFinder) -> Outcome:
    from .old_names import give_old_names

    give_old_names()
    try:
        code = compiled(path)
        main = _enter(path, arguments, finder)
        try:
            exec(code, main.__dict__)
        except SystemExit:
            _save_what_was_not_shown()
            raise
        _save_what_was_not_shown()
    except KeyboardInterrupt as error:
        place = last_place(error, path.parent)
        return Outcome(130, f"stopped by Ctrl-C{_location(place)}")
    except BrokenPipeError:
        raise  # the reader of its standard output has ended, which is not the script's fault
    except DataNotFoundError as error:
        error.rename({"root": "--data-dir"})
        return Outcome(1, str(error))
    except ModuleNotFoundError as error:
        if (message := _missing(error, path)) is None:
            return _failed(error, path)
        return Outcome(1, message)
    except Exception as error:
        return _failed(error, path)
    return Outcome()


def _enter(path: Path, arguments: Sequence[str], finder: BookFinder) -> ModuleType:
    """Set up the process as if Python had been started on the script, in its folder."""
    begin = str(Path.cwd())
    os.chdir(path.parent)
    sys.argv = [path.name, *arguments]
    if sys.path[:1] in ([begin], [""]) and not sys.flags.safe_path:
        del sys.path[0]  # the folder that `python -m pellucid` was started in
    sys.path.insert(0, str(path.parent))
    sys.meta_path.insert(0, finder)
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]
    main = ModuleType("__main__")
    main.__dict__.update(__file__=str(path), __builtins__=builtins)
    sys.modules["__main__"] = main
    return main


def _save_what_was_not_shown() -> None:
    if "pellucid.book.figure_backend" in sys.modules:
        from .figure_backend import save_open_figures

        save_open_figures()


def _failed(error: Exception, path: Path) -> Outcome:
    print(end="", flush=True)  # standard output may be closed
    shown = without_ours(error, path)
    sys.excepthook(type(shown), shown, shown.__traceback__)
    return Outcome(1)


def _missing(error: ModuleNotFoundError, path: Path) -> str | None:
    """Return the message for a missing module; None if it was not the script that imported it."""
    place = last_place(error, path.parent)
    name = error.name or ""
    if place is None or not name or not is_the_reader_s(error):
        return None
    package = name.partition(".")[0]
    if package in PACKAGES:
        home = Path(__file__).parent / package
        known = sorted(f"{package}.{file.stem}" for file in home.glob("[a-z]*.py"))
        return f"there is no module '{name}'{_location(place)}. Pellucid has {', '.join(known)}."
    file = f"{name.replace('.', '/')}.py"
    return (
        f"there is no module '{name}'{_location(place)}: no {file} in '{path.parent}', and no such "
        "package is installed. A network that a script imports must be in its folder: copy it "
        f"there. A package is installed with: pip install {package}"
    )


def _location(place: tuple[Path, int] | None) -> str:
    return f", in line {place[1]} of {place[0].name}" if place else ""


def _notes(finder: BookFinder, path: Path) -> list[str]:
    notes = [
        f"'{package}' is the script's own ({place}), not Pellucid's."
        for package, place in finder.own.items()
    ]
    if not (notes or finder.used):
        notes.append(f"{path.name} imports neither common nor dataset: nothing of it was replaced.")
    return notes
