"""What a trained network knows of its images besides their shape."""

from __future__ import annotations

from dataclasses import dataclass

from ..preparation import HeldOut, Preparation

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
    preparation : Preparation, optional
        What is done to a picture, so that it looks as the images did.
    held_out : HeldOut, optional
        How the test images were drawn, where they came from one folder with those it learned from.
    value_range : (float, float), optional
        The smallest and the largest number that the network was given: (0, 1) for bytes.
    """

    dataset: str
    classes: tuple[str, ...]
    preparation: Preparation | None = None
    held_out: HeldOut | None = None
    value_range: tuple[float, float] | None = None
