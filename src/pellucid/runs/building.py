"""Build what a run begins with: images, network and Trainer, from its settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import data as datasets
from .. import optim
from ..data import Augmentation, Dataset, Parts, Split
from ..distributed import Communicator, chunks_of_ranks
from ..errors import ArgumentError, ContradictionError, PellucidError, renamed
from ..formats import load
from ..nn import Layer, Normalize, SoftmaxCrossEntropy, set_decay
from ..optim import Optimizer
from ..optim.checks import require_decay
from ..training import EarlyStopping, Trainer
from .calibrating import require_validation
from .class_weights import class_weights_of
from .completing import base_rate, completed, rule_of, with_absolute_paths
from .folder import model_path
from .images import first_images, is_folder, load_images
from .initial_weights import given_init
from .large_batches import warmup_from
from .listener import Listener
from .logs import require_logs
from .settings import Settings
from .starting_network import Start, choose_what_learns, new_network, taken_over
from .trained_model import split_of

if TYPE_CHECKING:
    from ..typing import Array

__all__ = [
    "Built",
    "augmentation_of",
    "build",
    "kept_models",
    "new_trainer",
    "resolved",
    "stopping_of",
    "usable",
]


class Built(NamedTuple):
    """What a run begins with, but for its folder; attributes as those of `Run`.

    Attributes
    ----------
    settings : Settings
    trainer : Trainer
        Without callbacks.
    parts : Parts
    split : Split or None
        Which image is used for what, where they are files.
    start : Start
    before : dict of str to array
    """

    settings: Settings
    trainer: Trainer
    parts: Parts
    split: Split | None
    start: Start
    before: dict[str, Array]


def build(
    settings: Settings,
    *,
    listener: Listener | None = None,
    communicator: Communicator | None = None,
) -> Built:
    """Read the images and build the network and its Trainer; nothing is written.

    Of several ranks all call this.

    Raises
    ------
    ArgumentError, DataError, FileFormatError
        Naming the setting at fault.
    """
    settings = usable(settings)  # refused before anything is read
    rule = rule_of(settings)
    earlier = None if settings.source is None else split_of(settings.source)
    if earlier is None:
        settings = _drawn_as_before(settings)
    parts = load_images(
        settings, split=earlier, new_images="draw", listener=listener, communicator=communicator
    )
    require_validation(settings.calibrate, parts)
    drawn = parts.test.held_out
    if settings.held_out is not None and not (drawn and drawn.share) and listener is not None:
        listener.note(
            "note: the folder has test images of its own: the fraction to hold out has no effect"
        )
    split, train = Split.of(*parts), first_images(parts.train, settings.limit)
    parts = parts._replace(train=train)
    class_weights_of(settings.class_weights, train)  # refused before a network is built
    start = _start(settings, train)
    network, augment = _prepared(settings, start.network, train)
    choose_what_learns(network, settings.freeze, settings.rates)
    if settings.decay_all:
        set_decay(network, {"*": 1})
    before = network.state_dict()
    trainer = new_trainer(settings, network, parts, rule, augment, communicator)
    return Built(resolved(settings), trainer, parts, split, start, before)


def resolved(settings: Settings) -> Settings:
    """Return complete settings as a run keeps them: valid in every folder, with their rate."""
    augment = settings.augment
    return replace(
        with_absolute_paths(settings),
        lr=base_rate(settings),
        augment=None if augment is None else str(datasets.augmentation(augment)),
    )


def _drawn_as_before(settings: Settings) -> Settings:
    """Return settings that draw the images that a model file was tested on, if it says which.

    Those of a run are known by its split; a copy of its model knows share and seed of the draw.
    """
    if settings.source is None or {settings.held_out, settings.split_seed} != {None}:
        return settings
    try:
        card = load(model_path(settings.source)).card
    except PellucidError:  # told of where the network is built; or PyTorch's weights
        return settings
    drawn = None if card is None else card.held_out
    if drawn is None:
        return settings
    share = drawn.share if drawn.share and is_folder(settings.data) else None
    return replace(settings, held_out=share, split_seed=drawn.seed)


def usable(settings: Settings) -> Settings:
    """Return the settings with all defaults; refuse those that are wrong whatever the images are.

    Raises
    ------
    ArgumentError
        Naming the setting at fault.
    """
    settings = completed(settings)
    rule_of(settings)
    if settings.schedule is not None:
        optim.schedule_by_name(settings.schedule)
    if settings.augment is not None:
        datasets.augmentation(settings.augment)
    stopping_of(settings)
    SoftmaxCrossEntropy(label_smoothing=settings.label_smoothing or 0.0)
    _require_decay(settings.ema)
    _require_warmup(settings)
    require_logs(settings.log)
    chunks_of_ranks(1, settings.chunks)
    return settings


def _start(settings: Settings, train: Dataset) -> Start:
    rng, init = np.random.default_rng(settings.seed), given_init(settings.init)
    if settings.source is not None:
        with renamed(weight_init="init"):
            return taken_over(settings.source, settings.model, train, init, rng)
    model = str(settings.model)
    network = new_network(model, train.image_shape, len(train.classes), init, rng)
    return Start(network, model, [])


def _prepared(
    settings: Settings, network: Layer, train: Dataset
) -> tuple[Layer, Augmentation | None]:
    """Return the network with a layer that normalises, and the augmentation, if they are wanted."""
    if not settings.normalize and settings.augment is None:
        return network, None
    mean, std = train.statistics()
    augment = augmentation_of(settings, mean)
    if settings.normalize:
        if any(isinstance(layer, Normalize) for _, layer in network.layers()):
            raise ContradictionError(
                "the network starts with a layer that normalises, from its own training. Leave it "
                "out.",
                where="normalize",
                against="source",
            )
        network = Normalize(mean, std).before(network)
    return network, augment


def augmentation_of(settings: Settings, mean: tuple[float, ...]) -> Augmentation | None:
    """Return what changes the training images; what it uncovers gets their ``mean``."""
    return None if settings.augment is None else datasets.augmentation(settings.augment, fill=mean)


def stopping_of(settings: Settings) -> list[EarlyStopping]:
    """Return the callback that ends the training early, if it is wanted."""
    if settings.patience is None:
        if settings.min_delta is not None:
            raise ArgumentError(
                "belongs to {patience}.", where="min_delta", arguments={"patience": 5}
            )
        return []
    return [EarlyStopping(settings.patience, settings.min_delta or 0.0)]


def kept_models(settings: Settings, parts: Parts) -> str:
    """Return which models are kept: "last", "best" or "both"."""
    return settings.keep or ("last" if parts.validation is None else "both")


def new_trainer(
    settings: Settings,
    network: Layer,
    parts: Parts,
    rule: Optimizer,
    augment: Augmentation | None,
    communicator: Communicator | None = None,
) -> Trainer:
    """Return a Trainer with the settings of a run; without a validation set it watches the test."""
    assert settings.epochs is not None
    assert settings.batch_size is not None
    weights = class_weights_of(settings.class_weights, parts.train)
    return Trainer(
        network,
        parts.train,
        parts.test if parts.validation is None else parts.validation,
        loss=SoftmaxCrossEntropy(weights, settings.label_smoothing or 0.0),
        optimizer=rule,
        schedule=settings.schedule,
        warmup=settings.warmup or 0.0,
        warmup_from=warmup_from(settings),
        clip_norm=settings.clip_norm,
        ema=settings.ema,
        last_batch=settings.last_batch or "keep",
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        evaluate_samples=settings.evaluate_samples,
        augment=augment,
        engine=settings.engine,
        precision=settings.precision,
        recompute=settings.recompute,
        seed=settings.seed,
        communicator=communicator,
        chunks=settings.chunks,
    )


def _require_decay(ema: float | None) -> None:
    if ema is not None:
        require_decay(ema, "ema")


def _require_warmup(settings: Settings) -> None:
    assert settings.epochs is not None
    if settings.warmup is not None and settings.warmup >= settings.epochs:
        raise ArgumentError(
            f"must be shorter than the training, received {settings.warmup:g} of "
            f"{settings.epochs} epochs.",
            where="warmup",
        )
