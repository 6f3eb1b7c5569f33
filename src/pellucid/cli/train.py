"""``pellucid train``: from images to a model, curves and pictures of the filters."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError, NumericsError
from . import runs
from .interrupts import Interrupts
from .messages import as_options, count
from .options import NETWORKS, EngineOption

__all__ = ["command"]

# Epochs, batch size and initial weights: the book's, and what small images need, as was found on a
# part of the training images.
BOOK_RECIPE = (20, 100, "0.01")
RECIPES = {"digits": (40, 50, "0.1")}


def _from_file(context: typer.Context, path: Path | None) -> Path | None:
    """Take defaults from a run's config.toml; what is given on the command line wins."""
    if path is not None:
        context.default_map = runs.read_config(path / runs.CONFIG if path.is_dir() else path)
    return path


def command(
    data: Annotated[
        str,
        typer.Option(metavar="NAME", help="Data set: digits (embedded), mnist or fashion-mnist."),
    ] = "digits",
    data_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Folder that holds its files. [dim]Default: searched for.[/dim]"
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(metavar="NAME", help=f"Network: {NETWORKS}; simple is the book's."),
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
    engine: EngineOption = "fast",
    seed: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Decides initial weights and the order of images."),
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
    from .. import models, optim
    from ..training import ProgressBar, Trainer
    from .report import RunFiles, report

    runs.require_free(out, overwrite=overwrite)
    recipe = RECIPES.get(data, BOOK_RECIPE)
    own = recipe[2] if model == "simple" else "he"  # deeper ones would not begin to learn
    epochs, batch_size, init = epochs or recipe[0], batch_size or recipe[1], init or own
    with as_options(
        name="--data",
        root="--data-dir",
        model="--model",
        optimizer="--optimizer",
        lr="--lr",
        weight_init="--init",
    ):
        rule = optim.by_name(optimizer, lr)
        train, test = datasets.load(data, data_dir)
        train = train.take(limit) if limit else train
        network = models.by_name(
            model,
            train.image_shape,
            len(train.classes),
            weight_init=_weight_init(init),
            rng=np.random.default_rng(seed),
        )
    before = network.state_dict()
    run = runs.create_run(out, data)
    settings = {
        "data": data,
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
            engine=engine,
            seed=seed,
            callbacks=[files, ProgressBar()],
        )
        typer.echo(
            f"{model}, {network.parameter_count():,} parameters, on {count(len(train), 'image')} "
            f"of {data} ({'x'.join(map(str, train.image_shape))}); {len(test):,} held out"
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


def _stopped(saved: int, epochs: int) -> str:
    if not saved:
        return "stopped before the first epoch was finished; nothing to save"
    return (
        f"stopped after {saved} of {epochs} epochs; the last of them is saved\n"
        "measuring it and drawing the pictures (Ctrl-C again skips this)"
    )


def _weight_init(text: str) -> str | float:
    try:
        deviation = float(text)
    except ValueError:
        return text
    if not 0 <= deviation < math.inf:
        raise ArgumentError(
            f"must be a finite deviation, 0 or more; received {text}.", where="--init"
        )
    return deviation
