"""Find and compile the script that the user named."""

from __future__ import annotations

from pathlib import Path
from types import CodeType

from ..errors import ArgumentError, did_you_mean
from ..typing import PathLike

__all__ = ["compiled", "find_script"]


def find_script(name: PathLike) -> Path:
    """Return the absolute path of the script called ``name``.

    Raises
    ------
    ArgumentError
        If there is no such file, with similar names in the message, or if it is a notebook.
    """
    script = Path(name).absolute()
    if ".." in script.parts:
        script = script.resolve()
    if script.is_dir():
        raise ArgumentError(f"'{name}' is a folder. {_offer(script)}", where="SCRIPT")
    if not script.exists():
        folder, shown = script.parent, Path(name).parent
        if not folder.is_dir():
            raise ArgumentError(
                f"there is no script '{name}': the folder '{shown}' does not exist. Paths begin in "
                f"'{Path.cwd()}'.",
                where="SCRIPT",
            )
        known = _scripts(folder)
        offer = did_you_mean(script.name, known) if known else "There is no script in that folder."
        raise ArgumentError(f"there is no file '{name}'. {offer}", where="SCRIPT")
    if script.suffix == ".ipynb":
        raise ArgumentError(
            f"'{name}' is a notebook. Save it as a script: jupyter nbconvert --to script "
            f"'{script.name}'.",
            where="SCRIPT",
        )
    return script


def compiled(script: Path) -> CodeType:
    """Return the code of a script.

    Raises
    ------
    ArgumentError
        If it is not a text file.
    SyntaxError
        If it is not valid Python.
    """
    source = script.read_bytes()
    if b"\0" in source:
        raise ArgumentError(f"'{script}' is not a text file.", where="SCRIPT")
    return compile(source, str(script), "exec", dont_inherit=True)


def _scripts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.py") if not path.name.startswith("_"))


def _offer(folder: Path) -> str:
    known = _scripts(folder)
    if known:
        return f"Name one of its scripts: {', '.join(known)}."
    inside = sorted(
        f"{path.parent.name}/{path.name}"
        for path in folder.glob("*/*.py")
        if not (path.parent / "__init__.py").exists()
    )
    more = f" There are some in the folders inside it, {inside[0]} for one." if inside else ""
    return f"It holds no scripts.{more}"
