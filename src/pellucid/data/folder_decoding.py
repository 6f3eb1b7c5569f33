"""Decode a folder to where its images have room: into memory, or onto the disk."""

from __future__ import annotations

import math
from pathlib import Path

from ..errors import DataError, PellucidError
from ..names import plain
from .cache_space import LIMIT, make_room
from .file_tree import Tree
from .folder_cache import Decoded, Storage, described, read_cache, write_cache, writing
from .folder_reader import Memory, Reader, Wanted
from .layout import Layout
from .picture_files import PictureFiles

__all__ = ["decoded_anew"]


def decoded_anew(
    source: Tree,
    layout: Layout,
    wanted: Wanted,
    path: Path | None,
    fingerprint: str,
    storage: Storage,
) -> Decoded:
    """Decode the images of an open tree, and keep them in the cache.

    Parameters
    ----------
    source : Tree
    layout : Layout
        Its images.
    wanted : Wanted
    path : Path or None
        The file of the cache; without one nothing is kept, and images that take too much memory are
        decoded again whenever they are needed.
    fingerprint : str
        Of the tree.
    storage : Storage

    Raises
    ------
    FileFormatError, DataError
        As `image_folder`.
    """
    where = f"'{plain(str(source.path))}'"
    reader = Reader(source, layout, wanted, storage.on_progress, storage.team)
    shape, n = reader.image_shape(), len(reader.files)
    workers = reader.useful_workers(storage.workers)
    size = n * math.prod(shape)
    if size <= storage.in_memory:
        decoded = reader.read(workers, Memory(n, shape))
        if path is not None and reader.lasting and write_cache(path, fingerprint, decoded):
            # Its parts are read from there, which takes less memory than dividing an array.
            return read_cache(path, fingerprint, 0, workers) or decoded
        return decoded
    note = ""
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            note = f"the cache '{path.parent}' cannot be written ({error.strerror})"
            path = None
    if path is None:
        entries = [entry for entry, _ in reader.files]
        again = PictureFiles(source, entries, reader.sha256, shape, wanted, workers)
        decoded = reader.read(workers, again)
        if note:
            decoded.notes.append(f"{note}; each image is decoded whenever it is needed")
        return decoded
    what = f"{n:,} images {'x'.join(map(str, shape))} take {size / 1e9:.1f} GB, decoded"
    needed = size + described(entry.path for entry, _ in reader.files)
    if not make_room(path, needed, alone=True):
        raise _no_room(what, path, where)
    try:
        with writing(path, n, shape, workers) as writer:
            decoded = reader.read(workers, writer)
            # A file that could not be read this time must not be left out for good.
            writer.finish(fingerprint if reader.lasting else "", decoded, reader.rows)
    except PellucidError:
        raise
    except OSError as error:
        raise DataError(
            f"{what}, and cannot be written to the cache '{path.parent}' ({error.strerror}). Make "
            "room there, make them smaller with {size}, or decode them whenever they are needed: "
            "{cache}.",
            where=where,
            arguments={"size": ..., "cache": "none"},
        ) from error
    return decoded


def _no_room(what: str, path: Path, where: str) -> DataError:
    return DataError(
        f"{what}, more than the disk of the cache '{path.parent}' has room for, or {LIMIT} allows. "
        "Make room there, make them smaller with {size}, or decode them whenever they are needed: "
        "{cache}.",
        where=where,
        arguments={"size": ..., "cache": "none"},
    )
