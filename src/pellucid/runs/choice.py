"""How the model of a run was chosen: which epoch, and by which images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..training import History

__all__ = ["Choice", "choice_of"]


@dataclass(frozen=True)
class Choice:
    """How the epoch of a run's model was chosen.

    Attributes
    ----------
    epoch : int
        The epoch after which the model was saved.
    best : bool
        Whether it was kept as the best one.
    stopped : bool
        Whether the training may have ended by ``patience``.
    role : str or None
        What the images are for by which the epochs were compared: "validation", "test", or None
        for training images.
    """

    epoch: int
    best: bool
    stopped: bool
    role: str | None

    @property
    def by_test(self) -> bool:
        """Whether the test set had a part in the choice, which makes its accuracy too high."""
        return self.role == "test" and (self.best or self.stopped)

    def __str__(self) -> str:
        """Return the end of a sentence on the accuracy; empty if nothing was chosen.

        Examples
        --------
        >>> print(f"accuracy 0.9{Choice(7, True, False, 'validation')}")
        accuracy 0.9, by the model of epoch 7, the best on the validation set
        >>> print(f"accuracy 0.9{Choice(7, False, True, 'test')}")
        accuracy 0.9; the test set had a part in the choice of the epoch, which makes its accuracy optimistic
        """  # noqa: E501
        said = ""
        if self.best:
            name = {"validation": "validation set", "test": "test set"}.get(
                self.role or "", "training images"
            )
            said = f", by the model of epoch {self.epoch}, the best on the {name}"
        elif self.role == "validation":
            said = f", by the model of epoch {self.epoch}, the last"
        if self.by_test:
            said += (
                "; the test set had a part in the choice of the epoch, which makes its accuracy "
            )
            said += "optimistic"
        return said


def choice_of(history: History, keep: str | None, patience: int | None) -> Choice:
    """Return how the model that `RunFolder.used` names was chosen.

    Parameters
    ----------
    history : History
        With one finished epoch at least.
    keep, patience
        The run's settings of these names.
    """
    last, best = history.epochs[-1], history.best
    assert best is not None
    # As `RunFolder.used` decides: of both models, the best only if a validation set chose it.
    chosen = keep == "best" or (keep != "last" and last.role == "validation")
    epoch = best.epoch if chosen else last.epoch
    return Choice(epoch, chosen, patience is not None, last.role)
