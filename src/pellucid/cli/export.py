"""``pellucid export``: a network for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, TypeAlias

import typer

from ..errors import ArgumentError, renamed
from ..runs.networks import is_name
from ..shapes import shape_text
from . import completion
from .interrupts import stoppable
from .messages import count, echo, note
from .models import model_file
from .options import NAMES, ImageOption, image_shape, network

if TYPE_CHECKING:
    from ..nn import Layer

__all__ = ["TARGETS", "Asked", "command"]

Image: TypeAlias = tuple[int, int, int]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        autocompletion=completion.models,
        help=f'A run folder, a model file, a network\'s name ({NAMES}) or "INPUT -> ...".',
    ),
]
PixelsOption = Annotated[
    Literal["uint8", "float32"] | None,
    typer.Option(
        "--pixels",
        metavar="TYPE",
        help="ONNX: take pixels from 0 to 255 as uint8 or float32, and divide them by 255 in the "
        "graph. [dim]Default: numbers from 0 to 1. What train --normalize does is in the graph in "
        "any case.[/dim]",
    ),
]


class Asked(NamedTuple):
    """The options of all targets; None where one was not given.

    Attributes
    ----------
    image : (C, H, W) or None
    opset : int or None
    size : (H, W), "dynamic" or None
    softmax : bool
    pixels : {"uint8", "float32"} or None
    lang : {"en", "ko"} or None
    float16 : bool
    source : str
        What was named: of a run, its images can be found.
    """

    image: Image | None = None
    opset: int | None = None
    size: tuple[int, int] | Literal["dynamic"] | None = None
    softmax: bool = False
    pixels: Literal["uint8", "float32"] | None = None
    lang: Literal["en", "ko"] | None = None
    float16: bool = False
    source: str = ""


# Writes a model to a path as was asked, and returns what to say of it.
Writer = Callable[["Layer", Path, Asked], str]


def _to_onnx(model: Layer, path: Path, asked: Asked) -> str:
    from ..formats.onnx.writing import to_onnx
    from ..formats.onnx.writing.export import OPSET

    options = {"opset": OPSET if asked.opset is None else asked.opset}
    shape = ("--input", "3x224x224")
    with renamed(opset="--opset", input_shape=shape, size="--size", pixels="--pixels"):
        found = to_onnx(
            model,
            path,
            **options,
            input_shape=asked.image,
            size=asked.size,
            softmax=asked.softmax,
            pixels=asked.pixels,
        )
    ends = (
        ", ".join(
            f"{name} {shape_text('?' if k is None else k for k in shape)}"
            for name, shape in each.items()
        )
        for each in (found.inputs, found.outputs)
    )
    return f"{' -> '.join(ends)}; {count(found.operators, 'operator')} of opset {found.opset}"


def _to_torch(model: Layer, path: Path, asked: Asked) -> str:
    from ..formats.torch.writing import to_torch
    from ..nn import Normalize
    from ..nn.temperature import Temperature

    to_torch(model, path)
    said = f"{count(len(model.state_dict()), 'tensor')} under the keys of its state dict"
    without = [
        repr(layer) for _, layer in model.layers() if isinstance(layer, Normalize | Temperature)
    ]
    return said + "".join(f"\nnot in it, as it has no weights: {layer}" for layer in without)


def _to_numpy(model: Layer, path: Path, asked: Asked) -> str:
    from ..standalone import to_numpy

    with renamed(input_shape="--input"):
        lines = to_numpy(model, path, input_shape=asked.image)
    beside = path.with_suffix(BESIDE["--numpy"])
    return f"{count(lines, 'line')}; the weights are beside it, in {beside.name}"


def _to_html(model: Layer, path: Path, asked: Asked) -> str:
    from ..standalone import to_html

    options = {"language": "en" if asked.lang is None else asked.lang, "float16": asked.float16}
    with renamed(input_shape="--input", language="--lang", float16="--float16"):
        size = to_html(model, path, input_shape=asked.image, **options)  # type: ignore[arg-type]
    return f"{size / 2**20:.1f} MB; open it in a browser"


def _to_studio(model: Layer, path: Path, asked: Asked) -> str:
    from ..studio.opening import Studio
    from ..studio.single_file import to_studio_html

    with renamed(input_shape="--input", image="--input", language="--lang", float16="--float16"):
        opened = Studio().open_model(model, asked.source, image=asked.image)
        size = to_studio_html(opened, path, language=asked.lang, float16=asked.float16)
    return f"{size / 2**20:.1f} MB; open it in a browser"


def _ends_for_torch(path: Path) -> None:
    from ..formats.torch.writing import require_ending

    require_ending(path)


class Target(NamedTuple):
    """One kind of file: what writes it, which options it has (fields of `Asked`).

    ``check`` refuses a path before any file is written.
    """

    write: Writer
    options: tuple[str, ...] = ()
    check: Callable[[Path], None] | None = None


# Endings of second files, which targets write next to the first.
BESIDE = {"--numpy": ".npz"}


# By option; a new one has an entry here, and a parameter of `command` with its path.
TARGETS: dict[str, Target] = {
    "--onnx": Target(_to_onnx, ("image", "opset", "size", "softmax", "pixels")),
    "--html": Target(_to_html, ("image", "lang", "float16")),
    "--studio": Target(_to_studio, ("image", "lang", "float16")),
    "--torch": Target(_to_torch, ("image",), _ends_for_torch),
    "--numpy": Target(_to_numpy, ("image",)),
}


def command(
    source: SourceArgument,
    onnx: Annotated[
        Path | None,
        typer.Option("--onnx", metavar="FILE", help="Write an ONNX file: docs/onnx.md."),
    ] = None,
    torch: Annotated[
        Path | None,
        typer.Option(
            "--torch",
            metavar="FILE",
            help="Write the weights for PyTorch: .pt, .pth, .safetensors.",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", metavar="FILE", help="Write a page that runs it: docs/standalone.md."
        ),
    ] = None,
    studio: Annotated[
        Path | None,
        typer.Option(
            "--studio",
            metavar="FILE",
            help="Write a page with the studio's views, which needs no server: docs/studio.md.",
        ),
    ] = None,
    numpy: Annotated[
        Path | None,
        typer.Option(
            "--numpy",
            metavar="FILE",
            help="Write a Python file that needs NumPy only: docs/standalone.md.",
        ),
    ] = None,
    image: ImageOption = None,
    classes: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Outputs, for a network's name. [dim]Default: as it was published.[/dim]",
        ),
    ] = None,
    opset: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="ONNX: the version of its operators, from 7. [dim]Default: 18.[/dim]"
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="HxW|dynamic",
            help="ONNX: images of other rows and columns, or of any. "
            "[dim]Default: those of the model.[/dim]",
        ),
    ] = None,
    softmax: Annotated[
        bool, typer.Option("--softmax", help="ONNX: return probabilities, not scores.")
    ] = False,
    pixels: PixelsOption = None,
    lang: Annotated[
        Literal["en", "ko"] | None,
        typer.Option(metavar="LANG", help="HTML, studio: en (English) or ko (Korean)."),
    ] = None,
    float16: Annotated[
        bool, typer.Option("--float16", help="HTML, studio: weights of 16 bits, half the size.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that exist.")
    ] = False,
) -> None:
    """Write a network for other programs, in evaluation mode.

    pellucid export runs/digits-1 --onnx digits.onnx

    A calibrated network's temperature is part of what is written, but not of weights alone.
    """
    given = {"--onnx": onnx, "--torch": torch, "--html": html, "--studio": studio, "--numpy": numpy}
    paths = {option: path for option, path in given.items() if path is not None}
    asked = Asked(
        None if image is None else image_shape(image),
        opset, _size(size), softmax, pixels, lang, float16,
    )  # fmt: skip
    _require_targets(paths, overwrite)
    _require_options(paths, asked)
    if classes is not None and Path(source).exists() and not is_name(source):
        raise ArgumentError(
            f"is for a network's name; '{source}' has its own outputs. Leave it out.",
            where="--classes",
        )
    model = _network(source, paths, asked.image, classes)
    if is_name(source):
        note("note: a network's name stands for a new one, whose weights are drawn at random")
    asked = asked._replace(source=source)
    for option, path in paths.items():
        with stoppable("stopped; the file was not written"), renamed(path=option):
            said = TARGETS[option].write(model, path, asked)
        echo(path)
        note(said)


def _network(
    source: str, paths: dict[str, Path], image: Image | None, classes: int | None
) -> Layer:
    """Return the network, and say which of the files of a run it is.

    Raises
    ------
    ArgumentError
        If it would be written over the file that it is read from.
    """
    file = source if is_name(source) or not Path(source).exists() else str(model_file(Path(source)))
    for option, path in paths.items():
        if Path(file).exists() and path.exists() and path.samefile(file):
            raise ArgumentError(
                f"'{path}' is the file that is read. Choose another name.", where=option
            )
    with renamed(MODEL="SOURCE"):
        return network(file, image, classes)


def _require_targets(paths: dict[str, Path], overwrite: bool) -> None:
    """Refuse no target, one file for two, and files that exist."""
    if not paths:
        raise ArgumentError(
            f"say what to write, and where: {' or '.join(f'{o} FILE' for o in TARGETS)}.",
            where="export",
        )
    for option, path in paths.items():
        if list(paths.values()).count(path) > 1:
            raise ArgumentError(f"'{path}' is given twice. Choose another name.", where=option)
        written = [path, path.with_suffix(BESIDE[option])] if option in BESIDE else [path]
        for file in written:
            if file.exists() and not overwrite:
                raise ArgumentError(
                    f"'{file}' exists. Choose another name, or add --overwrite.", where=option
                )
        check = TARGETS[option].check
        if check is not None:
            with renamed(path=option):
                check(path)


def _require_options(paths: dict[str, Path], asked: Asked) -> None:
    """Refuse an option that none of the targets has."""
    for field, value in asked._asdict().items():
        if value not in (None, False, "") and not any(field in TARGETS[o].options for o in paths):
            able = " or ".join(o for o, target in TARGETS.items() if field in target.options)
            raise ArgumentError(f"is for {able}. Leave it out.", where=f"--{field}")


def _size(text: str | None) -> tuple[int, int] | Literal["dynamic"] | None:
    """Parse ``--size``."""
    if text is None or text == "dynamic":
        return text  # type: ignore[return-value]
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
        raise ArgumentError(
            f"must be rows x columns, as 224x224, or dynamic; received {text!r}.", where="--size"
        )
    return int(parts[0]), int(parts[1])
