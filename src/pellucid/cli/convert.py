"""``pellucid convert``: between the book's parameter files, models and named arrays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ArgumentError, renamed
from ..shapes import shape_text
from .interrupts import stoppable
from .messages import echo, note, tell
from .models import model_file
from .options import image_shape

if TYPE_CHECKING:
    from ..formats import Format
    from ..nn import Layer
    from ..typing import Array

__all__ = ["command", "formats_read", "formats_written"]


def formats_read() -> str:
    """Return the suffixes that ``SOURCE`` may have, each with what it is."""
    from ..formats.registry import FORMATS

    return ", ".join(f"{each.suffixes[0]} ({each.about})" for each in FORMATS if each.read)


def formats_written() -> str:
    """Return the suffixes that ``TARGET`` may have."""
    from ..formats.registry import one_of, written

    return one_of([each.suffixes[0] for each in written()])


def command(
    source: Annotated[
        Path,
        typer.Argument(metavar="SOURCE", help="A run folder or a file: {read}."),
    ],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A file name in {written}.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Copy the arrays unchanged, under their names.")
    ] = False,
    image: Annotated[
        str | None,
        typer.Option(
            "--input",
            "--input-shape",
            metavar="CxHxW",
            help="Shape of the images the network was trained on. [dim]Default: 1x28x28 or 3x32x32 "
            "where it fits, else inferred from the shapes.[/dim]",
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Stride of a SimpleConvNet's convolution. [dim]Default: 1.[/dim]",
        ),
    ] = None,
    pad: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Padding of that convolution. [dim]Default: the one that fits.[/dim]",
        ),
    ] = None,
    activation: Annotated[
        Literal["relu", "sigmoid"] | None,
        typer.Option(
            metavar="NAME",
            help="relu or sigmoid between fully connected layers; the file does not say which. "
            "[dim]Default: relu.[/dim]",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace TARGET if it exists.")
    ] = False,
) -> None:
    """Convert the book's params.pkl to a model for predict, evaluate and summary, and back.

    A pickle is read without executing anything in it.

    Recognised by their shapes: SimpleConvNet, DeepConvNet, and fully connected networks.

    pellucid convert params.pkl model.safetensors

    pellucid convert model.safetensors params.pkl

    pellucid convert weights.pth weights.npz

    Numbers become float32 in a model, and float64 in the book's file, which its load_params reads.
    """
    from ..formats.registry import reader_of, writer_of

    with renamed(path="TARGET"):
        into = writer_of(target)
    given = {"--input": image, "--stride": stride, "--pad": pad, "--activation": activation}
    for option, value in given.items():
        if value is not None and (raw or into.save is None):
            raise ArgumentError(
                "describes a network to build, but only arrays are written here. Leave it out.",
                where=option,
            )
    if target.exists() and not overwrite:
        raise ArgumentError(
            f"'{target}' exists. Choose another name, or add --overwrite.", where="TARGET"
        )
    path = model_file(source) if source.is_dir() else source
    if path.exists() and target.exists() and path.samefile(target):
        raise ArgumentError(
            f"'{target}' is the file that is read. Choose another name: what the new format cannot "
            "hold would be lost.",
            where="TARGET",
        )
    shape = None if image is None else image_shape(image)
    format_ = reader_of(path)
    contents = format_.contents(path)
    for said in contents.notes:
        note(said)
    if contents.build is None and format_.keys == "state dict" and "W1" not in contents.tensors:
        for option in (option for option, value in given.items() if value is not None):
            raise ArgumentError(
                f"is for the book's files; '{path}' holds a state dict, which is copied under its "
                "names. Leave it out.",
                where=option,
            )
        raw = True
    with stoppable("stopped; nothing was written"), renamed(path="TARGET"):
        if contents.build is not None and not raw:
            if into is format_:
                raise ArgumentError(
                    f"is a model in {into.what} already. Copy it, or add --raw for its tensors.",
                    where=str(source),
                )
            model = contents.build(())
            _write_model(into, target, model, type(model).__name__)
        elif into.save is not None and not raw:
            model = _network(contents.tensors, shape, stride, pad, activation)
            name = type(model).__name__
            if name == "Sequential":
                name = f"fully connected, {activation or 'relu'}"
            _write_model(into, target, model, name)
            _tell_assumptions(model, shape, activation)
        else:
            _write_tensors(into, target, contents.tensors)
    echo(f"{target}")


def _write_model(into: Format, target: Path, model: Layer, name: str) -> None:
    """Write a model with its architecture, or its tensors if the format lacks that."""
    if into.save is not None:
        into.save(model, target)
        image = "of unknown shape" if model.input_shape is None else shape_text(model.input_shape)
        tell(f"{name}: images {image}, {model.parameter_count():,} parameters")
        return
    try:
        tensors = into.tensors_of(model)
    except ArgumentError as error:
        error.message += " Add --raw for that."
        raise
    _write_tensors(into, target, tensors)
    if into.keys == "book" and type(model).__name__ == "SimpleConvNet":
        tell(f"for {_constructor(model)}")


def _write_tensors(into: Format, target: Path, tensors: dict[str, Array]) -> None:
    if into.write is None:
        raise ArgumentError(f"{into.what} takes whole models only. Leave --raw out.", where="--raw")
    into.write(target, tensors)
    tell(f"{len(tensors)} arrays: {_listed(tensors)}")


def _network(
    arrays: dict[str, Array],
    shape: tuple[int, int, int] | None,
    stride: int | None,
    pad: int | None,
    activation: Literal["relu", "sigmoid"] | None,
) -> Layer:
    from ..formats import from_book

    try:
        with renamed(
            input_shape="--input", stride="--stride", pad="--pad", activation="--activation"
        ):
            return from_book(
                arrays, input_shape=shape, stride=stride, pad=pad, activation=activation
            )
    except ArgumentError as error:
        if not error.where:
            error.message += " With --raw the arrays are copied unchanged."
        raise


def _tell_assumptions(
    model: Layer, given: tuple[int, int, int] | None, activation: str | None
) -> None:
    """Print what was assumed of a network that its file does not say."""
    if model.card is not None:
        note("assumed to be trained on MNIST: classes 0 to 9, white on black")
    if type(model).__name__ == "Sequential" and activation is None:
        note("if it was trained with sigmoid: --activation sigmoid")
    if model.input_shape is None:
        note("predict and evaluate need the shape: --input CxHxW")
    elif given is None and model.card is None:
        note("the image size is a guess; --input CxHxW sets it")


def _constructor(model: Layer) -> str:
    """Return how a script of the book's builds the network that takes these arrays."""
    from ..formats.older_architectures import books_arguments

    config = books_arguments(model.config())
    return f"{type(model).__name__}({', '.join(f'{k}={v!r}' for k, v in config.items())})"


def _listed(arrays: dict[str, Array]) -> str:
    parts = [f"{name} {shape_text(array.shape) or 'number'}" for name, array in arrays.items()]
    return ", ".join(parts[:16]) + ", ..." * (len(parts) > 16)
