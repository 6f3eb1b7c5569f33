"""The network that a training begins with, and how to have it again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, PellucidError
from . import runs

if TYPE_CHECKING:
    from ..nn import Layer
    from ..typing import Array

__all__ = ["initial_weights", "new_network"]


def new_network(
    model: str, image_shape: tuple[int, int, int], classes: int, init: str, seed: int
) -> Layer:
    """Return the network ``model``, a name or a pattern, with weights as ``--init`` says."""
    import numpy as np

    from .. import models

    build = models.from_pattern if models.is_pattern(model) else models.by_name
    return build(
        model,
        image_shape,
        classes,
        weight_init=_weight_init(init),
        rng=np.random.default_rng(seed),
    )


def initial_weights(
    run: Path, settings: Mapping[str, Any], trained: Layer
) -> dict[str, Array] | None:
    """Return the weights that the network of a run had before it was trained.

    They follow from the settings: the seed draws them. Where the run has kept its first filters,
    the two are compared, so that no other weights are ever taken for these.

    Returns
    -------
    dict of str to array, or None
        As a state dict; None if the settings do not say all, or the weights are not those.
    """
    if not all(key in settings for key in ("model", "init", "seed")):
        return None
    if trained.input_shape is None:
        return None
    outputs = trained.output_shape(trained.input_shape)
    try:
        fresh = new_network(
            settings["model"],
            trained.input_shape,  # type: ignore[arg-type]  # three sizes, or it had not loaded
            outputs[0],
            settings["init"],
            settings["seed"],
        ).state_dict()
    except PellucidError:  # a network that this version does not know, or builds otherwise
        return None
    after = trained.state_dict()
    if {k: w.shape for k, w in fresh.items()} != {k: w.shape for k, w in after.items()}:
        return None
    return fresh if _is_the_same(run, fresh) else None


def _is_the_same(run: Path, fresh: Mapping[str, Array]) -> bool:
    """Return whether the filters that the run has kept, if it has, are those of ``fresh``."""
    import numpy as np

    from ..training.filter_file import FilterHistory

    if not (run / runs.FILTERS).is_file():
        return True
    kept = FilterHistory.load(run / runs.FILTERS)
    if 0 not in kept.epochs or kept.layer not in fresh:
        return True
    return bool(np.array_equal(kept.epochs[0], fresh[kept.layer][: len(kept.epochs[0])]))


def _weight_init(text: str) -> str | float:
    try:
        deviation = float(text)
    except ValueError:
        return text
    if not 0 <= deviation < math.inf:
        raise ArgumentError(
            f"must be a finite deviation, 0 or more; received {text}.", where="--init"
        )
    return deviation
