"""What a trained network knows of its images besides their shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Card"]


@dataclass(frozen=True, slots=True)
class Card:
    """Travels with a model into its file, so that the model can be used without its data set.

    Attributes
    ----------
    dataset : str
        What it was trained on.
    classes : tuple of str
        What each output means.
    background : {"dark", "light"}
        How the borders of the images look, so that a picture can be inverted to match.
    value_range : (float, float) or None
        The smallest and the largest number that the network was given: (0, 1) for bytes.
    """

    dataset: str
    classes: tuple[str, ...]
    background: Literal["dark", "light"]
    value_range: tuple[float, float] | None = None
