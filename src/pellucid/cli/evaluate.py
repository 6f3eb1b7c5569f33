"""``pellucid evaluate``: loss and accuracy of a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import renamed
from ..names import told_apart
from .images import part_of
from .messages import echo
from .models import model_file
from .options import DataDirOption, DataOption, RunArgument, SplitOption
from .terminal import Terminal

__all__ = ["command"]

LONGEST = 40  # columns of a class's name


def command(
    run: RunArgument,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    engine: Annotated[
        Literal["compiled", "numpy"] | None,
        typer.Option(
            metavar="NAME",
            help="compiled (kernels by Numba) or numpy (the plain layers). "
            "[dim]Default: the run's own; for a file compiled.[/dim]",
        ),
    ] = None,
    mirrored: Annotated[
        bool,
        typer.Option(
            "--mirrored",
            help="Average the scores of each image and of its mirror image (left-right).",
        ),
    ] = False,
    confusion: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the confusion matrix into this PNG, SVG or PDF."),
    ] = None,
) -> None:
    """Measure a model on a whole data set, class by class."""
    from .. import viz
    from ..formats import load
    from ..runs.predictions import measure
    from ..runs.trained_model import settings_of
    from ..tables import text_table

    model = load(model_file(run))
    settings = settings_of(run)
    dataset = part_of(model, run, data, data_dir, split)
    engine = engine or settings.get("engine", "compiled")
    result = measure(model, dataset, engine, mirrored=mirrored, listener=Terminal())
    names = told_apart(dataset.classes, LONGEST)
    rows = []
    for k, name in enumerate(names):
        row = result.confusion[k]
        others = row.copy()
        others[k] = 0
        worst = f"{names[others.argmax()]} ({others.max()})" if others.any() else "-"
        share = f"{row[k] / row.sum():.4f}" if row.any() else "-"
        rows.append((name, f"{row.sum():,}", share, worst))
    total = ("all", f"{len(dataset):,}", f"{result.accuracy:.4f}", "")
    header = ("class", "images", "accuracy", "most often taken for")
    echo(text_table(header, rows, left=(0, 3), total=total))
    mean = ", mean of each image and its mirror image" if mirrored else ""
    echo(f"{split} accuracy {result.accuracy:.4f}, loss {result.loss:.4f}{mean}")
    if confusion is not None:
        with renamed(save_figure="--confusion", path="--confusion"):
            viz.save_figure(viz.confusion(result.confusion, dataset.classes), confusion)
        echo(f"{confusion}")
