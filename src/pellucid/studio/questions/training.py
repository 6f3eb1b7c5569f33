"""The live training: begin it, steer it, and hear where it stands."""

from __future__ import annotations

from typing import Any

from ...errors import PellucidError
from ...optim import RULES
from ...optim.schedules import SCHEDULES
from ...runs import Settings
from ...runs.completing import completed
from ..opened import Opened
from ..opening import Studio
from ..registry import Report, question
from ..training.live import LiveTraining
from ..training.starting import is_run, offers, resumed, started
from .network import open_networks

__all__ = ["back", "choices", "freeze", "go", "pause", "pin", "rate", "slow", "start", "state"]


@question("train/choices")
def choices(opened: Opened) -> dict[str, Any]:
    """Return what a training of this network may be begun with."""
    return {
        "data": [
            {
                "name": offer.name,
                "title": offer.title,
                "images": offer.images,
                "epochs": (usual := completed(Settings(data=offer.name))).epochs,
                "batch_size": usual.batch_size,
                "fits": offer.image_shape == opened.image_shape,
            }
            for offer in offers(opened)
        ],
        "optimizers": {name: rule().lr for name, rule in RULES.items()},
        "schedules": sorted(SCHEDULES),
        "fresh": opened.is_new,
        "resume": is_run(opened),
    }


@question("train/start")
def start(
    opened: Opened,
    *,
    data: str | None = None,
    optimizer: str = "adam",
    lr: float | None = None,
    batch_size: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    schedule: str | None = None,
    augment: str | None = None,
    limit: int | None = None,
    fresh: bool | None = None,
    resume: bool = False,
    paused: bool = False,
    report: Report,
) -> dict[str, Any]:
    """Begin a run, and return the id of the network in training.

    What is not given is that of ``pellucid train``. ``fresh`` weights, by the seed, are the default
    for a network that was opened by a name or a pattern; others begin with what is open. ``resume``
    goes on with the run that is open until it has ``epochs``.
    """
    studio = _studio(opened)
    before = studio.training
    if before is not None and before.alive:
        raise PellucidError("another training is going on. Stop it first; it will be saved.")
    report(0, 1)
    if resume:
        _end(before)  # or its run could not go on
        training = resumed(studio, opened, epochs or 0, paused=paused)
    else:
        chosen = {
            "data": data, "optimizer": optimizer, "lr": lr, "batch_size": batch_size,
            "epochs": epochs, "seed": seed, "schedule": schedule, "augment": augment,
            "limit": limit,
        }  # fmt: skip
        fresh = opened.is_new if fresh is None else fresh
        training = started(studio, opened, chosen, fresh=fresh, paused=paused)
        _end(before)  # not before the settings are known to be right: one can still go back in it
    if before is not None and before.close in studio.closing:
        studio.closing.remove(before.close)
    studio.training = training
    studio.closing.append(training.close)
    training.start()
    studio.events.tell("networks", {"networks": open_networks(studio)})
    return training.described()


@question("train/state")
def state(opened: Opened, *, since: int = 0) -> dict[str, Any]:
    """Return where the training stands, with the losses from step ``since`` on.

    Without one, the state is "none".
    """
    training = _studio(opened).training
    return {"state": "none"} if training is None else training.described(since)


@question("train/go")
def go(opened: Opened) -> dict[str, Any]:
    """Train on, as fast as the engine does."""
    return _done(opened, lambda training: training.go())


@question("train/pause")
def pause(opened: Opened) -> dict[str, Any]:
    """Wait after this batch."""
    return _done(opened, lambda training: training.pause())


@question("train/step")
def step(opened: Opened, *, steps: int = 1) -> dict[str, Any]:
    """Take some steps, and wait."""
    return _done(opened, lambda training: training.step(steps))


@question("train/slow")
def slow(opened: Opened, *, per_second: float) -> dict[str, Any]:
    """Take some steps a second."""
    return _done(opened, lambda training: training.slow(per_second))


@question("train/stop")
def stop(opened: Opened) -> dict[str, Any]:
    """End after this batch, with all files of the run."""
    return _done(opened, lambda training: training.stop())


@question("train/rate")
def rate(opened: Opened, *, lr: float) -> dict[str, Any]:
    """Set the learning rate, which a schedule multiplies."""
    return _done(opened, lambda training: training.set_rate(lr))


@question("train/freeze")
def freeze(opened: Opened, *, value: int, frozen: bool = True) -> dict[str, Any]:
    """Freeze the layer that makes a value, or let it learn again."""
    return _done(opened, lambda training: training.freeze(value, frozen=frozen))


@question("train/back")
def back(opened: Opened, *, epoch: int) -> dict[str, Any]:
    """Go back to the state after an epoch, and train on from there."""
    return _done(opened, lambda training: training.back(epoch))


@question("train/pin")
def pin(opened: Opened, *, image: str | None = None) -> dict[str, Any]:
    """Hear the probabilities of an image each time; of none without one."""
    numbers = None if image is None else opened.numbers(image)
    return _done(opened, lambda training: training.pin(numbers))


def _end(training: LiveTraining | None) -> None:
    """End a training that has no more to do."""
    if training is not None:
        training.stop()
        training.wait("stopped", "failed", seconds=10)


def _done(opened: Opened, work: Any) -> dict[str, Any]:
    """Have a command obeyed; return where the training stands, without the losses before."""
    training: LiveTraining | None = _studio(opened).training
    if training is None:
        raise PellucidError("nothing is being trained. Start a training first.")
    work(training)
    return training.described(len(training.run.trainer.history.losses))


def _studio(opened: Opened) -> Studio:
    if opened.studio is None:
        raise PellucidError(f"'{opened.name}' is not open in a studio, which trainings need.")
    return opened.studio
