"""``pellucid show mistakes`` and ``show confusion``: where a trained network errs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import runs
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..trained import DataDirOption, DataOption, RunArgument, SplitOption, images_of, settings_of

if TYPE_CHECKING:
    from ...data import Dataset
    from ...typing import Array

__all__ = ["confusion", "mistakes"]


def mistakes(
    run: RunArgument,
    most: Annotated[int, typer.Option(metavar="N", min=1, max=400, help="How many.")] = 25,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the images the network was most sure about, and wrong."""
    from ... import viz

    require_deliverable(out, window)
    dataset, probabilities = _guessed(run, data, data_dir, split)
    if not len(viz.ranked_mistakes(dataset.labels, probabilities)):
        typer.echo(f"there is no mistake to draw: all {len(dataset):,} images are right")
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
    """Draw which classes are taken for which."""
    import numpy as np

    from ... import viz

    require_deliverable(out, window)
    dataset, probabilities = _guessed(run, data, data_dir, split)
    matrix = np.zeros((len(dataset.classes),) * 2, dtype=np.int64)
    np.add.at(matrix, (dataset.labels, probabilities.argmax(axis=1)), 1)
    deliver(viz.confusion(matrix, dataset.classes), "confusion", out, window=window)


def _guessed(
    run: Path, data: str | None, data_dir: Path | None, split: str
) -> tuple[Dataset, Array]:
    """Return the images and the probabilities that the model gives them."""
    from ...formats import load
    from ..guesses import guesses

    model, settings = load(runs.model_path(run)), settings_of(run)
    train, test = images_of(model, run, data, data_dir)
    dataset = train if split == "train" else test
    return dataset, guesses(model, dataset, settings.get("engine", "compiled"))
