"""Metadata of a trained network: data set, classes, preparation of its images."""

from __future__ import annotations

from dataclasses import dataclass

from ..preparation import HeldOut, Preparation

__all__ = ["Card"]


@dataclass(frozen=True, slots=True)
class Card:
    """Metadata saved with a model, so that it can be used without its data set.

    Attributes
    ----------
    dataset : str
        The data set it was trained on.
    classes : tuple of str
        The class of each output.
    preparation : Preparation, optional
        How a picture is converted to look like the training images.
    held_out : HeldOut, optional
        How the test images were drawn, if they come from the same folder as the training images.
    value_range : (float, float), optional
        The smallest and the largest input number in training: (0, 1) for bytes.
    """

    dataset: str
    classes: tuple[str, ...]
    preparation: Preparation | None = None
    held_out: HeldOut | None = None
    value_range: tuple[float, float] | None = None
