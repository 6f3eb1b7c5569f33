"""``pellucid evaluate``: loss and accuracy of a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import renamed
from ..names import told_apart
from .images import part_of
from .json_output import JsonOption, print_json
from .messages import echo, note
from .models import model_file
from .options import DataDirOption, DataOption, RunArgument, SplitOption
from .ranks import on_ranks
from .terminal import Terminal

if TYPE_CHECKING:
    from ..data import Dataset
    from ..training import Evaluation

__all__ = ["command"]

LONGEST = 40  # columns of a class's name


@on_ranks
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
    precision: Annotated[
        Literal["float32", "bf16"],
        typer.Option(
            metavar="NAME",
            help="float32, or bf16: large products round their factors to 8 bits of mantissa.",
        ),
    ] = "float32",
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
    as_json: JsonOption = False,
) -> None:
    """Measure a model on a whole data set, class by class.

    Under mpiexec the ranks share the images: the numbers are those of one process.
    """
    from .. import viz
    from ..distributed import agreed, world
    from ..formats import load
    from ..runs.predictions import measure
    from ..runs.trained_model import settings_of
    from ..training.engines import as_engine

    ranks = world()
    model = agreed(ranks, lambda: load(model_file(run)))
    settings = settings_of(run)
    dataset = part_of(model, run, data, data_dir, split, ranks)
    how = as_engine(engine or settings.get("engine", "compiled"), precision)
    result = measure(
        model, dataset, how, mirrored=mirrored, listener=Terminal(), communicator=ranks
    )
    if ranks.rank:
        return
    if as_json:
        print_json(_document(dataset, split, result, mirrored=mirrored))
    else:
        _print_table(dataset, split, result, mirrored=mirrored)
    if confusion is not None:
        with renamed(save_figure="--confusion", path="--confusion"):
            viz.save_figure(viz.confusion(result.confusion, dataset.classes), confusion)
        if as_json:
            note(f"{confusion}")
        else:
            echo(f"{confusion}")


def _document(
    dataset: Dataset, split: str, result: Evaluation, *, mirrored: bool
) -> dict[str, Any]:
    """Return what --json prints."""
    scores, calibration = result.by_class, result.calibration
    by_class = [
        {
            "class": name,
            "images": row.sum(),
            "correct": row[k],
            "accuracy": row[k] / row.sum() if row.any() else None,
            "precision": scores.precision[k],
            "recall": scores.recall[k],
            "f1": scores.f1[k],
        }
        for k, (name, row) in enumerate(zip(dataset.classes, result.confusion, strict=True))
    ]
    return {
        "data": dataset.name,
        "split": split,
        "images": len(dataset),
        "accuracy": result.accuracy,
        "balanced_accuracy": result.balanced_accuracy,
        "macro_f1": result.macro_f1,
        "weighted_f1": scores.weighted_f1,
        "loss": result.loss,
        "calibration": None
        if calibration is None
        else {
            "ece": calibration.ece,
            "mce": calibration.mce,
            "nll": calibration.nll,
            "brier": calibration.brier,
        },
        "mirrored": mirrored,
        "classes": by_class,
        "confusion": result.confusion,
    }


def _print_table(dataset: Dataset, split: str, result: Evaluation, *, mirrored: bool) -> None:
    from ..tables import text_table

    names, scores = told_apart(dataset.classes, LONGEST), result.by_class
    rows = []
    for k, name in enumerate(names):
        row = result.confusion[k]
        others = row.copy()
        others[k] = 0
        worst = f"{names[others.argmax()]} ({others.max()})" if others.any() else "-"
        shares = [_share(values[k]) for values in (scores.recall, scores.precision, scores.f1)]
        rows.append((name, f"{row.sum():,}", *shares, worst))
    total = ("all", f"{len(dataset):,}", f"{result.accuracy:.4f}", "", "", "")
    header = ("class", "images", "accuracy", "precision", "F1", "most often taken for")
    echo(text_table(header, rows, left=(0, 5), total=total))
    mean = ", mean of each image and its mirror image" if mirrored else ""
    said = f"balanced accuracy {result.balanced_accuracy:.4f}, macro F1 {result.macro_f1:.4f}"
    if result.calibration is not None:
        said += f", expected calibration error {result.calibration.ece:.4f}"
    echo(said)
    echo(f"{split} accuracy {result.accuracy:.4f}, loss {result.loss:.4f}{mean}")


def _share(value: float) -> str:
    return "-" if value != value else f"{value:.4f}"  # NaN: no image, or no prediction
