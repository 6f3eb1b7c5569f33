"""Finish a run: measure the kept model on all test images, and draw the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import viz
from ..distributed import by_first, on_first
from ..errors import DataError, PellucidError
from ..formats import load
from ..training import Evaluation, History
from .beginning import Run
from .calibrating import fitted, keep_temperature
from .choice import Choice, choice_of
from .listener import Listener
from .logs import log_result, remove_logs
from .predictions import measure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..data import Dataset
    from ..nn import Layer

__all__ = ["Finished", "finish"]


@dataclass(frozen=True)
class Finished:
    """What came of a run.

    Attributes
    ----------
    model : Layer
        As it was saved after ``epoch``.
    evaluation : Evaluation
        On all test images.
    choice : Choice
        How the epoch was chosen.
    """

    model: Layer
    evaluation: Evaluation
    choice: Choice

    def __str__(self) -> str:
        confusion = self.evaluation.confusion
        line = (
            f"final test accuracy {self.evaluation.accuracy:.4f} ({int(confusion.trace())} of "
            f"{int(confusion.sum())} held-out images)"
        )
        return f"{line}{self.choice}"


def finish(run: Run, *, listener: Listener | None = None) -> Finished | None:
    """Measure the kept model on all test images, and draw the pictures of the run folder.

    Returns None if no epoch was finished; a numbered folder that `begin` made is then removed,
    unless its checkpoint is worth keeping (`RunFiles.kept`). Of several ranks all call this, and
    share the images; rank 0 draws.

    Raises
    ------
    PellucidError
        If a picture could not be written; all other files are complete.
    """
    listener, ranks = listener or Listener(), run.communicator
    saved = by_first(ranks, lambda: run.files.saved)
    if not saved:
        on_first(ranks, lambda: _remove(run))
        return None
    # Sent by rank 0: a rank on another host may not see the folder.
    model, history = by_first(ranks, lambda: load(run.folder.used)), _complete(run, saved)
    if run.settings.calibrate and run.validation is not None:
        model = _calibrated(run, model, run.validation, listener)
    result = measure(model, run.test, run.settings.engine, listener=listener, communicator=ranks)
    finished = Finished(model, result, choice_of(history, run.settings.keep, run.settings.patience))
    on_first(ranks, lambda: _draw(run, finished, history, listener))
    return finished


def _remove(run: Run) -> None:
    """Remove what was written of a run of which no epoch was finished."""
    run.files.withdraw()
    if run.temporary and not run.files.kept:
        remove_logs(run.folder)
        run.folder.path.rmdir()


def _draw(run: Run, finished: Finished, history: History, listener: Listener) -> None:
    """Tell and log the result, and draw the pictures."""
    log_result(run.trainer, finished.evaluation)
    figures = _figures(run, finished, history)
    listener.result(str(finished))
    for name, figure in figures.items():
        try:
            with listener.writing():
                viz.save_figure(figure, run.folder.path / name)
        except OSError as error:
            raise PellucidError(
                f"{name} could not be drawn ({error.strerror}). All other files of '{run.folder}' "
                "are complete: free some space on the disk, and `pellucid report` shows the run."
            ) from error


def _calibrated(run: Run, model: Layer, validation: Dataset, listener: Listener) -> Layer:
    """Fit a temperature to the validation set and keep it with the model; say so, or why not."""
    ranks = run.communicator
    try:
        temperature = fitted(
            model, validation, run.settings.engine, listener=listener, communicator=ranks
        )
    except DataError as error:
        listener.note(f"note: the model is not calibrated: {error.text}")
        return model
    with listener.writing():
        model = by_first(ranks, lambda: keep_temperature(model, temperature, run.folder.used))
    listener.note(
        f"calibrated: the scores are divided by {temperature:.3f}, fitted to {len(validation):,} "
        "validation images"
    )
    return model


def _complete(run: Run, epochs: int) -> History:
    """Return the history of the epochs that were saved."""
    history = run.trainer.history
    return History(history.losses[: epochs * len(run.trainer.loader)], history.epochs[:epochs])


def _figures(run: Run, finished: Finished, history: History) -> dict[str, Figure]:
    figures = {
        "curves.png": viz.curves(history, title=run.folder.path.resolve().name),
        "confusion.png": viz.confusion(finished.evaluation.confusion, run.test.classes),
    }
    after = finished.model.state_dict()
    first = next((key for key, w in after.items() if w.ndim == 4), None)
    if first is not None:
        figures["filters.png"] = viz.filters(after[first], run.before[first])
    return figures
