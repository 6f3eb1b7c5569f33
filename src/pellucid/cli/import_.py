"""``pellucid import``: a model of another framework, in an ONNX file, as a model file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, DataNotFoundError, renamed
from ..shapes import shape_text
from .interrupts import stoppable
from .messages import count, echo, note, tell
from .options import image_shape

if TYPE_CHECKING:
    from ..nn import Layer

__all__ = ["command"]


def command(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="An ONNX file.")],
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="TARGET",
            help="The model file. [dim]Default: SOURCE's name with .safetensors.[/dim]",
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="CxHxW",
            help="Images, where the file leaves their size open, e.g. 3x224x224.",
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Names of the classes: one on each line, or a list in JSON. "
            "[dim]Default: those in the file.[/dim]",
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            metavar="M,M,M",
            help="Normalize pixels from 0 to 1 by this mean of each channel, red first, if the "
            "file expects it and does not do it: ImageNet's is 0.485,0.456,0.406.",
        ),
    ] = None,
    deviation: Annotated[
        str | None,
        typer.Option(
            metavar="D,D,D",
            help="And by this standard deviation: ImageNet's is 0.229,0.224,0.225.",
        ),
    ] = None,
    bgr: Annotated[
        bool,
        typer.Option(
            "--bgr",
            help="The file expects blue, green and red: let it take red, green and blue.",
        ),
    ] = False,
    fold: Annotated[
        bool,
        typer.Option("--fold", help="Make batch norms part of the convolutions before them."),
    ] = False,
    external_data: Annotated[
        bool,
        typer.Option("--external-data", help="Read weights in other files of SOURCE's folder."),
    ] = False,
    softmax: Annotated[
        bool,
        typer.Option(
            "--softmax",
            help="Keep a softmax at the end. [dim]Default: leave it out, as predict and train "
            "expect scores.[/dim]",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace TARGET if it exists.")
    ] = False,
) -> None:
    """Convert an ONNX file to a model for predict, evaluate, summary and train --from.

    pellucid import resnet18.onnx

    pellucid train --from resnet18.safetensors --data flowers --freeze all-but-last
    """
    from ..formats.model_file import save

    target = source.with_suffix(".safetensors") if target is None else target
    _require_target(source, target, overwrite)
    shape = None if image is None else image_shape(image)
    names = None if classes is None else _names(classes)
    numbers = _numbers(mean, "--mean"), _numbers(deviation, "--deviation")
    if (numbers[0] is None) != (numbers[1] is None):
        raise ArgumentError(
            "go together, one number of each for a channel.", where="--mean and --deviation"
        )
    with stoppable("stopped; nothing was written"):
        model = _model(
            source, shape, bgr=bgr, fold=fold, external_data=external_data, softmax=softmax
        )
        if names is not None:
            _name(model, names)
        if numbers[0] is not None and numbers[1] is not None:
            model = _normalized(model, numbers[0], numbers[1])
        save(model, target)
    echo(target)
    assert model.input_shape is not None
    outputs = shape_text(model.output_shape(model.input_shape))
    tell(
        f"images {shape_text(model.input_shape)} -> {outputs}; "
        f"{count(model.parameter_count(), 'parameter')}"
    )


def _model(
    source: Path,
    shape: tuple[int, int, int] | None,
    *,
    bgr: bool,
    fold: bool,
    external_data: bool,
    softmax: bool,
) -> Layer:
    from ..formats.onnx.importing import for_pictures

    with renamed(
        input_shape="--input", bgr="--bgr", external_data="--external-data", from_onnx="import"
    ):
        model, notes = for_pictures(
            source,
            input_shape=shape,
            bgr=bgr,
            fold=fold,
            external_data=external_data,
            softmax=softmax,
        )
    if model.output_names is not None:
        raise ArgumentError(
            f"has {len(model.output_names)} outputs, and a model file for these commands one. "
            "In Python, pellucid.from_onnx reads it, and ending_at chooses one.",
            where=str(source),
        )
    for sentence in notes:
        note(sentence)
    return model


def _require_target(source: Path, target: Path, overwrite: bool) -> None:
    if target.suffix.lower() != ".safetensors":
        raise ArgumentError(f"must end in .safetensors, received '{target}'.", where="TARGET")
    if target.exists() and (source.exists() and target.samefile(source)):
        raise ArgumentError(f"'{target}' is the file that is read.", where="TARGET")
    if target.exists() and not overwrite:
        raise ArgumentError(
            f"'{target}' exists. Choose another name, or add --overwrite.", where="TARGET"
        )


def _names(path: Path) -> tuple[str, ...]:
    """Return the class names in a file: a JSON list, or lines."""
    if not path.is_file():
        raise DataNotFoundError(f"there is no file '{path}'.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ArgumentError(f"'{path}' is not text in UTF-8.", where="--classes") from None
    if text.lstrip()[:1] == "[":
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ArgumentError(
                f"'{path}' is not a list in JSON: {error}.", where="--classes"
            ) from None
        return tuple(str(name) for name in found)
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _name(model: Layer, names: tuple[str, ...]) -> None:
    from ..formats.onnx.importing import card_for

    assert model.input_shape is not None
    made = model.output_shape(model.input_shape)
    if made[:1] != (len(names),):
        raise ArgumentError(
            f"has {len(names)} names, and the network {shape_text(made)} outputs.",
            where="--classes",
        )
    known = model.card or card_for(model.input_shape, names)
    model.card = replace(known, classes=names)


def _normalized(model: Layer, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Layer:
    from ..nn import Normalize

    assert model.input_shape is not None
    channels = model.input_shape[0]
    if len(mean) != channels or len(deviation) != channels:
        raise ArgumentError(
            f"must be {count(channels, 'number')}, one a channel; received {len(mean)} and "
            f"{len(deviation)}.",
            where="--mean and --deviation",
        )
    with renamed(Normalize="--mean and --deviation"):
        return Normalize(mean, deviation).before(model).eval()


def _numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ArgumentError(
            f"must be numbers with commas between them, one a channel; received {text!r}.",
            where=option,
        ) from None
