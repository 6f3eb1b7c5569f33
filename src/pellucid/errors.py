"""Every error that Pellucid raises on purpose.

A refusal says where it happened, what was required, what was received, and what to change::

    PellucidError
    ├── ArgumentError (ValueError)         a value or a name that is not allowed
    │   └── ShapeError                     an array or a window whose size does not fit
    ├── DataError (ValueError)             data that no network can be trained on
    │   ├── DataNotFoundError (FileNotFoundError)   a data set or file that is not there
    │   └── FileFormatError                a file that is damaged, oversized or something else
    ├── StateDictError (ValueError)        weights that do not belong to this model
    ├── UnknownNameError (AttributeError)  a name that has another one here
    └── NumericsError (ArithmeticError)    a loss that has become NaN or infinite
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .names import listed, shown

__all__ = [
    "ArgumentError",
    "DataError",
    "DataNotFoundError",
    "FileFormatError",
    "NumericsError",
    "PellucidError",
    "ShapeError",
    "StateDictError",
    "UnknownNameError",
    "did_you_mean",
]


class PellucidError(Exception):
    """The root: ``except PellucidError`` catches every deliberate refusal.

    Parameters
    ----------
    message : str
        What was required, what was received, what to change.
    where : str
        The function or argument that refuses. A layer that calls an op replaces it with its own
        class and name, so that the message points into the reader's network.

    Examples
    --------
    >>> error = PellucidError("expects 30 input channels, received 1.", where="conv2d")
    >>> str(error)
    'conv2d: expects 30 input channels, received 1.'
    >>> error.inside("Conv2d", "conv2")
    >>> error.inside("Sequential", "features")
    >>> str(error)
    "Conv2d 'features.conv2': expects 30 input channels, received 1."
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self._layer = ""
        self._path: list[str] = []

    def inside(self, layer: str, name: str) -> None:
        """Note that the error passed through the layer called ``name``, innermost first."""
        if not self._layer:
            self._layer = layer
        if name:
            self._path.insert(0, name)

    def __str__(self) -> str:
        where = self._layer or self.where
        if self._path:
            where += f" '{'.'.join(self._path)}'"
        return f"{where}: {self.message}" if where else self.message


class ArgumentError(PellucidError, ValueError):
    """A value or a name that is not allowed."""


class ShapeError(ArgumentError):
    """An array or a window whose size does not fit."""


class DataError(PellucidError, ValueError):
    """Data that no network can be trained on: empty, not finite, labels out of range."""


class DataNotFoundError(DataError, FileNotFoundError):
    """A data set or a file that is not there; the message says where it is looked for."""


class FileFormatError(DataError):
    """A file that is truncated, oversized, changed, or not what its name says."""


class StateDictError(PellucidError, ValueError):
    """Weights that do not belong to this model."""


class UnknownNameError(PellucidError, AttributeError):
    """A name that a package or a model does not have; the message says what it is called here."""


class NumericsError(PellucidError, ArithmeticError):
    """A loss that has become NaN or infinite."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence that offers the nearest known name, and then all of them.

    Examples
    --------
    >>> did_you_mean("admw", ["adam", "adamw", "sgd"])
    "Did you mean 'adamw'? Known: adam, adamw, sgd."
    """
    known = sorted(known)
    lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    guess = f"Did you mean '{shown(lower[near[0]])}'? " if near else ""
    return f"{guess}Known: {listed(known)}."
