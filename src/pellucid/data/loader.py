"""Shuffled float32 batches for training, resumable in the middle of a pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np

from ..distributed import Share
from ..errors import ArgumentError
from ..image_random import ImageRandom, permutation
from ..typing import Array
from .augmentation import Augmentation
from .dataset import Dataset
from .stored_images import on_disk

__all__ = ["LastBatch", "Loader"]

LastBatch: TypeAlias = Literal["keep", "drop"]


class Loader:
    """Iterate over a data set in float32 batches, one pass per ``for`` loop.

    An interrupted pass resumes where it stopped; after a finished pass a new one begins. With a
    ``seed`` the order follows from (seed, epoch), and the augmentation's draws from (seed, epoch,
    image): a resumed pass needs only `state`. With an ``rng``, the caller restores its state as
    well.

    Parameters
    ----------
    dataset : Dataset
        The images.
    batch_size : int
        Images per batch.
    rng : numpy.random.Generator, optional
        Draws a new permutation for each pass.
    seed : int, optional
        Determines the permutation of each pass, in place of an ``rng``. With neither, the images
        come in order.
    gather : callable, optional
        Called with ``dataset`` and the indices of a batch in place of ``dataset.batch(indices)``;
        it may be faster, and use a buffer that the next batch overwrites.
    augment : Augmentation, optional
        Augments each batch, with its own generator; an `ImageRandom` gets the images' indices
        first.
    last_batch : {"keep", "drop"}
        Whether the last batch of a pass has the rest of the images, or the rest, other images in
        each pass, is left out.
    share : Share, optional
        The part of each batch that this process computes, where several share a training. Only
        these images are read and augmented (for a transform that mixes images, also those mixed
        into them), and they are what one process would get; the generator of the augmentation must
        be an `ImageRandom`.

    Attributes
    ----------
    order : int64 array
        The permutation of the current pass; empty before the first.
    position : int
        Images of this pass that were returned already, by all processes.
    epoch : int
        The current pass, counted from 0; -1 before the first.
    chosen : int64 array
        The indices of the last batch; with a share, of this process's part of it.
    first, count : int, int
        The index of the first image of the last batch, and its number of images.

    Examples
    --------
    >>> ten = Dataset.from_arrays(np.zeros((10, 1, 2, 2), np.uint8), np.arange(10))
    >>> for x, labels in Loader(ten, batch_size=4):
    ...     print(x.shape, x.dtype, labels)
    (4, 1, 2, 2) float32 [0 1 2 3]
    (4, 1, 2, 2) float32 [4 5 6 7]
    (2, 1, 2, 2) float32 [8 9]
    >>> shuffled = Loader(ten, 4, rng=np.random.default_rng(0))
    >>> [labels.tolist() for _, labels in shuffled]
    [[4, 6, 2, 7], [3, 5, 9, 0], [8, 1]]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 100,
        *,
        rng: np.random.Generator | None = None,
        seed: int | None = None,
        gather: Callable[[Dataset, Array], tuple[Array, Array]] | None = None,
        augment: Augmentation | None = None,
        last_batch: LastBatch = "keep",
        share: Share | None = None,
    ) -> None:
        if not _is_count(batch_size) or batch_size < 1:
            raise ArgumentError(
                f"must be an integer, 1 or more; received {batch_size!r}.", where="batch_size"
            )
        if not (rng is None or isinstance(rng, np.random.Generator)):
            raise ArgumentError(
                f"must be a numpy.random.Generator or None, received {rng!r}. Make one: "
                "`np.random.default_rng(0)`.",
                where="rng",
            )
        if seed is not None and (rng is not None or not _is_count(seed) or seed < 0):
            raise ArgumentError(
                f"must be an integer, 0 or more, in place of an `rng`; received {seed!r}"
                f"{'' if rng is None else ' and an rng'}.",
                where="seed",
            )
        if not (augment is None or (callable(augment) and hasattr(augment, "rng"))):
            raise ArgumentError(
                f"must be an Augmentation, received {augment!r}. Make one: "
                "`data.augmentation('flip,crop4')`, or `data.Augmentation(data.Flip())`.",
                where="augment",
            )
        if last_batch not in ("keep", "drop"):
            raise ArgumentError(
                f"must be 'keep' or 'drop', received {last_batch!r}.", where="last_batch"
            )
        if last_batch == "drop" and len(dataset) < batch_size:
            raise ArgumentError(
                f"'drop' would leave nothing of {len(dataset)} images in batches of {batch_size}. "
                "Use a smaller {batch_size}, or keep the last batch.",
                where="last_batch",
                arguments={"batch_size": ...},
            )
        shared = share is not None and not share.alone
        if shared and augment is not None and not isinstance(augment.rng, ImageRandom):
            raise ArgumentError(
                "must draw by the image where several processes share the batches, or their images "
                f"would not be those of one process; draws from {augment.rng!r}. Set its `rng` to "
                "a `pellucid.image_random.ImageRandom`.",
                where="augment",
            )
        self.dataset = dataset
        self.batch_size = int(batch_size)
        self.last_batch: LastBatch = last_batch
        self.rng = rng
        self.seed = seed
        self.gather = gather
        self.augment = augment
        self._drawn_from: Any = None  # the state of augment.rng before the last batch
        self.order: Array = np.empty(0, dtype=np.int64)
        self.position = 0
        self.epoch = -1
        self.chosen: Array = self.order
        self.first = self.count = 0
        self._share = share if shared else None

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        self._begin()
        while self.position < self._end():
            yield self.next()

    def next(self) -> tuple[Array, Array]:
        """Return the next batch; after the last one, the first of a new pass.

        Returns
        -------
        x : float32 array (B, C, H, W)
        labels : int64 array (B,)
            Or float32 (B, K), rows that sum to 1, if the augmentation mixes images.
        """
        self._begin()
        batch = self._batch()
        mine = slice(None) if self._share is None else self._share.begin(len(batch))
        self.chosen, self.first, self.count = batch[mine], int(batch[0]), len(batch)
        read = self._read(batch)
        x, labels = self._gathered(read)
        if self.augment is not None and len(read):
            x, labels = self._augmented(self.augment, read, x, labels)
        self.position += len(batch)
        self._prefetch()
        return x[: len(self.chosen)], labels[: len(self.chosen)]

    def _batch(self) -> Array:
        """Return the indices of the next batch of this pass."""
        return self.order[self.position : min(self.position + self.batch_size, self._end())]

    def _read(self, batch: Array) -> Array:
        """Return the indices of the images of a batch that are needed here."""
        if self._share is None:
            return batch
        mine = self._share.part(len(batch))
        mixing = getattr(self.augment, "mixing", 0)  # each such transform takes the next image
        if not mixing or mine.start == mine.stop:
            return batch[mine]
        return batch[np.arange(mine.start, mine.stop + mixing) % len(batch)]

    def _gathered(self, chosen: Array) -> tuple[Array, Array]:
        if not len(chosen):  # this process has nothing of a small batch
            images, labels = self.dataset.image_shape, self.dataset.labels[:0]
            x = np.empty((0, *images), dtype=np.float32)
            mixed = getattr(self.augment, "mixes", False)
            return x, np.empty((0, len(self.dataset.classes)), np.float32) if mixed else labels
        gather = Dataset.batch if self.gather is None else self.gather
        return gather(self.dataset, chosen)

    def _prefetch(self) -> None:
        """Let images on disk be read while the caller works with the batch before."""
        images = self.dataset.images
        if on_disk(images) and len(following := self._read(self._batch())):
            images.prefetch(following)

    def _begin(self) -> None:
        if self.position >= self._end():
            self._drawn_from = None
            order = self._new_order(len(self.dataset), self.epoch + 1)
            self.order, self.position, self.epoch = order, 0, self.epoch + 1

    def _new_order(self, n: int, epoch: int) -> Array:
        if self.seed is not None:
            return permutation(self.seed, epoch, n)
        return np.arange(n) if self.rng is None else self.rng.permutation(n)

    def _end(self) -> int:
        """Return the position after the last batch of the current pass; 0 before the first."""
        return min(len(self.order), self.images)

    @property
    def images(self) -> int:
        """The number of images in a whole pass."""
        n = len(self.dataset)
        return n if self.last_batch == "keep" else n - n % self.batch_size

    def __len__(self) -> int:
        """Return the number of batches in a whole pass."""
        return -(-self.images // self.batch_size)

    def __repr__(self) -> str:
        order = "in order" if self.rng is None and self.seed is None else "shuffled"
        return f"Loader({self.dataset!r}, batch_size={self.batch_size}, {order})"

    def _augmented(
        self, augment: Augmentation, chosen: Array, x: Array, labels: Array
    ) -> tuple[Array, Array]:
        """Return the batch augmented; if that fails, restore the generator's state."""
        if isinstance(augment.rng, ImageRandom):
            augment.rng.at(self.epoch, chosen, self.first)
            return self._changed(augment, x, labels)
        drawn_from = augment.rng.bit_generator.state
        try:
            changed = self._changed(augment, x, labels)
        except BaseException:
            augment.rng.bit_generator.state = drawn_from
            raise
        self._drawn_from = drawn_from
        return changed

    def _changed(self, augment: Augmentation, x: Array, labels: Array) -> tuple[Array, Array]:
        if not getattr(augment, "mixes", False):
            return augment(x), labels
        targets = np.eye(len(self.dataset.classes), dtype=np.float32)[labels]
        return augment(x, targets), targets

    def rewind(self, position: int) -> None:
        """Return to ``position``, at most one batch back; it is drawn the same way again."""
        rng = None if self.augment is None else self.augment.rng
        if isinstance(rng, np.random.Generator) and self._drawn_from and position < self.position:
            rng.bit_generator.state = self._drawn_from
        self.position = position

    def state(self) -> dict[str, Any]:
        """Return the state of the current pass: a copy of ``order``, ``position``, ``epoch``."""
        return {"order": self.order.copy(), "position": self.position, "epoch": self.epoch}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state`; the next ``for`` loop yields the rest of that pass.

        Raises
        ------
        ArgumentError
            If the state is not that of a data set of this length.
        """
        missing = {"order", "position"} - set(state)
        if missing:
            raise ArgumentError(
                f"expects 'order' and 'position', received only {sorted(state)}.",
                where="load_state",
            )
        order, position, n = np.asarray(state["order"]), state["position"], len(self.dataset)
        if order.shape not in ((n,), (0,)):
            raise ArgumentError(
                f"the saved order has shape {order.shape}, but the data set has {n} images. "
                "Resume with the data set that the state was saved with.",
                where="load_state",
            )
        # Cheaper than sorting; a saved order may come from a damaged file.
        known = order.dtype.kind in "iu" and bool(np.all((order >= 0) & (order < n)))
        if order.size and not (known and np.all(np.bincount(order.astype(np.int64)) == 1)):
            raise ArgumentError(
                f"the saved order is not a permutation of 0 to {n - 1}: some image would come "
                "twice or never in this pass. Resume from another checkpoint.",
                where="load_state",
            )
        if not _is_count(position) or not 0 <= position <= len(order):
            raise ArgumentError(
                f"the saved position must lie in 0 to {len(order)}, received {position!r}.",
                where="load_state",
            )
        epoch = state.get("epoch", 0 if order.size else -1)
        if not _is_count(epoch) or epoch < -1 or (epoch < 0) != (not order.size):
            raise ArgumentError(
                f"the saved epoch must count the passes from 0, received {epoch!r}.",
                where="load_state",
            )
        self.order, self.position = order.astype(np.int64), int(position)
        self.epoch = int(epoch)


def _is_count(value: object) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, (bool, np.bool_))
