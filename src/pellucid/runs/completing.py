"""The defaults of settings that depend on other settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ArgumentError
from .images import is_folder

if TYPE_CHECKING:
    from ..optim import Optimizer
    from .settings import Settings

__all__ = ["base_rate", "completed", "rule_of", "with_absolute_paths"]


class Recipe(NamedTuple):
    """What a data set is trained with by default; ``init`` is that of the network ``simple``."""

    epochs: int
    batch_size: int
    init: str


# The book's, and what small images need, as was found on a part of the training images.
BOOK = Recipe(20, 100, "0.01")
FOLDER = Recipe(20, 100, "he")
RECIPES = {"digits": Recipe(40, 50, "0.1")}


def completed(settings: Settings) -> Settings:
    """Return the settings with the defaults that depend on the data set and the network.

    Examples
    --------
    >>> from pellucid.runs import Settings
    >>> whole = completed(Settings())
    >>> whole.model, whole.init, whole.epochs, whole.batch_size
    ('simple', '0.1', 40, 50)
    """
    recipe = FOLDER if is_folder(settings.data) else RECIPES.get(settings.data, BOOK)
    model, init = settings.model, settings.init
    if settings.source is None:  # otherwise the new last layer begins as the old one did
        model = model or "simple"
        init = init or (recipe.init if model == "simple" else "he")  # deeper ones would not learn
    return replace(
        settings,
        model=model,
        init=init,
        epochs=settings.epochs or recipe.epochs,
        batch_size=settings.batch_size or recipe.batch_size,
        optimizer=settings.optimizer.lower(),
    )


def with_absolute_paths(settings: Settings) -> Settings:
    """Return settings whose paths are valid in every folder."""
    from ..data.user_folders import expanded

    data, data_dir, source = settings.data, settings.data_dir, settings.source
    return replace(
        settings,
        data=str(expanded(data).resolve()) if is_folder(data) else data,
        data_dir=None if data_dir is None else expanded(data_dir).resolve(),
        source=None if source is None else source.resolve(),
    )


def base_rate(settings: Settings) -> float:
    """Return the learning rate before it is scaled with the batch; by default the optimizer's."""
    from .. import optim

    return optim.by_name(settings.optimizer, settings.lr).lr


def rule_of(settings: Settings) -> Optimizer:
    """Return the optimizer of complete settings, with its learning rate and weight decay.

    Raises
    ------
    ArgumentError
        Naming the setting ``optimizer``, ``lr``, ``lr_scaling`` or ``weight_decay``.
    """
    from .. import optim
    from ..optim.checks import require_weight_decay

    rule = optim.by_name(settings.optimizer, settings.lr)
    if settings.scale_lr is not None:
        assert settings.batch_size is not None
        scaling = settings.lr_scaling or rule.batch_scaling or "linear"
        rule.lr = optim.scaled_rate(rule.lr, settings.batch_size, settings.scale_lr, scaling)
    elif settings.lr_scaling is not None:
        raise ArgumentError(
            "belongs to {scale_lr}.", where="lr_scaling", arguments={"scale_lr": 256}
        )
    if settings.weight_decay is not None:
        rule.weight_decay = require_weight_decay(settings.weight_decay)
    if settings.decay_all and not rule.weight_decay:
        raise ArgumentError(
            "needs a weight decay above 0: give {weight_decay} too.",
            where="decay_all",
            arguments={"weight_decay": 0.01},
        )
    return rule
