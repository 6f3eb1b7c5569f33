"""Keep decoded image folders in Pellucid's cache, so that the next start is fast.

One file holds one folder as it was read with certain options: a magic line; the bytes of the
images, one after the other; the labels, the place and the CRC-32 of each image; a JSON header; and
the sizes and the CRC-32 of these. The images come first, since they are written while the others
are being decoded. A file is written completely or not at all, and read only if it is whole and fits
the folder as it is now. Images that fit into memory are read at once; others stay in the file, and
each is compared with its CRC-32 when it is first read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from ..errors import PellucidError
from ..names import without_surrogates
from ..typing import Array
from .cache_file import CacheFile
from .cache_space import hold, make_room
from .dataset import ImageFile
from .stored_images import stored
from .user_folders import user_cache

if TYPE_CHECKING:
    from .decoding_team import Team

__all__ = [
    "CacheWriter",
    "Decoded",
    "Storage",
    "cache_path",
    "described",
    "joining",
    "read_cache",
    "write_cache",
    "writing",
]

MAX_HEADER = 2**30  # four times what the names and hashes of a million files take
MAGIC = b"pellucid images 4\n"  # increment whenever the decoded pixels change
_END = struct.Struct("<QQI")  # the number of images, the length of the header, a CRC-32


class Storage(NamedTuple):
    """Where the images of a folder are kept.

    Attributes
    ----------
    cache : bool
        Whether decoded images are kept in the cache.
    in_memory : int
        The most bytes that they may take in memory.
    workers : int
        Threads that decode and read.
    on_progress : callable, optional
        Called with (images done, images in all) as they are decoded.
    team : Team, optional
        Processes that decode together what is not in the cache.
    """

    cache: bool
    in_memory: int
    workers: int
    on_progress: Callable[[int, int], None] | None
    team: Team | None = None


@dataclass
class Decoded:
    """A decoded folder.

    Attributes
    ----------
    images : uint8 array (N, C, H, W), or StoredImages
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

    It begins with the name of the folder. None for a user without a cache folder. A folder that
    changes keeps its file, so that its old contents are overwritten.
    """
    caches = user_cache()
    if caches is None:
        return None
    key = json.dumps([os.path.realpath(folder), dict(options)], sort_keys=True)
    digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:32]
    name = re.sub(r"[^\w-]+", "_", without_surrogates(folder.resolve().name))[:40]
    return caches / "images" / f"{name}-{digest}.images"


class CacheWriter:
    """Writes images into a cache file as they are decoded, in any order, from any thread.

    Parameters
    ----------
    file : binary file
        Empty, and open for reading and writing.
    path : Path
        The name that it will have.
    n : int
        The number of images, some of which may be left out.
    shape : (C, H, W)
    workers : int
        Threads that will read.
    begun : bool
        Whether another process has created the file, and writes all but some of the images.

    Attributes
    ----------
    checks : uint32 array (N,)
        The CRC-32 of each image.
    """

    def __init__(
        self,
        file: BinaryIO,
        path: Path,
        n: int,
        shape: tuple[int, int, int],
        workers: int,
        *,
        begun: bool = False,
    ) -> None:
        self._file, self._path, self._shape, self._workers = file, path, shape, workers
        self._size = int(np.prod(shape))
        self.checks = np.zeros(n, np.uint32)
        self._lock = threading.Lock()
        hold(file.fileno())  # `pellucid data cache --clear` leaves it
        if not begun:
            file.write(MAGIC)
            file.flush()

    @property
    def file(self) -> Path:
        """The name that the file has while it is written."""
        return Path(self._file.name)

    def __setitem__(self, row: int, image: Array) -> None:
        """Write image ``row``; a grey one is repeated for each channel."""
        image = np.ascontiguousarray(np.broadcast_to(image, self._shape))
        self.checks[row] = zlib.crc32(image.data)
        done, start = 0, len(MAGIC) + row * self._size
        content = image.data.cast("B")
        while done < self._size:  # a disk that gets full writes some of it before it fails
            done += self._write(content[done:], start + done)

    def _write(self, content: memoryview, place: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file.fileno(), content, place)
        with self._lock:
            self._file.seek(place)
            return self._file.write(content)

    def kept(self, rows: Array) -> Array:
        """Return the images ``rows`` as they lie in the file."""
        store = CacheFile(
            self._file,
            self._path,
            len(MAGIC),
            self._shape,
            self.checks,
            self._workers,
            checked=True,
        )
        return stored(store, rows)

    def finish(self, fingerprint: str, decoded: Decoded, rows: Array) -> None:
        """Write what is known of the images; ``rows`` are the places of those that stay."""
        header = {
            "fingerprint": fingerprint,
            "shape": (len(self.checks), *self._shape),
            "classes": decoded.classes,
            "train": decoded.train,
            "notes": decoded.notes,
            "files": decoded.files,
            "validation": decoded.validation,
        }
        text, checks = json.dumps(header).encode(), self.checks[rows]
        arrays = (decoded.labels.astype("<i8"), rows.astype("<i8"), checks.astype("<u4"))
        rest = b"".join([*(array.tobytes() for array in arrays), text])
        end = struct.pack("<QQ", len(rows), len(text))
        check = zlib.crc32(end, zlib.crc32(rest))
        self._file.seek(len(MAGIC) + self._size * len(self.checks))
        self._file.write(rest + end + check.to_bytes(4, "little"))
        self._file.flush()


def described(paths: Iterable[str]) -> int:
    """Return about how many bytes the description of these files takes."""
    return sum(len(path) + 100 for path in paths)


@contextmanager
def writing(
    path: Path, n: int, shape: tuple[int, int, int], workers: int = 1
) -> Iterator[CacheWriter]:
    """Open a `CacheWriter` whose file gets the name ``path`` at the end of the block.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    from ..formats.files import atomic_write  # here, as most programs only read

    with atomic_write(path) as part, part.open("r+b") as file:
        yield CacheWriter(file, path, n, shape, workers)


