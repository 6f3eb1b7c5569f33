"""What is settled when a Trainer is built, and what may be changed into what."""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import ArgumentError
from ..optim import as_schedule
from .callbacks import as_callbacks
from .given import require_kinds
from .preparation import require_count

__all__ = ["Settled"]


class Settled:
    """Base of the Trainer, which looks at each attribute that is set.

    It refuses to replace what its plan, loader and generators were made from: replaced later it
    would be shown, and not be used.
    """

    SETTLED: ClassVar[frozenset[str]] = frozenset(
        {"model", "train", "loss", "augment", "engine", "seed", "loader"}
    )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.SETTLED and name in vars(self):
            raise ArgumentError(
                "is settled when a Trainer is built, and would not be used if it were replaced. "
                "Build a new Trainer; with the same model and optimizer it goes on from these.",
                where=name,
            )
        if name == "schedule":
            value = as_schedule(value)
        elif name == "callbacks":
            value = as_callbacks(value)
        elif name in ("optimizer", "test"):
            require_kinds(**{name: value})
        elif name == "epochs" or (name == "evaluate_samples" and value is not None):
            require_count(value, name, least=int(name != "epochs"))
        super().__setattr__(name, value)
