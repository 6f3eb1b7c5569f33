"""Where a script's MNIST lies: in the folder that was named, or in the book's own."""

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
    """Have MNIST read from ``data_dir``, or from the book's folder if the files lie there.

    The book keeps them in ``dataset``, beside the chapters' folders; ``PELLUCID_DATA`` comes
    first.

    Parameters
    ----------
    data_dir : str or path, optional
        What the reader named.
    script_folder : Path
        The chapter's folder.

    Raises
    ------
    ArgumentError
        If ``data_dir`` is no folder.
    DataNotFoundError
        If MNIST is not in it; says what to put there.
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
        # The script runs in its own folder: a relative path would mean another one there.
        os.environ[VARIABLE] = str(expanded(named).absolute())
    else:
        for folder in (script_folder.parent / "dataset", script_folder / "dataset"):
            if find(mnist, folder) is not None:
                os.environ[VARIABLE] = str(folder)
                return
