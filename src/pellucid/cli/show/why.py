"""``pellucid show why``: the pixels that a prediction depends on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from unicodedata import normalize

import typer

from ...errors import ArgumentError, did_you_mean, renamed
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..models import model_file
from ..options import AsIsOption, DataDirOption, DataOption, RunArgument, SplitOption
from ..terminal import bar
from .inputs import IndexOption, image_to_show

if TYPE_CHECKING:
    from ...nn import Layer

__all__ = ["command"]


def command(
    run: RunArgument,
    image: Annotated[
        Path | None,
        typer.Argument(
            metavar="[IMAGE]",
            help="A picture file. [dim]Default: one of the data set.[/dim]",
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
            help="The class to explain. [dim]Default: the predicted one.[/dim]",
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Layer for Grad-CAM. [dim]Default: the last convolutional maps.[/dim]",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Side of the occluding square. [dim]Default: a quarter of the image.[/dim]",
        ),
    ] = None,
    index: IndexOption = None,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    as_is: AsIsOption = False,
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Overlay an image with what the score of a class depends on, by four methods."""
    from ... import viz
    from ...formats import load
    from ...viz.figures.explanation import METHODS

    require_deliverable(out, window)
    model = load(model_file(run))
    x, label, classes = image_to_show(
        str(run), model, image, index, data, data_dir, split, as_is=as_is
    )
    target = None if class_ is None else _class(class_, classes, model, x.shape)
    with (
        renamed(layer="--layer", target="--class", size="--size"),
        bar() as progress,
    ):
        task = progress.add_task("occluding parts of the image", total=None)
        figure = viz.why(
            model, x, target, methods=METHODS if method == "all" else [method],
            layer=layer, size=size, classes=classes, label=label,
            on_batch=lambda images: progress.update(task, advance=images),
        )  # fmt: skip
    deliver(figure, "why", out, window=window)


def _class(text: str, classes: tuple[str, ...] | None, model: Layer, shape: tuple[int, ...]) -> int:
    """Return the index of a class given by name or by number; names take precedence."""
    # macOS writes accents, and the parts of Korean letters, as separate characters.
    names = [normalize("NFC", name) for name in classes or ()]
    for wanted, known in ((text, classes or ()), (normalize("NFC", text), names)):
        if wanted in known:
            return known.index(wanted)
    if text.isdecimal() and int(text) < model.output_shape(shape)[0]:
        return int(text)
    known = [str(k) for k in range(model.output_shape(shape)[0])] if classes is None else classes
    raise ArgumentError(f"there is no {text!r}. {did_you_mean(text, known)}", where="--class")
