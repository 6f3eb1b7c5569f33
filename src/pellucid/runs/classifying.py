"""A trained model on picture files: any number of them, in bounded memory."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ArgumentError, DataError
from ..shapes import shape_text
from .listener import Listener
from .picture_files import Found
from .prepared import preparation_of, require_pictures

if TYPE_CHECKING:
    from ..data import Preparation
    from ..nn import Layer
    from ..training.engines import EngineLike
    from ..typing import Array

__all__ = [
    "Classified",
    "Classifier",
    "Decoded",
    "classified",
    "decoded",
    "images_of_model",
    "quiet_decoders",
]

BATCH = 100  # pictures at a time, at most
MEMORY, PER_NUMBER = 2**28, 8  # bytes that the images of a batch, and what is made of them, take
PAUSE = 0.1  # seconds without another name, after which the pictures so far are classified
WAIT = 0.5  # seconds, after which Ctrl-C is noticed on Windows


@dataclass(frozen=True, slots=True)
class Classified:
    """What a model made of a picture file.

    Attributes
    ----------
    path : Path
    probabilities : float32 array (K,) or None
        Of the classes; None if it could not be read.
    notes : tuple of str
        How a drawing was found in it.
    error : DataError or None
        Why it could not be read.
    """

    path: Path
    probabilities: Array | None = None
    notes: tuple[str, ...] = ()
    error: DataError | None = None


# The pixels, or None, and what is known of the file so far.
Decoded: TypeAlias = "tuple[Array | None, Classified]"


def images_of_model(model: Layer, where: str) -> tuple[int, int, int]:
    """Return the shape (C, H, W) of a classifier's images.

    Raises
    ------
    ArgumentError
        If the model does not say it, or does not return one number per class.
    """
    if model.input_shape is None:
        raise ArgumentError(
            "does not say which images it was built for. Save it with its `input_shape` set.",
            where=where,
        )
    from ..nn.checks import require_one_output

    require_one_output(model, where)
    c, h, w = model.input_shape
    require_pictures((c, h, w))
    card, outputs = model.card, model.output_shape((c, h, w))
    if len(outputs) != 1 or (card is not None and len(card.classes) != outputs[0]):
        names = "" if card is None else f", and knows {len(card.classes)} classes by name"
        raise ArgumentError(
            f"returns {shape_text(outputs)} numbers for an image{names}. Its last layer "
            "must have one output per class.",
            where=where,
        )
    return c, h, w


def classified(
    model: Layer,
    files: Iterable[Found],
    shape: tuple[int, int, int],
    *,
    as_is: bool = False,
    engine: EngineLike = "compiled",
    listener: Listener | None = None,
) -> Generator[list[Classified], None, None]:
    """Yield what ``model`` makes of picture files, a batch at a time, in the order of ``files``.

    Several threads decode ahead of the model, which runs a batch at a time: the memory does not
    depend on the number of files. If ``files`` pause, as a pipe may, the batch is a smaller one.

    Parameters
    ----------
    model : Layer
    files : iterable
        As `pellucid.runs.picture_files.picture_files` yields them.
    shape : (C, H, W)
        As `images_of_model` returns it.
    as_is : bool
        Do not look for drawings.
    engine : {"compiled", "numpy"} or Engine
    listener : Listener, optional
        Hears how many files were found and are done.
    """
    listener = listener or Listener()
    classifier = Classifier(model, shape, as_is=as_is, engine=engine, listener=listener)
    with _Decoding(files, classifier.preparation, 2 * classifier.size, listener) as decoding:
        for batch in decoding.batches(classifier.size):
            yield classifier.of(batch)


class Classifier:
    """A model with a plan for batches of pictures.

    Parameters
    ----------
    model, shape, as_is, engine, listener
        As for `classified`.

    Attributes
    ----------
    size : int
        The number of pictures of a batch, at most.
    preparation : Preparation
        How pictures are decoded for it.
    """

    def __init__(
        self,
        model: Layer,
        shape: tuple[int, int, int],
        *,
        as_is: bool,
        engine: EngineLike,
        listener: Listener,
    ) -> None:
        from ..training.engines import as_engine

        self.model, self.shape, self.listener = model, shape, listener
        self.preparation = preparation_of(model, shape, as_is=as_is)
        self.size = max(1, min(BATCH, MEMORY // (PER_NUMBER * model.activation_size(shape))))
        self._engine = as_engine(engine)
        self._run: Any = None
        self._capacity = 0

    def of(self, batch: Sequence[Decoded]) -> list[Classified]:
        """Return what the model makes of pictures (uint8, or None), each with its file."""
        pictures = [(k, pixels) for k, (pixels, _) in enumerate(batch) if pixels is not None]
        if len(pictures) > self._capacity:
            self._capacity = len(pictures) if self._run is None else self.size
            self._run = self._engine.prepare(self.model, self.shape, self._capacity, frozen=True)
        ready = [one for _, one in batch]
        if pictures:
            watched = partial(self._engine.watched, self._run, training=False)
            with self.listener.compiling(watched):
                found = _probabilities(self.model, [pixels for _, pixels in pictures], self._run)
            for (k, _), probabilities in zip(pictures, found, strict=True):
                one = ready[k]
                ready[k] = Classified(one.path, probabilities, one.notes)
        self.listener.classified(len(ready))
        return ready


def _probabilities(model: Layer, images: list[Array], run: Any) -> Array:
    import numpy as np

    from ..data.images import as_floats
    from ..training import predict

    return predict(model, as_floats(np.stack(images)), batch_size=len(images), run=run)


class _Decoding:
    """Pictures that threads decode, in order, no more than ``ahead`` of what was taken.

    Within its ``with`` block; what was not taken by its end is dropped.
    """

    def __init__(
        self, files: Iterable[Found], preparation: Preparation, ahead: int, listener: Listener
    ) -> None:
        self.files, self.preparation, self.listener = files, preparation, listener
        self._queue: Queue[Future[Decoded] | BaseException | None]
        self._queue = Queue(ahead)
        self._stopped = Event()

    def __enter__(self) -> _Decoding:
        self._ended = ExitStack()
        self._pool = self._ended.enter_context(quiet_decoders(min(os.cpu_count() or 1, 8)))
        # A thread that waits for the next name in a pipe must not keep the process alive.
        Thread(target=self._feed, name="pellucid-files", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._ended.close()

    def batches(self, size: int) -> Iterator[list[Decoded]]:
        """Yield up to ``size`` pictures at a time (uint8, or None), each with its file."""
        batch: list[Decoded] = []
        while True:
            try:
                item = self._queue.get(timeout=PAUSE if batch else WAIT)
            except Empty:
                if batch:
                    yield batch
                    batch = []
                continue
            if isinstance(item, Future):
                batch.append(item.result())
            if len(batch) == size or (batch and not isinstance(item, Future)):
                yield batch
                batch = []
            if isinstance(item, BaseException):
                raise item
            if item is None:
                return

    def _feed(self) -> None:
        """Let the pool decode each file; runs in a thread of its own."""
        try:
            for count, found in enumerate(self.files, 1):
                self.listener.found(count)
                if not self._put(self._pool.submit(decoded, *found, self.preparation)):
                    return
            self._put(None)
        except BaseException as error:
            self._put(error)

    def _put(self, item: Any) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=WAIT)
                return True
            except Full:
                pass
        return False


def decoded(path: Path, error: DataError | None, preparation: Preparation) -> Decoded:
    """Return a picture as the model is to see it, or why it cannot be read."""
    from ..data.images import read_pixels

    notes: list[str] = []
    if error is None:
        try:
            pixels = read_pixels(path, preparation, tell=notes.append)
            return pixels, Classified(path, notes=tuple(notes))
        except DataError as refusal:
            error = refusal
    return None, Classified(path, error=error)


@contextmanager
def quiet_decoders(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Start threads that decode; at the end of the block, what they have not begun is dropped.

    Python's warning filters are shared by all threads: they are set here, once.
    """
    pool = ThreadPoolExecutor(workers, "pellucid-decode")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
