"""A trained model on picture files, by several ranks: each classifies a batch of every round."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from enum import Enum
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple

from ..distributed import Communicator, dealt, handed_in, portable
from ..launch import launched
from .classifying import (
    PAUSE,
    WAIT,
    Classified,
    Classifier,
    Decoded,
    classified,
    decoded,
    quiet_decoders,
)
from .listener import Listener
from .picture_files import Found

if TYPE_CHECKING:
    from ..nn import Layer
    from ..training.engines import EngineLike

__all__ = ["classified_by_all"]


def classified_by_all(
    communicator: Communicator,
    model: Layer,
    files: Iterable[Found],
    shape: tuple[int, int, int],
    *,
    as_is: bool = False,
    engine: EngineLike = "compiled",
    listener: Listener | None = None,
) -> Generator[list[Classified], None, None]:
    """Yield on rank 0 what `classified` yields; all ranks call it, and it yields nothing on others.

    Rank 0 alone finds the files. It deals them out in rounds, a batch for each rank, and a round
    ahead, so that the next pictures are decoded while the model runs. Their files are read by the
    rank that classifies them.

    Parameters
    ----------
    communicator : Communicator
    files : iterable
        Of rank 0; that of the others is not used.
    model, shape, as_is, engine, listener
        As for `classified`.

    Raises
    ------
    BaseException
        What went wrong on any rank, on all of them.
    """
    listener = listener or Listener()
    if communicator.size == 1:
        yield from classified(model, files, shape, as_is=as_is, engine=engine, listener=listener)
        return
    classifier = Classifier(model, shape, as_is=as_is, engine=engine, listener=listener)
    workers = max(1, min((os.cpu_count() or 1) // launched().local, 8))
    rounds = _Rounds(communicator, files, classifier.size, listener)
    with quiet_decoders(workers) as pool, rounds:

        def begun(some: list[Found]) -> list[Future[Decoded]]:
            return [pool.submit(decoded, *found, classifier.preparation) for found in some]

        now = rounds.next(wait=True)
        pictures = begun(now.files)
        while now.kind is _Kind.FILES:
            then = rounds.next(wait=False)
            ahead = begun(then.files)
            if then.kind is _Kind.DROPPED:
                return
            try:
                yield from _results(communicator, classifier, pictures)
            except GeneratorExit:
                if then.kind is not _Kind.END:
                    rounds.drop()
                raise
            if then.kind is _Kind.PAUSE:
                then = rounds.next(wait=True)
                ahead = begun(then.files)
            now, pictures = then, ahead
        if now.error is not None:
            raise now.error


def _results(
    communicator: Communicator, classifier: Classifier, pictures: list[Future[Decoded]]
) -> list[list[Classified]]:
    """Return on rank 0 what the model makes of a round, a list for each rank; none on others."""
    own: list[Classified] | BaseException
    try:
        own = classifier.of([one.result() for one in pictures])
    except BaseException as error:
        own = portable(error)
    found = handed_in(communicator, own) or []
    failure = next((one for one in found if isinstance(one, BaseException)), None)
    failure = communicator.broadcast(failure)
    if failure is not None:
        raise failure
    return [one for one in found if one]


class _Kind(Enum):
    FILES = 0
    PAUSE = 1  # no file has come for a while
    END = 2
    DROPPED = 3  # rank 0 wants no more results


class _Round(NamedTuple):
    """A round, as a rank hears of it."""

    kind: _Kind
    files: list[Found] = []  # noqa: RUF012 - never changed
    error: BaseException | None = None  # that ended the list of files


class _Rounds:
    """The files that rank 0 finds, dealt out in rounds of up to ``size`` for each rank."""

    def __init__(
        self, communicator: Communicator, files: Iterable[Found], size: int, listener: Listener
    ) -> None:
        self.communicator, self.files, self.size = communicator, files, size
        self.listener = listener
        self._queue: Queue[Found | BaseException | None] = Queue(2 * size * communicator.size)
        self._stopped = Event()
        self._last: BaseException | None = None
        self._ended = False

    def __enter__(self) -> _Rounds:
        if self.communicator.rank == 0:
            # A thread that waits for the next name in a pipe must not keep the process alive.
            Thread(target=self._find, name="pellucid-files", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def next(self, *, wait: bool) -> _Round:
        """Return this rank's part of the next round; with ``wait`` only when there is a file."""
        found = self._found(wait) if self.communicator.rank == 0 else None
        self.communicator.barrier()  # the processor is free while rank 0 waits for names
        heard: _Round = dealt(self.communicator, found)
        return heard

    def drop(self) -> None:
        """Let the other ranks return, instead of the next round."""
        self.communicator.barrier()
        dealt(self.communicator, [_Round(_Kind.DROPPED)] * self.communicator.size)

    def _found(self, wait: bool) -> list[_Round]:
        n, size = self.communicator.size, self.size
        files: list[Found] = []
        while len(files) < n * size and not self._ended:
            try:
                item = self._queue.get(timeout=WAIT if wait and not files else PAUSE)
            except Empty:
                if files or not wait:
                    break
                continue
            if isinstance(item, tuple):
                files.append(item)
            else:
                self._ended, self._last = True, item
        if files:
            cuts = range(0, n * size, size)
            return [_Round(_Kind.FILES, files[k : k + size]) for k in cuts]
        last = _Round(_Kind.END, error=self._last) if self._ended else _Round(_Kind.PAUSE)
        return [last] * n

    def _find(self) -> None:
        """Put all files into the queue; runs in a thread of its own."""
        try:
            for count, found in enumerate(self.files, 1):
                self.listener.found(count)
                if not self._put(found):
                    return
            self._put(None)
        except BaseException as error:
            self._put(portable(error))

    def _put(self, item: Found | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=WAIT)
                return True
            except Full:
                pass
        return False
