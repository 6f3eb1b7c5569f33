"""``pellucid predict``: classify pictures with a trained model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError, DataError
from ..names import told_apart
from ..shapes import shape_text
from .compiling import announced
from .images import picture
from .messages import complain, echo
from .models import model_file
from .options import AsIsOption, EngineOption

__all__ = ["command"]

BATCH = 100  # pictures at a time
LONGEST = 40  # columns of a class's name


def command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model file or a run folder.")],
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE", help="PNG, JPEG, TIFF, GIF, BMP, PPM or WebP files."),
    ],
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Number of guesses.")] = 3,
    as_is: AsIsOption = False,
    engine: EngineOption = "compiled",
) -> None:
    """Name what is in pictures, with probabilities.

    Each picture is prepared as the images were that the model was trained on: pellucid summary
    says how. If it was trained on drawings, one is looked for in the picture; a note says so.

    A picture that cannot be read is reported after the others; the exit code is then 1.
    """
    import numpy as np

    from ..formats import load
    from ..tables import text_table
    from ..training import predict
    from ..training.engines import as_engine

    network = load(model_file(model))
    if network.input_shape is None:
        raise ArgumentError(
            "does not say which images it was built for. Save it with its `input_shape` set.",
            where=str(model),
        )
    c, h, w = network.input_shape
    card, outputs = network.card, network.output_shape((c, h, w))
    if len(outputs) != 1 or (card is not None and len(card.classes) != outputs[0]):
        names = "" if card is None else f", and knows {len(card.classes)} classes by name"
        raise ArgumentError(
            f"returns {shape_text(outputs)} numbers for an image{names}. Its last layer "
            "must have one output per class.",
            where=str(model),
        )
    read, pictures, unread, notes = [], [], [], []
    for path in images:
        try:
            x, told = picture(network, path, (c, h, w), as_is=as_is)
            pictures.append(x)
            read.append(path)
            notes += told
        except DataError as error:
            unread.append(error)
    classes = told_apart(card.classes, LONGEST) if card else ()
    rows = []
    if read:
        x = np.stack(pictures)
        how = as_engine(engine)
        run = how.prepare(network, (c, h, w), min(len(x), BATCH), frozen=True)
        with announced(partial(how.watched, run, training=False)):
            guessed = predict(network, x, batch_size=BATCH, run=run)
        for path, probabilities in zip(read, guessed, strict=True):
            best = probabilities.argsort()[::-1][:top]
            named = ((classes[k] if classes else k, 100 * probabilities[k]) for k in best)
            rows.append((str(path), *(f"{name} {percent:.1f} %" for name, percent in named)))
    if rows:
        places = len(rows[0]) - 1
        header = ("image", *(f"guess {k + 1}" for k in range(places)))
        echo(text_table(header, rows, left=range(places + 1)))
    for note in notes:
        echo(f"note: {note}")
    for refusal in unread:
        complain(refusal)
    if unread:
        raise typer.Exit(1)
