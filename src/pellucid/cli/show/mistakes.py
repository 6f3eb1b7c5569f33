"""``pellucid show mistakes`` and ``show confusion``: the mistakes of a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..images import part_of
from ..models import model_file
from ..options import DataDirOption, DataOption, RunArgument, SplitOption
from ..terminal import Terminal

if TYPE_CHECKING:
    from ...data import Dataset
    from ...typing import Array

__all__ = ["confusion", "mistakes", "predicted"]


def mistakes(
    run: RunArgument,
    most: Annotated[int, typer.Option(metavar="N", min=1, max=400, help="How many.")] = 25,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the mistakes that the network was most confident about."""
    from ... import viz

    require_deliverable(out, window)
    dataset, probabilities = predicted(run, data, data_dir, split)
    if not len(viz.ranked_mistakes(dataset.labels, probabilities)):
        typer.echo(f"there are no mistakes to draw: all {len(dataset):,} images are right")
        return
    deliver(viz.mistakes(dataset, probabilities, most=most), "mistakes", out, window=window)


def confusion(
    run: RunArgument,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the confusion matrix: which classes are taken for which."""
    from ... import viz
    from ...runs.predictions import confusion_matrix

    require_deliverable(out, window)
    dataset, probabilities = predicted(run, data, data_dir, split)
    matrix = confusion_matrix(dataset, probabilities)
    deliver(viz.confusion(matrix, dataset.classes), "confusion", out, window=window)


def predicted(
    run: Path, data: str | None, data_dir: Path | None, split: str
) -> tuple[Dataset, Array]:
    """Return the images and the probabilities that the model predicts for them."""
    from ...formats import load
    from ...runs.predictions import predictions
    from ...runs.trained_model import settings_of

    model, settings = load(model_file(run)), settings_of(run)
    dataset = part_of(model, run, data, data_dir, split)
    engine = settings.get("engine", "compiled")
    return dataset, predictions(model, dataset, engine, listener=Terminal())
