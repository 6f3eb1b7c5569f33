"""Checks of assignments to a Trainer's attributes."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..errors import ArgumentError
from ..optim import as_schedule
from ..optim.checks import require_positive
from ..other_names import require_arguments, unknown
from .callbacks import as_callbacks
from .given import as_dataset, require_kinds
from .preparation import require_count

__all__ = ["Settled"]


class Settled:
    """Base class of the Trainer: checks each attribute that is set.

    It refuses to replace what the plan, the loader and the generators were built from: the new
    value would be shown, but not used.
    """

    SETTLED: ClassVar[frozenset[str]] = frozenset(
        {
            "model",
            "train",
            "loss",
            "augment",
            "ema",
            "engine",
            "seed",
            "loader",
            "chunks",
            "precision",
            "recompute",
        }
    )

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse arguments of other frameworks before Python binds them."""
        require_arguments("Trainer", kwargs)
        return super().__new__(cls)

    if not TYPE_CHECKING:  # or a type checker would accept every attribute

        def __getattr__(self, name):
            error = unknown("Trainer", name, type(self).__name__)
            if error is None:
                return object.__getattribute__(self, name)  # raises the usual AttributeError
            raise error

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.SETTLED and name in vars(self):
            raise ArgumentError(
                "cannot be replaced after a Trainer is built. "
                "Build a new Trainer; with the same model and optimizer it continues with them.",
                where=name,
            )
        require_arguments("Trainer", {name: value})
        if name == "schedule":
            value = as_schedule(value)
        elif name == "callbacks":
            value = as_callbacks(value)
        elif name in ("optimizer", "validation"):
            if name == "validation":
                value = as_dataset(value, name, vars(self).get("train"))
            require_kinds(**{name: value})
        elif name == "progress" and value not in (None, True, False):
            raise ArgumentError(f"must be True, False or None, received {value!r}.", where=name)
        elif name == "clip_norm" and value is not None:
            value = require_positive(value, name)
        elif name == "warmup":
            value = _require_epochs(value, name)
        elif name == "warmup_from" and value is not None:
            value = _require_fraction(value, name)
        elif name == "epochs" or (name == "evaluate_samples" and value is not None):
            require_count(value, name, least=int(name != "epochs"))
        super().__setattr__(name, value)


def _require_epochs(value: Any, name: str) -> float:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        raise ArgumentError(
            f"must be a number of epochs, 0 or more, perhaps a fraction; received {value!r}.",
            where=name,
        )
    return float(value)


def _require_fraction(value: Any, name: str) -> float:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < value <= 1:
        raise ArgumentError(
            f"must be a fraction of the learning rate, above 0 and up to 1; received {value!r}.",
            where=name,
        )
    return float(value)
