"""The weights that a training began with, had again from what its run has kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, PellucidError
from . import runs
from .start import new_network

if TYPE_CHECKING:
    from ..nn import Layer
    from ..training import FilterHistory
    from ..typing import Array

__all__ = ["filters_before", "given_init", "initial_weights"]


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
    import numpy as np

    if "from" in settings or not all(key in settings for key in ("model", "init", "seed")):
        return None
    if trained.input_shape is None:
        return None
    outputs = trained.output_shape(trained.input_shape)
    try:
        fresh = new_network(
            settings["model"],
            trained.input_shape,  # type: ignore[arg-type]  # three sizes, or it had not loaded
            outputs[0],
            _drawn(settings["init"]),
            np.random.default_rng(settings["seed"]),
        ).state_dict()
    except PellucidError:  # a network that this version does not know, or builds otherwise
        return None
    after = trained.state_dict()
    if {k: w.shape for k, w in fresh.items()} != {k: w.shape for k, w in after.items()}:
        return None
    return fresh if _is_the_same(run, fresh) else None


def filters_before(
    run: Path, settings: Mapping[str, Any], trained: Layer, key: str
) -> Array | None:
    """Return what the filters ``key`` of a state dict were before the training, if it is known.

    The first filters are in the run's own file, also of a training that went on from another.
    """
    weights = initial_weights(run, settings, trained)
    if weights is not None:
        return weights[key]
    kept = _kept(run)
    if kept is None or kept.layer != key or 0 not in kept.epochs:
        return None
    whole = kept.epochs[0].shape == trained.state_dict()[key].shape
    return kept.epochs[0] if whole else None


def given_init(text: str | None) -> str | float | None:
    """Return what ``--init`` says: a name, a deviation, or nothing."""
    if text is None:
        return None
    try:
        deviation = float(text)
    except ValueError:
        return text
    if not 0 <= deviation < math.inf:
        raise ArgumentError(
            f"must be a finite deviation, 0 or more; received {text}.", where="--init"
        )
    return deviation


def _drawn(init: str) -> str | float:
    given = given_init(init)
    return "he" if given is None else given


def _kept(run: Path) -> FilterHistory | None:
    from ..training import FilterHistory

    path = run / runs.FILTERS
    return FilterHistory.load(path) if path.is_file() else None


def _is_the_same(run: Path, fresh: Mapping[str, Array]) -> bool:
    """Return whether the filters that the run has kept, if it has, are those of ``fresh``."""
    import numpy as np

    kept = _kept(run)
    if kept is None or 0 not in kept.epochs or kept.layer not in fresh:
        return True
    return bool(np.array_equal(kept.epochs[0], fresh[kept.layer][: len(kept.epochs[0])]))
