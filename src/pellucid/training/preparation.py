"""What a Trainer settles before the first batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from ..data import Augmentation, Dataset
from ..errors import ArgumentError, DataError, ShapeError
from ..image_random import ImageRandom
from ..nn import BatchNorm2d, Layer, Loss, Parameter, SoftmaxCrossEntropy
from ..nn.state import widened
from ..optim import Optimizer
from ..typing import Array
from .given import require_apart, require_classes
from .scale import Range, require_range, value_range

if TYPE_CHECKING:
    from ..kernels.compiling import Compiling

__all__ = [
    "Draws",
    "Engine",
    "Machinery",
    "machinery",
    "require_batches",
    "require_count",
    "require_fit",
]

Engine = Literal["reference", "fast"]


class Machinery(NamedTuple):
    """What an engine gives a training: the plain functions, or what does the same faster."""

    run: Any  # called for the scores; its `backward` follows
    loss: Loss
    update: Callable[[Optimizer, Mapping[str, Parameter]], None]
    gather: Callable[[Dataset, Array], tuple[Array, Array]] | None
    watched: Callable[[Callable[[Compiling], None]], AbstractContextManager[None]]


class _Layers:
    """The model itself, which is given images in the dtype of its parameters, as by a plan."""

    def __init__(self, model: Layer) -> None:
        self.model, self.backward = model, model.backward

    def __call__(self, x: Array) -> Array:
        return self.model(widened(x, self.model.parameters().values()))


def machinery(
    engine: str,
    model: Layer,
    shape: tuple[int, ...],
    batch_size: int,
    loss: Loss | None = None,
    run: Any = None,
    *,
    frozen: bool = False,
) -> Machinery:
    """Return the parts of ``engine``: "reference" or "fast".

    ``run``, if given, stands for the model; otherwise the engine makes what does, and relies on the
    weights to stay as they are if they are ``frozen``.

    Raises
    ------
    ArgumentError
        If there is no engine of that name.
    """
    loss = SoftmaxCrossEntropy() if loss is None else loss
    if engine == "reference":
        return Machinery(
            run=run or _Layers(model),
            loss=loss,
            update=_step,
            gather=None,
            watched=_unwatched,
        )
    if engine != "fast":
        raise ArgumentError(f"must be 'reference' or 'fast', received {engine!r}.", where="engine")
    from ..engine import FusedLoss, Gather, compile, update

    if run is None:
        model.output_shape(shape)  # refuses images that do not fit, and names the layer
        run = compile(model, shape, batch_size)
        if frozen:
            run.freeze()
    return Machinery(
        run=run,
        loss=FusedLoss(loss),
        update=update,
        gather=Gather(),
        watched=partial(_watched, run, not frozen),
    )


# Functions of the module: a Trainer is pickled with what its engine gave it.


def _step(optimizer: Optimizer, parameters: Mapping[str, Parameter]) -> None:
    optimizer.step(parameters)


def _unwatched(tell: Callable[[Compiling], None]) -> AbstractContextManager[None]:
    return nullcontext()


def _watched(
    run: Any, training: bool, tell: Callable[[Compiling], None]
) -> AbstractContextManager[None]:
    from ..engine import kernels_of
    from ..kernels.compiling import watch

    return watch(tell, kernels_of(run, training=training))


class Draws:
    """What draws random numbers in a training, each with an `ImageRandom` of its own.

    The numbers follow from (seed, epoch, image) and from the name of what draws: a layer's path,
    or the augmentation with its transforms.

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
        """Draw other numbers from now on: those of another seed."""
        self._randoms = [ImageRandom(seed, name) for name in self.names]
        self.hand_out()

    def hand_out(self) -> None:
        """Give each its own again: another Trainer with the same model may have given its own."""
        for (_, who), random in zip(self._drawing, self._randoms, strict=True):
            who.rng = random

    def at(self, epoch: int, images: Array) -> None:
        """Go to the images (N,) of a batch; the loader has done so for the augmentation."""
        for (_, who), random in zip(self._drawing, self._randoms, strict=True):
            if isinstance(who, Layer):
                random.at(epoch, images)


def require_fit(
    model: Layer, train: Dataset, test: Dataset | None, augment: Augmentation | None = None
) -> Range | None:
    """Refuse data that the model, or the augmentation, or the two sets each other do not fit.

    Returns the range of the training images' numbers.
    """
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
            "the model has nothing that learns: no parameters, or all are frozen. Give some layers "
            "a rate above 0.",
            where="Trainer",
        )
    if test is not None:
        require_classes(train.classes, test, "the training set has", "test")
    if test is not None and (test.image_shape, test.classes) != (train.image_shape, train.classes):
        raise DataError(
            f"the test set has images {test.image_shape} of {len(test.classes)} classes, the "
            f"training set {train.image_shape} of {len(train.classes)}. Use one kind for both.",
            where="Trainer",
        )
    known = value_range(train)
    if augment is not None and known is not None:
        augment.require_range(*known)
    found = None if test is None else value_range(test)
    if known is not None and found is not None:
        require_range(known, found, "the training set has numbers", "test")
    return known


def require_batches(model: Layer, train: Dataset, batch_size: int) -> None:
    """Refuse batches of one image where a batch norm then has one value a channel.

    Only a run can tell where a model of any kind has such a layer: a copy of it takes one image.
    """
    n = len(train)
    norms = [layer for _, layer in model.layers() if isinstance(layer, BatchNorm2d)]
    if (n % batch_size or batch_size) > 1 or not any(norm.trains_in(True) for norm in norms):
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
        good = next(
            b
            for step in range(1, n + batch_size)
            for b in (batch_size + step, batch_size - step)
            if b > 1 and n % b != 1
        )
        raise ArgumentError(
            f"{n} images in batches of {batch_size} make {rest} a single image, from which this "
            f"model cannot learn. Use {{batch_size}}, or another number of images. ({error})",
            where="batch_size",
            arguments={"batch_size": good},
        ) from error


def require_count(value: object, name: str, *, least: int = 1) -> None:
    """Refuse what is not an integer from ``least`` on."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:  # type: ignore[operator]
        raise ArgumentError(
            f"must be {least} or more, received {value}."
            if whole
            else f"must be an integer, {least} or more; received {value!r}.",
            where=name,
        )
