"""Decode all images of a folder once, on several threads."""

from __future__ import annotations

import hashlib
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import DataError, FileFormatError
from ..preparation import Drawing
from ..typing import Array
from .dataset import ImageFile
from .decoding import decode
from .file_names import some
from .file_tree import Entry, Tree
from .folder_cache import Decoded
from .layout import Layout
from .plain_picture import ERASED

if TYPE_CHECKING:
    from .decoding_team import Team

__all__ = ["Memory", "Place", "Reader", "Wanted"]

SHARE = 64  # files that a thread takes at a time
SAMPLE = 32  # files that tell how long one takes
SMALL = 1.2e-4  # seconds that a picture takes which one thread decodes better than several


@dataclass(frozen=True)
class Wanted:
    """The arguments of `image_folder` that the images depend on."""

    size: tuple[int, int] | None
    channels: int | None
    drawing: Drawing | None
    skip: bool
    skip_empty: bool = False
    own_validation: bool = False  # whether a validation folder is a part of its own
    draw_test: bool = False  # whether it is so without a test folder, too


class Place(Protocol):
    """Where decoded images go: into memory, a file, or nowhere."""

    def __setitem__(self, k: int, image: Array) -> None:
        """Take image ``k``, uint8 (C, H, W) or (1, H, W), from any thread."""

    def kept(self, rows: Array) -> Array:
        """Return the images ``rows``; the others could not be decoded."""


class Memory:
    """Room for ``n`` decoded images (C, H, W) in one array."""

    def __init__(self, n: int, shape: tuple[int, int, int]) -> None:
        self.images = np.empty((n, *shape), np.uint8)

    def __setitem__(self, k: int, image: Array) -> None:
        self.images[k] = image

    def kept(self, rows: Array) -> Array:
        """Return the images ``rows``, moved to the front of the same memory."""
        if len(rows) < len(self.images):
            for place, k in enumerate(rows):
                self.images[place] = self.images[k]
        return self.images[: len(rows)]


