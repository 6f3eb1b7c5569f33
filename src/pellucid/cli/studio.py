"""``pellucid studio``: a page that shows what a network computes."""

from __future__ import annotations

import os
import threading
import webbrowser
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import renamed
from ..runs.listener import Listener
from . import completion
from .interrupts import stoppable
from .messages import echo, note, tell
from .options import NAMES, DataDirOption, DataOption, image_shape

__all__ = ["command"]


def command(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            autocompletion=completion.models,
            show_default=False,
            help=f'Run folders, model files, networks\' names ({NAMES}) or "INPUT -> ...". '
            "[dim]Default: the newest run in ./runs, or else a small network on the embedded "
            "digits.[/dim]",
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            "--input",  # as other commands call it
            metavar="CxHxW",
            help="Images, for a name, a pattern, or a model that does not say it, e.g. 3x32x32.",
        ),
    ] = None,
    classes: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Number of classes, for a name or a pattern."),
    ] = None,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="PORT", help="Port. [dim]0 finds a free one.[/dim]"),
    ] = 0,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address of this machine to listen on.")
    ] = "127.0.0.1",
    remote: Annotated[
        bool,
        typer.Option(
            "--allow-remote",
            help="Allow an address that other machines can reach. What is sent is not encrypted, "
            "and whoever has the printed address first can use the studio.",
        ),
    ] = False,
    lang: Annotated[
        Literal["en", "ko"] | None,
        typer.Option(
            metavar="LANG",
            help="en (English) or ko (Korean). [dim]Default: the browser's.[/dim]",
            show_default=False,
        ),
    ] = None,
    lesson: Annotated[
        list[Path] | None,
        typer.Option(
            "--lesson",
            metavar="FILE",
            help="A lesson of your own to walk through: docs/studio.md.",
            show_default=False,
        ),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Print the address only; open no browser.")
    ] = False,
) -> None:
    """Open networks on a local page: draw, click a unit, see its arithmetic.

    The page is served to one browser of this machine, needs no other
    server, and shows any run, model file or network: every feature map,
    every product of a unit, and the gradients. Ctrl-C ends it.
    """
    # Before NumPy is loaded: the threads of its BLAS wait by spinning, and take the cores from the
    # engine's between the stroke of a pen and the answer.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ..studio.beginning import open_something
    from ..studio.lesson_files import read_lesson
    from ..studio.opening import Studio
    from ..studio.server import server

    with stoppable("the studio has ended"):
        studio = Studio(_Notes())
        with renamed(lesson="--lesson"):
            studio.lessons = {path.stem: read_lesson(path) for path in lesson or ()}
        wanted = (each["network"] for each in studio.lessons.values() if "network" in each)
        sources = sources or list(wanted)
        with renamed(
            host="--host", port="--port", remote="--allow-remote", image="--image",
            input_shape="--image", model="SOURCE", data="--data", folder="--data-dir",
            **{"--input": "--image"},
        ):  # fmt: skip
            shape = None if image is None else image_shape(image)
            serving = server(studio, host=host, port=port, remote=remote, language=lang)
            for source in sources or ():
                studio.open(source, image=shape, classes=classes, data=data, data_dir=data_dir)
            if not sources:
                note(
                    open_something(
                        studio, image=shape, classes=classes, data=data, data_dir=data_dir
                    )
                )
        if serving.meaning is not None:
            note(f"note: {serving.meaning}")
        try:
            serving.start()
            echo(serving.address)
            tell("Open it in a browser, once; Ctrl-C ends the studio.")
            if not no_open:
                opening = threading.Thread(target=webbrowser.open, args=[serving.address])
                opening.daemon = True  # a browser of the terminal keeps it until it ends
                opening.start()
            serving.wait()
        finally:
            serving.stop()


class _Notes(Listener):
    """Prints notes of whichever thread reads images; no bars, and no signals."""

    def note(self, text: str) -> None:
        """Print a sentence to standard error."""
        note(text)
