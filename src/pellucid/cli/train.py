"""``pellucid train``: from images to a model, curves and pictures of the filters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import NumericsError
from . import runs
from .building import new_network
from .datasets import image_size, is_folder, load_images
from .interrupts import Interrupts
from .messages import as_options, count
from .options import NETWORKS, EngineOption

if TYPE_CHECKING:
    from ..data import Dataset

__all__ = ["command"]

# Epochs, batch size and initial weights: the book's, and what small images need, as was found on a
# part of the training images.
BOOK_RECIPE = (20, 100, "0.01")
FOLDER_RECIPE = (20, 100, "he")
RECIPES = {"digits": (40, 50, "0.1")}


def _from_file(context: typer.Context, path: Path | None) -> Path | None:
    """Take defaults from a run's config.toml; what is given on the command line wins."""
    if path is not None:
        context.default_map = runs.read_config(path / runs.CONFIG if path.is_dir() else path)
    return path


def command(
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH",
            help="Data set: digits (embedded), mnist, ... (pellucid data list); or a folder or zip "
            "archive with a folder of images for each class, perhaps below train/ and test/.",
        ),
    ] = "digits",
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder that holds its files. [dim]Default: searched for.[/dim]"
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"Network: {NETWORKS}; simple is the book's. Or a pattern as "
            '"INPUT -> [CONV -> RELU -> POOL]*2 -> FC".',
        ),
    ] = "simple",
    epochs: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Passes over the data. [dim]Default: 20; digits 40.[/dim]"
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Images a step. [dim]Default: 100; digits 50.[/dim]"),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(metavar="X", help="Learning rate. [dim]Default: the optimizer's own.[/dim]"),
    ] = None,
    optimizer: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="sgd, momentum, nesterov, adagrad, rmsprop, adam or adamw."
        ),
    ] = "adam",
    init: Annotated[
        str | None,
        typer.Option(
            metavar="X",
            help="Initial weights: he, xavier, or a standard deviation. "
            "[dim]Default: he; for simple 0.01 as in the book, digits 0.1.[/dim]",
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Change each training image at random: flip (left-right), cropN (shift by up to N "
            "pixels), cutoutN (hide a square of N pixels a side), brightnessX (by up to the share "
            "X). E.g. flip,crop4,cutout8,brightness0.2.",
        ),
    ] = None,
    normalize: Annotated[
        bool,
        typer.Option(
            "--normalize",
            help="Begin the network by giving each channel mean 0 and deviation 1 over the "
            "training images; saved with the model.",
        ),
    ] = False,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="N|HxW",
            help="Make the images of a folder fit. [dim]Default: they must be of one size.[/dim]",
        ),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=3,
            help="Read a folder's images as grey (1) or RGB (3). [dim]Default: as they are.[/dim]",
        ),
    ] = None,
    held_out: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Share of each class to test on, if a folder has no test/. "
            "[dim]Default: 0.2.[/dim]",
        ),
    ] = None,
    skip_corrupt: Annotated[
        bool, typer.Option("--skip-corrupt", help="Leave out images that cannot be decoded.")
    ] = False,
    engine: EngineOption = "fast",
    seed: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Decides initial weights, the order of images, and all chance."
        ),
    ] = 0,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Train on the first so many images only.")
    ] = None,
    evaluate_samples: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Measure accuracy after each epoch on at most so many images."
        ),
    ] = 10_000,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Run folder. [dim]Default: the next runs/DATA-N.[/dim]"
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in --out.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            callback=_from_file,
            is_eager=True,
            help="Repeat a run: its folder or its config.toml.",
        ),
    ] = None,
) -> None:
    """Train a network; without options, on the embedded handwritten digits.

    Writes a run folder: model.safetensors, history.csv, config.toml,
    curves.png, filters.png, confusion.png.

    Ctrl-C ends the training cleanly: what the last finished epoch made
    is saved, measured and drawn.
    """
    import numpy as np

    from .. import data as datasets
    from .. import nn, optim
    from ..training import ProgressBar, Trainer
    from .report import RunFiles, report

    runs.require_free(out, overwrite=overwrite)
    recipe = FOLDER_RECIPE if is_folder(data) else RECIPES.get(data, BOOK_RECIPE)
    own = recipe[2] if model == "simple" else "he"  # deeper ones would not begin to learn
    epochs, batch_size, init = epochs or recipe[0], batch_size or recipe[1], init or own
    with as_options(
        augment="--augment",
        model="--model",
        pattern="--model",
        optimizer="--optimizer",
        lr="--lr",
        weight_init="--init",
    ):
        rule = optim.by_name(optimizer, lr)
        if augment is not None:
            datasets.augmentation(augment)  # refused before anything is read
        train, test = load_images(
            data,
            data_dir,
            size=image_size(size),
            channels=channels,
            held_out=held_out,
            skip_corrupt=skip_corrupt,
            seed=seed,
        )
        train = _first(train, limit)
        network = new_network(model, train.image_shape, len(train.classes), init, seed)
    changes = None
    if normalize or augment is not None:
        mean, std = train.statistics()
        if augment is not None:
            changes = datasets.augmentation(augment, fill=mean)
        if normalize:
            network = nn.Normalize(mean, std).before(network)
    before = network.state_dict()
    run = runs.create_run(out, train.name)
    settings = {
        "data": str(Path(data).resolve()) if is_folder(data) else data,
        "data_dir": None if data_dir is None else str(data_dir.resolve()),
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": rule.lr,
        "optimizer": optimizer.lower(),
        "init": init,
        "engine": engine,
        "seed": seed,
        "limit": limit,
        "evaluate_samples": evaluate_samples,
        "size": size,
        "channels": channels,
        "held_out": held_out,
        "skip_corrupt": skip_corrupt or None,
        "augment": None if changes is None else str(changes),
        "normalize": normalize or None,
    }
    failure = None
    quiet = np.errstate(over="ignore", invalid="ignore")  # the loss will tell
    with quiet, Interrupts() as interrupts:
        files = RunFiles(run, settings, interrupts)
        trainer = Trainer(
            network,
            train,
            test,
            optimizer=rule,
            epochs=epochs,
            batch_size=batch_size,
            evaluate_samples=evaluate_samples,
            augment=changes,
            engine=engine,
            seed=seed,
            callbacks=[files, ProgressBar()],
        )
        typer.echo(
            f"{model}, {network.parameter_count():,} parameters, on {count(len(train), 'image')} "
            f"of {train.name} ({'x'.join(map(str, train.image_shape))}); {len(test):,} held out"
        )
        try:
            trainer.fit()
        except KeyboardInterrupt:
            interrupts.listen()
            typer.echo(_stopped(files.saved, epochs))
        except NumericsError as error:
            failure = error
        try:
            if files.saved:
                report(files, trainer, before)
            elif out is None:
                run.rmdir()
        except KeyboardInterrupt:
            typer.echo(f"stopped; the model of epoch {files.saved} is in {run}/")
    if failure is not None:
        raise failure
    if interrupts.exit_code:
        raise typer.Exit(interrupts.exit_code)


def _first(train: Dataset, limit: int | None) -> Dataset:
    """Return so many images: the first ones, and of those sorted by class as many of each."""
    if limit is None or limit >= len(train):
        return train
    if (train.labels[:-1] > train.labels[1:]).any():
        return train.take(limit)
    import numpy as np

    places = np.linspace(0, len(train), limit, endpoint=False)
    return train.subset(places.astype(np.int64))


def _stopped(saved: int, epochs: int) -> str:
    if not saved:
        return "stopped before the first epoch was finished; nothing to save"
    return (
        f"stopped after {saved} of {epochs} epochs; the last of them is saved\n"
        "measuring it and drawing the pictures (Ctrl-C again skips this)"
    )
