"""The fields of settings.

A setting is one field of a dataclass. Its option on the command line, its line in config.toml, its
check and its labels in a report all follow from the field.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..errors import ArgumentError

__all__ = ["Setting", "option_names", "setting", "settings_in"]

# The types that a setting may have, and how config.toml writes their values.
WRITTEN: Mapping[type, str] = {
    str: "text in quotes",
    Path: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
KINDS: Mapping[type, tuple[type, ...]] = {
    str: (str,), Path: (str, os.PathLike), int: (Integral,), float: (Real,), bool: (bool,),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, as its field describes it.

    Attributes
    ----------
    name : str
        Of the field.
    kind : type
        str, Path, int, float or bool; what is not given is None or False.
    default : object
    help : str
        For ``pellucid train --help``, with Rich's markup.
    labels : dict of str to str
        What a report calls it, by language.
    key : str
        In config.toml, and after ``--`` on the command line.
    metavar : str or None
    otherwise : str
        What happens without it, where the default is None.
    choices : tuple of str
        The values of a ``Literal``.
    least, most : int or None
        The smallest and the largest value.
    on_resume : bool
        Whether it may change when an interrupted training goes on.
    older : dict of str to str
        Values as older versions wrote them to config.toml, and what they are called now.
    """

    name: str
    kind: type
    default: Any
    help: str
    labels: Mapping[str, str]
    key: str
    metavar: str | None
    otherwise: str
    choices: tuple[str, ...]
    least: int | None
    most: int | None
    on_resume: bool
    older: Mapping[str, str]

    @property
    def option(self) -> str:
        """The option of the command line."""
        return "--" + self.key.replace("_", "-")

    @property
    def written(self) -> str:
        """How config.toml writes a value."""
        return WRITTEN[self.kind]

    def accepts(self, value: object) -> bool:
        """Return whether ``value`` has the setting's type."""
        return isinstance(value, KINDS[self.kind]) and (
            self.kind is bool or not isinstance(value, bool)
        )

    def require(self, value: object) -> None:
        """Refuse a value of another type, out of range, or not among the choices.

        Raises
        ------
        ArgumentError
        """
        if value is None and self.default is None:
            return
        if not self.accepts(value):
            raise ArgumentError(f"must be {self.written}, received {value!r}.", where=self.name)
        if self.choices and value not in self.choices:
            known = " or ".join(map(repr, self.choices))
            raise ArgumentError(f"must be {known}, received {value!r}.", where=self.name)
        if self.least is not None and value < self.least:  # type: ignore[operator]
            raise ArgumentError(f"must be {self.least} or more, received {value}.", where=self.name)
        if self.most is not None and value > self.most:  # type: ignore[operator]
            raise ArgumentError(f"must be at most {self.most}, received {value}.", where=self.name)


def setting(
    default: Any,
    help: str,
    *,
    en: str,
    ko: str,
    key: str | None = None,
    metavar: str | None = None,
    otherwise: str = "",
    least: int | None = None,
    most: int | None = None,
    on_resume: bool = False,
    older: Mapping[str, str] | None = None,
) -> Any:
    """Return the field of a dataclass that is a setting; the arguments are those of `Setting`."""
    said = {
        "help": help,
        "labels": {"en": en, "ko": ko},
        "key": key,
        "metavar": metavar,
        "otherwise": otherwise,
        "least": least,
        "most": most,
        "on_resume": on_resume,
        "older": older or {},
    }
    return field(default=default, metadata=said)


def settings_in(cls: type) -> Mapping[str, Setting]:
    """Return the settings of a dataclass by the names of their fields, in order.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Few:
    ...     lr: float | None = setting(None, "Learning rate.", en="learning rate", ko="학습률")
    >>> lr = settings_in(Few)["lr"]
    >>> lr.option, lr.kind, lr.labels["ko"]
    ('--lr', <class 'float'>, '학습률')
    >>> lr.require("high")
    Traceback (most recent call last):
    pellucid.errors.ArgumentError: lr: must be a number, received 'high'.
    """
    hints = get_type_hints(cls)
    found = {}
    for one in fields(cls):
        kind, choices = _kind(hints[one.name])
        said = {**one.metadata, "key": one.metadata["key"] or one.name}
        found[one.name] = Setting(
            name=one.name, kind=kind, choices=choices, default=one.default, **said
        )
    return found


def option_names(cls: type) -> dict[str, str | tuple[str, object]]:
    """Return for each setting its option, as `pellucid.errors.renamed` takes them."""
    return {
        name: (one.option, True) if one.kind is bool else one.option
        for name, one in settings_in(cls).items()
    }


def _kind(hint: Any) -> tuple[type, tuple[str, ...]]:
    """Return the type that a field's annotation names beside None, and the values of a Literal."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (one for one in get_args(hint) if one is not type(None))
    if get_origin(hint) is Literal:
        return str, get_args(hint)
    return hint, ()
