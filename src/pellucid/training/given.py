"""What a Trainer is given, and when it cannot work with that."""

from __future__ import annotations

from .. import optim
from ..data import Augmentation, Dataset
from ..errors import ArgumentError, DataError
from ..nn import Layer, Loss
from ..optim import Optimizer

__all__ = ["as_optimizer", "require_apart", "require_classes", "require_kinds"]

_OPTIONAL = ("test", "loss", "augment")
_ARRAYS = "Make one of your arrays: `pellucid.data.Dataset.from_arrays(images, labels)`."
_KINDS: dict[str, tuple[type, str]] = {
    "model": (Layer, "Build one: `pellucid.models.SimpleConvNet(image_shape)`."),
    "train": (Dataset, _ARRAYS),
    "test": (Dataset, _ARRAYS),
    "loss": (Loss, "Build one: `nn.SoftmaxCrossEntropy()`."),
    "optimizer": (Optimizer, "Build one, as `optim.Adam(lr=0.001)`, or give its name."),
    "augment": (
        Augmentation,
        "Put transforms together: `data.Augmentation(data.Flip(), data.Crop(4))`.",
    ),
}


def as_optimizer(optimizer: Optimizer | str, lr: float | None) -> Optimizer:
    """Return an optimizer given by its name, or as it is.

    Raises
    ------
    ArgumentError
        If there is none of that name; for a rate beside an object, which has its own.
    """
    if isinstance(optimizer, str):
        return optim.by_name(optimizer, lr)
    if lr is not None:
        raise ArgumentError("belongs to an optimizer given by name.", where="lr")
    return optimizer


def require_kinds(**given: object) -> None:
    """Refuse what a Trainer cannot work with, and say what to give.

    Raises
    ------
    ArgumentError
        If an argument, called by its name, is of another kind, or a class instead of an object.
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


def require_apart(model: Layer) -> None:
    """Refuse parameters that share their numbers: of two gradients the last one would count."""
    owners: dict[int, str] = {}
    for key, p in model.parameters().items():
        placed = p.data.size and p.data.flags.writeable  # no place holder, see init.without_values
        at = p.data.__array_interface__["data"][0] if placed else id(p.data)
        if owners.setdefault(at, key) != key:
            raise ArgumentError(
                f"{owners[at]!r} and {key!r} are one array, and backward leaves the gradient of "
                "one of them. Give each layer its own parameter.",
                where="Trainer",
            )


def require_classes(known: tuple[str, ...], dataset: Dataset, who: str, where: str) -> None:
    """Refuse as many classes that mean something else, by their names; ``who`` has those known."""
    pairs = zip(known, dataset.classes, strict=False)
    other = next((k for k, (a, b) in enumerate(pairs) if a != b), None)
    if len(known) == len(dataset.classes) and other is not None:
        raise DataError(
            f"{who} {known[other]!r} for class {other}, and '{dataset.name}' has "
            f"{dataset.classes[other]!r}. Number the classes alike, in the order of their names.",
            where=where,
        )
