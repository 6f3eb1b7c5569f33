"""The defaults of settings that depend on other settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ArgumentError
from .images import is_folder

if TYPE_CHECKING:
    from ..optim import Optimizer
    from .settings import Settings

__all__ = ["completed", "rule_of"]


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
    """Return the settings with all defaults filled in, and paths that hold from everywhere.

    Examples
    --------
    >>> from pellucid.runs import Settings
    >>> whole = completed(Settings())
    >>> whole.model, whole.init, whole.epochs, whole.batch_size
    ('simple', '0.1', 40, 50)
    """
    from ..data.user_folders import expanded

    folder = is_folder(settings.data)
    recipe = FOLDER if folder else RECIPES.get(settings.data, BOOK)
    model, init = settings.model, settings.init
    if settings.source is None:  # otherwise the new last layer begins as the old one did
        model = model or "simple"
        init = init or (recipe.init if model == "simple" else "he")  # deeper ones would not learn
    where = settings.data_dir
    return replace(
        settings,
        data=str(expanded(settings.data).resolve()) if folder else settings.data,
        data_dir=None if where is None else expanded(where).resolve(),
        source=None if settings.source is None else settings.source.resolve(),
        model=model,
        init=init,
        epochs=settings.epochs or recipe.epochs,
        batch_size=settings.batch_size or recipe.batch_size,
        optimizer=settings.optimizer.lower(),
    )


def rule_of(settings: Settings) -> Optimizer:
    """Return the optimizer with its learning rate.

    Raises
    ------
    ArgumentError
        Naming the setting ``optimizer``, ``lr`` or ``weight_decay``.
    """
    from .. import optim

    rule = optim.by_name(settings.optimizer, settings.lr)
    if settings.weight_decay is None:
        return rule
    if not isinstance(rule, optim.AdamW):
        raise ArgumentError(
            "belongs to adamw; {optimizer} was given.",
            where="weight_decay",
            arguments={"optimizer": settings.optimizer},
        )
    return optim.AdamW(rule.lr, weight_decay=settings.weight_decay)
