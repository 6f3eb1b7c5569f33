"""Settings of a run as options: a command's parameters follow from the fields of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from ..errors import ContradictionError, renamed
from ..runs.config import read_config
from ..runs.fields import Setting, option_names, settings_in
from . import completion
from .messages import note

__all__ = ["command_of", "given_in", "takes"]

EMPTIED = "pellucid.emptied"  # in a context's meta: the settings that were emptied

COMPLETIONS = {"data": completion.data_sets, "model": completion.networks}


def takes(settings: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take the options of a dataclass of settings, its own, and ``--config``.

    Its function is called with the settings as the first argument. Errors in it that name a setting
    name the option instead. Of two options that contradict each other, one on the command line wins
    over one from the file of ``--config``.
    """

    def defaults_from(context: typer.Context, path: Path | None) -> Path | None:
        if path is not None:  # what is given on the command line wins
            context.default_map = read_config(path, settings)
        return path

    config = typer.Option(
        metavar="PATH",
        callback=defaults_from,
        is_eager=True,
        autocompletion=completion.runs,
        help="Repeat a run: its folder or its config.toml. Other options win over it; to leave one "
        "of its options out, give an empty text (--from '', --lr none), or --no-normalize.",
    )

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        _, *others = inspect.signature(function, eval_str=True).parameters.values()
        own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in others]
        known = settings_in(settings)
        options = [_parameter(setting) for setting in known.values()]
        asks = any(one.name == "context" for one in own)

        @wraps(function)
        def command(config: Path | None, context: typer.Context, **given: Any) -> None:
            typed = given_in(context, settings)
            values = {option.name: given.pop(option.name) for option in options} | typed
            filed = set(context.default_map or ()) - typed.keys()
            if asks:
                given["context"] = context

            with renamed(**option_names(settings)):
                while True:
                    try:
                        return function(settings(**values), **given)
                    except ContradictionError as error:
                        left_out = _giving_way(error, typed, filed)
                        if left_out is None:
                            raise
                        name, other = (known[one] for one in left_out)
                    note(
                        f"note: {name.option} {values[name.name]} of '{config}' is left out, as it "
                        f"contradicts {other.option}"
                    )
                    values[name.name] = name.default
                    filed.remove(name.name)

        parameters = [
            *options,
            *(one for one in own if one.name != "context"),
            _last("config", Annotated[Path | None, config]),
            _last("context", typer.Context),
        ]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return decorate


def command_of(settings: type) -> type[TyperCommand]:
    """Return a class of commands that take back settings which come from a file.

    ``--from ''`` and ``--lr none`` empty one that need not be given, ``--no-normalize`` a flag.
    """
    known = {one.option: one for one in settings_in(settings).values() if one.default is None}
    flags = {
        f"--no-{one.option.removeprefix('--')}": one.name
        for one in settings_in(settings).values()
        if one.kind is bool
    }

    class SettingsCommand(TyperCommand):
        """A command whose settings can be emptied."""

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            """Take the emptied settings out of the arguments, and note them."""
            emptied = {flags[one] for one in args if one in flags}
            ctx.meta[EMPTIED] = emptied
            rest = [one for one in args if one not in flags]
            later: set[str] = set()  # settings that have a value after this place
            for place in reversed(range(len(rest))):
                option, equals, value = rest[place].partition("=")
                end = place + 1
                if not equals and end < len(rest):
                    value, end, equals = rest[end], end + 1, "="
                if option not in known or not equals:
                    continue
                name = known[option].name
                if _is_empty(value, known[option]):
                    emptied |= {name} - later
                    del rest[place:end]
                else:
                    later.add(name)
            return super().parse_args(ctx, rest)

    return SettingsCommand


def given_in(context: typer.Context, settings: type) -> dict[str, Any]:
    """Return the settings that were given on the command line; an emptied one has its default."""
    given, known = {}, settings_in(settings)
    for name in known:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            given[name] = context.params[name]
    return given | {name: known[name].default for name in context.meta.get(EMPTIED, ())}


def _is_empty(text: str, setting: Setting) -> bool:
    return text == "" or (setting.kind in (int, float) and text.lower() == "none")


def _giving_way(
    error: ContradictionError, typed: dict[str, Any], filed: set[str]
) -> tuple[str, str] | None:
    """Return the setting that comes from the file, and the other one, which was typed."""
    pair = error.where, error.against
    return next(((a, b) for a, b in (pair, pair[::-1]) if a in filed and b in typed), None)


def _last(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _parameter(setting: Setting) -> inspect.Parameter:
    help = setting.help
    if setting.otherwise:
        help += f" [dim]Default: {setting.otherwise}.[/dim]"
    option = typer.Option(
        setting.option, metavar=setting.metavar, help=help, min=setting.least, max=setting.most,
        autocompletion=COMPLETIONS.get(setting.name),
    )  # fmt: skip
    kind: Any = Literal[setting.choices] if setting.choices else setting.kind
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=setting.default,
        annotation=Annotated[kind | None if setting.default is None else kind, option],
    )
