"""All commands."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from . import (
    book,
    calibrate,
    compare,
    convert,
    data,
    evaluate,
    export,
    find_lr,
    import_,
    predict,
    profile,
    quantize,
    report,
    show,
    studio,
    summary,
    sweep,
    train,
    warmup,
)
from .late_help import with_late_help
from .messages import be_quiet
from .quiet import QuietOption, with_quiet
from .ranks import with_one_rank

__all__ = ["app"]

app = typer.Typer(
    help="Convolutional networks that read like the textbook.\n\n"
    "Begin with [bold]pellucid train[/bold]: it needs nothing, trains a network on real "
    "handwritten digits, and leaves a model, curves and pictures of its filters.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pellucid {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Options of all commands."""
    be_quiet(quiet)


app.command("train", cls=train.Command)(train.command)
app.command("sweep")(sweep.command)
app.command("find-lr", cls=find_lr.Command)(find_lr.command)
app.command("evaluate")(evaluate.command)
app.command("predict")(predict.command)
app.command("summary")(summary.command)
app.command("profile")(profile.command)
app.command("calibrate")(calibrate.command)
app.command("quantize")(quantize.command)
app.command("compare")(compare.command)
app.command("report")(report.command)
app.command("studio")(studio.command)
app.command("warmup")(warmup.command)
app.command(
    "convert",
    cls=with_late_help(read=convert.formats_read, written=convert.formats_written),
)(convert.command)
app.command("export")(export.command)
app.command("import")(import_.command)
app.command("book", context_settings={"allow_interspersed_args": False})(book.command)
app.add_typer(data.app, name="data")
app.add_typer(show.app, name="show")
with_quiet(with_one_rank(app))
