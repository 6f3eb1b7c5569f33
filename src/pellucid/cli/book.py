"""``pellucid book``: run a script of the book, unchanged, on Pellucid's modules."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import renamed
from ..names import plain
from .backend import restore_backend
from .messages import complain

if TYPE_CHECKING:
    from ..kernels.compiling import Compiling

__all__ = ["command"]

_WITH_KERNELS = {
    f"common.{module}"
    for module in ("layers", "multi_layer_net", "multi_layer_net_extend", "optimizer", "trainer")
}


def command(
    script: Annotated[
        Path, typer.Argument(metavar="SCRIPT", help="The program, e.g. ch07/train_convnet.py.")
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARGUMENTS", help="Arguments of the script."),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Compute correctly where the book does not (docs/book-errata.md)."
        ),
    ] = False,
    float64: Annotated[
        bool, typer.Option("--float64", help="Compute in float64 instead of float32.")
    ] = False,
    velocity_first: Annotated[
        bool,
        typer.Option(
            "--velocity-first", help="Nesterov as in the edition that updates its velocity first."
        ),
    ] = False,
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Save figures there instead of showing them. [dim]Without a screen they are "
            "saved in the current folder.[/dim]",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of MNIST. [dim]Default: the book's dataset folder if its files are "
            "there, else as for pellucid train.[/dim]",
        ),
    ] = None,
) -> None:
    """Run a script of "Deep Learning from Scratch", unchanged and many times faster.

    It runs in its own folder. Where it imports common and dataset it gets
    Pellucid's, which compute the same; modules in its folder are its own.

    Options of this command go before SCRIPT, those of the script after it.
    """
    from ..book.runner import run_script

    restore_backend()
    options = renamed(figures="--figures", data_dir="--data-dir", root="--data-dir")
    with options, ExitStack() as stack:
        outcome = run_script(
            script,
            arguments or (),
            strict=strict,
            float64=float64,
            velocity_first=velocity_first,
            figures_folder=figures,
            data_dir=data_dir,
            on_use=_Announcement(stack).listen,
        )
    for note in outcome.notes:
        print(f"note: {plain(note)}", file=sys.stderr)
    if outcome.exit_code == 130:
        print(plain(outcome.message, lines=True), file=sys.stderr)
    elif outcome.message:
        complain(outcome.message)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


class _Announcement:
    """Announce compilation once, from the first import of a module that has kernels."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._listens = self._said = False

    def listen(self, module: str) -> None:
        if not self._listens and module in _WITH_KERNELS:
            from ..kernels.compiling import watch

            self._listens = True
            self._stack.enter_context(watch(self._tell))

    def _tell(self, news: Compiling) -> None:
        if not self._said:  # one plain line: the script prints in between
            print(news.notice, file=sys.stderr, flush=True)
        self._said = True
