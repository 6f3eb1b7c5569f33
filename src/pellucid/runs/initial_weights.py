"""Recover a run's initial weights from its settings and saved filters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, PellucidError
from .folder import RunFolder
from .starting_network import new_network

if TYPE_CHECKING:
    from ..nn import Layer
    from ..typing import Array

__all__ = ["filters_before", "given_init", "initial_weights", "weight_init_of"]


def initial_weights(
    run: RunFolder, settings: Mapping[str, Any], trained: Layer
) -> dict[str, Array] | None:
    """Return the weights that the network of a run had before it was trained.

    The settings determine them: the seed draws them. If the run has kept its first filters, the two
    are compared, so that other weights are never mistaken for these.

    Returns
    -------
    dict of str to array, or None
        As a state dict; None if the settings do not determine them, or they differ from the
        saved filters.
    """
    import numpy as np

    if "source" in settings or not all(key in settings for key in ("model", "init", "seed")):
        return None
    if trained.input_shape is None:
        return None
    outputs = trained.output_shape(trained.input_shape)
    try:
        fresh = new_network(
            settings["model"],
            trained.input_shape,  # type: ignore[arg-type]  # three sizes, or it had not loaded
            outputs[0],
            given_init(settings["init"]),
            np.random.default_rng(settings["seed"]),
        ).state_dict()
    except PellucidError:  # a network that this version does not know, or builds otherwise
        return None
    after = trained.state_dict()
    if {k: w.shape for k, w in fresh.items()} != {k: w.shape for k, w in after.items()}:
        return None
    return fresh if _is_the_same(run, fresh) else None


def filters_before(
    run: RunFolder, settings: Mapping[str, Any], trained: Layer, key: str
) -> Array | None:
    """Return the filters ``key`` of a state dict as they were before the training, if known.

    The first filters are in the run's own file, even if it started from a trained network.
    """
    weights = initial_weights(run, settings, trained)
    if weights is not None:
        return weights[key]
    kept = run.read_filters()
    if kept is None or kept.layer != key or 0 not in kept.epochs:
        return None
    whole = kept.epochs[0].shape == trained.state_dict()[key].shape
    return kept.epochs[0] if whole else None


def given_init(text: str | None) -> str | float | None:
    """Return what the setting ``init`` gives: a name, a standard deviation, or None."""
    return None if text is None else weight_init_of(text)


def weight_init_of(text: str) -> str | float:
    """Return the standard deviation that ``text`` gives, or the name that it is.

    Raises
    ------
    ArgumentError
        Where ``init`` is negative or not finite.
    """
    try:
        deviation = float(text)
    except ValueError:
        return text
    if not 0 <= deviation < math.inf:
        raise ArgumentError(
            f"must be a finite deviation, 0 or more; received {text}.", where="init"
        )
    return deviation


def _is_the_same(run: RunFolder, fresh: Mapping[str, Array]) -> bool:
    """Return whether ``fresh`` agrees with the filters that the run has kept, if it has any."""
    import numpy as np

    kept = run.read_filters()
    if kept is None or 0 not in kept.epochs or kept.layer not in fresh:
        return True
    return bool(np.array_equal(kept.epochs[0], fresh[kept.layer][: len(kept.epochs[0])]))
