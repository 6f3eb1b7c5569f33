"""Go on with a run that was interrupted, or train a finished one for more epochs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from .. import data as datasets
from ..data import Parts, Split
from ..distributed import Communicator, Solo, agreed, by_first
from ..errors import ArgumentError, DataError, renamed
from ..nn import set_decay
from ..optim import schedule_name, share_done
from ..training import Trainer
from .beginning import Run
from .building import augmentation_of, kept_models, new_trainer, stopping_of
from .calibrating import require_validation
from .checkpoint import Kept, read_checkpoint
from .completing import completed, rule_of, with_absolute_paths
from .folder import RunFolder
from .images import first_images, is_folder, load_images
from .listener import Listener
from .logs import logs_of
from .new_folder import give_up, own_folder
from .ranks import work_of_ranks
from .run_files import RunFiles
from .settings import Settings
from .starting_network import Start

if TYPE_CHECKING:
    from ..typing import PathLike

__all__ = ["resume"]


def resume(
    folder: PathLike,
    *,
    listener: Listener | None = None,
    communicator: Communicator | None = None,
    **changes: Any,
) -> Run:
    """Continue a run from its checkpoint: `Run.fit` does what the interrupted training would have.

    The weights end with the same bits as those of a run that was never interrupted. It may have
    had another number of ranks.

    Parameters
    ----------
    folder : path
        The run folder, or its checkpoint or config.toml.
    listener : Listener, optional
    communicator : Communicator, optional
        As for `begin`.
    **changes
        Settings that are to change: those that do not change what is learned from the same images
        (`Setting.on_resume`), such as ``epochs``. With a schedule, another number of epochs
        stretches it from here on.

    Raises
    ------
    ArgumentError
        If another setting would change, or the folder cannot be written to.
    DataNotFoundError, FileFormatError
        If there is no checkpoint, or it is damaged.
    DataError
        If the images are not those that the training began with.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid import runs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = runs.begin(runs.Settings(epochs=1, limit=100), folder)
    ...     history = run.fit()
    ...     more = runs.resume(folder, epochs=3)
    ...     len(more.fit().epochs)
    3
    """
    ranks = communicator or Solo()
    own = by_first(ranks, lambda: own_folder(folder))
    try:
        return _resumed(own, changes, listener, ranks)
    except BaseException:
        give_up(own)
        raise


def _resumed(
    own: RunFolder, changes: dict[str, Any], listener: Listener | None, ranks: Communicator
) -> Run:
    with renamed(path="folder"):
        kept = agreed(ranks, lambda: read_checkpoint(own))
    settings = _changed(kept.settings, changes)
    parts = _images(kept, settings, listener, ranks)
    require_validation(settings.calibrate, parts)
    trainer = _trainer(kept, settings, parts, ranks)
    notes = [_place(trainer), *_stretched(trainer, kept), *work_of_ranks(trainer, ranks)]
    files = RunFiles(
        own,
        settings,
        kept.split,
        listener,
        before=kept.before,
        resumed=True,
        keep=kept_models(settings, parts),
    )
    if ranks.rank == 0:
        trainer.callbacks += [*stopping_of(settings), files, *logs_of(settings, own)]
    name = settings.model or type(kept.network).__name__
    start = Start(kept.network, name, notes)
    run = Run(
        settings,
        own,
        trainer,
        parts.test,
        files,
        start,
        kept.before,
        temporary=False,
        communicator=ranks,
    )
    if trainer.epoch >= trainer.epochs and not by_first(ranks, lambda: run.finished):
        # `fit` has nothing to do; the last files may be missing
        if ranks.rank == 0:
            files.on_fit_begin(trainer)
        else:
            trainer.state()  # which rank 0 writes: all have a part of it
    return run


def _changed(earlier: Settings, changes: dict[str, Any]) -> Settings:
    """Return the settings of the run with changes, or refuse those that change what is learned."""
    if changes.get("augment"):
        changes = changes | {"augment": str(datasets.augmentation(changes["augment"]))}
    settings = with_absolute_paths(completed(replace(earlier, **changes)))
    if is_folder(settings.data) and is_folder(earlier.data):
        earlier = replace(earlier, data=settings.data)  # perhaps moved: the images are compared
    settings.require_resumable(earlier)
    return settings


def _images(
    kept: Kept, settings: Settings, listener: Listener | None, ranks: Communicator
) -> Parts:
    """Read the images, and refuse a folder in which any was added, removed or changed."""
    split = kept.split
    new: Literal["leave", "draw"] = (
        "leave" if split is not None and _limited(settings, split) else "draw"
    )
    parts = load_images(
        settings, split=split, new_images=new, listener=listener, communicator=ranks
    )
    now = Split.of(*parts)
    if split is not None and now is not None and (different := _difference(split, now)):
        raise DataError(
            f"'{settings.data}' is not what the training began with: {different}. Make it as it "
            "was, or start a new training.",
            where="data",
        )
    train, validation, test = (part and replace(part, held_out=kept.held_out) for part in parts)
    assert train is not None
    assert test is not None
    return Parts(first_images(train, settings.limit), validation, test)


def _limited(settings: Settings, split: Split) -> bool:
    """Return whether the training left images out, which the split does not list either."""
    used = sum(role == "train" for role in split.roles.values())
    return settings.limit is not None and used >= settings.limit


def _difference(then: Split, now: Split) -> str:
    """Return which files were added, removed and changed, in words; empty if none were."""
    before = {file.path: file.sha256 for file in then.roles}
    after = {file.path: file.sha256 for file in now.roles}
    found = (
        ("added", sorted(after.keys() - before.keys())),
        ("removed", sorted(before.keys() - after.keys())),
        ("changed", sorted(k for k in before.keys() & after.keys() if before[k] != after[k])),
    )
    return "; ".join(_counted(paths, what) for what, paths in found if paths)


def _counted(paths: list[str], what: str) -> str:
    few = ", ".join(paths[:3]) + ", ..." * (len(paths) > 3)
    return f"{len(paths):,} image{'s' * (len(paths) != 1)} {what} ({few})"


def _trainer(kept: Kept, settings: Settings, parts: Parts, ranks: Communicator) -> Trainer:
    """Return a Trainer in the state of the checkpoint, for the new number of epochs."""
    network, state = kept.network, kept.state
    for key, p in network.parameters().items():
        p.rate = (state.rates or {}).get(key, 1.0)  # plans leave out what is frozen
    if settings.decay_all:
        set_decay(network, {"*": 1})
    mean = () if settings.augment is None else parts.train.statistics()[0]
    augment = augmentation_of(settings, mean)
    as_then = replace(settings, epochs=state.epochs)
    trainer = new_trainer(as_then, network, parts, rule_of(settings), augment, ranks)
    with renamed(train="data", validation="data"):
        trainer.load_state(state)
    if settings.epochs is not None and settings.epochs < trainer.epoch:
        raise ArgumentError(
            f"is {settings.epochs}, but {trainer.epoch} epochs are finished already. Give more to "
            "train on.",
            where="epochs",
        )
    trainer.epochs = settings.epochs or trainer.epochs
    return trainer


def _place(trainer: Trainer) -> str:
    """Return in words where the training goes on."""
    batches, done = len(trainer.loader), len(trainer.history.losses)
    if trainer.epoch >= trainer.epochs:
        return f"all {trainer.epochs} epochs are finished"
    within = done - trainer.epoch * batches
    after = f", after {within:,} of its {batches:,} batches" if within else ""
    return f"goes on in epoch {trainer.epoch + 1} of {trainer.epochs}{after}"


def _stretched(trainer: Trainer, kept: Kept) -> list[str]:
    """Return a note that a schedule spans another number of epochs, if so."""
    before, schedule = kept.state.epochs, trainer.schedule
    if schedule is None or before in (None, trainer.epochs):
        return []
    steps, batches = len(trainer.history.losses), len(trainer.loader)
    warm = round(trainer.warmup * batches)
    done = max(steps - warm, 0)
    then, now = (schedule(share_done(done, n * batches - warm)) for n in (before, trainer.epochs))
    return [
        f"the schedule {schedule_name(schedule)} is stretched from {before} to {trainer.epochs} "
        f"epochs: its factor is {now:.3g} from here on, where it was {then:.3g}"
    ]
