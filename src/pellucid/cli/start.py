"""Where a training begins: a new network, or one that has learned something else before."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ArgumentError, FileFormatError, PellucidError, StateDictError
from . import runs
from .messages import as_options

if TYPE_CHECKING:
    import numpy as np

    from ..data import Dataset
    from ..nn import Layer
    from ..nn.init import WeightInit

__all__ = ["Start", "choose_what_learns", "new_network", "taken_over"]


class Start(NamedTuple):
    """A network, and what to tell of where it comes from."""

    network: Layer
    name: str
    notes: list[str]


def new_network(
    model: str,
    image_shape: tuple[int, int, int],
    classes: int,
    weight_init: WeightInit,
    rng: np.random.Generator,
) -> Layer:
    """Return the network that ``--model`` names or describes, for such images and classes."""
    from .. import models

    build = models.from_pattern if models.is_pattern(model) else models.by_name
    with as_options(model="--model", pattern="--model", weight_init="--init"):
        return build(model, image_shape, classes, weight_init=weight_init, rng=rng)


def taken_over(
    source: Path,
    model: str | None,
    images: Dataset,
    weight_init: WeightInit | None,
    rng: np.random.Generator,
) -> Start:
    """Return the network in a file, for these images and classes.

    Its last layer is made anew, unless its classes are those of the images, by their names. A file
    of weights alone (PyTorch's, as safetensors) goes into a new network called ``model``; what is
    done to make it fit (see `nn.adapt`) is told in the notes.

    Raises
    ------
    ArgumentError
        If the images do not fit it; if ``model`` is given for a file that says its own, or missing
        for one that does not.
    """
    from .. import nn
    from ..formats.registry import read_network
    from ..formats.sniff import refusal

    path = runs.model_path(source)
    contents = read_network(path)
    if "filters" in contents.metadata:
        advice = "Give a run folder, a model file, or weights as a safetensors file."
        raise FileFormatError(refusal(path, "a network or its weights", advice))
    if contents.build is None:
        return _with_weights(path, contents.tensors, model, images, weight_init, rng)
    if model is not None:
        raise ArgumentError(
            f"'{source}' says itself which network it holds. Leave --model out.", where="--model"
        )
    network = contents.build(())
    name = type(network).__name__
    known = network.card
    notes = [f"from {source}" + (f", which learned {known.dataset}" if known else "")]
    if known is None or known.classes != images.classes:
        network = nn.with_head(network, len(images.classes), weight_init=weight_init, rng=rng)
        notes.append(f"'{nn.head_name(network)}' is new, for {len(images.classes)} other classes")
    try:
        network.output_shape(images.image_shape)
    except PellucidError as error:
        raise ArgumentError(
            f"the network in '{source}' was built for images {_by(network.input_shape)}, and "
            f"does not take {_by(images.image_shape)} of '{images.name}' ({error}). Make them fit "
            "with --size and --channels, where they come from a folder.",
            where="--from",
        ) from error
    return Start(network, name, notes)


def _with_weights(
    path: Path,
    arrays: dict[str, np.ndarray],
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
            "--model resnet18.",
            where="--from",
        )
    init = "he" if weight_init is None else weight_init
    network = new_network(model, images.image_shape, len(images.classes), init, rng)
    notes = [f"from {path}"]
    try:
        state, new_head, changes = adapted(network, arrays)
        network.load_state_dict(state)
    except StateDictError as error:
        error.where = "--from"
        raise
    notes += changes
    if new_head:
        notes.append(f"'{nn.head_name(network)}' is new, for {len(images.classes)} other classes")
    return Start(network, model, notes)


def choose_what_learns(network: Layer, freeze: str | None, rates: str | None) -> None:
    """Give the layers of a network the rates that ``--freeze`` and ``--rates`` say.

    Raises
    ------
    ArgumentError
        If they name no layers that are there, or nothing is left that learns.
    """
    from ..nn import set_rates

    option = "--rates" if rates else "--freeze"
    with as_options(rates=option):
        set_rates(network, _rates_of(freeze, rates))
    if not any(p.rate for p in network.parameters().values()):
        raise ArgumentError("nothing is left that learns. Leave some layers out.", where=option)


def _rates_of(freeze: str | None, rates: str | None) -> dict[str, float]:
    """Return what ``--freeze`` and ``--rates`` say: patterns and their rates.

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
                f"must be layers and what the learning rate is multiplied by for them, as "
                f"conv*=0.1,affine1=0.5; received {part!r}.",
                where="--rates",
            )
    frozen = [pattern.strip() for pattern in (freeze or "").split(",")]
    return found | dict.fromkeys(filter(None, frozen), 0.0)


def _by(shape: tuple[int, ...] | None) -> str:
    return "x".join(map(str, shape)) if shape else "of another shape"
