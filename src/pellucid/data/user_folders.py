"""The user's home and cache folders, which may not exist."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ..typing import PathLike

__all__ = ["cache_for_checked", "expanded", "user_cache"]


def expanded(path: PathLike) -> Path:
    """Return a path with ``~`` expanded; with an unknown user's ``~`` as it is.

    Examples
    --------
    >>> expanded("~nobody-of-that-name/pictures").parts
    ('~nobody-of-that-name', 'pictures')
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def user_cache() -> Path | None:
    """Return Pellucid's cache folder, which need not exist; None for a user without a home.

    A process in a container may have no home: neither ``HOME`` nor an entry in the user database.
    """
    import platformdirs

    try:
        folder = Path(platformdirs.user_cache_dir("pellucid"))
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # older versions: in a folder called "~"


def cache_for_checked() -> Path:
    """Return `user_cache`, or a temporary folder for a user without a home.

    Another user may own that folder: use it only for files whose hashes are known.
    """
    user = os.getuid() if hasattr(os, "getuid") else ""
    return user_cache() or Path(tempfile.gettempdir()) / f"pellucid-{user}"
