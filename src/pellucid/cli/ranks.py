"""Commands on several ranks, started by ``mpiexec -n N pellucid ...``: rank 0 alone prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import typer

from ..launch import launched
from .messages import be_silent, note

__all__ = ["fail", "leave", "on_ranks", "run_on_this_rank", "with_one_rank"]

Command = TypeVar("Command", bound=Callable[..., Any])


def on_ranks(command: Command) -> Command:
    """Mark a command that uses all ranks; others run on rank 0 alone."""
    command.on_ranks = True  # type: ignore[attr-defined]
    return command


def with_one_rank(app: typer.Typer) -> typer.Typer:
    """Let the commands of ``app`` that are not marked run on rank 0 alone; returns ``app``."""
    for command in app.registered_commands:
        if command.callback is not None and not hasattr(command.callback, "on_ranks"):
            command.callback = _on_first(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            with_one_rank(group.typer_instance)
    return app


def _on_first(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def command(*args: Any, **given: Any) -> Any:
        if launched().rank:
            raise typer.Exit
        if not launched().alone:
            note("note: this command uses one process: the other ranks have ended")
        return function(*args, **given)

    return command


def run_on_this_rank(app: typer.Typer, arguments: list[str] | None) -> None:
    """Run the command line; on ranks other than 0 print nothing but errors of their own."""
    if not launched().rank:
        app(args=arguments, prog_name="pellucid")
        return
    be_silent()
    # Never closed: also what Python writes at its end goes there.
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    try:
        code = app(args=arguments, prog_name="pellucid", standalone_mode=False)
    except typer.Abort:
        sys.exit(1)
    except Exception as error:
        if isinstance(usage := getattr(error, "exit_code", None), int):  # which rank 0 explains
            sys.exit(usage)
        raise
    sys.exit(code if isinstance(code, int) else 0)


def leave(code: object) -> None:
    """End with this exit code: orderly if all ranks do, or else end the others too."""
    if launched().alone or not code:
        return
    from ..distributed.ending import end
    from .messages import complain

    end("", complain, code if isinstance(code, int) else 1)


def fail(message: object) -> None:
    """Print an error and exit with 1: on several ranks once, and with the rank if it is its own."""
    from .messages import complain

    if launched().alone:
        complain(message)
        sys.exit(1)
    from ..distributed.ending import end

    end("" if getattr(message, "told", False) else str(message), complain)
