"""Images that are decoded from their picture files whenever they are needed."""

from __future__ import annotations

import hashlib
import warnings
import weakref
import zlib
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from ..errors import DataError
from ..typing import Array
from .decoding import decode
from .file_tree import Entry, Tree
from .folder_reader import Wanted
from .stored_images import stored

__all__ = ["PictureFiles"]


class PictureFiles:
    """Decodes images from a folder or an archive: an `ImageStore` that takes no disk space.

    As a `Place` it drops what was decoded.

    Parameters
    ----------
    source : Tree
        Kept open as long as this object lives.
    entries : sequence of Entry
    sha256 : sequence of str
        The SHA-256 of each file when it was first read.
    shape : (C, H, W)
    wanted : Wanted
        How they are decoded.
    workers : int
        Threads that decode.
    """

    def __init__(
        self,
        source: Tree,
        entries: Sequence[Entry],
        sha256: Sequence[str],
        shape: tuple[int, int, int],
        wanted: Wanted,
        workers: int,
    ) -> None:
        self.source, self.entries, self.sha256 = source, entries, sha256
        self.shape, self.workers, self._wanted = shape, workers, wanted
        self.checks: Array = np.zeros(len(entries), np.uint32)
        opened = ExitStack()
        opened.enter_context(source.open())
        weakref.finalize(self, opened.close)
        # Python's warning filters are shared by all threads, and these decode at any time.
        warnings.filterwarnings("ignore", module=r"PIL\.")

    def __setitem__(self, k: int, image: Array) -> None:
        """Drop an image, which will be decoded again; keep the CRC-32 of its pixels."""
        whole = np.ascontiguousarray(np.broadcast_to(image, self.shape))
        self.checks[k] = zlib.crc32(whole.data)

    def kept(self, rows: Array) -> Array:
        """Return the images ``rows``."""
        return stored(self, rows)

    def load(self, row: int, out: Array) -> None:
        """Decode image ``row`` into ``out``, uint8 (C, H, W).

        Raises
        ------
        FileFormatError
            If the file cannot be read any more.
        DataError
            If it was changed since it was first read.
        """
        entry = self.entries[row]
        content, label = self.source.read(entry), self.source.label(entry)
        if hashlib.sha256(content).hexdigest() != self.sha256[row]:
            raise DataError(
                f"{label} was changed since the folder was read (its SHA-256 differs). Restore it, "
                "or start again with the folder as it is now."
            )
        out[:] = decode(
            content,
            label,
            channels=self._wanted.channels,
            size=self._wanted.size,
            drawing=self._wanted.drawing,
        )
