"""Logs: the numbers of a training, step by step, in the formats of other tools."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import PellucidError
from ..extras import extra
from ..typing import PathLike
from .callbacks import Callback
from .history import EpochRecord

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["JsonLinesLog", "Log", "TensorBoardLog"]

Values = Mapping[str, float]


class LogWarning(UserWarning):
    """A log that could not be written; the training goes on."""


class Log(Callback):
    """Base class of logs: override `write`, and `open` and `close` if there is a file.

    `write` receives ``loss`` and ``lr`` after each step (``gradient_norm`` too, with a
    ``clip_norm``); after each epoch ``epoch``, ``epoch_loss`` and what was measured; and what
    `finish` is given. Steps count from 1, over all epochs. A resumed training opens its log again
    at its last step: what lies after that is written again.

    If writing fails during the training (a full disk, a server that does not answer), a warning
    says so and the training goes on without the log.

    Parameters
    ----------
    parameters : mapping of str to object, optional
        Settings of the training, for the head of the log.

    Examples
    --------
    >>> class Printed(Log):
    ...     def write(self, step, values):
    ...         if "epoch" in values:
    ...             print(step, *values)
    >>> from pellucid import Trainer, data, models
    >>> train, test = data.digits()
    >>> model = models.SimpleConvNet((1, 8, 8))
    >>> trainer = Trainer(model, train.take(200), epochs=2, callbacks=[Printed()])
    >>> history = trainer.fit()
    2 epoch epoch_loss train_accuracy seconds
    4 epoch epoch_loss train_accuracy seconds
    """

    def __init__(self, parameters: Mapping[str, object] | None = None) -> None:
        self.parameters = dict(parameters or {})
        self._failed = False

    def open(self, step: int) -> None:
        """Begin the log, or go on after ``step``."""

    def holds(self, epoch: int) -> bool:
        """Return whether a log that was opened again holds an epoch; where in doubt, True."""
        return True

    def write(self, step: int, values: Values) -> None:
        """Write numbers by name."""
        raise NotImplementedError(f"{type(self).__name__} has no write yet")

    def close(self, complete: bool) -> None:
        """End the log for now; ``complete`` if the training was not interrupted."""

    def finish(self, step: int, values: Values) -> None:
        """Add what was measured after the training."""
        self._try(lambda: self.open(step))
        self._try(lambda: self.write(step, values))
        self._try(lambda: self.close(True))

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Open the log; if that fails, the training does not begin."""
        self._failed = False
        steps = len(trainer.history.losses)
        self.open(steps)
        # The last epoch's line is missing if the training was interrupted while files were written.
        between = trainer.epoch and steps == trainer.epoch * len(trainer.loader)
        if between and not self.holds(trainer.epoch):
            self.on_epoch_end(trainer, trainer.history.epochs[-1])

    def on_batch_end(self, trainer: Trainer, loss: float, images: int) -> None:
        """Write the loss of the batch and the rate of its step."""
        values = {"loss": loss, "lr": trainer.last_lr, "gradient_norm": trainer.gradient_norm}
        self._write(trainer, values)

    def on_epoch_end(self, trainer: Trainer, record: EpochRecord) -> None:
        """Write what was measured."""
        values = asdict(record)
        self._write(
            trainer, {"epoch": values.pop("epoch"), "epoch_loss": values.pop("loss"), **values}
        )

    def on_fit_end(self, trainer: Trainer) -> None:
        """Close the log."""
        self._try(lambda: self.close(trainer.epoch >= trainer.epochs))

    def _write(self, trainer: Trainer, values: Mapping[str, float | None]) -> None:
        known = {name: value for name, value in values.items() if value is not None}
        self._try(lambda: self.write(len(trainer.history.losses), known))

    def _try(self, work: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            work()
        except Exception as error:  # of any package: no log is worth the training
            self._failed = True
            warnings.warn(
                f"{type(self).__name__} could not be written ({error}). The training goes on "
                "without it.",
                LogWarning,
                stacklevel=2,
            )


class JsonLinesLog(Log):
    """Write a line of JSON for each step and epoch to ``path``, at once: ``tail -f`` follows it.

    The first line holds the parameters. ``pandas.read_json(path, lines=True)`` reads it.
    """

    def __init__(self, path: PathLike, parameters: Mapping[str, object] | None = None) -> None:
        super().__init__(parameters)
        self.path = Path(path)
        self._file: Any = None
        self._epochs: set[int | None] = set()

    def open(self, step: int) -> None:
        """Open the file, without lines after ``step`` and without one that was cut off."""
        kept = _lines_up_to(step, self.path) if step else []
        head = [] if kept else [_line({"parameters": self.parameters})]
        self.path.write_text("".join(kept + head), encoding="utf-8")
        self._file = self.path.open("a", encoding="utf-8")
        self._epochs = {json.loads(line).get("epoch") for line in kept}

    def holds(self, epoch: int) -> bool:
        """Return whether there is a line for an epoch."""
        return epoch in self._epochs

    def write(self, step: int, values: Values) -> None:
        """Append a line."""
        self._file.write(_line({"step": step, **values}))
        self._file.flush()

    def close(self, complete: bool) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class TensorBoardLog(Log):
    """Write event files into ``folder`` with TensorBoard's own writer: ``tensorboard --logdir``.

    The parameters appear under HPARAMS. Needs ``pip install "pellucid[tensorboard]"``; neither
    TensorFlow nor PyTorch.
    """

    SECONDS = 10  # between two flushes

    def __init__(self, folder: PathLike, parameters: Mapping[str, object] | None = None) -> None:
        super().__init__(parameters)
        self.folder = Path(folder)
        self._writer: Any = None
        self._events = _tensorboard("compat.proto.event_pb2")
        self._summaries = _tensorboard("compat.proto.summary_pb2")
        self._files = _tensorboard("summary.writer.event_file_writer")

    def open(self, step: int) -> None:
        """Begin an event file; readers then drop the earlier files' events after ``step``."""
        self._writer = self._files.EventFileWriter(str(self.folder), flush_secs=self.SECONDS)
        if step:
            log = self._events.SessionLog(status=self._events.SessionLog.START)
            self._add(step + 1, session_log=log)
        elif self.parameters:
            hparams = _tensorboard("plugins.hparams.summary_v2")
            plain = (bool, int, float, str)
            known = {k: v if isinstance(v, plain) else str(v) for k, v in self.parameters.items()}
            self._add(0, summary=hparams.hparams_pb(known))

    def write(self, step: int, values: Values) -> None:
        """Add one event that holds all values."""
        summary = self._summaries.Summary()
        for name, value in values.items():
            summary.value.add(tag=name, simple_value=value)
        self._add(step, summary=summary)
        if "epoch" in values:
            self._writer.flush()

    def close(self, complete: bool) -> None:
        """Write all that is pending."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, step: int, **event: Any) -> None:
        self._writer.add_event(self._events.Event(wall_time=time.time(), step=step, **event))


def _tensorboard(module: str) -> Any:
    return extra(f"tensorboard.{module}", "tensorboard", "TensorBoardLog")


def _line(content: Mapping[str, object]) -> str:
    return json.dumps(content, ensure_ascii=False, default=str) + "\n"


def _lines_up_to(step: int, path: Path) -> list[str]:
    """Return the whole lines of a log, up to a step; none if there is no file.

    Raises
    ------
    PellucidError
        If it is not a log.
    """
    if not path.exists():
        return []
    kept = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    for number, line in enumerate(lines):
        try:
            content = json.loads(line)
            if int(content.get("step", 0)) <= step and line.endswith("\n"):
                kept.append(line)
        except (ValueError, AttributeError, TypeError) as error:
            if number < len(lines) - 1:
                raise PellucidError(
                    f"line {number + 1} of '{path}' is not a line of a log ({error}). Move the "
                    "file away, or log elsewhere.",
                    where="JsonLinesLog",
                ) from error
    return kept
