"""Checks and preparations of a Trainer before the first batch."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..data import Augmentation, Dataset, Loader
from ..errors import ArgumentError, DataError, ShapeError
from ..image_random import ImageRandom
from ..nn import Layer
from ..nn.checks import require_one_output
from .given import require_apart, require_classes
from .scale import Range, require_range, value_range

__all__ = [
    "Draws",
    "require_batches",
    "require_count",
    "require_fit",
]


class Draws:
    """The random generators of a training: an `ImageRandom` for each layer and the augmentation.

    Their numbers depend on (seed, epoch, image) and on a name: a layer's path, or the augmentation
    with its transforms.

    Attributes
    ----------
    names : list of str
    """

    def __init__(self, model: Layer, seed: int, augment: Augmentation | None = None) -> None:
        self._drawing: list[tuple[str, Any]] = [
            (path, layer) for path, layer in model.layers() if hasattr(layer, "rng")
        ]
        if augment is not None:
            self._drawing.append((f"augment {augment}", augment))
        self.names = [name for name, _ in self._drawing]
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Switch to another seed."""
        self._randoms = [ImageRandom(seed, name) for name in self.names]
        self.hand_out()

    def hand_out(self) -> None:
        """Set the generators again: another Trainer of the same model may have replaced them."""
        for (_, who), random in zip(self._drawing, self._randoms, strict=True):
            who.rng = random

    def at(self, loader: Loader) -> None:
        """Move to the images of the loader's batch; it did so for the augmentation."""
        for (_, who), random in zip(self._drawing, self._randoms, strict=True):
            if isinstance(who, Layer):
                random.at(loader.epoch, loader.chosen, loader.first)


def require_fit(
    model: Layer, train: Dataset, validation: Dataset | None, augment: Augmentation | None = None
) -> Range | None:
    """Refuse data that do not fit the model, the augmentation, or each other.

    Returns the value range of the training images.
    """
    require_one_output(model, "Trainer")
    _require_gradients(model)
    outputs = model.output_shape(train.image_shape)
    if outputs != (len(train.classes),):
        raise DataError(
            f"'{train.name}' has {len(train.classes)} classes, but the model's output for one "
            f"image has shape {outputs}. Its last layer must have {len(train.classes)} outputs.",
            where="Trainer",
        )
    require_apart(model)
    if not any(p.rate for p in model.parameters().values()):
        raise ArgumentError(
            "the model has no trainable parameters: none at all, or all are frozen. Give some "
            "layers a rate above 0.",
            where="Trainer",
        )
    if validation is not None:
        require_classes(train.classes, validation, "the training set has", "validation")
        image, classes = validation.image_shape, validation.classes
        if (image, classes) != (train.image_shape, train.classes):
            raise DataError(
                f"the validation set has images {image} of {len(classes)} classes, the training "
                f"set {train.image_shape} of {len(train.classes)}. Both must agree.",
                where="Trainer",
            )
    known = value_range(train)
    if augment is not None and known is not None:
        augment.require_range(*known)
    found = None if validation is None else value_range(validation)
    if known is not None and found is not None:
        require_range(known, found, "the training set has numbers", "validation")
    return known


def require_batches(model: Layer, loader: Loader) -> None:
    """Refuse batches of one image if a batch norm would see one value per channel.

    Only a run shows whether it would: a copy of the model is given one image.
    """
    train, batch_size, n = loader.dataset, loader.batch_size, len(loader.dataset)
    least = (loader.images % batch_size) or batch_size
    norms = [layer for _, layer in model.layers() if layer.batch_statistics]
    if least > 1 or not any(norm.trains_in(True) for norm in norms):
        return
    try:
        with np.errstate(all="ignore"):
            copy.deepcopy(model).train()(train.batch([0])[0])
    except ShapeError as error:
        if n == 1:
            raise DataError(
                f"'{train.name}' has one image, from which this model cannot learn. {error}",
                where="Trainer",
            ) from error
        rest = "the last batch" if batch_size > 1 else "every batch"
        drop = " To leave that batch out, use {last_batch}." if 1 < batch_size <= n else ""
        good = next(
            b
            for step in range(1, n + batch_size)
            for b in (batch_size + step, batch_size - step)
            if b > 1 and n % b != 1
        )
        raise ArgumentError(
            f"{n} images in batches of {batch_size} make {rest} a single image, from which this "
            f"model cannot learn. Use {{batch_size}}, or another number of images.{drop} ({error})",
            where="batch_size",
            arguments={"batch_size": good, "last_batch": "drop"},
        ) from error


def require_count(value: object, name: str, *, least: int = 1) -> None:
    """Refuse anything but an integer of at least ``least``."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:  # type: ignore[operator]
        raise ArgumentError(
            f"must be {least} or more, received {value}."
            if whole
            else f"must be an integer, {least} or more; received {value!r}.",
            where=name,
        )


def _require_gradients(model: Layer) -> None:
    """Refuse a network of which a layer has no gradient."""
    without = [path for path, layer in model.layers() if layer.inference_only]
    if without:
        more = f" and {len(without) - 1} more" if len(without) > 1 else ""
        raise ArgumentError(
            f"the network is quantized for inference: {without[0]!r}{more} cannot be trained. "
            "Train the float model, then quantize it again.",
            where="Trainer",
        )
