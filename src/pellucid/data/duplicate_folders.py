"""Drop sets of images that are in a tree twice, as is common in archives."""

from __future__ import annotations

from ..errors import DataError
from .folder_tree import Folder
from .roles import is_generic, role_of

__all__ = ["drop_copies"]


def drop_copies(root: Folder) -> list[tuple[Folder, str]]:
    """Mark the copies in a tree as dropped, and return them with the reason.

    A copy is a folder with subfolders, all of whose images are also beside it, with the same paths
    and sizes (flowers/flowers/daisy beside flowers/daisy), or in a folder whose name differs in
    case only, or in one for the same part.

    Raises
    ------
    DataError
        If a folder holds nearly the same as what is beside it.
    """
    dropped: list[tuple[Folder, str]] = []
    for level in [*root.all_folders()]:
        if level.dropped:
            continue
        known: dict[str, list[Folder]] = {}
        for folder in level.holders():
            if (inner := _through(folder)[-1]).holders():
                twin = _twin(inner, [f for key in _keys(folder) for f in known.get(key, [])])
                if twin is not None:
                    dropped.append((folder.copy(), f"{twin.path}/ holds the same images"))
                    folder.dropped = True
                    continue
            for key in _keys(folder):
                known.setdefault(key, []).append(folder)
        holders = level.holders()
        names = {f.name for f in holders}
        for folder in holders:
            if _is_nested(folder, names, level):
                dropped.append((folder.copy(), "the same images are beside it"))
                folder.dropped = True
    return dropped


def _twin(inner: Folder, others: list[Folder]) -> Folder | None:
    """Return the folder with the same contents, if any."""
    for other in others:
        if inner.contents() == _through(other)[-1].contents():
            return other
    return None


def _through(folder: Folder) -> list[Folder]:
    """Return a folder, and its chain of only subfolders."""
    found = [folder]
    while not folder.images and len(inner := folder.holders()) == 1 and inner[0].holders():
        folder = inner[0]
        found.append(folder)
    return found


def _keys(folder: Folder) -> set[str]:
    """Return the names by which a folder is compared with others; copies share one."""
    role = role_of(folder.name)
    if role is not None and role.exact:
        return {f"/{role.part}"}
    names = {f.name.casefold() for f in _through(folder) if not is_generic(f.name)}
    return names or {folder.name.casefold()}


def _is_nested(folder: Folder, beside: set[str], level: Folder) -> bool:
    """Return whether a folder holds the folders beside it a second time."""
    for source in _through(folder):
        inner = {f.name for f in source.holders()}
        if common := (inner & beside) - {folder.name}:
            break
    else:
        return False
    role = role_of(folder.name)
    roles = {r.part for f in level.holders() if (r := role_of(f.name)) and r.exact}
    if role is not None and role.exact and len(roles) > 1:
        return False  # one of several parts, with class folders beside them
    own, rest = source.contents(), level.contents(without=folder)
    if own.items() <= rest.items():
        return True
    split = any((r := role_of(name)) is not None and r.exact for name in common)
    if (len(common) > 1 or split) and role is None:
        rest = {path: size for path, size in rest.items() if path.split("/")[0] in inner}
        only, other = len(own.items() - rest.items()), len(rest.items() - own.items())
        raise DataError(
            f"{source.path}/ has folders with the same names as beside it ("
            f"{', '.join(sorted(common)[:3])}), but not the same images: {only:,} are only "
            f"in it or differ, and {other:,} are only beside it. Keep one of the two and move the "
            "other away."
        )
    return False
