"""The logs of a run that the setting ``log`` names."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from ..errors import ArgumentError, MissingExtraError, did_you_mean
from ..extras import extra
from .fields import settings_in
from .folder import LOG, MLFLOW, TENSORBOARD, RunFolder

if TYPE_CHECKING:
    from ..training import Evaluation, Log, Trainer
    from .settings import Settings

__all__ = ["log_result", "logs_of", "remove_logs", "require_logs"]

KINDS = ("jsonl", "mlflow", "tensorboard")


def require_logs(text: str | None) -> list[str]:
    """Return the kinds of logs that the setting names.

    Raises
    ------
    ArgumentError
        If one is unknown, or its package is not installed.

    Examples
    --------
    >>> require_logs("jsonl, tensorboard"), require_logs(None)
    (['jsonl', 'tensorboard'], [])
    >>> require_logs("json")
    Traceback (most recent call last):
    pellucid.errors.ArgumentError: log: 'json' is not a log. Did you mean 'jsonl'? Known: jsonl, \
mlflow, tensorboard.
    """
    kinds = [part.strip().lower() for part in (text or "").split(",") if part.strip()]
    for kind in kinds:
        if kind not in KINDS:
            raise ArgumentError(f"{kind!r} is not a log. {did_you_mean(kind, KINDS)}", where="log")
        if kind != "jsonl":
            try:
                extra(kind, kind, kind)
            except MissingExtraError as error:
                raise ArgumentError(str(error), where="log") from error
    return list(dict.fromkeys(kinds))


def logs_of(settings: Settings, folder: RunFolder) -> list[Log]:
    """Return the logs of a run, in its folder."""
    from .. import training

    given = {
        one.key: value
        for one in settings_in(type(settings)).values()
        if (value := getattr(settings, one.name)) is not None
    }
    path = folder.path
    made: list[Log] = []
    for kind in require_logs(settings.log):
        if kind == "jsonl":
            made.append(training.JsonLinesLog(path / LOG, given))
        elif kind == "tensorboard":
            made.append(training.TensorBoardLog(path / TENSORBOARD, given))
        else:
            made.append(training.MlflowLog(path / MLFLOW, path.name, given))
    return made


def log_result(trainer: Trainer, result: Evaluation) -> None:
    """Add the measurement of the saved model on the test set to the logs."""
    from ..training import Log

    measured = {"final_test_loss": result.loss, "final_test_accuracy": result.accuracy}
    for callback in trainer.callbacks:
        if isinstance(callback, Log):
            callback.finish(len(trainer.history.losses), measured)


def remove_logs(folder: RunFolder) -> None:
    """Remove the logs of a run that is to be replaced, or that has finished no epoch."""
    for name in (LOG, MLFLOW):
        (folder.path / name).unlink(missing_ok=True)
    shutil.rmtree(folder.path / TENSORBOARD, ignore_errors=True)
