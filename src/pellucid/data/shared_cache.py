"""Read a folder on several processes, of which those that share a cache decode it together."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..distributed import Communicator
from ..formats.files import PART
from .decoding_team import Team
from .file_tree import Tree
from .folder_cache import Storage
from .user_folders import user_cache

if TYPE_CHECKING:
    from .division import Parts

__all__ = ["read_together"]


def read_together(
    communicator: Communicator, source: Tree, storage: Storage, read: Callable[[Storage], Parts]
) -> Parts:
    """Return what ``read`` returns on each process; all processes call it.

    The first of those that share a cache reads the folder, and the others help it decode what is
    not there. Then each finds it in the cache. Without a cache, each decodes the whole folder.

    Parameters
    ----------
    communicator : Communicator
    source : Tree
        The folder or archive, as this process sees it.
    storage : Storage
        With the threads of a process that has the machine for itself.
    read : callable
        Reads ``source``, keeps what it has decoded as ``storage`` says, and dismisses its team.
    """
    hosts = communicator.gather(platform.node())
    here = hosts.count(hosts[communicator.rank])
    storage = storage._replace(workers=max(1, storage.workers // here))
    caches = user_cache()
    folder = caches / "images" if caches is not None and storage.cache else None
    team = Team(communicator.split(group_of(communicator, folder)))
    if not team.leads:
        source.fingerprinted = team.help(source, storage.workers)
        return read(storage)
    try:
        return read(storage._replace(team=team))
    except BaseException as error:
        team.dismiss(error)
        raise


def group_of(communicator: Communicator, folder: Path | None) -> int:
    """Return the number of the group of processes that see the same ``folder`` as this one.

    Processes on one machine do as a rule, and those of a cluster if it is on a shared disk: the
    first of a group leaves a file there, and the others look for it.

    Parameters
    ----------
    communicator : Communicator
    folder : Path or None
        None, or a folder that cannot be written, is seen by no other process.
    """
    own, rest = 0, list(range(communicator.size))
    group = 0
    while rest:
        probe = _probe(folder) if communicator.rank == rest[0] else None
        name = communicator.broadcast(probe and probe.name, root=rest[0])
        seen = communicator.gather(_sees(folder, name))
        if probe is not None:
            probe.unlink(missing_ok=True)
        members = [rank for rank in rest if rank == rest[0] or seen[rank]]
        if communicator.rank in members:
            own = group
        rest = [rank for rank in rest if rank not in members]
        group += 1
    return own


def _probe(folder: Path | None) -> Path | None:
    """Return a new file in a folder; None if there cannot be one."""
    if folder is not None:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f"{PART}{secrets.token_hex(6)}"
            probe.touch(exist_ok=False)
            return probe
    return None


def _sees(folder: Path | None, name: str | None) -> bool:
    """Return whether the file ``name`` is in a folder; not where it may not be looked into."""
    with suppress(OSError):
        return folder is not None and name is not None and (folder / name).exists()
    return False
