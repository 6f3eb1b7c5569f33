"""The space of a sweep: which settings are fixed, and from what the others are drawn."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, DataNotFoundError, FileFormatError, did_you_mean
from ..runs.config import as_written, toml
from ..runs.fields import Setting, settings_in
from ..runs.settings import Settings

if TYPE_CHECKING:
    from ..typing import PathLike

__all__ = ["Range", "Space"]

# Trials are compared by their accuracy on one validation set: what it consists of must not change.
COMPARED = (
    "data", "data_dir", "validation", "held_out", "split_seed", "evaluate_samples", "skip_corrupt",
    "skip_empty", "keep", "log",
)  # fmt: skip
VALIDATION = 0.1  # fraction, for data sets by name, if the file gives none


@dataclass(frozen=True)
class Range:
    """What one setting is drawn from: numbers between two bounds, or a list of choices.

    Attributes
    ----------
    low, high : int or float
        Both included.
    log : bool
        Whether the logarithm is drawn evenly.
    step : int or float, optional
        Distance of the numbers from ``low`` on.
    choices : tuple, optional
        Instead of bounds; None stands for the setting's default.
    """

    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] | None = None

    def written(self) -> str:
        """Return the range as a file holds it."""
        if self.choices is not None:
            return f"[{', '.join(toml('' if c is None else c) for c in self.choices)}]"
        parts = [f"low = {self.low}", f"high = {self.high}"]
        parts += ["log = true"] if self.log else []
        parts += [] if self.step is None else [f"step = {self.step}"]
        return f"{{{', '.join(parts)}}}"

    def distribution(self, kind: type) -> Any:
        """Return Optuna's distribution; ``kind`` is the type of the setting."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if self.choices is not None:
            return CategoricalDistribution(self.choices)
        if kind is int:
            return IntDistribution(int(self.low), int(self.high), self.log, int(self.step or 1))
        return FloatDistribution(float(self.low), float(self.high), self.log, self.step)


@dataclass(frozen=True)
class Space:
    """Settings of all trials, and ranges of those that differ.

    In a file (TOML), a setting with a value is fixed, one with a list is one of these, and one with
    a table is a number between two bounds::

        data = "digits"
        epochs = 20
        optimizer = ["adam", "momentum"]
        lr = {low = 1e-4, high = 1e-1, log = true}
        batch_size = {low = 20, high = 100, step = 10}
        augment = ["", "crop1"]        # "" leaves the setting out

    Attributes
    ----------
    fixed : Settings
    ranges : mapping of str to Range
        By the names of the settings.

    Raises
    ------
    ArgumentError
        Naming the setting that may not vary, or whose range is not one.

    Examples
    --------
    >>> space = Space(Settings(epochs=5), {"lr": Range(1e-4, 0.1, log=True)})
    >>> space.settings({"lr": 0.01}).lr
    0.01
    """

    fixed: Settings
    ranges: Mapping[str, Range]

    def __post_init__(self) -> None:
        known = settings_in(Settings)
        if not self.ranges:
            raise ArgumentError(
                "nothing varies. Give at least one setting a list, as "
                'optimizer = ["adam", "sgd"], or bounds, as lr = {low = 1e-4, high = 0.1}.',
                where="space",
            )
        for name, drawn in self.ranges.items():
            _require_range(known[name], drawn)
        # In one order, whatever the file's: what is drawn depends on it.
        ranges = {name: self.ranges[name] for name in known if name in self.ranges}
        object.__setattr__(self, "ranges", ranges)

    @classmethod
    def read(cls, path: PathLike) -> Space:
        """Read a space from a file.

        Raises
        ------
        DataNotFoundError, FileFormatError
            If there is no such file, or it is not TOML.
        ArgumentError
            Naming the setting at fault.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
            return cls.of(tomllib.loads(text))
        except FileNotFoundError as error:
            raise DataNotFoundError(f"there is no file '{path}'.") from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise FileFormatError(f"'{path}' cannot be read as TOML: {error}.") from error

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Space:
        """Return the space that a table of TOML describes."""
        known = {setting.key: setting for setting in settings_in(Settings).values()}
        fixed: dict[str, Any] = {}
        ranges: dict[str, Range] = {}
        for key, value in table.items():
            if key not in known:
                raise ArgumentError(f"is not a setting. {did_you_mean(key, known)}", where=key)
            name = known[key].name
            if isinstance(value, list):
                ranges[name] = Range(choices=tuple(None if v == "" else v for v in value))
            elif isinstance(value, dict):
                ranges[name] = _bounds(key, value)
            else:
                fixed[name] = value
        return cls(Settings(**fixed), ranges)

    def settings(self, drawn: Mapping[str, Any]) -> Settings:
        """Return the settings of a trial."""
        return replace(self.fixed, **drawn)

    def written(self) -> str:
        """Return the space as a file holds it."""
        lines = ["# The space of this sweep: pellucid sweep --out with this folder goes on with it"]
        given = as_written(self.fixed)
        for name, setting in settings_in(Settings).items():
            if name in self.ranges:
                lines.append(f"{setting.key} = {self.ranges[name].written()}")
            elif getattr(self.fixed, name) != setting.default:
                lines.append(f"{setting.key} = {toml(given[setting.key])}")
        return "\n".join(lines) + "\n"

    def each_choice(self) -> Iterator[Settings]:
        """Yield settings in which each choice and each bound occurs, the others as in `example`."""
        for name, drawn in self.ranges.items():
            for value in drawn.choices or (drawn.low, drawn.high):
                yield replace(self.example(), **{name: value})

    def example(self) -> Settings:
        """Return the settings of one trial, with the first choices and the lower bounds."""
        return self.settings(
            {name: r.choices[0] if r.choices else r.low for name, r in self.ranges.items()}
        )

    def distributions(self) -> dict[str, Any]:
        """Return Optuna's distributions, by name."""
        known = settings_in(Settings)
        return {name: drawn.distribution(known[name].kind) for name, drawn in self.ranges.items()}


