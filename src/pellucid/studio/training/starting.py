"""Begin a live training of what is open in the studio."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data import Parts
from ...data.registry import available
from ...errors import ArgumentError, StateDictError
from ...formats import save
from ...runs import Settings, begin, resume
from ...runs.beginning import Run
from ...runs.folder import RunFolder
from ...runs.new_folder import give_up
from ...runs.trained_model import settings_of
from ..opened import Opened
from .live import LiveTraining
from .mirror import Mirror

if TYPE_CHECKING:
    from ..opening import Studio

__all__ = ["Offer", "is_run", "offers", "resumed", "started"]

MOST_TRAINED = 6  # networks that are open


@dataclass(frozen=True)
class Offer:
    """A data set that a page may train on: on this machine, by name, or the network's own."""

    name: str
    title: str
    images: int
    image_shape: tuple[int, int, int] | None
    folder: Path | None = None  # where the data set's files are, if that was given


def offers(opened: Opened) -> list[Offer]:
    """Return the data sets that are there, the network's own first."""
    found = [
        Offer(record.name, record.title, record.train, record.image_shape)
        for record in available()
        if record.where is not None
    ]
    if not opened.data:
        return found
    known = {offer.name: offer for offer in found}.get(opened.data)
    title = Path(opened.data).name
    own = known or Offer(opened.data, title, 0, opened.image_shape, opened.data_dir)
    return [own, *(offer for offer in found if offer.name != opened.data)]


def started(
    studio: Studio, opened: Opened, chosen: dict[str, Any], *, fresh: bool, paused: bool
) -> LiveTraining:
    """Begin a new run, and return its training, which waits for `LiveTraining.start`.

    Parameters
    ----------
    studio : Studio
        Gets another open network: the one in training.
    opened : Opened
    chosen : dict
        Fields of `Settings`. ``data`` is one of `offers`.
    fresh : bool
        Whether a network that was named begins with new weights, by the seed; else with those that
        the page shows.
    paused : bool

    Raises
    ------
    PellucidError
        If the settings are wrong, or do not fit the network. Then no run was begun.
    """
    chosen = {**chosen, **_data(opened, chosen.get("data"))}
    named = opened.is_new
    if fresh and not named:
        raise ArgumentError(
            "new weights are for networks opened by a name or a pattern. Train this one further, "
            "or open its pattern.",
            where="fresh",
        )
    if named:
        run = begin(Settings(model=opened.source, **chosen), listener=studio.listener)
    elif opened.source:
        run = begin(Settings(source=Path(opened.source), **chosen), listener=studio.listener)
    else:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "start.safetensors")
            save(opened.model, file)
            run = begin(Settings(source=file, **chosen), listener=studio.listener)
    try:
        if not fresh:
            _take_over(run, opened, named=named)
        return _live(studio, run, paused=paused)
    except BaseException:
        run.folder.path.rmdir()  # nothing is in it before the training begins
        give_up(run.folder)
        raise


def resumed(studio: Studio, opened: Opened, epochs: int, *, paused: bool) -> LiveTraining:
    """Go on with the run that was opened, until it has a number of epochs.

    Raises
    ------
    PellucidError
        If it cannot go on.
    """
    if not is_run(opened):
        raise ArgumentError(
            "only a run can go on from where its training stood; train this network further as a "
            "new run.",
            where="resume",
        )
    run = resume(opened.source, epochs=epochs, listener=studio.listener)
    if run.trainer.epoch >= epochs:
        give_up(run.folder)
        raise ArgumentError(
            f"the run has {run.trainer.epoch} finished epochs. Give more to train on.",
            where="epochs",
        )
    return _live(studio, run, paused=paused)


def is_run(opened: Opened) -> bool:
    """Return whether what was opened is a run with a checkpoint."""
    folder = RunFolder.of(opened.source) if opened.source and not opened.is_new else None
    return folder is not None and folder.checkpoint.is_file()


def _data(opened: Opened, name: str | None) -> dict[str, Any]:
    """Return the settings of a data set that is offered; no other, as no path comes from a page."""
    found = {offer.name: offer for offer in offers(opened)}
    name = name or next(iter(found))
    if name not in found:
        raise ArgumentError(
            f"must be one of {', '.join(found)}; received {name!r:.80}. Others are fetched with "
            "`pellucid data fetch`, or opened with `pellucid studio --data`.",
            where="data",
        )
    settings: dict[str, Any] = {"data": name}
    if name == opened.data:
        known = settings_of(opened.source) if opened.source and not opened.is_new else {}
        how = ("size", "channels", "skip_corrupt", "skip_empty", "held_out", "drawings")
        settings |= {k: known[k] for k in how if k in known and known.get("data") == name}
        settings["data_dir"] = opened.data_dir or known.get("data_dir")
    return settings


def _take_over(run: Run, opened: Opened, *, named: bool) -> None:
    """Begin with the weights that the page shows; those of a file may have been edited."""
    edited = bool(opened.version)
    if opened.source and not named and not edited:
        return
    try:
        run.trainer.model.load_state_dict(opened.model.state_dict())
    except StateDictError as error:
        if not (named or edited):
            return  # for images of other classes the last layer is new
        raise ArgumentError(
            f"the weights that are open do not fit a network for these images ({error}). Begin "
            "with new ones, or choose other images.",
            where="fresh",
        ) from error


def _live(studio: Studio, run: Run, *, paused: bool) -> LiveTraining:
    """Open the network in training, and return the training."""
    trainer = run.trainer
    mirror = Mirror(trainer)
    parts = Parts(trainer.train, run.validation, run.test)
    folder = run.folder.path
    opened = studio.add(mirror.model, folder.name, lambda: parts, str(folder.resolve()))
    opened.data, opened.data_dir = run.settings.data, run.settings.data_dir
    opened.optimizer = mirror.optimizer
    studio.trained.append(opened.id)
    if len(studio.trained) > MOST_TRAINED:
        studio.networks.pop(studio.trained.pop(0))
    return LiveTraining(run, opened, mirror, studio.events, paused=paused)
