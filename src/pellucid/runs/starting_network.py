"""The network that a run starts from: a new one, or one that was trained before."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import (
    ArgumentError,
    ContradictionError,
    FileFormatError,
    PellucidError,
    StateDictError,
    renamed,
)
from ..shapes import shape_text
from .folder import model_path

if TYPE_CHECKING:
    import numpy as np

    from ..data import Dataset
    from ..formats import Contents
    from ..nn import Layer
    from ..nn.init import WeightInit

__all__ = ["Start", "choose_what_learns", "new_network", "taken_over"]

ALL_BUT_LAST = "all-but-last"  # in place of a pattern of layers' names


class Start(NamedTuple):
    """A network, and notes on where it comes from."""

    network: Layer
    name: str
    notes: list[str]


def new_network(
    model: str,
    image_shape: tuple[int, int, int],
    classes: int,
    weight_init: WeightInit | None,
    rng: np.random.Generator,
) -> Layer:
    """Return the network that the setting ``model`` names or describes.

    Without ``weight_init``, the initial weights are those of `pellucid.models.by_name`.

    Raises
    ------
    ArgumentError
        Naming the setting ``model`` or ``init``.
    """
    from .. import models

    with renamed(pattern="model", weight_init="init"):
        if models.is_pattern(model):
            init = "he" if weight_init is None else weight_init
            return models.from_pattern(model, image_shape, classes, weight_init=init, rng=rng)
        return models.by_name(model, image_shape, classes, weight_init=weight_init, rng=rng)


def taken_over(
    source: Path,
    model: str | None,
    images: Dataset,
    weight_init: WeightInit | None,
    rng: np.random.Generator,
) -> Start:
    """Return the network in a file, for these images and classes.

    Its last layer is replaced, unless its classes have the same names as those of the images. A
    file of weights alone (PyTorch's, or safetensors) goes into a new network called ``model``; the
    notes say what is done to make it fit (see `nn.adapt`).

    Raises
    ------
    ArgumentError
        If the images do not fit it; if ``model`` is given for a file with an architecture, or
        missing for one without.
    """
    from .. import nn
    from ..formats.registry import read_network
    from ..formats.sniff import refusal
    from ..formats.tensors import ADVICE
    from ..nn.checks import require_one_output
    from ..nn.temperature import uncalibrated

    path = model_path(source)  # of two models of a run, the best on its validation set
    contents = read_network(path)
    if "filters" in contents.metadata:
        raise FileFormatError(refusal(path, "a network or its weights", ADVICE))
    if contents.build is None:
        return _with_weights(path, contents, model, images, weight_init, rng)
    if model is not None:
        raise ContradictionError(
            f"'{source}' holds its own architecture. Leave {{model}} out.",
            where="model",
            against="source",
            arguments={"model": ...},
        )
    network = uncalibrated(contents.build(()))  # its temperature is of another training
    require_one_output(network, "source")
    name = type(network).__name__
    known = network.card
    notes = [
        f"from {source}"
        + (f", which was trained on {known.dataset}" if known and known.dataset else "")
    ]
    if known is None or known.classes != images.classes:
        network = nn.with_head(network, len(images.classes), weight_init=weight_init, rng=rng)
        notes.append(f"'{nn.head_name(network)}' is new, for {len(images.classes)} other classes")
    try:
        network.output_shape(images.image_shape)
    except PellucidError as error:
        raise ArgumentError(
            f"the network in '{source}' was built for images {_by(network.input_shape)}, and "
            f"does not take {_by(images.image_shape)} of '{images.name}' ({error}). Make them fit "
            "with {size} and {channels}, where they come from a folder.",
            where="source",
            arguments={"size": ..., "channels": ...},
        ) from error
    return Start(network, name, notes)


def _with_weights(
    path: Path,
    contents: Contents,
    model: str | None,
    images: Dataset,
    weight_init: WeightInit | None,
    rng: np.random.Generator,
) -> Start:
    """Put weights by their keys into a new network, all but those of another last layer."""
    from .. import nn
    from ..nn.adapt import adapted

    if model is None:
        raise ArgumentError(
            f"'{path}' holds weights but no architecture. Say which network they belong to, e.g. "
            "{model}.",
            where="source",
            arguments={"model": "resnet18"},
        )
    network = new_network(model, images.image_shape, len(images.classes), weight_init, rng)
    notes = [f"from {path}", *contents.notes]
    try:
        state, new_head, changes = adapted(network, contents.tensors)
        network.load_state_dict(state)
    except StateDictError as error:
        error.where = "source"
        error.message += "".join(f"\nThe weights: {note}." for note in contents.notes[:1])
        others = [name for name in _fitting(contents.tensors) if name != model]
        if others:
            error.message += f" They fit {' or '.join(others)}: name it with {{model}}."
            error.arguments["model"] = ("model", others[0])
        raise
    notes += changes
    if new_head:
        notes.append(f"'{nn.head_name(network)}' is new, for {len(images.classes)} other classes")
    return Start(network, model, notes)


def _fitting(arrays: dict[str, np.ndarray]) -> list[str]:
    """Return the networks by name that these are the weights of, at their published size."""
    from .. import models
    from ..networks import NETWORKS
    from ..nn import head_name
    from ..nn.init import without_values
    from ..nn.keys import is_count, without_wrappers

    shapes = {without_wrappers(key): array.shape for key, array in arrays.items()}
    found = []
    for name in NETWORKS:
        with without_values():
            network = models.by_name(name, *models.published_for(name))
        own = {key: parameter.data.shape for key, parameter in network.parameters().items()}
        head = f"{head_name(network)}."
        body = {key: shape for key, shape in own.items() if not key.startswith(head)}
        known = sum(not is_count(key) for key in shapes)
        if body.items() <= shapes.items() and 2 * len(body) >= known:
            found.append(name)
    return found


def choose_what_learns(network: Layer, freeze: str | None, rates: str | None) -> None:
    """Set the learning-rate multipliers that the settings ``freeze`` and ``rates`` give.

    "all-but-last" stands for all layers except the last one with weights, which is the new one
    for other classes. It comes before all patterns.

    Raises
    ------
    ArgumentError
        If they name layers that do not exist, or leave nothing to train.
    """
    from ..nn import head_name, set_rates

    where = "rates" if rates else "freeze"
    found = _rates_of(freeze, rates)
    others = found.pop(ALL_BUT_LAST, None)
    if others is not None:
        last = head_name(network)
        for key, parameter in network.parameters().items():
            if last and not key.startswith(f"{last}."):
                parameter.rate = others
    with renamed(rates=where):
        set_rates(network, found)
    if not any(p.rate for p in network.parameters().values()):
        raise ArgumentError("nothing is left that learns. Leave some layers out.", where=where)


def _rates_of(freeze: str | None, rates: str | None) -> dict[str, float]:
    """Return patterns of layers' names and their learning-rate multipliers.

    Raises
    ------
    ArgumentError
        If it is not of the form ``PATTERN=NUMBER,...``.

    Examples
    --------
    >>> _rates_of("conv*", "*=0.5,affine1=0.1")
    {'*': 0.5, 'affine1': 0.1, 'conv*': 0.0}
    """
    found: dict[str, float] = {}
    for part in filter(None, (rates or "").split(",")):
        pattern, _, number = part.partition("=")
        try:
            found[pattern.strip()] = rate = float(number)
        except ValueError:
            rate = math.nan
        if not 0 <= rate < math.inf or not pattern.strip():
            raise ArgumentError(
                "must be layers with learning-rate multipliers, as conv*=0.1,affine1=0.5; "
                f"received {part!r}.",
                where="rates",
            )
    frozen = [pattern.strip() for pattern in (freeze or "").split(",")]
    return found | dict.fromkeys(filter(None, frozen), 0.0)


def _by(shape: tuple[int, ...] | None) -> str:
    return shape_text(shape) if shape else "of another shape"
