"""Settings of a run as options: a command's parameters follow from the fields of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..errors import renamed
from ..runs.config import read_config
from ..runs.fields import Setting, option_names, settings_in
from . import completion

__all__ = ["takes"]

COMPLETIONS = {"data": completion.data_sets, "model": completion.networks}


def takes(settings: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take the options of a dataclass of settings, its own, and ``--config``.

    Its function is called with the settings as the first argument. Errors in it that name a setting
    name the option instead.
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
        help="Repeat a run: its folder or its config.toml.",
    )

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        _, *others = inspect.signature(function, eval_str=True).parameters.values()
        own = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in others]
        options = [_parameter(setting) for setting in settings_in(settings).values()]

        @wraps(function)
        def command(config: Path | None, **given: Any) -> None:
            values = {option.name: given.pop(option.name) for option in options}
            with renamed(**option_names(settings)):
                function(settings(**values), **given)

        parameters = [*options, *own, _last("config", Annotated[Path | None, config])]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return decorate


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
