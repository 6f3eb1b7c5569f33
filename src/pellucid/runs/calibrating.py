"""Calibrate a run: a temperature fitted to its validation set, judged on its test set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ArgumentError, DataError
from .listener import Listener
from .predictions import scores

if TYPE_CHECKING:
    from pathlib import Path

    from ..data import Dataset, Parts
    from ..distributed import Communicator
    from ..nn import Layer
    from ..training import Calibration
    from ..training.engines import EngineLike
    from ..typing import Array

__all__ = ["Temperatures", "compared", "fitted", "keep_temperature", "require_validation"]


@dataclass(frozen=True, eq=False)
class Temperatures:
    """A model's calibration on the test set, without a temperature and with one.

    Attributes
    ----------
    temperature : float or None
        The one that the model has, or else the one that fits its validation set; None if there is
        none.
    kept : bool
        Whether the model has it.
    images : int
        Validation images that it was fitted on, 0 if the model had it.
    without : Calibration
        Of the test images, with the model's scores as they are without a temperature.
    calibrated : Calibration or None
        With the temperature.
    problem : str
        Why no temperature could be fitted to a validation set; empty otherwise.
    """

    temperature: float | None
    kept: bool
    images: int
    without: Calibration
    calibrated: Calibration | None
    problem: str = ""


def fitted(
    model: Layer,
    validation: Dataset,
    engine: EngineLike = "compiled",
    *,
    listener: Listener | None = None,
    communicator: Communicator | None = None,
) -> float:
    """Return the temperature that fits a validation set best, whichever the model has.

    With a communicator the ranks, all of which call this, share the images.

    Raises
    ------
    DataError
        As `pellucid.training.fit_temperature`.
    """
    from ..training.temperature import refitted

    found = scores(model, validation, engine, listener=listener, communicator=communicator)
    return refitted(model, found, validation.labels)


def compared(
    model: Layer,
    test: Dataset,
    found: Array,
    validation: Dataset | None,
    engine: EngineLike = "compiled",
    *,
    refit: bool = False,
    listener: Listener | None = None,
    communicator: Communicator | None = None,
) -> Temperatures:
    """Return the calibration on ``test``, where the model has the scores ``found`` (N, K).

    Parameters
    ----------
    model : Layer
    test : Dataset
    found : array (N, K)
    validation : Dataset or None
        For a temperature, if the model has none or with ``refit``.
    engine
        For the scores of ``validation``.
    refit : bool
        Fit a temperature even if the model has one.
    listener : Listener, optional
    communicator : Communicator, optional
        Of ranks that all call this, and share the images of ``validation``.
    """
    import numpy as np

    from ..nn.temperature import temperature_of
    from ..ops import softmax
    from ..training import Calibration

    def measured(t: float) -> Calibration:
        with np.errstate(under="ignore"):
            return Calibration.of(softmax(found * found.dtype.type(own / t)), test.labels)

    own = temperature_of(model)
    kept, images, problem = own != 1, 0, ""
    temperature = own if kept else None
    if validation is not None and (refit or not kept):
        try:
            temperature = fitted(
                model, validation, engine, listener=listener, communicator=communicator
            )
            kept, images = False, len(validation)
        except DataError as error:
            problem = error.text
    calibrated = None if temperature is None else measured(temperature)
    return Temperatures(temperature, kept, images, measured(1.0), calibrated, problem)


def keep_temperature(model: Layer, temperature: float | None, file: Path) -> Layer:
    """Write the model with another temperature, or with none, into its file, and return it."""
    from ..formats import save
    from ..nn import Temperature
    from ..nn.temperature import uncalibrated

    changed = uncalibrated(model) if temperature is None else Temperature(temperature).after(model)
    save(changed, file)
    return changed


def require_validation(wanted: bool, parts: Parts) -> None:
    """Refuse the setting ``calibrate`` without a validation set.

    Raises
    ------
    ArgumentError
    """
    if wanted and parts.validation is None:
        raise ArgumentError(
            "fits a temperature to a validation set, and there is none: the network knows its "
            "training images, and the test set is to judge the result. Add {validation}.",
            where="calibrate",
            arguments={"validation": 0.1},
        )
