"""A trained model together with the images it was trained on, as several commands need them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import ArgumentError, DataError
from ..names import listed
from . import runs
from .datasets import image_size, is_folder, load_images

if TYPE_CHECKING:
    from ..data import Dataset
    from ..nn import Layer

__all__ = [
    "DataDirOption",
    "DataOption",
    "RunArgument",
    "SplitOption",
    "images_of",
    "require_fit",
    "settings_of",
]

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN|MODEL", help="A run folder or a model file.")
]
DataOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|PATH",
        help="Data set, or folder or zip archive of images. "
        "[dim]Default: what it was trained on.[/dim]",
    ),
]
DataDirOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Folder that holds its files.")
]
SplitOption = Annotated[Literal["train", "test"], typer.Option(help="Which part of the data set.")]


def settings_of(run: Path) -> dict[str, Any]:
    """Return the settings of a run folder; of a model file, or a folder without them, none."""
    return runs.read_config(run / runs.CONFIG) if (run / runs.CONFIG).is_file() else {}


def images_of(
    model: Layer,
    settings: dict[str, Any],
    data: str | None,
    data_dir: Path | None,
    *,
    download: bool = True,
) -> tuple[Dataset, Dataset]:
    """Return training and test set: those ``data`` names, or those the model was trained on.

    Raises
    ------
    ArgumentError
        If nothing says which.
    DataError
        If they are not there, are damaged, or the model does not fit them.
    """
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
    train, test = load_images(data, data_dir, download=download, **options)
    require_fit(model, train)
    return train, test


def require_fit(model: Layer, dataset: Dataset) -> None:
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
            f"the model tells apart {listed(model.card.classes)}; '{dataset.name}' has other "
            f"classes: {listed(dataset.classes)}.",
            where="--data",
        )


def _by(shape: tuple[int, ...] | None) -> str:
    return "x".join(map(str, shape or ()))
