"""A small file with the first layer's filters after each epoch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FileFormatError
from ..formats import describe_file, read_tensors, write_tensors
from ..nn import Layer
from ..typing import Array, PathLike
from .callbacks import Callback
from .history import EpochRecord

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["FilterFile", "FilterHistory", "first_filters"]

MOST_EPOCHS = 32  # besides epoch 0; longer trainings keep every second, fourth, ...
MOST_NUMBERS = 2**20  # 4 MiB: the file is rewritten after each epoch
MOST_FILTERS = 128


def first_filters(model: Layer) -> str | None:
    """Return the key of the first filters (FN, C, FH, FW) in the state dict; None without any.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> first_filters(SimpleConvNet((1, 8, 8)))
    'conv1.weight'
    """
    return next((k for k, p in model.parameters().items() if p.data.ndim == 4), None)


class FilterHistory:
    """Filters at several epochs of a training, bounded in number: old epochs are thinned out.

    Kept are the epochs 0, s, 2s, ..., s a power of 2, and the last one. They depend on the last
    epoch alone: a resumed training keeps the same epochs.

    Parameters
    ----------
    layer : str
        The key of the weights.

    Attributes
    ----------
    epochs : dict of int to array (FN, C, FH, FW)
        Epoch 0 is before training. At most the first 128 filters.

    Examples
    --------
    >>> history = FilterHistory("conv1.weight")
    >>> for epoch in range(71):
    ...     history.add(epoch, np.zeros((30, 1, 5, 5), dtype=np.float32))
    >>> list(history.epochs)[:3], list(history.epochs)[-2:], len(history.epochs)
    ([0, 4, 8], [68, 70], 19)
    """

    def __init__(self, layer: str) -> None:
        self.layer = layer
        self.epochs: dict[int, Array] = {}

    def add(self, epoch: int, weight: Array) -> None:
        """Copy the filters ``weight`` of ``epoch``, and thin out old epochs."""
        self.epochs[epoch] = np.array(weight[:MOST_FILTERS], dtype=np.float32)
        most = max(2, min(MOST_EPOCHS, MOST_NUMBERS // self.epochs[epoch].size - 1))
        step = 1
        while epoch // step > most:
            step *= 2
        self.epochs = {k: w for k, w in self.epochs.items() if k % step == 0 or k == epoch}

    def until(self, epoch: int) -> dict[int, Array]:
        """Return the epochs up to ``epoch``, in order."""
        return {k: self.epochs[k] for k in sorted(self.epochs) if k <= epoch}

    def save(self, path: PathLike) -> None:
        """Write a safetensors file atomically."""
        arrays = {f"epoch/{k}": w for k, w in self.epochs.items()}
        write_tensors(path, arrays, {"filters": json.dumps({"layer": self.layer})})

    @classmethod
    def load(cls, path: PathLike) -> FilterHistory:
        """Read what `save` wrote.

        Raises
        ------
        DataNotFoundError, FileFormatError
            If there is no such file; if it is damaged, was edited, or is another kind of file.
        """
        arrays, metadata = read_tensors(path)
        if "filters" not in metadata:
            raise FileFormatError(
                f"'{path}' holds no filters of a training: it is {describe_file(path)}. Give the "
                "filters.safetensors of a run folder."
            )
        try:
            history = cls(str(json.loads(metadata["filters"])["layer"]))
            found = {int(name.removeprefix("epoch/")): w for name, w in arrays.items()}
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise FileFormatError(f"'{path}' holds no filters of a training ({error}).") from error
        shapes = {w.shape for w in found.values()}
        if len(shapes) != 1 or any(w.ndim != 4 or not w.size for w in found.values()):
            raise FileFormatError(f"'{path}' holds no filters (FN, C, FH, FW) of one shape.")
        history.epochs = {k: found[k] for k in sorted(found)}
        return history


class FilterFile(Callback):
    """Write to ``path`` the first layer's filters before training and after each epoch.

    A resumed training continues the existing file. For a network without filters no file is
    written, and an older training's file at ``path`` is removed.

    Parameters
    ----------
    path : str or path
    before : array (FN, C, FH, FW), optional
        The filters before the training, for one that is resumed within its first epoch.
    """

    def __init__(self, path: PathLike, before: Array | None = None) -> None:
        self.path = Path(path)
        self._before = before
        self._history: FilterHistory | None = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Record the current filters; read those of earlier epochs, if any."""
        key = first_filters(trainer.model)
        if key is None:
            return
        if self._history is None:
            self._history = FilterHistory(key)
            if trainer.epoch:
                self._history.epochs = self._earlier(key, trainer)
            if self._before is not None and 0 not in self._history.epochs:
                self._history.epochs = {0: self._before[:MOST_FILTERS], **self._history.epochs}
        self._history.epochs = self._history.until(trainer.epoch)  # it may have gone back
        self._add(trainer)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Rewrite the whole file, which is therefore complete at every moment."""
        if self._history is None:
            self.path.unlink(missing_ok=True)
            return
        self._add(trainer)
        self._history.save(self.path)

    def _add(self, trainer: Trainer) -> None:
        assert self._history is not None
        weight = trainer.model.parameters()[self._history.layer].data
        if len(trainer.history.losses) == trainer.epoch * len(trainer.loader):  # between two epochs
            self._history.add(trainer.epoch, weight)

    def _earlier(self, key: str, trainer: Trainer) -> dict[int, Array]:
        """Return the file's filters of this training's finished epochs, if they fit the model."""
        try:
            saved = FilterHistory.load(self.path)
        except (FileFormatError, FileNotFoundError):
            return {}
        weight = trainer.model.parameters()[key].data[:MOST_FILTERS]
        earlier = saved.until(trainer.epoch)
        fits = saved.layer == key and all(w.shape == weight.shape for w in earlier.values())
        return earlier if fits else {}
