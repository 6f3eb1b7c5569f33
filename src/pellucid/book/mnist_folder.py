"""The folder of a script's MNIST: the one that was named, or the book's."""

from __future__ import annotations

import os
from pathlib import Path

from ..data.catalogue import source_named
from ..data.locations import VARIABLE, find, not_found
from ..data.user_folders import expanded
from ..errors import ArgumentError
from ..typing import PathLike

__all__ = ["use_folder"]


def use_folder(data_dir: PathLike | None, script_folder: Path) -> None:
    """Read MNIST from ``data_dir``, or from the book's folder if the files are there.

    The book keeps them in ``dataset``, next to the folders of the chapters; ``PELLUCID_DATA`` takes
    precedence.

    Parameters
    ----------
    data_dir : str or path, optional
        The folder that the user named.
    script_folder : Path
        The chapter's folder.

    Raises
    ------
    ArgumentError
        If ``data_dir`` is not a folder.
    DataNotFoundError
        If MNIST is not in it; the message names the files to put there.
    """
    mnist = source_named("mnist")
    if data_dir is not None:
        if not expanded(data_dir).is_dir():
            raise ArgumentError(
                f"'{data_dir}' is not a folder. Name the one with MNIST's four files.",
                where="data_dir",
            )
        place = find(mnist, data_dir)
        if place is None:
            raise not_found(mnist, data_dir)
        os.environ[VARIABLE] = str(place.folder.absolute())
    elif named := os.environ.get(VARIABLE):
        # The script runs in its own folder, where a relative path would name another one.
        os.environ[VARIABLE] = str(expanded(named).absolute())
    else:
        for folder in (script_folder.parent / "dataset", script_folder / "dataset"):
            if find(mnist, folder) is not None:
                os.environ[VARIABLE] = str(folder)
                return
