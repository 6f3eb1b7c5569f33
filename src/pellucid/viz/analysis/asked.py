"""Refuse arguments that a function of `pellucid.viz` does not expect, by their annotations."""

from __future__ import annotations

import inspect
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ...data import Dataset
from ...errors import ArgumentError
from ...nn import Layer

__all__ = ["asking"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") or isinstance(value, list | tuple | numbers.Number)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)


# By the name of an annotation: what it is called in an error, and whether a value is one.
KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "Layer": ("a model", lambda value: isinstance(value, Layer)),
    "Array": ("an array", _is_array),
    "Dataset": ("a Dataset", lambda value: isinstance(value, Dataset)),
    "History": ("a History", lambda value: hasattr(value, "epochs") and hasattr(value, "losses")),
    "Evaluation": ("an Evaluation", lambda value: hasattr(value, "confusion")),
    "Mapping": ("a dict", lambda value: isinstance(value, Mapping)),
    "Sequence": ("a list", _is_sequence),
    "Iterable": ("a list", lambda value: hasattr(value, "__iter__")),
    "Figure": ("a figure", lambda value: hasattr(value, "savefig")),
    "float": ("a number", lambda value: isinstance(value, numbers.Number)),
    "None": ("None", lambda value: value is None),
}
# By the name of a parameter: where to get it.
HINTS = {
    "dataset": "`pellucid.data.load(name)` reads one, `Dataset.from_arrays(images, labels)` makes "
    "one.",
    "epochs": "It holds the filters (FN, C, FH, FW) after each epoch.",
    "histories": "Write `{name: history}`.",
    "history": "`trainer.fit()` returns it, `pellucid.training.History.read_csv(path)` reads one.",
    "image": "One image of a data set is `dataset.batch([0])[0][0]`.",
    "images": "One image of a data set is `dataset.batch([0])[0][0]`.",
    "matrix": "`pellucid.evaluate(model, dataset)` returns one.",
    "model": "`pellucid.load(path)` reads one, and `trainer.model` is a Trainer's.",
    "panels": "Write `{title: layer_outputs(model, x)}`.",
    "probabilities": "`pellucid.predict(model, dataset)` returns them.",
    "units": "`units_by_depth(model, dataset)` returns them.",
    "weight": "Weights (FN, C, FH, FW) are `model.state_dict()['conv1.weight']`.",
    "x": "`dataset.batch([0])[0]` has one image of a data set.",
}


def asking(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorate a function: it refuses arguments of other kinds than their annotations name.

    Examples
    --------
    >>> from pellucid.viz import curves
    >>> curves("runs/digits")
    Traceback (most recent call last):
    pellucid.errors.ArgumentError: history: expects a History, received 'runs/digits'. \
`trainer.fit()` returns it, `pellucid.training.History.read_csv(path)` reads one.
    """
    signature = inspect.signature(function)
    wanted = {name: _kinds(p.annotation) for name, p in signature.parameters.items()}

    @wraps(function)
    def asked(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        for name, value in zip(wanted, arguments, strict=False):
            _require(name, value, wanted[name])
        for name, value in named.items():
            _require(name, value, wanted.get(name, []))
        return function(*arguments, **named)

    return asked


def _kinds(annotation: Any) -> list[str]:
    """Return the kinds that an annotation names; none if it names another."""
    if "Sequence[str]" in str(annotation):  # a string is one, of letters
        return []
    names = [part.strip() for part in re.sub(r"\[.*\]", "", str(annotation)).split("|")]
    return names if all(name in KINDS for name in names) else []


def _require(name: str, value: Any, kinds: list[str]) -> None:
    if not kinds or any(KINDS[kind][1](value) for kind in kinds):
        return
    expected = " or ".join(KINDS[kind][0] for kind in kinds if kind != "None")
    received = repr(str(value)) if isinstance(value, str) else type(value).__name__
    hint = f" {HINTS[name]}" if name in HINTS else ""
    raise ArgumentError(f"expects {expected}, received {received}.{hint}", where=name)
