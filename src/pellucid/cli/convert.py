"""``pellucid convert``: the book's parameter files into models, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ArgumentError, DataNotFoundError, FileFormatError
from . import runs
from .interrupts import stoppable
from .messages import as_options, echo
from .options import image_shape

if TYPE_CHECKING:
    from ..nn import Layer
    from ..typing import Array

__all__ = ["command"]

MODEL, PICKLE, NPZ = "model", "pickle", "npz"
TARGETS = {".safetensors": MODEL, ".pkl": PICKLE, ".pickle": PICKLE, ".npz": NPZ}


def command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="params.pkl of the book's, .npz, a model file or a run folder."
        ),
    ],
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="A file name in .safetensors, .pkl or .npz.")
    ],
    raw: Annotated[
        bool, typer.Option("--raw", help="Copy the arrays as they are, with their names.")
    ] = False,
    image: Annotated[
        str | None,
        typer.Option(
            "--input",
            "--input-shape",
            metavar="CxHxW",
            help="Images the network was trained on. [dim]Default: 1x28x28 or 3x32x32 "
            "where it fits, else what the shapes tell.[/dim]",
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Of a SimpleConvNet's convolution. [dim]Default: 1.[/dim]"
        ),
    ] = None,
    pad: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Its border. [dim]Default: the one that fits.[/dim]"),
    ] = None,
    activation: Annotated[
        Literal["relu", "sigmoid"] | None,
        typer.Option(
            metavar="NAME",
            help="relu or sigmoid between fully connected layers, which the file does not say. "
            "[dim]Default: relu.[/dim]",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace TARGET if it exists.")
    ] = False,
) -> None:
    """Turn the book's params.pkl into a model for predict, evaluate and summary; or a model back.

    A pickle is read without executing anything in it.

    Known by their shapes: SimpleConvNet, DeepConvNet, and fully connected networks.

    pellucid convert params.pkl model.safetensors

    pellucid convert model.safetensors params.pkl

    Numbers become float32 in a model, and float64 in the book's file, which its load_params reads.
    """
    kind = _target_kind(target)
    given = {"--input": image, "--stride": stride, "--pad": pad, "--activation": activation}
    for option, value in given.items():
        if value is not None and (raw or kind != MODEL):
            raise ArgumentError(
                "says how to build a network, and here only arrays are written. Leave it out.",
                where=option,
            )
    if target.exists() and not overwrite:
        raise ArgumentError(
            f"'{target}' exists. Choose another name, or add --overwrite.", where="TARGET"
        )
    if _same_file(source, target):
        raise ArgumentError(
            f"'{target}' is the file that is read. Choose another name: what cannot be written in "
            "its new form would be lost.",
            where="TARGET",
        )
    shape = None if image is None else image_shape(image)
    arrays, model = _read(source)
    with stoppable("stopped; nothing was written"), as_options(path="TARGET"):
        if kind == MODEL and not raw:
            if model is not None:
                raise ArgumentError(
                    "is a model of Pellucid's already. Copy it, or add --raw for its tensors.",
                    where=str(source),
                )
            model = _network(arrays, shape, stride, pad, activation)
            _save(model, target)
            _describe(model, shape, activation)
        else:
            if model is not None and not raw:
                arrays = _of_the_book(model)
            _write(kind, target, arrays)
            echo(f"{len(arrays)} arrays: {_listed(arrays)}")
            if model is not None and not raw and type(model).__name__ == "SimpleConvNet":
                echo(f"for {_constructor(model)}")
    echo(f"{target}")


def _same_file(source: Path, target: Path) -> bool:
    source = source / runs.MODEL if source.is_dir() else source
    return source.exists() and target.exists() and source.samefile(target)


def _target_kind(target: Path) -> str:
    if target.suffix.lower() not in TARGETS:
        raise ArgumentError(
            f"must end in .safetensors, .pkl or .npz, received '{target}'.", where="TARGET"
        )
    return TARGETS[target.suffix.lower()]


def _read(source: Path) -> tuple[dict[str, Array], Layer | None]:
    """Return the arrays of a file, and the model they are if the file says it."""
    from ..formats import load, read_pickle, read_tensors
    from ..formats.npz import read_npz
    from ..formats.sniff import look_at, refusal

    path = runs.model_path(source) if source.is_dir() else source
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    kind = look_at(path).kind
    if kind == "npz":
        return read_npz(path), None
    if kind == "safetensors" or path.suffix.lower() == ".safetensors":
        arrays, metadata = read_tensors(path)
        return arrays, load(path) if "architecture" in metadata else None
    if kind in ("pickle", "unknown"):
        return read_pickle(path), None
    advice = "Give a params.pkl of the book's, a .npz or a safetensors file, or a run folder."
    raise FileFormatError(
        refusal(path, "a file that is converted here", advice, tensors=kind != "picture")
    )


def _network(
    arrays: dict[str, Array],
    shape: tuple[int, int, int] | None,
    stride: int | None,
    pad: int | None,
    activation: Literal["relu", "sigmoid"] | None,
) -> Layer:
    from ..formats import from_book

    try:
        with as_options(
            input_shape="--input", stride="--stride", pad="--pad", activation="--activation"
        ):
            return from_book(
                arrays, input_shape=shape, stride=stride, pad=pad, activation=activation
            )
    except ArgumentError as error:
        if not error.where:
            error.message += " With --raw the arrays are kept as they are."
        raise


def _of_the_book(model: Layer) -> dict[str, Array]:
    from ..formats import to_book

    try:
        return to_book(model)
    except ArgumentError as error:
        error.message += " Add --raw for that."
        raise


def _save(model: Layer, target: Path) -> None:
    from ..formats import save

    save(model, target)


def _write(kind: str, target: Path, arrays: dict[str, Array]) -> None:
    from ..formats import write_pickle, write_tensors
    from ..formats.npz import write_npz

    {MODEL: write_tensors, PICKLE: write_pickle, NPZ: write_npz}[kind](target, arrays)


def _describe(model: Layer, given: tuple[int, int, int] | None, activation: str | None) -> None:
    """Print which network it is, and what was taken for granted."""
    name = type(model).__name__
    if name == "Sequential":
        name = f"fully connected, {activation or 'relu'}"
    image = "of unknown shape" if model.input_shape is None else _by(model.input_shape)
    echo(f"{name}: images {image}, {model.parameter_count():,} parameters")
    if model.card is not None:
        echo("taken for one of MNIST: classes 0 to 9, white on black")
    if name.startswith("fully") and activation is None:
        echo("if it was trained with sigmoid: --activation sigmoid")
    if model.input_shape is None:
        echo("predict and evaluate need the shape: --input CxHxW")
    elif given is None and model.card is None:
        echo("the size of the images is a guess: --input CxHxW says it")


def _constructor(model: Layer) -> str:
    """Return how a script of the book's builds the network that takes these arrays."""
    from ..formats.older_architectures import books_arguments

    config = books_arguments(model.config())
    return f"{type(model).__name__}({', '.join(f'{k}={v!r}' for k, v in config.items())})"


def _listed(arrays: dict[str, Array]) -> str:
    parts = [f"{name} {_by(array.shape) or 'number'}" for name, array in arrays.items()]
    return ", ".join(parts[:16]) + ", ..." * (len(parts) > 16)


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
