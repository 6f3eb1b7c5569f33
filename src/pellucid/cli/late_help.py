"""Help texts that list what is only known after an import: it waits until the help is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typer.core import TyperCommand

__all__ = ["with_late_help"]


def with_late_help(**texts: Callable[[], str]) -> type[TyperCommand]:
    """Return a class of commands whose help has slots, which are filled when it is shown.

    Parameters
    ----------
    **texts
        For the slot ``{name}`` a function that returns its text.
    """

    class LateHelp(TyperCommand):
        def format_help(self, ctx: Any, formatter: Any) -> None:
            for parameter in self.params:
                for name, text in texts.items():
                    help = getattr(parameter, "help", None) or ""
                    if f"{{{name}}}" in help:
                        parameter.help = help.replace(  # type: ignore[attr-defined]
                            f"{{{name}}}", text()
                        )
            super().format_help(ctx, formatter)

    return LateHelp
