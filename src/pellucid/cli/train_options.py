"""The options of ``pellucid train``, each with what it says in the help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from .options import NETWORKS

__all__ = [
    "Augment",
    "BatchSize",
    "Channels",
    "Data",
    "DataDir",
    "Drawings",
    "Epochs",
    "EvaluateSamples",
    "Freeze",
    "HeldOut",
    "Init",
    "Limit",
    "Lr",
    "Model",
    "Normalize",
    "Optimizer",
    "Out",
    "Overwrite",
    "Rates",
    "Schedule",
    "Seed",
    "Size",
    "SkipCorrupt",
    "SkipEmpty",
    "Source",
    "WeightDecay",
]

Data: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME|PATH",
        help="Data set: digits (embedded), mnist, ... (pellucid data list); or a folder or zip "
        "archive with a folder of images for each class, perhaps below train/ and test/.",
    ),
]
DataDir: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Folder that holds its files. [dim]Default: searched for.[/dim]"
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=f"Network: {NETWORKS}; simple is the book's, and the default. Or a pattern as "
        '"INPUT -> [CONV -> RELU -> POOL]*2 -> FC".',
    ),
]
Source: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RUN|FILE",
        help="Begin with a network that has learned something: a run folder, a model file, or "
        "PyTorch's weights as safetensors with --model. Its last layer is made anew for other "
        "classes.",
    ),
]
Freeze: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="LAYERS",
        help="Layers that stay as they are, e.g. conv*,bn1 (pellucid summary lists them).",
    ),
]
Rates: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Multiply the learning rate of some layers, e.g. conv*=0.1,affine1=0.5.",
    ),
]
Epochs: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Passes over the data. [dim]Default: 20; digits 40.[/dim]"
    ),
]
BatchSize: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Images a step. [dim]Default: 100; digits 50.[/dim]"),
]
Lr: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="X", help="Learning rate. [dim]Default: the optimizer's own.[/dim]"),
]
Schedule: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How the rate changes: cosine (to 0), one-cycle (up to --lr, then to 0), steps (a "
        "tenth after half of the training and again after three quarters). "
        "[dim]Default: it stays.[/dim]",
    ),
]
WeightDecay: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="X", help="Weight decay, for adamw. [dim]Default: 0.01.[/dim]"),
]
Optimizer: TypeAlias = Annotated[
    str,
    typer.Option(metavar="NAME", help="sgd, momentum, nesterov, adagrad, rmsprop, adam or adamw."),
]
Init: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="X",
        help="Initial weights: he, xavier, or a standard deviation. "
        "[dim]Default: he; for simple 0.01 as in the book, digits 0.1.[/dim]",
    ),
]
Augment: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Change each training image at random: flip (left-right), cropN (shift by up to N "
        "pixels), cutoutN (hide a square of N pixels a side), brightnessX (by up to the share "
        "X). E.g. flip,crop4,cutout8,brightness0.2.",
    ),
]
Normalize: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--normalize",
        help="Begin the network by giving each channel mean 0 and deviation 1 over the "
        "training images; saved with the model.",
    ),
]
Size: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="N|HxW",
        help="Make the images of a folder fit. [dim]Default: they must be of one size.[/dim]",
    ),
]
Channels: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=3,
        help="Read a folder's images as grey (1) or RGB (3). [dim]Default: as they are.[/dim]",
    ),
]
HeldOut: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Share of each class to test on, if a folder has no test/. [dim]Default: 0.2.[/dim]",
    ),
]
Drawings: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--drawings",
        help="A folder's pictures show digits or the like on plain ground: find each, and make it "
        "white on black, centred, of MNIST's size. Saved with the model.",
    ),
]
SkipCorrupt: TypeAlias = Annotated[
    bool, typer.Option("--skip-corrupt", help="Leave out images that cannot be decoded.")
]
SkipEmpty: TypeAlias = Annotated[
    bool, typer.Option("--skip-empty", help="Leave out class folders without images.")
]
Seed: TypeAlias = Annotated[
    int,
    typer.Option(
        metavar="N", min=0, help="Decides initial weights, the order of images, and all chance."
    ),
]
Limit: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Train on the first so many images only.")
]
EvaluateSamples: TypeAlias = Annotated[
    int,
    typer.Option(
        metavar="N", min=1, help="Measure accuracy after each epoch on at most so many images."
    ),
]
Out: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Run folder. [dim]Default: the next runs/DATA-N.[/dim]"),
]
Overwrite: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", help="Replace the run in --out.")
]
