"""``pellucid train``: from images to a model, curves and pictures of the filters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, NumericsError
from ..names import shown
from . import runs
from . import train_options as option
from .building import given_init
from .datasets import image_size, is_folder, load_images
from .interrupts import Interrupts
from .messages import as_options, count, echo
from .options import EngineOption
from .start import Start, choose_what_learns, new_network, taken_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..data import Dataset
    from ..nn import Layer
    from ..optim import Optimizer

__all__ = ["command"]

# Epochs, batch size and initial weights: the book's, and what small images need, as was found on a
# part of the training images.
BOOK_RECIPE = (20, 100, "0.01")
FOLDER_RECIPE = (20, 100, "he")
RECIPES = {"digits": (40, 50, "0.1")}


def _from_file(context: typer.Context, path: Path | None) -> Path | None:
    """Take defaults from a run's config.toml; what is given on the command line wins."""
    if path is not None:
        config = runs.read_config(path / runs.CONFIG if path.is_dir() else path)
        if "from" in config:  # which is no name in Python
            config["source"] = config.pop("from")
        context.default_map = config
    return path


def command(
    data: option.Data = "digits",
    data_dir: option.DataDir = None,
    model: option.Model = None,
    source: option.Source = None,
    freeze: option.Freeze = None,
    rates: option.Rates = None,
    epochs: option.Epochs = None,
    batch_size: option.BatchSize = None,
    lr: option.Lr = None,
    schedule: option.Schedule = None,
    weight_decay: option.WeightDecay = None,
    optimizer: option.Optimizer = "adam",
    init: option.Init = None,
    augment: option.Augment = None,
    normalize: option.Normalize = False,
    size: option.Size = None,
    channels: option.Channels = None,
    held_out: option.HeldOut = None,
    drawings: option.Drawings = False,
    skip_corrupt: option.SkipCorrupt = False,
    skip_empty: option.SkipEmpty = False,
    engine: EngineOption = "compiled",
    seed: option.Seed = 0,
    limit: option.Limit = None,
    evaluate_samples: option.EvaluateSamples = 10_000,
    out: option.Out = None,
    overwrite: option.Overwrite = False,
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
    filters.safetensors, curves.png, filters.png, confusion.png. See
    pellucid report for all of it on one page.

    Ctrl-C ends the training cleanly: what the last finished epoch made
    is saved, measured and drawn.
    """
    import numpy as np

    from .. import data as datasets
    from .. import optim
    from ..data.user_folders import expanded
    from ..training import ProgressBar, Trainer
    from .run_files import RunFiles, report

    runs.require_free(out, overwrite=overwrite)
    recipe = FOLDER_RECIPE if is_folder(data) else RECIPES.get(data, BOOK_RECIPE)
    epochs, batch_size = epochs or recipe[0], batch_size or recipe[1]
    if source is None:  # otherwise the new last layer begins as the old one did
        model = model or "simple"
        init = init or (recipe[2] if model == "simple" else "he")  # deeper ones would not learn
    with as_options(
        augment="--augment",
        optimizer="--optimizer",
        lr="--lr",
        schedule="--schedule",
        weight_init="--init",
    ):
        rule = _rule(optimizer, lr, weight_decay)
        if schedule is not None:
            optim.schedule_by_name(schedule)
        if augment is not None:
            datasets.augmentation(augment)  # refused before anything is read
        train, test = load_images(
            data,
            data_dir,
            size=image_size(size),
            channels=channels,
            held_out=held_out,
            skip_corrupt=skip_corrupt,
            skip_empty=skip_empty,
            seed=seed,
            split=None if source is None else runs.split_of(source),
            new_images="draw",
            drawing=drawings,
        )
        split = datasets.Split.of(train, test)
        train = _first(train, limit)
        rng, weight_init = np.random.default_rng(seed), given_init(init)
        if source is not None:
            begun = taken_over(source, model, train, weight_init, rng)
        else:
            shape, classes = train.image_shape, len(train.classes)
            # Not `or`: a deviation of 0 is one, too.
            drawn = "he" if weight_init is None else weight_init
            fresh = new_network(str(model), shape, classes, drawn, rng)
            begun = Start(fresh, str(model), [])
        network = begun.network
    changes = None
    if normalize or augment is not None:
        mean, std = train.statistics()
        if augment is not None:
            changes = datasets.augmentation(augment, fill=mean)
        if normalize:
            network = _normalized(network, mean, std)
    choose_what_learns(network, freeze, rates)
    before = network.state_dict()
    with as_options(batch_size="--batch-size"):
        trainer = Trainer(
            network,
            train,
            test,
            optimizer=rule,
            schedule=schedule,
            epochs=epochs,
            batch_size=batch_size,
            evaluate_samples=evaluate_samples,
            augment=changes,
            engine=engine,
            seed=seed,
        )
    run = runs.create_run(out, train.name, overwrite=overwrite)
    settings = {
        "data": str(expanded(data).resolve()) if is_folder(data) else data,
        "data_dir": None if data_dir is None else str(expanded(data_dir).resolve()),
        "model": model,
        "from": None if source is None else str(source.resolve()),
        "freeze": freeze,
        "rates": rates,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": rule.lr,
        "schedule": schedule,
        "weight_decay": weight_decay,
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
        "drawings": drawings or None,
        "skip_empty": skip_empty or None,
        "augment": None if changes is None else str(changes),
        "normalize": normalize or None,
    }
    failure = None
    quiet = np.errstate(over="ignore", invalid="ignore")  # the loss will tell
    with quiet, Interrupts() as interrupts:
        files = RunFiles(run, settings, interrupts, split)
        trainer.callbacks += [files, ProgressBar()]
        echo(
            f"{shown(begun.name)}, {_parameters(network)}, on {count(len(train), 'image')} of "
            f"{shown(train.name)} ({'x'.join(map(str, train.image_shape))}); {len(test):,} held out"
        )
        for note in begun.notes:
            echo(f"  {note}")
        try:
            trainer.fit()
        except KeyboardInterrupt:
            interrupts.listen()
            echo(_stopped(files.saved, epochs))
        except NumericsError as error:
            failure = error
        try:
            if files.saved:
                report(files, trainer, before)
            elif out is None:
                run.rmdir()
        except KeyboardInterrupt:
            echo(f"stopped; the model of epoch {files.saved} is in {run}/")
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


def _rule(name: str, lr: float | None, weight_decay: float | None) -> Optimizer:
    from .. import optim

    rule = optim.by_name(name, lr)
    if weight_decay is None:
        return rule
    if not isinstance(rule, optim.AdamW):
        raise ArgumentError(f"belongs to adamw; --optimizer is {name}.", where="--weight-decay")
    return optim.AdamW(rule.lr, weight_decay=weight_decay)


def _normalized(network: Layer, mean: Sequence[float], std: Sequence[float]) -> Layer:
    from .. import nn

    if any(isinstance(layer, nn.Normalize) for _, layer in network.layers()):
        raise ArgumentError(
            "the network begins by normalising, as it learned to. Leave it out.",
            where="--normalize",
        )
    return nn.Normalize(mean, std).before(network)


def _parameters(network: Layer) -> str:
    total = network.parameter_count()
    learning = sum(p.data.size for p in network.parameters().values() if p.rate)
    return f"{total:,} parameters" + ("" if learning == total else f", {learning:,} of them learn")
