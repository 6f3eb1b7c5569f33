"""What is settled when a Trainer is built."""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import ArgumentError

__all__ = ["Settled"]


class Settled:
    """Base of the Trainer: refuses to replace what its plan, loader and generators were made from.

    Replaced later it would be shown, and not be used.
    """

    SETTLED: ClassVar[frozenset[str]] = frozenset(
        {"model", "train", "loss", "augment", "engine", "seed", "loader"}
    )
    lr: float

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.SETTLED and name in vars(self):
            raise ArgumentError(
                "is settled when a Trainer is built, and would not be used if it were replaced. "
                "Build a new Trainer; with the same model and optimizer it goes on from these.",
                where=name,
            )
        super().__setattr__(name, value)
        if name == "optimizer":  # another one brings its own rate
            self.lr = value.lr
