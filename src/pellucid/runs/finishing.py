"""Finish a run: measure the saved model on all test images, and draw the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import viz
from ..errors import PellucidError
from ..formats import load
from ..training import Evaluation, History
from .beginning import Run
from .listener import Listener
from .predictions import measure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..nn import Layer

__all__ = ["Finished", "finish"]


@dataclass(frozen=True)
class Finished:
    """What came of a run.

    Attributes
    ----------
    model : Layer
        As it was saved after the last finished epoch.
    evaluation : Evaluation
        On all test images.
    """

    model: Layer
    evaluation: Evaluation

    def __str__(self) -> str:
        confusion = self.evaluation.confusion
        return (
            f"final test accuracy {self.evaluation.accuracy:.4f} ({int(confusion.trace())} of "
            f"{int(confusion.sum())} held-out images)"
        )


def finish(run: Run, *, listener: Listener | None = None) -> Finished | None:
    """Measure the saved model on all test images, and draw the pictures of the run folder.

    Returns None if no epoch was finished; a numbered folder that `begin` made is then removed.

    Raises
    ------
    PellucidError
        If a picture could not be written; all other files are complete.
    """
    listener = listener or Listener()
    if not run.files.saved:
        if run.temporary:
            run.folder.path.rmdir()
        return None
    assert run.trainer.validation is not None
    model = load(run.folder.model)
    result = measure(model, run.trainer.validation, run.settings.engine, listener=listener)
    finished = Finished(model, result)
    figures = _figures(run, finished)
    listener.note(str(finished))
    for name, figure in figures.items():
        try:
            with listener.writing():
                viz.save_figure(figure, run.folder.path / name)
        except OSError as error:
            raise PellucidError(
                f"{name} could not be drawn ({error.strerror}). All other files of '{run.folder}' "
                "are complete: free some space on the disk, and `pellucid report` shows the run."
            ) from error
    return finished


def _figures(run: Run, finished: Finished) -> dict[str, Figure]:
    history, trainer, epochs = run.trainer.history, run.trainer, run.files.saved
    assert trainer.validation is not None
    complete = History(history.losses[: epochs * len(trainer.loader)], history.epochs[:epochs])
    figures = {
        "curves.png": viz.curves(complete),
        "confusion.png": viz.confusion(finished.evaluation.confusion, trainer.validation.classes),
    }
    after = finished.model.state_dict()
    first = next((key for key, w in after.items() if w.ndim == 4), None)
    if first is not None:
        figures["filters.png"] = viz.filters(after[first], run.before[first])
    return figures
