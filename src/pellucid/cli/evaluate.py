"""``pellucid evaluate``: how good a trained model is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import ArgumentError, DataError
from . import runs
from .compiling import announced
from .datasets import image_size, is_folder, load_images
from .messages import as_options

if TYPE_CHECKING:
    from ..data import Dataset
    from ..nn import Layer
    from ..training import Evaluation
    from ..training.preparation import Engine

__all__ = ["command", "measure"]

BATCH = 100  # images at a time


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN|MODEL", help="A run folder or a model file.")],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Data set, or folder or zip archive of images. "
            "[dim]Default: what it was trained on.[/dim]",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder that holds its files.")
    ] = None,
    split: Annotated[
        Literal["train", "test"], typer.Option(help="Which part of the data set.")
    ] = "test",
    engine: Annotated[
        Literal["fast", "reference"] | None,
        typer.Option(
            metavar="NAME",
            help="fast (compiled kernels) or reference (plain NumPy). "
            "[dim]Default: the run's own; for a file fast.[/dim]",
        ),
    ] = None,
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
    settings = runs.read_config(run / runs.CONFIG) if (run / runs.CONFIG).is_file() else {}
    options: dict[str, Any] = {k: settings[k] for k in ("held_out", "seed") if k in settings}
    if data is None:
        data = settings.get("data") or (model.card.dataset if model.card else None)
        data_dir = data_dir or (Path(settings["data_dir"]) if "data_dir" in settings else None)
        options["size"] = image_size(settings.get("size"))
        options |= {k: settings[k] for k in ("channels", "skip_corrupt") if k in settings}
    elif is_folder(data) and model.input_shape is not None:
        channels, *size = model.input_shape
        options |= {"size": tuple(size), "channels": channels}
    if data is None:
        raise ArgumentError("the model does not say what it was trained on.", where="--data")
    if not is_folder(data):
        options = {}
    train, test = load_images(data, data_dir, **options)
    dataset = train if split == "train" else test
    _require_fit(model, dataset)
    result = measure(model, dataset, engine or settings.get("engine", "fast"))
    rows = []
    for k, name in enumerate(dataset.classes):
        row = result.confusion[k]
        others = row.copy()
        others[k] = 0
        worst = f"{dataset.classes[others.argmax()]} ({others.max()})" if others.any() else "-"
        share = f"{row[k] / row.sum():.4f}" if row.any() else "-"
        rows.append((name, f"{row.sum():,}", share, worst))
    total = ("all", f"{len(dataset):,}", f"{result.accuracy:.4f}", "")
    header = ("class", "images", "accuracy", "most often taken for")
    typer.echo(text_table(header, rows, left=(0, 3), total=total))
    typer.echo(f"{split} accuracy {result.accuracy:.4f}, loss {result.loss:.4f}")
    if confusion is not None:
        with as_options(save_figure="--confusion", path="--confusion"):
            viz.save_figure(viz.confusion(result.confusion, dataset.classes), confusion)
        typer.echo(f"{confusion}")


def measure(model: Layer, dataset: Dataset, engine: Engine) -> Evaluation:
    """Evaluate ``model`` on ``dataset``, with a bar meanwhile if standard error is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from ..training import evaluate
    from ..training.preparation import machinery

    run, *_, watched = machinery(engine, model, dataset.image_shape, BATCH, frozen=True)
    title = f"{dataset.name}, {dataset.split}"
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=len(dataset))

        def advance(images: int) -> None:
            progress.update(task, advance=images, description=title)

        def live(text: str) -> None:
            progress.update(task, description=text, refresh=True)

        with announced(watched, live):
            return evaluate(
                model, dataset, batch_size=BATCH, on_batch=advance, engine=engine, run=run
            )


def _require_fit(model: Layer, dataset: Dataset) -> None:
    """Refuse images of another size and classes of another meaning."""
    if model.input_shape not in (None, dataset.image_shape):
        raise DataError(
            f"the model was built for images {_by(model.input_shape)}; those of '{dataset.name}' "
            f"are {_by(dataset.image_shape)}. Evaluate it on the data set it was trained on, or "
            f"train one on '{dataset.name}'.",
            where="--data",
        )
    outputs = model.output_shape(dataset.image_shape)
    if outputs != (len(dataset.classes),):
        raise DataError(
            f"the model gives {_by(outputs)} numbers for an image; '{dataset.name}' has "
            f"{len(dataset.classes)} classes.",
            where="--data",
        )
    if model.card is not None and model.card.classes != dataset.classes:
        raise DataError(
            f"the model tells apart {', '.join(model.card.classes)}; '{dataset.name}' has other "
            f"classes: {', '.join(dataset.classes)}.",
            where="--data",
        )


def _by(shape: tuple[int, ...] | None) -> str:
    return "x".join(map(str, shape or ()))
