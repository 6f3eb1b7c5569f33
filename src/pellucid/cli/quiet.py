"""``--quiet`` for every command: results and errors, and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from .messages import be_quiet

__all__ = ["QuietOption", "with_quiet"]

QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print results and errors only: no notes, no progress."),
]


def with_quiet(app: typer.Typer) -> typer.Typer:
    """Give all commands of ``app`` and of its groups the option ``--quiet``; returns ``app``."""
    for command in app.registered_commands:
        if command.callback is not None:
            command.callback = _taking_quiet(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            with_quiet(group.typer_instance)
    return app


def _taking_quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def command(*args: Any, quiet: bool, **given: Any) -> Any:
        if quiet:
            be_quiet(True)
        return function(*args, **given)

    own = list(inspect.signature(function, eval_str=True).parameters.values())
    option = inspect.Parameter(
        "quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=QuietOption
    )
    command.__signature__ = inspect.Signature([*own, option])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in (*own, option)}
    return command
