"""Checks of a Trainer's arguments."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy.typing as npt

from .. import optim
from ..data import Augmentation, Dataset
from ..errors import ArgumentError, DataError
from ..nn import Layer, Loss
from ..optim import Optimizer

__all__ = [
    "Images",
    "as_data",
    "as_dataset",
    "as_optimizer",
    "require_apart",
    "require_classes",
    "require_kinds",
    "require_loss_fits",
]

Images: TypeAlias = Dataset | tuple[npt.ArrayLike, npt.ArrayLike]

_OPTIONAL = ("validation", "loss", "augment")
_ARRAYS = "Give (images, labels), or `pellucid.data.Dataset.from_arrays(images, labels)`."
_KINDS: dict[str, tuple[type, str]] = {
    "model": (Layer, "Build one: `pellucid.models.SimpleConvNet(image_shape)`."),
    "train": (Dataset, _ARRAYS),
    "validation": (Dataset, _ARRAYS),
    "loss": (Loss, "Build one: `nn.SoftmaxCrossEntropy()`."),
    "optimizer": (Optimizer, "Build one, as `optim.Adam(lr=0.001)`, or give its name."),
    "augment": (
        Augmentation,
        "Combine transforms: `data.Augmentation(data.Flip(), data.Crop(4))`.",
    ),
}


def as_dataset(given: Any, name: str, like: Dataset | None = None) -> Any:
    """Return a data set made of ``(images, labels)``; anything else as it is.

    Its classes are those of the data set ``like``, by default ``"0"`` to the largest label.

    Raises
    ------
    DataError
        If `Dataset.from_arrays` refuses the arrays.
    """
    if not isinstance(given, tuple | list) or len(given) != 2:
        return given
    classes = like.classes if isinstance(like, Dataset) else None
    split = "train" if name == "train" else "test"
    return Dataset.from_arrays(given[0], given[1], classes, name, split)


def as_data(given: Any, where: str) -> Dataset:
    """Return a data set made of ``(images, labels)``, or the one that is given.

    Raises
    ------
    ArgumentError, DataError
        If it is neither; naming ``where``.
    """
    dataset = as_dataset(given, "arrays")
    if not isinstance(dataset, Dataset):
        raise ArgumentError(
            f"expects a Dataset or (images, labels), received {type(dataset).__name__}. Make one "
            "of your arrays: `pellucid.data.Dataset.from_arrays(images, labels)`.",
            where=where,
        )
    return dataset


def as_optimizer(optimizer: Optimizer | str, lr: float | None) -> Optimizer:
    """Return an optimizer given by its name, or as it is.

    Raises
    ------
    ArgumentError
        If no optimizer has this name; if a rate is given with an object, which has its own.
    """
    if isinstance(optimizer, str):
        return optim.by_name(optimizer, lr)
    if lr is not None:
        raise ArgumentError(
            "belongs to an optimizer given by name; an object has its own.", where="lr"
        )
    return optimizer


def require_kinds(**given: object) -> None:
    """Refuse arguments of the wrong type, and say what to give.

    Raises
    ------
    ArgumentError
        If one is of another type, or a class instead of an object.
    """
    for name, value in given.items():
        kind, advice = _KINDS[name]
        loss = name == "loss" and not isinstance(value, type) and hasattr(value, "backward")
        fits = isinstance(value, kind) or (loss and callable(value))
        if not fits and not (value is None and name in _OPTIONAL):
            plain = value is None or isinstance(value, str | type)
            received = repr(value) if plain else f"an object of {type(value).__name__}"
            raise ArgumentError(
                f"must be an object of {kind.__name__}, received {received}. {advice}", where=name
            )


def require_loss_fits(loss: Any, classes: int, augment: Augmentation | None) -> None:
    """Refuse a loss that is for another number of classes, or cannot take labels that are mixed.

    Raises
    ------
    ArgumentError
    """
    if hasattr(loss, "require_classes"):
        loss.require_classes(classes)
    if augment is not None and augment.mixes and not getattr(loss, "soft_labels", False):
        raise ArgumentError(
            f"{augment} mixes the labels of two images, which {type(loss).__name__} does not take. "
            "Use nn.SoftmaxCrossEntropy; a loss of your own that takes labels (N, K) says so by "
            "`soft_labels = True`.",
            where="augment",
        )


def require_apart(model: Layer) -> None:
    """Refuse parameters that share memory, since only the last gradient would count."""
    owners: dict[int, str] = {}
    for key, p in model.parameters().items():
        placed = p.data.size and p.data.flags.writeable  # else a placeholder of without_values
        at = p.data.__array_interface__["data"][0] if placed else id(p.data)
        if owners.setdefault(at, key) != key:
            raise ArgumentError(
                f"{owners[at]!r} and {key!r} share one array, so one gradient would be lost. "
                "Give each layer its own parameter.",
                where="Trainer",
            )


def require_classes(known: tuple[str, ...], dataset: Dataset, subject: str, where: str) -> None:
    """Refuse classes of the same number but other names; ``subject`` has the known ones."""
    pairs = zip(known, dataset.classes, strict=False)
    other = next((k for k, (a, b) in enumerate(pairs) if a != b), None)
    if len(known) == len(dataset.classes) and other is not None:
        raise DataError(
            f"{subject} {known[other]!r} for class {other}, and '{dataset.name}' has "
            f"{dataset.classes[other]!r}. Number the classes alike, in the order of their names.",
            where=where,
        )
