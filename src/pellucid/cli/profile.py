"""``pellucid profile``: the time of each step."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArgumentError, renamed
from ..launch import launched
from ..shapes import shape_text
from .compiling import announced
from .json_output import JsonOption, print_json
from .messages import echo
from .options import ImageOption, NetworkArgument, image_shape, network
from .ranks import on_ranks
from .start_ranks import start_ranks

if TYPE_CHECKING:
    from ..engine.profile import Profile
    from ..nn import Layer
    from ..training.rank_profile import RanksProfile
    from ..typing import Array

__all__ = ["command"]

# What the libraries under NumPy read when it is imported.
OF_NUMPY = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@on_ranks
def command(
    model: NetworkArgument,
    image: ImageOption = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Data set to take images from. [dim]Default: random images.[/dim]"
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Images per step.")] = 100,
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Number of timed steps.")] = 30,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Threads. [dim]Default: one per core.[/dim]"),
    ] = None,
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="As for pellucid train.")] = "adam",
    ranks: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            help="Time a training step that N ranks share, as mpiexec -n N pellucid profile does.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Time training and inference of a network, and each step of its plan.

    The last column compares a step's FLOP/s with those of NumPy's matrix product on this machine.
    On several ranks: what each computes, sends, and waits for in a training step.
    """
    if ranks is not None and launched().alone:
        given = {
            "--input": image, "--data": data, "--batch-size": batch_size, "--steps": steps,
            "--threads": threads, "--optimizer": optimizer,
        }  # fmt: skip
        words = [f"{name}={value}" for name, value in given.items() if value is not None]
        raise typer.Exit(start_ranks(ranks, "profile", *words, *["--json"] * as_json, "--", model))
    if asked := threads or os.environ.get("PELLUCID_NUM_THREADS"):
        os.environ |= dict.fromkeys(OF_NUMPY, str(asked))  # NumPy is not imported yet

    from ..distributed import world
    from ..engine import profile
    from ..kernels.compiling import watch
    from ..kernels.pool.thread_count import set_num_threads

    if threads:
        with renamed(set_num_threads="--threads"):
            set_num_threads(threads)
    described, images, labels = _batch(model, image, data, batch_size)
    communicator = world()
    telling = announced(watch) if communicator.rank == 0 else nullcontext()
    with renamed(optimizer="--optimizer"), telling:
        if communicator.size > 1:
            from ..training.rank_profile import profile_ranks

            shared = profile_ranks(
                described, images, labels, communicator, steps=steps, optimizer=optimizer
            )
            if communicator.rank == 0:
                if as_json:
                    print_json(_ranks_document(shared))
                else:
                    echo(str(shared))
            return
        measured = profile(described, images, labels, steps=steps, optimizer=optimizer)
    if as_json:
        print_json(_document(measured))
    else:
        echo(str(measured))


def _document(measured: Profile) -> dict[str, Any]:
    """Return what --json prints."""
    from ..engine.peak import peak_gflops

    return {
        "images": measured.images,
        "threads": measured.threads,
        "product_gflops": peak_gflops(),
        "training": _training(measured) if measured.step_seconds else None,
        "inference": {
            "seconds": measured.call_seconds,
            "images_per_second": measured.images / measured.call_seconds,
            "steps": [asdict(one) for one in measured.inference_steps],
        },
    }


def _training(measured: Profile) -> dict[str, Any]:
    """Return what --json prints of a training step."""
    step = sum(measured.step_seconds.values())
    return {
        "seconds": step,
        "images_per_second": measured.images / step,
        "parts": {f"{part}_seconds": s for part, s in measured.step_seconds.items()},
        "steps": [asdict(one) for one in measured.training_steps],
    }


def _ranks_document(measured: RanksProfile) -> dict[str, Any]:
    """Return what --json prints on several ranks."""
    return {
        "images": measured.images,
        "threads": measured.threads,
        "seconds": measured.step_seconds,
        "images_per_second": measured.images / measured.step_seconds,
        "ranks": [
            {f"{part}_seconds" if part != "images" else part: n for part, n in asdict(rank).items()}
            | {
                "buckets": [
                    {
                        "bytes": b.bytes,
                        "ready_seconds": b.ready,
                        "summed_seconds": b.done,
                        "updated_seconds": b.back or None,
                    }
                    for b in buckets
                ]
            }
            for rank, buckets in zip(measured.ranks, measured.buckets, strict=True)
        ],
    }


def _batch(
    model: str, image: str | None, data: str | None, images: int
) -> tuple[Layer, Array, Array]:
    """Return the network, and the images and labels to run it on."""
    import numpy as np

    from .. import data as datasets

    train, given = None, None if image is None else image_shape(image)
    if data is not None:
        if given is not None:
            raise ArgumentError("the images of --data have their own size.", where="--input")
        with renamed(name="--data"):
            train, _ = datasets.load(data)
        given = train.image_shape
    described = network(model, given, None if train is None else len(train.classes))
    shape = given or described.input_shape
    if shape is None:
        raise ArgumentError(
            f"'{model}' does not say which images it was built for. Give their shape.",
            where="--input",
        )
    outputs = described.output_shape(shape)
    if len(outputs) != 1 or (train is not None and outputs[0] != len(train.classes)):
        raise ArgumentError(
            f"returns {shape_text(outputs)} numbers for an image, not one per class.",
            where=model,
        )
    if train is not None:
        return described, *train.batch(np.arange(images) % len(train))  # as often as it takes
    rng = np.random.default_rng(0)
    x = rng.random((images, *shape), dtype=np.float32)
    return described, x, rng.integers(0, outputs[0], images)
