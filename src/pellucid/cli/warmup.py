"""``pellucid warmup``: compile the kernels in advance."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError, did_you_mean
from ..kernels.processors import LEVELS, level_setting
from ..shapes import shape_text
from .compiling import announced
from .messages import count, echo, tell
from .options import NAMES, image_shape, network

__all__ = ["command"]

SHAPES = {"simple": ((1, 8, 8), (1, 28, 28))}  # of the digits and of MNIST
# The default batch size of training; fewer large images, whose activations, gradients and work
# buffers would not fit into memory.
BATCH, MEMORY, PER_NUMBER = 100, 2**30, 16


def command(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help=f"Model files, run folders or networks' names: {NAMES}. "
            "[dim]Default: simple.[/dim]",
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="CxHxW",
            help="Images, e.g. 3x32x32. [dim]Default: the model's own; for a name those it was "
            "published for; for simple 1x8x8 and 1x28x28.[/dim]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Also write the kernels into this folder, for other machines: there the "
            "environment variable PELLUCID_KERNELS names it.",
        ),
    ] = None,
    cpu: Annotated[
        str | None,
        typer.Option(
            "--cpu",
            metavar="LEVEL",
            help=f"Compile for all processors of a level: {', '.join(LEVELS)}. "
            "[dim]Default: for this one.[/dim]",
        ),
    ] = None,
) -> None:
    """Compile in advance what training and running a network need on this machine.

    It takes some seconds the first time, and none later: compiled kernels are cached on disk.
    """
    if cpu is not None:
        _compile_for(cpu)
    given = None if image is None else image_shape(image)
    wanted = []
    for name in networks or ["simple"]:
        for image_of in [given] if given else SHAPES.get(name, [None]):
            model = network(name, image_of)
            shape = image_of or model.input_shape
            if shape is None:
                raise ArgumentError(
                    "does not say which images it was built for. Give --input.", where=name
                )
            wanted.append((name, model, shape))

    from ..engine import warm_up
    from ..kernels.cache import folder
    from ..kernels.compiling import Compiling, watch
    from ..optim import RULES

    begin = time.perf_counter()
    compiled: list[Compiling] = []
    for name, model, shape in wanted:
        with watch(compiled.append), announced(watch):
            images = MEMORY // (PER_NUMBER * model.activation_size(shape))
            warm_up(model, shape, max(1, min(images, BATCH)), optimizers=RULES)
        echo(f"{name} ({shape_text(shape)}) is ready")
    seconds = time.perf_counter() - begin
    tell(f"compiled {count(len(compiled), 'kernel')} in {seconds:.1f} s")
    if out is not None:
        tell(f"{count(_ship(out), 'kernel')} for {cpu or 'this processor'} in {out}")
    place = folder()
    if place is None:
        tell("they cannot be cached: no folder is writable. Name one with NUMBA_CACHE_DIR.")
    else:
        tell(f"they are cached in {place}")


def _compile_for(level: str) -> None:
    """Have kernels compiled for a level of processors, this one among them."""
    if level not in LEVELS:
        raise ArgumentError(f"{level!r} is unknown. {did_you_mean(level, LEVELS)}", where="--cpu")
    from llvmlite.binding import get_host_cpu_features

    offered = {name for name, there in get_host_cpu_features().items() if there}
    if lacking := [each for each in LEVELS[level] if each not in offered]:
        raise ArgumentError(
            f"kernels are run once, and this processor has no {', '.join(lacking[:6])}: use one "
            f"that is {level}, or a lower level.",
            where="--cpu",
        )
    os.environ.update(level_setting(level))  # before Numba is imported


def _ship(place: Path) -> int:
    """Write the kernels that this process has used into a folder; return how many it has."""
    from ..kernels.cache import USED
    from ..kernels.shipped import ship

    if not USED:
        raise ArgumentError(
            "kernels could not be kept on this machine: name a folder that can be written to with "
            "NUMBA_CACHE_DIR.",
            where="--out",
        )
    try:
        return ship(USED, place)
    except OSError as error:
        raise ArgumentError(f"cannot be written: {error}", where="--out") from error
