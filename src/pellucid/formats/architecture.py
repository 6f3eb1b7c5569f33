"""A model's architecture as plain data: class names and constructor arguments, nested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import models, nn
from ..errors import ArgumentError, FileFormatError, PellucidError, did_you_mean
from ..nn import Layer
from .older_architectures import translated

__all__ = ["build", "describe"]


def describe(model: Layer) -> dict[str, Any]:
    """Return what `build` needs, as dicts, lists, strings and numbers.

    Raises
    ------
    ArgumentError
        If a layer keeps no attribute for an argument of its constructor, or one that is not made of
        numbers, strings, lists, dicts and layers.

    Examples
    --------
    >>> describe(nn.MaxPool2d(2))["layer"]
    'MaxPool2d'
    """
    return {
        "layer": type(model).__name__,
        "config": {
            name: _plain(value, model._label)
            for name, value in model.config().items()
            if not (name == "weight_init" and callable(value))  # the file has the weights
        },
    }


def build(description: Mapping[str, Any], layers: Iterable[type[Layer]] = ()) -> Layer:
    """Return a new model of this architecture.

    Only layers and models of Pellucid are built, and those named in ``layers``: a description from
    elsewhere cannot name anything else.

    Parameters
    ----------
    description : mapping
        As `describe` returns it.
    layers : iterable of Layer classes
        Your own layers that may occur in it.

    Raises
    ------
    FileFormatError
        If it is not such a description, or names an unknown layer.
    """
    known = {
        name: kind
        for module in (nn, models)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, Layer) and kind is not Layer
    }
    known |= {kind.__name__: kind for kind in layers}
    try:
        return _build(description, known)
    except RecursionError as error:
        raise FileFormatError("the architecture is nested too deeply.") from error


def _build(description: Any, known: Mapping[str, type[Layer]]) -> Layer:
    if not _is_layer(description):
        raise FileFormatError(f"the architecture is malformed: {str(description)[:80]!r}.")
    name = description["layer"]
    if name not in known:
        raise FileFormatError(
            f"the architecture names the layer {name!r}, which is unknown. If it is your own, pass "
            f"its class: `load(path, layers=[{name}])`. {did_you_mean(name, known)}"
        )
    arguments = translated(name, description["config"])
    config = {key: _value(value, known) for key, value in arguments.items()}
    try:
        return known[name](**config)
    except PellucidError as error:
        raise FileFormatError(f"the architecture does not fit together: {error}") from error
    except (TypeError, ValueError, OverflowError, MemoryError) as error:
        raise FileFormatError(f"the architecture has unfit values for {name}: {error}") from error


def _is_layer(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"layer", "config"}
        and isinstance(value["layer"], str)
        and isinstance(value["config"], dict)
    )


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Layer):
        return describe(value)
    if isinstance(value, Mapping):
        return {key: _plain(item, where) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, str | int | float | None):
        raise ArgumentError(
            f"has the argument {value!r}, which no file can hold. Let its constructor take "
            "numbers, strings, lists, dicts or layers.",
            where=where,
        )
    return value


def _value(value: Any, known: Mapping[str, type[Layer]]) -> Any:
    if _is_layer(value):
        return _build(value, known)
    if isinstance(value, dict):
        return {key: _value(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_value(item, known) for item in value)
    return value
