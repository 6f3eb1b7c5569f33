"""``pellucid show why``: which pixels an answer hangs on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ArgumentError, did_you_mean
from . import runs
from .messages import as_options
from .pictures import OutOption, WindowOption, deliver, require_deliverable
from .trained import images_of, settings_of

if TYPE_CHECKING:
    from ..nn import Layer

__all__ = ["command"]


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN|MODEL", help="A run folder or a model file.")],
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IMAGE]",
            help="A PNG or JPEG file. [dim]Default: one of the data set.[/dim]",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        Literal["all", "saliency", "guided", "occlusion", "gradcam"],
        typer.Option(metavar="NAME", help="all, saliency, guided, occlusion or gradcam."),
    ] = "all",
    class_: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="NAME|N",
            help="Why this class, or why not. [dim]Default: the predicted one.[/dim]",
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="For Grad-CAM. [dim]Default: the last convolutional maps.[/dim]",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Side of occlusion's square. [dim]Default: a quarter of the image.[/dim]",
        ),
    ] = None,
    index: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Which image of the data set, from 0.")
    ] = None,
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
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Lay over an image what the score of a class hangs on, by four methods."""
    from rich.console import Console
    from rich.progress import Progress

    from .. import viz
    from ..data import read_image
    from ..formats import load
    from ..viz.why import METHODS

    require_deliverable(out, window)
    model, settings = load(runs.model_path(run)), settings_of(run)
    classes = model.card.classes if model.card else None
    label = None
    if image is not None:
        for option, value in (("--index", index), ("--data", data), ("--data-dir", data_dir)):
            if value is not None:
                raise ArgumentError("belongs to a data set; leave the IMAGE out.", where=option)
        if model.input_shape is None or model.input_shape[0] not in (1, 3):
            raise ArgumentError(
                f"the network takes images {model.input_shape}; a picture file has 1 or 3 "
                "channels. Give none, and take one of the data set.",
                where="IMAGE",
            )
        c, h, w = model.input_shape
        x = read_image(image, (c, h, w), model.card.background if model.card else None)[0]
    else:
        train, test = images_of(model, settings, data, data_dir)
        dataset = train if split == "train" else test
        number = index or 0
        if number >= len(dataset):
            raise ArgumentError(
                f"there are images 0 to {len(dataset) - 1}, received {number}.", where="--index"
            )
        images, labels = dataset.batch([number])
        x, label, classes = images[0], int(labels[0]), dataset.classes
    target = None if class_ is None else _class(class_, classes, model, x.shape)
    console = Console(stderr=True)
    with (
        as_options(layer="--layer", target="--class", size="--size"),
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("covering a part of the image", total=None)
        figure = viz.why(
            model, x, target, methods=METHODS if method == "all" else [method],
            layer=layer, size=size, classes=classes, label=label,
            on_batch=lambda images: progress.update(task, advance=images),
        )  # fmt: skip
    deliver(figure, "why", out, window=window)


def _class(text: str, classes: tuple[str, ...] | None, model: Layer, shape: tuple[int, ...]) -> int:
    """Return the number of the class: a name goes before a number."""
    if classes is not None and text in classes:
        return classes.index(text)
    if text.isdecimal() and int(text) < model.output_shape(shape)[0]:
        return int(text)
    known = [str(k) for k in range(model.output_shape(shape)[0])] if classes is None else classes
    raise ArgumentError(f"there is no {text!r}. {did_you_mean(text, known)}", where="--class")
