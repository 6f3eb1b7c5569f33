"""The errors that Pellucid raises on purpose.

A message says where the error occurred, what was required, what was received, and what to change::

    PellucidError
    ├── ArgumentError (ValueError)         a value or a name that is not allowed
    │   ├── ContradictionError             a setting that another one excludes
    │   └── ShapeError                     an array or a window whose size does not fit
    ├── DataError (ValueError)             data that no network can be trained on
    │   ├── DataNotFoundError (FileNotFoundError)   a data set or file that is not there
    │   └── FileFormatError                a file that is damaged, oversized or another kind
    ├── StateDictError (ValueError)        weights that do not fit this model
    ├── UnknownNameError (AttributeError)  a name that is called otherwise here
    ├── MissingExtraError (ImportError)    an optional package that is not installed
    ├── RanksError (RuntimeError)          what failed on some of the ranks of a training
    └── NumericsError (ArithmeticError)    a loss that is NaN or infinite
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from .names import listed, shown

__all__ = [
    "ArgumentError",
    "ContradictionError",
    "DataError",
    "DataNotFoundError",
    "FileFormatError",
    "MissingExtraError",
    "NumericsError",
    "PellucidError",
    "RanksError",
    "ShapeError",
    "StateDictError",
    "UnknownNameError",
    "did_you_mean",
    "renamed",
]


class PellucidError(Exception):
    """The base class: ``except PellucidError`` catches every error raised on purpose.

    Parameters
    ----------
    message : str
        What was required, what was received, what to change. ``{name}`` stands for an argument of
        ``arguments``.
    where : str
        The function or argument that refuses. A layer that calls an op replaces it with its own
        class and name, so that the message points into the user's network.
    arguments : dict of str to object
        The arguments that the message suggests, each with a value: a tuple for one of several,
        with a shape among them as a tuple in the tuple; ``...`` for any. A caller that uses other
        names renames them, as the command line does: see `renamed`.

    Examples
    --------
    >>> error = PellucidError("expects 30 input channels, received 1.", where="conv2d")
    >>> str(error)
    'conv2d: expects 30 input channels, received 1.'
    >>> error.inside("Conv2d", "conv2")
    >>> error.inside("Sequential", "features")
    >>> str(error)
    "Conv2d 'features.conv2': expects 30 input channels, received 1."
    >>> str(PellucidError("Use {batch_size}.", where="Trainer", arguments={"batch_size": 51}))
    'Trainer: Use batch_size=51.'
    """

    def __init__(
        self, message: str, *, where: str = "", arguments: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        # For each argument of the message, its current name and its value.
        self.arguments = {name: (name, value) for name, value in (arguments or {}).items()}
        self._layer = ""
        self._path: list[str] = []

    def rename(self, names: Mapping[str, str | tuple[str, object]]) -> None:
        """Replace the names of arguments by the caller's; see `renamed`."""
        self.where = _named(names.get(self.where, self.where))
        for argument, (name, value) in self.arguments.items():
            new = names.get(name, name)
            self.arguments[argument] = new if isinstance(new, tuple) else (new, value)

    @property
    def text(self) -> str:
        """The message with its arguments filled in, without ``where``."""
        text = self.message
        for argument, (name, value) in self.arguments.items():
            text = text.replace(f"{{{argument}}}", _spelled(name, value))
        return text

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
        return f"{where}: {self.text}" if where else self.text


class ArgumentError(PellucidError, ValueError):
    """A value or a name that is not allowed.

    Attributes
    ----------
    place : (int, int) or None
        Of a text that is not allowed, the first letter at fault and the one after the last.
    """

    place: tuple[int, int] | None = None


class ContradictionError(ArgumentError):
    """A setting, ``where``, that another one, ``against``, excludes.

    Of a setting that was given and one that comes from a file, the one that was given wins.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        against: str = "",
        arguments: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, where=where, arguments=arguments)
        self.against = against


class ShapeError(ArgumentError):
    """An array or a window whose size does not fit."""


class DataError(PellucidError, ValueError):
    """Data that no network can be trained on: empty, not finite, labels out of range."""


class DataNotFoundError(DataError, FileNotFoundError):
    """A data set or a file that is missing; the message says where it was looked for."""


class FileFormatError(DataError):
    """A file that is truncated, oversized, edited, or not what its name says."""


class StateDictError(PellucidError, ValueError):
    """Weights that do not belong to this model."""


class UnknownNameError(PellucidError, AttributeError):
    """A name of another framework; the message says what it is called here."""


class MissingExtraError(PellucidError, ImportError):
    """An optional package that is not installed; the message says how to install it."""


class RanksError(PellucidError, RuntimeError):
    """What failed on some of the ranks that share a training, raised on all of them.

    Attributes
    ----------
    ranks : str
        Which ranks they are, and where: "rank 2 of 4 (on host b)".
    told : bool
        Whether another rank raises the error itself, which need not be said twice.
    """

    told = False

    def __init__(
        self,
        message: str,
        *,
        where: str = "",
        arguments: Mapping[str, object] | None = None,
        ranks: str = "",
    ) -> None:
        super().__init__(message, where=where, arguments=arguments)
        self.ranks = ranks

    def __str__(self) -> str:
        text = super().__str__()
        return f"{self.ranks}: {text}" if self.ranks else text


class NumericsError(PellucidError, ArithmeticError):
    """A loss that has become NaN or infinite."""


@contextmanager
def renamed(**names: str | tuple[str, object]) -> Iterator[None]:
    """Rename arguments in errors raised in the block to names that the caller knows.

    Parameters
    ----------
    **names : str or (str, object)
        The new name of each argument, which may be a command-line option; with a value if it
        differs from the argument's.

    Examples
    --------
    >>> with renamed(batch_size="--batch-size", corrupt=("--skip-corrupt", True)):
    ...     raise ArgumentError(
    ...         "Use {batch_size} or {corrupt}.",
    ...         where="batch_size",
    ...         arguments={"batch_size": 51, "corrupt": "skip"},
    ...     )
    Traceback (most recent call last):
    pellucid.errors.ArgumentError: --batch-size: Use --batch-size 51 or --skip-corrupt.
    """
    try:
        yield
    except PellucidError as error:
        error.rename(names)
        raise


def _named(new: str | tuple[str, object]) -> str:
    return new if isinstance(new, str) else new[0]


def _spelled(name: str, value: object) -> str:
    """Return an argument with its value as typed in Python, or as a command-line option."""
    values = value if isinstance(value, tuple) else (value,)
    if name.startswith("--"):
        if value is ... or value is True:
            return name
        typed = ("x".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in values)
        return f"{name} {' or '.join(typed)}"
    return f"{name}=..." if value is ... else f"{name}={' or '.join(map(repr, values))}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the nearest known name, and one with all of them.

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