def _bounds(key: str, table: Mapping[str, Any]) -> Range:
    allowed = ("high", "log", "low", "step")
    for part in table:
        if part not in allowed:
            raise ArgumentError(f"has {part!r}. {did_you_mean(part, allowed)}", where=key)
    if "low" not in table or "high" not in table:
        raise ArgumentError(
            f"must have both bounds, low and high, as in {key} = {{low = ..., high = ...}}.",
            where=key,
        )
    return Range(**table)


def _require_range(setting: Setting, drawn: Range) -> None:
    if setting.name in COMPARED:
        raise ArgumentError(
            "must be the same in all trials, which are compared by their accuracy on one "
            "validation set. Give it one value.",
            where=setting.key,
        )
    if drawn.choices is not None:
        for value in drawn.choices:
            if isinstance(value, list | tuple | dict):
                raise ArgumentError(
                    f"must be single values in a list, received {value!r} among them.",
                    where=setting.key,
                )
        if len(set(drawn.choices)) < max(len(drawn.choices), 1):
            raise ArgumentError(
                f"must be different choices, received {list(drawn.choices)}.", where=setting.key
            )
        for value in drawn.choices:
            if value is None and setting.default is not None:
                raise ArgumentError(
                    f'must be {setting.written}; "" leaves out only settings that have no value by '
                    "default.",
                    where=setting.key,
                )
            _require_value(setting, value)
        return
    if setting.kind not in (int, float):
        raise ArgumentError(
            f"is {setting.written}, which has no bounds. Give a list of choices.",
            where=setting.key,
        )
    for value in (drawn.low, drawn.high):
        _require_value(setting, value)
    if type(drawn.log) is not bool:
        raise ArgumentError(
            f"log must be true or false, received {drawn.log!r}.", where=setting.key
        )
    if not drawn.low < drawn.high:
        raise ArgumentError(
            f"low must be below high, received {drawn.low} and {drawn.high}.", where=setting.key
        )
    if drawn.log and not drawn.low > 0:
        raise ArgumentError(
            f"low must be above 0 with log, received {drawn.low}.", where=setting.key
        )
    if drawn.step is not None:
        if drawn.log:
            raise ArgumentError("takes log or step, not both.", where=setting.key)
        if not setting.accepts(drawn.step) or not drawn.step > 0:
            raise ArgumentError(
                f"step must be {setting.written} above 0, received {drawn.step!r}.",
                where=setting.key,
            )


def _require_value(setting: Setting, value: Any) -> None:
    Settings(**{setting.name: value})
