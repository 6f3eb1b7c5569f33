"""What a page may ask: functions by name, whose arguments are checked before they run."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np

from ..errors import ArgumentError, PellucidError, did_you_mean

__all__ = ["QUESTIONS", "Cancelled", "ForgottenError", "Question", "Report", "answer", "question"]

F = TypeVar("F", bound=Callable[..., Any])
MOST = 2**53  # an integer of a page: up to it, JavaScript has them all
# Called with what is done and of how much; raises Cancelled once nobody waits for the answer.
Report = Callable[[int, int], None]


class Cancelled(Exception):  # noqa: N818 - as asyncio's
    """Ends a long question whose answer nobody waits for."""


class ForgottenError(PellucidError):
    """The image of this id is no longer known: the page gives it once more."""


class Question:
    """A function that answers a question.

    Attributes
    ----------
    name : str
    function : callable
        Takes an `Opened` or, with ``studio``, the whole `Studio`; all else by keyword.
    long : bool
        Whether it takes ``report``.
    scores : bool
        Whether it is about classes: of a network without scores of them it cannot be asked.
    """

    def __init__(
        self, name: str, function: Callable[..., Any], *, studio: bool, scores: bool
    ) -> None:
        self.name, self.function, self.studio, self.scores = name, function, studio, scores
        parameters = inspect.signature(function).parameters
        hints = get_type_hints(function)
        self.long = "report" in parameters
        self.arguments = {
            key: (hints[key], parameter.default)
            for key, parameter in parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY and key != "report"
        }

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments, or refuse what is missing, unknown or of another type.

        A number without a fraction, which JSON tells from no integer, is a float where that is
        asked for.

        Raises
        ------
        ArgumentError
        """
        for key in given:
            if key not in self.arguments:
                raise ArgumentError(
                    f"is not an argument of '{self.name}'. {did_you_mean(key, self.arguments)}",
                    where=key,
                )
        for key, (kind, default) in self.arguments.items():
            if key not in given:
                if default is inspect.Parameter.empty:
                    raise ArgumentError(f"is missing in '{self.name}'.", where=key)
            elif not _is(given[key], kind):
                raise ArgumentError(
                    f"must be {_called(kind)}, received {given[key]!r:.80}.",
                    where=key,
                )
        return {key: _as(each, self.arguments[key][0]) for key, each in given.items()}


QUESTIONS: dict[str, Question] = {}


def question(name: str, *, studio: bool = False, scores: bool = False) -> Callable[[F], F]:
    """Return a decorator that lets a page ask ``name`` of the function below it.

    With ``studio`` it takes the whole `Studio`; with ``scores`` it is asked only of a network that
    gives one score for each class.

    The keyword-only arguments are what the page gives: numbers, text, booleans, lists of integers,
    arrays (annotated as ``np.ndarray``), or None, as their annotations say.
    """

    def registered(function: F) -> F:
        QUESTIONS[name] = Question(name, function, studio=studio, scores=scores)
        return function

    return registered


def answer(name: str, about: Any, given: Mapping[str, Any], report: Report | None = None) -> Any:
    """Return the answer to a question about an `Opened` network, or the whole `Studio`.

    Raises
    ------
    ArgumentError
        If there is no such question, its arguments are others, or it is about classes and the
        network has none.
    """
    if name not in QUESTIONS:
        raise ArgumentError(f"there is no question '{name}'.", where="ask")
    asked = QUESTIONS[name]
    arguments = asked.checked(given)
    if asked.scores:
        about.require_scores()
    if asked.long:
        arguments["report"] = report or (lambda done, of: None)
    try:
        return asked.function(about, **arguments)
    except NotImplementedError as error:  # of a layer of one's own
        raise PellucidError(f"{error}, which '{name}' needs.") from None


def _is(value: Any, kind: Any) -> bool:
    """Return whether a value from a message is of an annotation's kind."""
    if isinstance(kind, UnionType):
        return any(_is(value, each) for each in get_args(kind))
    if kind in (None, type(None)):
        return value is None
    if kind is Any:
        return True
    if kind == list[int]:
        return isinstance(value, list) and all(_is(each, int) for each in value)
    if kind is float:
        return isinstance(value, float) or (_is_whole(value) and abs(value) < sys.float_info.max)
    if kind is int:
        return _is_whole(value) and abs(value) <= MOST
    if kind in (str, bool, dict):
        return isinstance(value, kind)
    return kind is np.ndarray and isinstance(value, np.ndarray)


def _called(kind: Any) -> str:
    return str(kind) if get_args(kind) else str(getattr(kind, "__name__", kind))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _as(value: Any, kind: Any) -> Any:
    """Return a value of this kind as a function takes it."""
    takes = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return float(value) if _is_whole(value) and float in takes and int not in takes else value
