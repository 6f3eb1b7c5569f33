"""Decode a folder once for several processes, each of which decodes a part of it.

The first process of a `Team` reads the folder as a process alone does: it lists it, looks into the
cache, and decodes what is missing. The others wait, and whenever it decodes, each takes its part of
the files: into memory, which it then sends to the first, or into the file of the cache, which all
of them write. That file has the same bytes as the file of one process.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from ..distributed import Communicator, dealt, handed_in, portable
from ..errors import DataError, PellucidError
from ..names import plain
from ..typing import Array
from .file_tree import Entry, Tree
from .folder_cache import CacheWriter, joining
from .folder_reader import Memory, Place, Reader, Wanted
from .layout import Layout

__all__ = ["Team"]


class _Job(NamedTuple):
    """Files to decode, in parts."""

    n: int
    shape: tuple[int, int, int]
    model: Entry  # the image that all others must be like
    wanted: Wanted
    workers: int
    file: Path | None  # of the cache; None for memory


class _Found(NamedTuple):
    """What a process found out about its part of the files, numbered from 0."""

    sha256: list[str]
    bad: dict[int, tuple[Any, int | None]]  # with the number of the system's error
    erased: set[int]
    checks: Array | None


class Team:
    """Processes that decode folders together; that of rank 0 leads.

    Parameters
    ----------
    communicator : Communicator
        Of these processes.
    """

    def __init__(self, communicator: Communicator) -> None:
        self.communicator = communicator
        self.leads = communicator.rank == 0
        self._others_listen = True  # to what rank 0 tells next

    def decode(self, reader: Reader, workers: int, place: Place) -> None:
        """Decode all images of ``reader`` into ``place``, while the others call `help`.

        Raises
        ------
        BaseException
            What went wrong in any process.
        """
        n, file = len(reader.files), place.file if isinstance(place, CacheWriter) else None
        self._others_listen = False
        self._tell(_Job(n, reader.shape, reader.model, reader.wanted, workers, file))
        parts = self._parts(n)
        dealt(self.communicator, [[entry for entry, _ in reader.files[_rows(p)]] for p in parts])
        failure: BaseException | None = None
        try:
            reader.decode(parts[0], workers, place)
        except BaseException as error:
            failure = error
        self.communicator.barrier()
        found = handed_in(self.communicator, None) or []
        failures = [one for one in (failure, *found) if isinstance(one, BaseException)]
        failed = self.communicator.broadcast(bool(failures))
        if not failed and isinstance(place, Memory):
            self._send(place.images, parts)
        self._others_listen = True
        if failed:
            raise failures[0]
        for part, one in zip(parts[1:], found[1:], strict=True):
            _note(reader, part, one)
            if isinstance(place, CacheWriter):
                place.checks[_rows(part)] = one.checks

    def dismiss(self, word: str | BaseException | None) -> None:
        """Let the others return from `help` with ``word``, or raise it; once.

        Not after Ctrl-C between two messages of `decode`: the others, which wait for the second
        one, would take this for it. They end with the program (`pellucid.distributed.ending`).
        """
        if not self._others_listen:
            return
        self._others_listen = False
        self._tell(portable(word) if isinstance(word, BaseException) else word)

    def help(self, source: Tree, workers: int) -> str | None:
        """Decode parts of what rank 0 decodes, until it dismisses this process; return its word.

        Parameters
        ----------
        source : Tree
        workers : int
            The most threads to decode with.

        Raises
        ------
        BaseException
            What rank 0 has raised.
        """
        while True:
            self.communicator.barrier()
            told = self.communicator.broadcast(None)
            if isinstance(told, BaseException):
                raise told
            if not isinstance(told, _Job):
                return told
            self._help(told, source, workers)

    def _help(self, job: _Job, source: Tree, workers: int) -> None:
        entries = dealt(self.communicator)
        parts = self._parts(job.n)
        found: _Found | BaseException
        images: Array | None = None
        try:
            with self._opened(source):
                reader = Reader(source, Layout((), [(e, 0) for e in entries], [], []), job.wanted)
                reader.shape, reader.model = job.shape, job.model
                every, workers, checks = range(len(entries)), min(workers, job.workers), None
                if job.file is None:
                    memory = Memory(len(entries), job.shape)
                    reader.decode(every, workers, memory)
                    images = memory.images
                else:
                    part = parts[self.communicator.rank]
                    with joining(job.file, job.n, job.shape) as writer:
                        reader.decode(every, workers, _From(part.start, writer))
                    checks = writer.checks[_rows(part)]
            bad = {k: (e, getattr(e.__cause__, "errno", None)) for k, e in reader.bad.items()}
            found = _Found(reader.sha256, bad, reader.erased, checks)
        except BaseException as error:
            found = portable(error)
        self.communicator.barrier()
        handed_in(self.communicator, found)
        if not self.communicator.broadcast(None) and images is not None:
            self._send(images, parts)

    def _opened(self, source: Tree) -> ExitStack:
        with ExitStack() as opened:
            try:
                opened.enter_context(source.open())
                source.prepare()
            except (OSError, PellucidError) as error:
                rank, size = self.communicator.rank, self.communicator.size
                why = error.strerror if isinstance(error, OSError) else error
                raise DataError(
                    f"process {rank} of the {size} that decode '{plain(str(source.path))}' "
                    f"together cannot read it ({why}). Each must see the same files."
                ) from error
            return opened.pop_all()

    def _parts(self, n: int) -> list[range]:
        size = self.communicator.size
        return [range(n * k // size, n * (k + 1) // size) for k in range(size)]

    def _tell(self, message: Any) -> None:
        self.communicator.barrier()  # where the others wait without taking the processor
        self.communicator.broadcast(message)

    def _send(self, images: Array, parts: list[range]) -> None:
        """Send the images of each part to rank 0, which has room for all of them."""
        nothing = [images[:0]] * len(parts)
        if self.leads:
            received = [images[_rows(part)] for part in parts]
            self.communicator.exchange([received[0], *nothing[1:]], received).wait()
        else:
            self.communicator.exchange([images, *nothing[1:]], nothing).wait()


class _From:
    """The images of a place from a certain one on."""

    def __init__(self, first: int, place: Place) -> None:
        self._first, self._place = first, place

    def __setitem__(self, k: int, image: Array) -> None:
        self._place[self._first + k] = image

    def kept(self, rows: Array) -> Array:
        return self._place.kept(self._first + rows)


def _note(reader: Reader, part: range, found: _Found) -> None:
    """Note what another process found out about a part of the files."""
    reader.sha256[_rows(part)] = found.sha256
    reader.erased |= {part.start + k for k in found.erased}
    for k, (error, number) in found.bad.items():
        if number is not None:
            error.__cause__ = OSError(number, "")  # was lost on the way
        reader.bad[part.start + k] = error


def _rows(part: range) -> slice:
    return slice(part.start, part.stop)
