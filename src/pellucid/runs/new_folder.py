"""The folder of a new run: free, writable, and locked while the training runs."""

from __future__ import annotations

import errno
import itertools
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ArgumentError, DataNotFoundError
from ..formats.files import remove_parts
from ..names import file_name
from .folder import FILES, GIVE_RUN, RunFolder

if TYPE_CHECKING:
    from ..typing import PathLike

__all__ = ["InUseError", "give_up", "new_folder", "own_folder", "require_free"]

RUNS = Path("runs")

_LOCKS: dict[Path, int] = {}  # folders that this process has locked, and their open handles


class InUseError(ArgumentError):
    """A run folder that another process writes into."""


def require_free(folder: PathLike | None, *, overwrite: bool) -> None:
    """Refuse a folder for a new run that holds something already, unless ``overwrite`` is set.

    Raises
    ------
    ArgumentError
        If so, if it is a file, or if it cannot be created or written to.
    """
    path = RUNS if folder is None else Path(folder)
    if path.exists() and not path.is_dir():
        raise ArgumentError(f"'{path}' is a file; give a folder.", where="folder")
    _require_writable(path)
    if folder is None or not path.exists():
        return
    names = {entry.name for entry in path.iterdir()}
    here = path.resolve() == Path.cwd()  # as an empty text is, perhaps of a variable not set
    if here and overwrite and names and not names & FILES.keys():
        raise ArgumentError(
            "is the current folder, which holds no run to replace, but other files. Give a folder "
            "of its own.",
            where="folder",
        )
    if names and not overwrite:
        raise ArgumentError(
            f"'{path}' is not empty. Give another folder, or {{overwrite}} to replace the run in "
            "it.",
            where="folder",
            arguments={"overwrite": True},
        )


def new_folder(folder: PathLike | None, dataset: str, *, overwrite: bool = False) -> RunFolder:
    """Create the folder of a new run: ``folder``, or the next ``runs/DATASET-N``.

    It belongs to this process until the process ends: the files of two trainings would mix.

    Raises
    ------
    ArgumentError
        If it cannot be created or written to, another training writes into it, or one has since
        `require_free`.
    """
    try:
        if folder is None:
            RUNS.mkdir(exist_ok=True)
            path = _next_run(file_name(dataset, "run"))
        else:
            path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(
            f"cannot create '{folder or RUNS}': {error.strerror}. Give another folder.",
            where="folder",
        ) from error
    _require_own(path)
    require_free(path, overwrite=overwrite)
    return RunFolder(path)


def own_folder(run: PathLike) -> RunFolder:
    """Return the folder of a run that goes on: ``run``, or the one that a file of it lies in.

    Like a new folder, it belongs to this process until the process ends.

    Raises
    ------
    DataNotFoundError
        If there is no such folder or file.
    ArgumentError
        If it cannot be written to, or another training writes into it.
    """
    path = Path(run)
    if not path.exists():
        raise DataNotFoundError(f"there is no '{path}'. {GIVE_RUN}", where="folder")
    if not path.is_dir() and path.name not in FILES:
        raise ArgumentError(f"'{path}' is not a run folder or a file of one.", where="folder")
    path = path if path.is_dir() else path.parent
    _require_writable(path)
    _require_own(path)
    remove_parts(path)
    return RunFolder(path)


def give_up(run: RunFolder) -> None:
    """Leave the folder of a run to other processes: it could not go on, or has ended."""
    if (handle := _LOCKS.pop(run.path.resolve(), None)) is not None:
        os.close(handle)


def _require_writable(path: Path) -> None:
    """Refuse a folder that cannot be written to, or created."""
    there = next(p for p in (path, *path.absolute().parents) if os.path.lexists(p))
    if not there.is_dir():
        raise ArgumentError(
            f"cannot create '{path}': {os.strerror(errno.ENOTDIR)}. Give another folder.",
            where="folder",
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise ArgumentError(
            f"'{there}' may not be written to. Give another folder.", where="folder"
        )


def _require_own(path: Path) -> None:
    """Lock a folder, or refuse that of another training."""
    if not _locked(path):
        raise InUseError(
            f"'{path}' is the folder of another training that still runs. Give another folder, or "
            "wait until it has ended.",
            where="folder",
        )


def _locked(folder: Path) -> bool:
    """Lock a folder until this process ends, however it ends; returns False if another has it.

    A process that trains again in the same folder keeps its lock. Where folders cannot be locked
    (Windows, some network drives) they are not.
    """
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)  # open to the end, which is the end of the lock
        if (own := _LOCKS.pop(folder.resolve(), None)) is not None:
            os.close(own)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    except (ImportError, OSError):
        return True
    _LOCKS[folder.resolve()] = handle
    return True


def _next_run(dataset: str) -> Path:
    for number in itertools.count(1):
        run = RUNS / f"{dataset}-{number}"
        with suppress(FileExistsError):  # another training may create the same at this moment
            run.mkdir()
            return run
    raise AssertionError
