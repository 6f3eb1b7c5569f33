"""Begin a run: from settings to a Trainer that is ready to train, and its folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .. import data as datasets
from .. import optim
from ..data import Augmentation, Dataset, Parts, Split
from ..errors import ArgumentError, ContradictionError, renamed
from ..names import shown
from ..nn import Layer, Normalize, SoftmaxCrossEntropy, set_decay
from ..optim import Optimizer
from ..optim.checks import require_decay
from ..shapes import shape_text
from ..training import EarlyStopping, History, Trainer, first_filters
from .class_weights import class_weights_of
from .completing import completed, rule_of, with_absolute_paths
from .folder import PICTURES, RunFolder
from .images import first_images, load_images
from .initial_weights import given_init
from .listener import Listener
from .logs import logs_of, remove_logs, require_logs
from .new_folder import new_folder, require_free
from .run_files import RunFiles
from .settings import Settings
from .starting_network import Start, choose_what_learns, new_network, taken_over
from .trained_model import split_of

if TYPE_CHECKING:
    from ..typing import Array, PathLike

__all__ = [
    "Run", "augmentation_of", "begin", "kept_models", "new_trainer", "stopping_of", "usable",
]  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run that has begun; `fit` trains, `pellucid.runs.finish` measures and draws.

    Attributes
    ----------
    settings : Settings
        Complete: with all defaults that depend on the data set or the network.
    folder : RunFolder
    trainer : Trainer
        With ``files`` among its callbacks; more may be added.
    test : Dataset
        What `pellucid.runs.finish` measures the network on.
    files : RunFiles
    start : Start
        The network's name, and notes on where it comes from.
    before : dict of str to array
        The network's weights before the training; of a resumed run its first filters alone.
    temporary : bool
        Whether `pellucid.runs.finish` removes the folder if no epoch was finished.
    """

    settings: Settings
    folder: RunFolder
    trainer: Trainer
    test: Dataset
    files: RunFiles
    start: Start
    before: dict[str, Array]
    temporary: bool

    def fit(self) -> History:
        """Train; see `Trainer.fit`. A diverging loss is an error, without NumPy's warnings."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.trainer.fit()

    @property
    def validation(self) -> Dataset | None:
        """The validation set, if there is one; else the epochs are measured on the test set."""
        watched = self.trainer.validation
        return watched if watched is not None and watched.split == "validation" else None

    @property
    def finished(self) -> bool:
        """Whether all epochs are done and the pictures of the last one are drawn."""
        done = self.trainer.epoch >= self.trainer.epochs
        return done and all((self.folder.path / name).exists() for name in self.pictures())

    def pictures(self) -> list[str]:
        """Return the names of the pictures that `pellucid.runs.finish` draws."""
        filters = first_filters(self.trainer.model) is not None
        return [name for name in PICTURES if filters or name != "filters.png"]

    def __str__(self) -> str:
        train, test, validation = self.trainer.train, self.test, self.validation
        shape = shape_text(train.image_shape)
        images = f"{len(train):,} image{'s' * (len(train) != 1)}"
        line = (
            f"{shown(self.start.name)}, {_parameters(self.trainer.model)}, on {images} of "
            f"{shown(train.name)} ({shape}); "
        )
        if validation is None:
            line += f"{len(test):,} held out"
        else:
            line += f"{len(validation):,} for validation, {len(test):,} to test on in the end"
        notes = [*self.start.notes, *_decay_notes(self.trainer)]
        return "\n".join([line, *(f"  {note}" for note in notes)])


def begin(
    settings: Settings,
    folder: PathLike | None = None,
    *,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> Run:
    """Read the images, build the network and create the run folder.

    Parameters
    ----------
    settings : Settings
    folder : path, optional
        The run folder; the next ``runs/DATASET-N`` by default.
    overwrite : bool
        Whether a run in ``folder`` may be replaced; it stays until the first epoch is finished.
    listener : Listener, optional
        Hears of the images that are read, and of files that are written.

    Raises
    ------
    ArgumentError, DataError, FileFormatError
        Naming the setting at fault; then no folder was created.
    """
    require_free(folder, overwrite=overwrite)
    settings = usable(settings)
    rule, stopping = rule_of(settings), stopping_of(settings)
    earlier = None if settings.source is None else split_of(settings.source)
    parts = load_images(settings, split=earlier, new_images="draw", listener=listener)
    split, train = Split.of(*parts), first_images(parts.train, settings.limit)
    parts = parts._replace(train=train)
    class_weights_of(settings.class_weights, train)  # refused before a network is built
    start = _start(settings, train)
    network, augment = _prepared(settings, start.network, train)
    choose_what_learns(network, settings.freeze, settings.rates)
    if settings.decay_all:
        set_decay(network, {"*": 1})
    before = network.state_dict()
    trainer = new_trainer(settings, network, parts, rule, augment)
    new = new_folder(folder, train.name, overwrite=overwrite)
    kept = replace(
        with_absolute_paths(settings), lr=rule.lr, augment=None if augment is None else str(augment)
    )
    key = first_filters(network)
    first = {} if key is None else {key: before[key]}
    files = RunFiles(new, kept, split, listener, before=first, keep=kept_models(kept, parts))
    if overwrite:
        remove_logs(new)
    trainer.callbacks += [*stopping, files, *logs_of(kept, new)]
    return Run(kept, new, trainer, parts.test, files, start, before, temporary=folder is None)


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
    return settings


def _start(settings: Settings, train: Dataset) -> Start:
    rng, init = np.random.default_rng(settings.seed), given_init(settings.init)
    if settings.source is not None:
        with renamed(weight_init="init"):
            return taken_over(settings.source, settings.model, train, init, rng)
    model, init = str(settings.model), "he" if init is None else init  # a deviation may be 0
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
        clip_norm=settings.clip_norm,
        ema=settings.ema,
        last_batch=settings.last_batch or "keep",
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        evaluate_samples=settings.evaluate_samples,
        augment=augment,
        engine=settings.engine,
        seed=settings.seed,
    )


def _decay_notes(trainer: Trainer) -> list[str]:
    """Say which parameters are decayed, if there is a weight decay."""
    rate = trainer.optimizer.weight_decay
    learning = [p for p in trainer.model.parameters().values() if p.rate]
    if not rate:
        return []
    spared = sum(p.data.size for p in learning if not p.decay)
    without = f"; none on {spared:,} parameters of biases and norms" if spared else ""
    return [f"weight decay {rate:g}{without}"]


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


def _parameters(network: Layer) -> str:
    total = network.parameter_count()
    learning = sum(p.data.size for p in network.parameters().values() if p.rate)
    return f"{total:,} parameters" + ("" if learning == total else f", {learning:,} of them learn")
