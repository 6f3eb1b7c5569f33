"""``pellucid quantize``: a trained model in 8-bit integers, and what that costs and gains."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, renamed
from .completion import data_sets
from .images import images_of
from .json_output import JsonOption, print_json
from .messages import echo, note
from .models import model_file
from .options import DataDirOption, RunArgument
from .terminal import Terminal

if TYPE_CHECKING:
    from ..nn import Layer
    from ..runs.quantizing import Measured

__all__ = ["command"]

FILE = "int8.safetensors"


def command(
    run: RunArgument,
    images: Annotated[
        str | None,
        typer.Option(
            "--images",
            "--data",
            metavar="NAME|PATH",
            autocompletion=data_sets,
            help="Data set, or folder or zip archive of images: those of the training choose the "
            "scales, those of the test measure the result. [dim]Default: what it was trained "
            "on.[/dim]",
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, metavar="N", help="Training images that choose the scales.")
    ] = 512,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help=f"Model file to write. [dim]Default: {FILE} beside it.[/dim]",
        ),
    ] = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a trained model's convolutions and products 8-bit integers.

    The new file is a quarter as large, and its network faster where the
    processor multiplies bytes (VNNI). The scales are chosen on training
    images; accuracy, size and speed are measured before and after on the
    test images. The result is for inference: evaluate, predict and
    export --onnx take it as any model.
    """
    from ..formats import load, save
    from ..quantization import quantize
    from ..quantization.quantizing import require_float
    from ..runs.quantizing import measured

    file = model_file(run)
    model = load(file)
    target = file.with_name(FILE) if out is None else out
    if target.resolve() == file.resolve():
        raise ArgumentError(
            "is the model itself, and nothing makes float weights of rounded ones again. Name "
            "another file.",
            where="--out",
        )
    names = {"samples": "--samples", "images": "--images", "quantize": "MODEL"}
    with renamed(**names):
        require_float(model)
    parts = images_of(model, run, images, data_dir)
    heard = Terminal()
    with renamed(**names):
        small = quantize(model, parts.train, samples=samples)
    save(small, target)
    before, after = measured([(model, file), (small, target)], parts.test, listener=heard)
    kernels = _kernels(small)
    if as_json:
        said = {"file": str(target), "data": parts.test.name, "test_images": len(parts.test)}
        said |= {"samples": min(samples, len(parts.train)), "layers": kernels}
        print_json({**said, "before": asdict(before), "after": asdict(after)})
        return
    _print(before, after, kernels)
    echo(
        f"{target}: scales chosen on {min(samples, len(parts.train)):,} training images, measured "
        f"on {len(parts.test):,} test images of {parts.test.name}"
    )
    if any("without" in kernel for kernel in kernels.values()):
        note(
            "note: this processor has no instructions for products of bytes; the network computes "
            "the same integers by others, more slowly than in float32"
        )


def _kernels(model: Layer) -> dict[str, str]:
    """Return what runs each layer with weights, by its path."""
    from ..engine import compile

    plan = compile(model, model.input_shape or (), 1)
    return {step.name: step.kernel for step in plan.steps if step.multiply_adds}


def _print(before: Measured, after: Measured, kernels: dict[str, str]) -> None:
    from ..tables import text_table

    echo(text_table(("layer", "kernel"), list(kernels.items()), left=(0, 1)))
    echo("")
    rows = [
        ("accuracy", f"{before.accuracy:.4f}", f"{after.accuracy:.4f}",
         f"{100 * (after.accuracy - before.accuracy):+.2f} points"),
        ("loss", f"{before.loss:.4f}", f"{after.loss:.4f}", f"{after.loss - before.loss:+.4f}"),
        ("file", _size(before.size), _size(after.size),
         f"{before.size / after.size:.1f} times smaller"),
        ("images a second", f"{before.speed:,.0f}", f"{after.speed:,.0f}",
         f"{after.speed / before.speed:.2f} times as fast"),
    ]  # fmt: skip
    echo(text_table(("", "float32", "8 bits", "change"), rows, left=(0, 3)))


def _size(count: int) -> str:
    return f"{count / 1e6:,.2f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"
