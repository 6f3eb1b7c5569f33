"""A trained model together with the images it was trained on, as several commands need them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import ArgumentError, DataError, DataNotFoundError
from ..names import listed
from . import runs
from .datasets import image_size, is_folder, joined, load_images
from .messages import echo

if TYPE_CHECKING:
    from ..data import Dataset, Split
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


def settings_of(run_or_model: Path) -> dict[str, Any]:
    """Return the settings of a run, named by its folder or its model; of another file, none."""
    run = runs.run_of(run_or_model)
    return {} if run is None else runs.read_config(run / runs.CONFIG)


def images_of(
    model: Layer,
    run: Path | None,
    data: str | None,
    data_dir: Path | None,
    *,
    download: bool = True,
) -> tuple[Dataset, Dataset]:
    """Return training and test set: those ``data`` names, or those the model was trained on.

    In a folder that the model learned from, they are the images that it learned from and was
    tested on, whatever was added since.

    Parameters
    ----------
    model : Layer
    run : Path or None
        Its run folder or file.
    data, data_dir
        ``--data`` and ``--data-dir``.
    download : bool
        Whether a data set may be fetched.

    Raises
    ------
    ArgumentError
        If nothing says which.
    DataError
        If they are not there, are damaged, the model does not fit them, or nobody can tell which of
        them it learned from.
    """
    settings = {} if run is None else settings_of(run)
    known = data is None
    options: dict[str, Any] = {k: settings[k] for k in ("held_out", "seed") if k in settings}
    if data is None:
        data = settings.get("data") or (model.card.dataset if model.card else None)
        data_dir = data_dir or (Path(settings["data_dir"]) if "data_dir" in settings else None)
        options["size"] = image_size(settings.get("size"))
        options |= {
            k: settings[k] for k in ("channels", "skip_corrupt", "skip_empty") if k in settings
        }
    elif is_folder(data) and model.input_shape is not None:
        channels, *size = model.input_shape
        options |= {"size": tuple(size), "channels": channels}
    if data is None:
        raise ArgumentError("the model does not say what it was trained on.", where="--data")
    try:
        if not is_folder(data):
            train, test = load_images(data, data_dir, download=download)
        else:
            split = None if run is None else runs.split_of(run)
            train, test = _of_a_folder(model, data, data_dir, split, options)
    except DataNotFoundError as error:
        if known:
            error.message += (
                " The model was trained on it; if it lies elsewhere by now, name it with --data."
            )
        raise
    require_fit(model, train)
    return train, test


def _of_a_folder(
    model: Layer, data: str, data_dir: Path | None, split: Split | None, options: dict[str, Any]
) -> tuple[Dataset, Dataset]:
    """Read a folder; where it has no test part, find out which images the model learned from."""
    card = model.card
    if card is not None and card.preparation is not None:
        options["drawing"] = card.preparation.drawing
    drawn = None if card is None else card.held_out
    if split is None and drawn is not None:
        options |= {"held_out": drawn.share, "seed": drawn.seed}
    train, test = load_images(data, data_dir, split=split, **options)
    if test.held_out is None:
        return train, test  # the folder says it: there is a part to test on
    if split is not None:
        known = {file.sha256 for file in split.roles}
        if any(file.sha256 in known for file in (*(train.files or ()), *(test.files or ()))):
            return train, test
        whole = joined(train, test)
        echo(f"note: the training saw none of these {len(whole):,} images; all of them are taken")
        return whole, whole
    if drawn is not None and test.held_out != drawn:
        raise DataError(
            f"the model learned from images of such a folder ('{card.dataset if card else ''}') "
            f"and was tested on {drawn.share:.0%} of them. '{data}' is not as it was then, and "
            "the model's file alone does not say which images it knows. Name its run folder, "
            f"whose {runs.SPLIT} says it, or a folder that has train/ and test/.",
            where="--data",
        )
    if drawn is None and "seed" not in options:
        echo(
            "note: nothing says which images the model learned from; it may know some of those it "
            "is tested on here"
        )
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