class Reader:
    """Decodes the images of a layout, each once.

    Parameters
    ----------
    source : Tree
        Open.
    layout : Layout
    wanted : Wanted
    on_progress : callable, optional
        Called with (images done, images in all).
    team : Team, optional
        Processes that decode a part of the images each.
    """

    def __init__(
        self,
        source: Tree,
        layout: Layout,
        wanted: Wanted,
        on_progress: Callable[[int, int], None] | None = None,
        team: Team | None = None,
    ) -> None:
        self.source, self.layout, self.wanted = source, layout, wanted
        self.on_progress, self.team = on_progress, team
        self.files = layout.files
        self.bad: dict[int, FileFormatError] = {}
        self.erased: set[int] = set()
        self.sha256 = [""] * len(self.files)
        self.stopped = Event()

    def image_shape(self) -> tuple[int, int, int]:
        """Return the shape (C, H, W) of the first image that can be decoded.

        Raises
        ------
        FileFormatError
            If none can be.
        """
        with _without_warnings():
            for k in range(len(self.files)):
                if (image := self._image(k)) is not None:
                    c, h, w = image.shape
                    self.model, self.shape = self.files[k][0], (c, h, w)
                    return self.shape
        raise self._refusal()

    def read(self, workers: int, place: Place) -> Decoded:
        """Decode all images by ``workers`` threads into ``place``; `image_shape` comes first.

        Afterwards `rows` are the places of the images that stay: those that can be decoded.

        Raises
        ------
        FileFormatError, DataError
            As in `image_folder`.
        """
        if self.team is None:
            self.decode(range(len(self.files)), workers, place)
        else:
            self.team.decode(self, workers, place)
        if self.bad and not self.wanted.skip:
            raise self._refusal()
        return self._result(place)

    @property
    def lasting(self) -> bool:
        """Whether reading the same files again would give the same: no drive or permission failed.

        An OSError that Pillow raises has no number.
        """
        return not any(getattr(error.__cause__, "errno", None) for error in self.bad.values())

    def useful_workers(self, workers: int) -> int:
        """Return how many of ``workers`` threads to decode with: one, if the pictures are small.

        Opening a picture takes about 60 µs of Python's own, which one thread at a time may do:
        where decoding takes little more, threads hold each other up (60,000 JPEGs of 32x32 take
        6.9 s on one thread and 11.4 s on two).
        """
        some = np.unique(np.linspace(0, len(self.files) - 1, SAMPLE).astype(int)).tolist()
        began = time.perf_counter()
        with _without_warnings():
            for k in some:
                self._image(k)
        return 1 if time.perf_counter() - began < SMALL * len(some) else workers

    def decode(self, some: range, workers: int, place: Place) -> None:
        """Decode ``some`` of the images by ``workers`` threads into ``place``.

        An error or Ctrl-C stops them all, then propagates.
        """
        self.place, n, done = place, len(self.files), 0
        shares = (some[k : k + SHARE] for k in range(0, len(some), SHARE))
        with _without_warnings(), ThreadPoolExecutor(workers, "pellucid-decode") as pool:
            try:
                running: set[Future[int]] = set()
                while True:
                    more = islice(shares, 2 * workers - len(running))
                    running |= {pool.submit(self._decode_share, share) for share in more}
                    if not running:
                        return
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    done += sum(future.result() for future in finished)
                    if self.on_progress is not None:  # others decode the rest meanwhile
                        self.on_progress(done * n // len(some), n)
            except BaseException:
                self.stopped.set()
                raise

    def _decode_share(self, share: Sequence[int]) -> int:
        for k in share:
            if self.stopped.is_set():
                break
            if (image := self._image(k)) is not None:
                self._require_alike(k, image)
                self.place[k] = image  # a grey one is broadcast to three channels
        return len(share)

    def _image(self, k: int) -> Array | None:
        """Return an image, or None if it is damaged, which is recorded."""
        entry = self.files[k][0]
        try:
            content = self.source.read(entry)
            self.sha256[k] = hashlib.sha256(content).hexdigest()
            return decode(
                content,
                self.source.label(entry),
                channels=self.wanted.channels,
                size=self.wanted.size,
                drawing=self.wanted.drawing,
                tell=lambda note: self.erased.add(k) if note is ERASED else None,
            )
        except FileFormatError as error:
            self.bad[k] = error
            return None

    def _require_alike(self, k: int, image: Array) -> None:
        (c, h, w), (own, rows, columns) = self.shape, image.shape
        if (rows, columns) == (h, w) and own <= c:
            return
        this, first = (self.source.label(entry) for entry in (self.files[k][0], self.model))
        if (rows, columns) != (h, w):
            raise DataError(
                f"{this} is {rows}x{columns} (rows x columns), {first} is {h}x{w}. A network needs "
                "images of one size: resize them, for example with {size}.",
                arguments={"size": max(h, w)},
            )
        if own > c:
            raise DataError(
                f"{this} has colours, {first} is grey. Choose one: {{channels}} converts all to "
                "RGB, 1 to grey.",
                arguments={"channels": 3},
            )

    def _refusal(self) -> FileFormatError:
        first = [str(self.bad[k]) for k in sorted(self.bad)[:5]]
        n = len(self.bad)
        return FileFormatError(
            "\n".join(
                [
                    f"{n:,} of {len(self.files):,} images cannot be read:",
                    *(f"  {reason}" for reason in first),
                    *(["  ..."] if n > len(first) else []),
                    "Repair or remove them, or leave such images out with {corrupt}.",
                ]
            ),
            where=f"'{self.source.path}'",
            arguments={"corrupt": "skip"},
        )

    def _result(self, place: Place) -> Decoded:
        labels = np.array([label for _, label in self.files], dtype=np.int64)
        classes, notes, layout = self.layout.classes, list(self.layout.notes), self.layout
        kept = np.arange(len(labels))
        parts = np.repeat([0, 1, 2], [len(layout.train), len(layout.test), len(layout.validation)])
        if self.erased:
            notes.append(_vanished([self.files[k][0] for k in sorted(self.erased)]))
        if self.bad:
            kept = np.setdiff1d(kept, list(self.bad))
            notes += self._left_out()
            if first := int((parts[kept] == 0).sum()):
                stay, classes = self._whole_classes(labels[kept], first, notes)
                kept = kept[stay]
                labels[kept] = np.unique(labels[kept], return_inverse=True)[1]
        train, validation = (int((parts[kept] == part).sum()) for part in (0, 2))
        if not train:
            raise self._refusal()
        files = tuple(ImageFile(self.files[k][0].path, self.sha256[k]) for k in kept)
        self.rows = kept
        images = place.kept(kept)
        return Decoded(images, labels[kept], classes, train, notes, files, validation)

    def _left_out(self) -> list[str]:
        """Return a note for each reason why images cannot be decoded."""
        reasons: dict[str, list[str]] = {}
        for k in sorted(self.bad):
            entry = self.files[k][0]
            told = self.bad[k].message.removeprefix(self.source.label(entry)).strip()
            reason = re.split(r"[.:;]( |$)| \(|, not PNG", told)[0]
            reasons.setdefault(reason, []).append(entry.path)
        return [
            f"1 image cannot be decoded and was left out: {some(paths)} ({reason})"
            if len(paths) == 1
            else f"{len(paths):,} images cannot be decoded and were left out: {some(paths)} "
            f"(each {reason})"
            for reason, paths in reasons.items()
        ]

    def _whole_classes(
        self, labels: Array, train: int, notes: list[str]
    ) -> tuple[Array, tuple[str, ...]]:
        """Refuse classes whose training images are all damaged, or leave them out.

        Returns
        -------
        kept : integer array
            The images that stay.
        classes : tuple of str
            The names of their classes.
        """
        classes = self.layout.classes
        held = np.unique(labels[:train])
        gone = [name for label, name in enumerate(classes) if label not in held]
        if not gone:
            return np.arange(len(labels)), classes
        which = ", ".join(map(repr, gone[:5])) + ", ..." * (len(gone) > 5)
        if not self.wanted.skip_empty or len(held) < 2:
            raise DataError(
                f"no image of the class{'es' * (len(gone) > 1)} {which} can be decoded. Repair the "
                "images, or leave out the class with {{skip_empty}}.",
                where=f"'{self.source.path}'",
                arguments={"skip_empty": True},
            )
        notes.append(
            f"{len(gone):,} class{'es have' if len(gone) > 1 else ' has'} no image that can be "
            f"decoded and {'were' if len(gone) > 1 else 'was'} left out: {which}"
        )
        kept = np.flatnonzero(np.isin(labels, held))
        return kept, tuple(classes[label] for label in held)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence what Pillow warns of (bombs, odd EXIF data): it is either refused or harmless.

    Python's warning filters are shared by all threads: they are set here, once for all.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _vanished(entries: Sequence[Entry]) -> str:
    names = some([entry.path for entry in entries])
    if len(entries) == 1:
        return f"1 image is white on a transparent background, and invisible on white: {names}"
    return (
        f"{len(entries):,} images are white on a transparent background, and invisible on white: "
        f"{names}"
    )
