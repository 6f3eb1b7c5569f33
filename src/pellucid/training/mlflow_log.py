"""The log of a training in MLflow."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..extras import extra
from ..formats import atomic_write
from ..typing import PathLike
from .logs import Log, Values

__all__ = ["MlflowLog"]

KINDS = ("loss", "epoch")  # what the numbers after a step have, and those after an epoch


class MlflowLog(Log):
    """Log to MLflow: parameters, and each number as a metric over the steps.

    The server or file is the one that ``MLFLOW_TRACKING_URI`` names, or else MLflow's default;
    the experiment is ``MLFLOW_EXPERIMENT_NAME``, or else ``pellucid``. Needs
    ``pip install "pellucid[mlflow]"``.

    Metrics are sent together, at most every ``SECONDS`` and after each epoch.

    Parameters
    ----------
    path : path
        A file that keeps the number of the MLflow run, so that a resumed training goes on in it.
    name : str, optional
        Of the MLflow run; MLflow invents one by default.
    parameters : mapping of str to object, optional
    """

    SECONDS = 2.0
    MOST = 900  # metrics in one message; MLflow takes 1,000

    def __init__(
        self,
        path: PathLike,
        name: str | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(parameters)
        self.path, self.name = Path(path), name
        self._mlflow = extra("mlflow", "mlflow", "MlflowLog")
        self._client: Any = None
        self._run = ""
        self._waiting: list[Any] = []
        self._sent = 0.0
        self._last: dict[str, int] = {}  # the step up to which MLflow has each kind of numbers

    def open(self, step: int) -> None:
        """Begin a run of MLflow, or go on in the one whose number the file keeps."""
        with warnings.catch_warnings():  # of SQLAlchemy, about MLflow
            warnings.simplefilter("ignore")
            self._client = self._mlflow.MlflowClient()
            if step and self.path.exists():
                self._run = self.path.read_text(encoding="utf-8").strip()
                self._client.update_run(self._run, status="RUNNING")
                for kind in KINDS:
                    known = self._client.get_metric_history(self._run, kind)
                    self._last[kind] = max((metric.step for metric in known), default=0)
                return
            self._run, self._last = self._new_run(), {}
        with atomic_write(self.path) as part:
            part.write_text(self._run + "\n", encoding="utf-8")
        params = [
            self._mlflow.entities.Param(key, str(value)) for key, value in self.parameters.items()
        ]
        self._client.log_batch(self._run, params=params)

    def write(self, step: int, values: Values) -> None:
        """Send the values, some together; what MLflow has already is not sent again."""
        kind = next((kind for kind in KINDS if kind in values), "")
        if step <= self._last.get(kind, 0) and kind:
            return
        now = time.time()
        self._waiting += [
            self._mlflow.entities.Metric(name, value, int(1000 * now), step)
            for name, value in values.items()
        ]
        if "epoch" in values or len(self._waiting) > self.MOST or now - self._sent > self.SECONDS:
            self._send(now)

    def close(self, complete: bool) -> None:
        """Send what is waiting, and set the state of MLflow's run."""
        if self._client is not None:
            self._send(time.time())
            self._client.set_terminated(self._run, "FINISHED" if complete else "KILLED")

    def _send(self, now: float) -> None:
        for first in range(0, len(self._waiting), self.MOST):
            self._client.log_batch(self._run, metrics=self._waiting[first : first + self.MOST])
        self._waiting, self._sent = [], now

    def _new_run(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "pellucid"
        known = self._client.get_experiment_by_name(name)
        number = self._client.create_experiment(name) if known is None else known.experiment_id
        return str(self._client.create_run(number, run_name=self.name).info.run_id)
