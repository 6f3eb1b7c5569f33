"""Keep decoded image folders in Pellucid's cache, so that the next start is fast.

One file holds one folder as it was read with certain options: a magic line, the length of a JSON
header, its CRC-32, the header, the bytes of all images, the labels. It is written completely or not
at all, and read only if it is whole and fits the folder as it is now. A cache that cannot be
written is not an error: the images are decoded again next time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PellucidError
from ..typing import Array
from .dataset import ImageFile
from .user_folders import user_cache

__all__ = ["MAX_CACHE", "Decoded", "cache_path", "read_cache", "write_cache"]

MAX_CACHE = 2**32  # bytes that all decoded folders together may take
MAX_HEADER = 2**28  # twice what the names and hashes of a million files take
MAGIC = b"pellucid images 3\n"  # increment whenever the decoded pixels change
ABANDONED = 3600  # seconds after which the temporary file of a killed write is removed
_CHUNK = 2**22


@dataclass
class Decoded:
    """A decoded folder.

    Attributes
    ----------
    images : uint8 array (N, C, H, W)
        The training part first, then the test part, then the validation part.
    labels : int64 array (N,)
    classes : tuple of str
    train : int
        The number of images in the training part.
    notes : list of str
        What was left out.
    files : tuple of ImageFile
        The file of each image.
    validation : int
        The number of images in the validation part.
    """

    images: Array
    labels: Array
    classes: tuple[str, ...]
    train: int
    notes: list[str]
    files: tuple[ImageFile, ...]
    validation: int = 0


def cache_path(folder: Path, options: Mapping[str, Any]) -> Path | None:
    """Return the cache file of ``folder`` read with ``options``; it need not exist.

    None for a user without a cache folder. A folder that changes keeps its file, so that its old
    contents are overwritten.
    """
    caches = user_cache()
    if caches is None:
        return None
    key = json.dumps([os.path.realpath(folder), dict(options)], sort_keys=True)
    name = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:32]
    return caches / "images" / f"{name}.images"


def read_cache(path: Path, fingerprint: str) -> Decoded | None:
    """Return what `write_cache` wrote, or None if it is missing, damaged or outdated."""
    try:
        with path.open("rb", buffering=0) as file:
            length = os.fstat(file.fileno()).st_size
            if file.read(len(MAGIC)) != MAGIC:
                return None
            size = int.from_bytes(file.read(8), "little")
            if size > min(MAX_HEADER, length):
                return None
            check, text = int.from_bytes(file.read(4), "little"), file.read(size)
            if zlib.crc32(text) != check:
                return None
            header = json.loads(text)
            if header["fingerprint"] != fingerprint:
                return None
            n, c, h, w = shape = tuple(int(k) for k in header["shape"])
            needed = n * c * h * w + 8 * n
            if min(shape) < 1 or len(MAGIC) + 12 + size + needed != length:
                return None
            content, check = np.empty(needed, np.uint8), 0
            for start in range(0, needed, _CHUNK):
                piece = content[start : start + _CHUNK]
                if file.readinto(piece.data) != len(piece):
                    return None
                check = zlib.crc32(piece.data, check)
            if check != header["crc"]:
                return None
            decoded = Decoded(
                images=content[: -8 * n].reshape(shape),
                labels=np.frombuffer(content[-8 * n :].tobytes(), dtype="<i8").astype(np.int64),
                classes=tuple(str(name) for name in header["classes"]),
                train=int(header["train"]),
                notes=[str(note) for note in header["notes"]],
                files=tuple(ImageFile(str(path), str(sha)) for path, sha in header["files"]),
                validation=int(header.get("validation", 0)),
            )
            if len(decoded.files) != n:
                return None
        os.utime(path)  # the least recently used file is removed first
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return decoded


def write_cache(path: Path, fingerprint: str, decoded: Decoded) -> bool:
    """Write ``decoded`` to ``path``; return whether that was possible."""
    from ..formats.files import atomic_write  # here, as most programs only read

    labels = decoded.labels.astype("<i8")
    pieces = (decoded.images.data.cast("B"), labels.data.cast("B"))
    check = 0
    for piece in pieces:
        check = zlib.crc32(piece, check)
    header = {
        "fingerprint": fingerprint,
        "shape": decoded.images.shape,
        "crc": check,
        "classes": decoded.classes,
        "train": decoded.train,
        "notes": decoded.notes,
        "files": decoded.files,
        "validation": decoded.validation,
    }
    text = json.dumps(header).encode()
    needed = len(text) + sum(piece.nbytes for piece in pieces)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _free_space(path, needed):
            return False
        with atomic_write(path) as part, part.open("wb") as file:
            sizes = len(text).to_bytes(8, "little") + zlib.crc32(text).to_bytes(4, "little")
            file.write(MAGIC + sizes + text)
            for piece in pieces:
                file.write(piece)
    except (OSError, PellucidError):
        return False
    return True


def _free_space(path: Path, needed: int) -> bool:
    """Remove the least recently used files until ``needed`` bytes fit; return whether they do."""
    if needed > MAX_CACHE or shutil.disk_usage(path.parent).free < 2 * needed:
        return False
    kept, now = [], time.time()
    for file in path.parent.iterdir():
        with suppress(OSError):  # another program may be doing the same
            status = file.stat()
            if file.name.startswith(".part-"):
                if now - status.st_mtime > ABANDONED:
                    file.unlink()
            elif file != path:
                kept.append((status.st_mtime, status.st_size, file))
    free = MAX_CACHE - needed - sum(size for _, size, _ in kept)
    for _, size, file in sorted(kept, key=lambda item: item[0]):
        if free >= 0:
            break
        with suppress(OSError):
            file.unlink()
            free += size
    return True
