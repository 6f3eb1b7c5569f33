"""``pellucid evaluate``: how good a trained model is."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..names import told_apart
from . import runs
from .guesses import BATCH, image_bar
from .messages import as_options, echo
from .trained import (
    DataDirOption,
    DataOption,
    RunArgument,
    SplitOption,
    images_of,
    settings_of,
)

if TYPE_CHECKING:
    from ..data import Dataset
    from ..nn import Layer
    from ..training import Evaluation
    from ..training.engines import EngineLike

__all__ = ["command", "measure"]

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
            help="Take the mean of the scores of each image and of its mirror image, left for "
            "right.",
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
    from ..tables import text_table

    model = load(runs.model_path(run))
    settings = settings_of(run)
    train, test = images_of(model, run, data, data_dir)
    dataset = train if split == "train" else test
    result = measure(
        model, dataset, engine or settings.get("engine", "compiled"), mirrored=mirrored
    )
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
        with as_options(save_figure="--confusion", path="--confusion"):
            viz.save_figure(viz.confusion(result.confusion, dataset.classes), confusion)
        echo(f"{confusion}")


def measure(
    model: Layer, dataset: Dataset, engine: EngineLike, *, mirrored: bool = False
) -> Evaluation:
    """Evaluate ``model`` on ``dataset``, with a bar meanwhile if standard error is a terminal."""
    from ..training import evaluate
    from ..training.engines import as_engine

    engine = as_engine(engine)
    run = engine.prepare(model, dataset.image_shape, BATCH, frozen=True)
    watched = partial(engine.watched, run, training=False)
    with image_bar(dataset, watched) as advance:
        return evaluate(
            model, dataset, batch_size=BATCH, on_batch=advance, mirrored=mirrored, engine=engine,
            run=run,
        )  # fmt: skip
