"""``pellucid show activations``: the outputs of every layer, for different initial weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...errors import ArgumentError, renamed
from ...names import shown
from ...runs.initial_weights import weight_init_of
from ...runs.networks import is_name
from ...shapes import shape_text
from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..images import images_of, load_images
from ..messages import count
from ..options import NAMES, ImageOption, image_shape, network

if TYPE_CHECKING:
    from ...nn import Layer
    from ...typing import Array

__all__ = ["command"]

INITS = ["1", "0.01", "xavier", "he"]
MOST_IMAGES, MOST_NUMBERS = 100, 2**26  # the second as float32: 256 MiB
LONGEST = 30  # columns of a name in the title
BOOK = ("sigmoid", "tanh", "relu")


def command(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help=f'A run folder, a model file, a network\'s name ({NAMES}) or "INPUT -> ...". '
            "[dim]Default: the book's five layers of 100.[/dim]",
            show_default=False,
        ),
    ] = None,
    init: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X",
            help="Initial weights: he, xavier, or a standard deviation; once for each panel. "
            "[dim]Default: 1, 0.01, xavier, he.[/dim]",
        ),
    ] = None,
    activation: Annotated[
        Literal["sigmoid", "tanh", "relu"] | None,
        typer.Option(
            metavar="NAME",
            help="Activation of the book's layers: sigmoid, tanh or relu. [dim]Default: all.[/dim]",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="Images from this data set, folder or archive. "
            "[dim]Default: the run's own; for a name random numbers.[/dim]",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder that holds its files.")
    ] = None,
    image: ImageOption = None,
    images: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Run on N images. [dim]Default: 100; fewer if they are large.[/dim]",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Draws the weights.")] = 0,
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw histograms of every layer's outputs for different initial weights.

    Without a MODEL, the experiment of "Deep Learning from Scratch",
    section 6.2: five layers of 100 neurons, on 1,000 random inputs.

    With one, its layers on a batch of images; for a trained model the
    last panel shows it as it is.
    """
    import numpy as np

    from ... import viz

    require_deliverable(out, window)
    with renamed(init="--init"):
        inits = {_title(text): weight_init_of(text) for text in init or INITS}
    if model is None:
        given = {"--data": data, "--data-dir": data_dir, "--input": image}
        for option, value in given.items():
            if value is not None:
                raise ArgumentError("belongs to a MODEL; give one.", where=option)
        names = BOOK if activation is None else (activation,)
        with renamed(weight_init="--init"):
            panels = {
                f"{name}, {title}": viz.section_6_2(name, x, rng=np.random.default_rng(seed))
                for title, x in inits.items()
                for name in names
            }
        figure = viz.activations(panels, columns=len(names) if len(names) > 1 else None)
        deliver(figure, "activations", out, window=window)
        return
    if activation is not None:
        raise ArgumentError("belongs to the book's layers; leave MODEL out.", where="--activation")
    net = network(model, None if image is None else image_shape(image))
    x, what = _batch(model, net, data, data_dir, images or _affordable(net), seed)
    with renamed(weight_init="--init"):
        panels = {
            title: viz.layer_outputs(
                viz.with_initial_weights(net, value, rng=np.random.default_rng(seed)), x
            )
            for title, value in inits.items()
        }
    if not is_name(model):
        panels["as it was trained"] = viz.layer_outputs(net, x)
    called = shown(model if is_name(model) else Path(model).name, LONGEST)
    title = f"outputs of the layers of {called} for {what}"
    deliver(viz.activations(panels, title=title), "activations", out, window=window)


def _batch(
    model: str, net: Layer, data: str | None, data_dir: Path | None, images: int, seed: int
) -> tuple[Array, str]:
    """Return images (N, C, H, W) to run on, and their description."""
    import numpy as np

    if data is None and is_name(model):
        if data_dir is not None:
            raise ArgumentError("belongs to --data.", where="--data-dir")
        assert net.input_shape is not None
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((images, *net.input_shape)).astype(np.float32)
        return x, f"{count(images, 'image')} of random numbers"
    if is_name(model):
        assert data is not None
        test = load_images(data, data_dir).test
        if test.image_shape != net.input_shape:
            raise ArgumentError(
                f"the images of '{test.name}' are {shape_text(test.image_shape)}; the "
                f"network is for {shape_text(net.input_shape or ())}. Give --input "
                f"{shape_text(test.image_shape)}.",
                where="--data",
            )
    else:
        test = images_of(net, Path(model), data, data_dir).test
    chosen = np.linspace(0, len(test) - 1, min(images, len(test))).astype(np.int64)
    return test.batch(chosen)[0], f"{count(len(chosen), 'image')} of {shown(test.name, LONGEST)}"


def _affordable(net: Layer) -> int:
    """Return the number of images that the plain layers can run on in little memory."""
    from ...nn import summary

    if net.input_shape is None:
        return MOST_IMAGES
    # im2col makes as many numbers as each filter multiplies.
    most = max(
        max(row.activation, row.multiply_adds // max(row.output_shape[0], 1))
        for row in summary(net).rows
    )
    return max(1, min(MOST_IMAGES, MOST_NUMBERS // most))


def _title(text: str) -> str:
    try:
        return f"deviation {float(text):g}"
    except ValueError:
        return text