@contextmanager
def joining(file: Path, n: int, shape: tuple[int, int, int]) -> Iterator[CacheWriter]:
    """Open a `CacheWriter` for some images of a file that another process is `writing`.

    At the end of the block they are on the disk.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with file.open("r+b") as opened:
        yield CacheWriter(opened, file, n, shape, 1, begun=True)
        os.fsync(opened.fileno())


def write_cache(path: Path, fingerprint: str, decoded: Decoded) -> bool:
    """Write ``decoded`` to ``path``; return whether that was possible."""
    images = decoded.images
    n, c, h, w = images.shape
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not make_room(path, images.nbytes + described(file.path for file in decoded.files)):
            return False
        with writing(path, n, (c, h, w)) as writer:
            for k in range(n):
                writer[k] = images[k]
            writer.finish(fingerprint, decoded, np.arange(n))
    except (OSError, PellucidError):
        return False
    return True


def read_cache(
    path: Path, fingerprint: str, in_memory: int = 2**62, workers: int = 1
) -> Decoded | None:
    """Return what was written, or None if it is missing, damaged or outdated.

    Parameters
    ----------
    path : Path
    fingerprint : str
        Of the folder as it is now.
    in_memory : int
        Images that take more bytes than this stay in the file.
    workers : int
        Threads that read those.
    """
    try:
        with path.open("rb", buffering=0) as file:
            decoded = _read(file, path, fingerprint, in_memory, workers)
        if decoded is not None:
            os.utime(path)  # the least recently used file is removed first
    except (OSError, ValueError, KeyError, TypeError, RecursionError, PellucidError):
        return None
    return decoded


def _read(
    file: FileIO, path: Path, fingerprint: str, in_memory: int, workers: int
) -> Decoded | None:
    length = os.fstat(file.fileno()).st_size
    if file.read(len(MAGIC)) != MAGIC or length < len(MAGIC) + _END.size:
        return None
    file.seek(length - _END.size)
    end = file.read(_END.size)
    n, size, check = _END.unpack(end)
    rest = 20 * n + size
    if size > MAX_HEADER or rest + len(MAGIC) + _END.size > length:
        return None
    file.seek(length - _END.size - rest)
    content = _exactly(file, rest)
    if zlib.crc32(end[:-4], zlib.crc32(content)) != check:
        return None
    header = json.loads(content[20 * n :])
    rows, *shape = (int(k) for k in header["shape"])
    if header["fingerprint"] != fingerprint or min(rows, n, *shape) < 1:
        return None
    c, h, w = shape
    if len(MAGIC) + rows * c * h * w + rest + _END.size != length:
        return None
    files = tuple(ImageFile(str(path), str(sha)) for path, sha in header["files"])
    labels, places = (
        np.frombuffer(content, "<i8", n, 8 * n * k).astype(np.int64) for k in range(2)
    )
    checks = np.zeros(rows, np.uint32)
    checks[places] = np.frombuffer(content, "<u4", n, 16 * n)
    store = CacheFile(file, path, len(MAGIC), (c, h, w), checks, workers)
    images = stored(store, places)
    if images.nbytes <= in_memory:
        images = np.asarray(images)
    return (
        Decoded(
            images,
            labels,
            tuple(str(name) for name in header["classes"]),
            int(header["train"]),
            [str(note) for note in header["notes"]],
            files,
            int(header.get("validation", 0)),
        )
        if len(files) == n
        else None
    )


def _exactly(file: Any, size: int) -> bytes:
    """Return the next ``size`` bytes; a raw file may return fewer than it was asked for."""
    content = bytearray(size)
    view, done = memoryview(content), 0
    while done < size and (got := file.readinto(view[done:])):
        done += got
    if done < size:
        raise ValueError("the file is shorter than it was")
    return bytes(content)
