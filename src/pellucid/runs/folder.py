"""Run folders: the files that a training leaves, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, DataNotFoundError
from ..formats.sniff import index_in
from .seeds_file import is_of_seeds

if TYPE_CHECKING:
    from ..data import Split
    from ..training import FilterHistory, History
    from ..typing import PathLike

__all__ = [
    "BEST",
    "CHECKPOINT",
    "CONFIG",
    "FILES",
    "FILTERS",
    "HISTORY",
    "LOG",
    "LOGS",
    "MLFLOW",
    "MODEL",
    "PICTURES",
    "REPORT",
    "SPLIT",
    "TENSORBOARD",
    "RunFolder",
    "history_in",
    "model_path",
    "named_runs",
]

MODEL, HISTORY, CONFIG = "model.safetensors", "history.csv", "config.toml"
BEST = "best.safetensors"
FILTERS, REPORT, SPLIT = "filters.safetensors", "report.html", "split.csv"
LOGS = LOG, TENSORBOARD, MLFLOW = "log.jsonl", "tensorboard", "mlflow.txt"
CHECKPOINT = "checkpoint.safetensors"
PICTURES = {
    "curves.png": "loss and accuracy over the epochs",
    "filters.png": "the filters before and after training",
    "confusion.png": "which classes are taken for which",
}
FILES = {
    MODEL: "the model: pellucid predict, evaluate, summary",
    BEST: "the model of the best epoch",
    HISTORY: "loss and accuracies of every epoch",
    CONFIG: "the settings: pellucid train --config",
    SPLIT: "which image was trained on, chosen by, tested on",
    CHECKPOINT: "where the training stands: pellucid train --resume",
    FILTERS: "the first filters after each epoch: pellucid show learning",
    LOG: "loss and learning rate of every step",
    TENSORBOARD: "the same: tensorboard --logdir",
    MLFLOW: "the number of the run in MLflow",
    **PICTURES,
    REPORT: "all of it on one page",
}
GIVE_RUN = "Give a run folder that `pellucid train` has written."


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run.

    Examples
    --------
    >>> RunFolder(Path("runs/digits-1")).model.name
    'model.safetensors'
    """

    path: Path

    @classmethod
    def of(cls, run_or_model: PathLike) -> RunFolder | None:
        """Return the run folder that is meant: itself, or the one that a model file lies in.

        The model of a run that is named by its file is the same model, trained on the same images.
        None if there is no config.toml in it.
        """
        path = Path(run_or_model)
        folder = path if path.is_dir() else path.parent
        own = path.is_dir() or path.name in (MODEL, BEST)
        return cls(folder) if own and (folder / CONFIG).is_file() else None

    def __str__(self) -> str:
        return str(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def model(self) -> Path:
        """The file of the model of the last epoch."""
        return self.path / MODEL

    @property
    def checkpoint(self) -> Path:
        """The file of the training's state, from which it goes on."""
        return self.path / CHECKPOINT

    @property
    def best(self) -> Path:
        """The file of the model of the best epoch."""
        return self.path / BEST

    @property
    def used(self) -> Path:
        """The model that commands use: the best one if a validation set chose it, else the last.

        With ``--keep best`` the best one in any case, as there is no other.
        """
        best = self.best.is_file() and (self.validated or not self.model.is_file())
        return self.best if best else self.model

    @property
    def validated(self) -> bool:
        """Whether the epochs were measured on a validation set."""
        try:
            with self.history.open(encoding="utf-8-sig") as file:
                return "validation_accuracy" in file.readline().strip().split(",")
        except (OSError, UnicodeDecodeError):
            return False

    @property
    def history(self) -> Path:
        """The file of loss and accuracies."""
        return self.path / HISTORY

    @property
    def config(self) -> Path:
        """The file of the settings."""
        return self.path / CONFIG

    @property
    def filters(self) -> Path:
        """The file of the first filters after each epoch."""
        return self.path / FILTERS

    @property
    def split(self) -> Path:
        """The file that lists training and test images, if they come from a folder."""
        return self.path / SPLIT

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / REPORT

    def files(self) -> dict[str, str]:
        """Return the names of the files that are there, and what each holds."""
        said = dict(FILES)
        if self.used == self.best:
            said[MODEL] = "the model of the last epoch"
            said[BEST] = FILES[MODEL].replace("the model", "the best epoch's model")
        return {name: what for name, what in said.items() if (self.path / name).exists()}

    def settings(self) -> dict[str, Any]:
        """Return the settings that the run has kept, by name; none if it has kept none."""
        from .config import read_config

        return read_config(self.config) if self.config.is_file() else {}

    def read_split(self) -> Split | None:
        """Return which images the training used for what, if the run has kept that."""
        from ..data import Split

        return Split.load(self.split) if self.split.is_file() else None

    def read_filters(self) -> FilterHistory | None:
        """Return the first filters after each epoch, if the run has kept them."""
        from ..training import FilterHistory

        return FilterHistory.load(self.filters) if self.filters.is_file() else None

    def read_history(self) -> History:
        """Return the finished epochs.

        Raises
        ------
        DataNotFoundError, FileFormatError
            If there is no history, or it is damaged.
        DataError
            If no epoch was finished.
        """
        if not self.history.exists():
            raise DataNotFoundError(
                f"the folder '{self}' holds no {HISTORY}. {GIVE_RUN}"
                if self.path.is_dir()
                else f"there is no '{self}'. {GIVE_RUN}"
            )
        return history_in(self.history)


def history_in(path: Path) -> History:
    """Return the finished epochs that a history.csv holds; see `RunFolder.read_history`."""
    from ..training import History

    if not path.exists():
        raise DataNotFoundError(f"there is no '{path}'. {GIVE_RUN}")
    history = History.read_csv(path)
    if not history.epochs:
        raise DataError(f"'{path}' holds no finished epoch. Train for at least one.")
    return history


def model_path(run_or_model: PathLike) -> Path:
    """Return the model file of a run folder, or the file itself.

    Of a folder of weights in several files, their index.

    Raises
    ------
    DataNotFoundError
        If there is neither.
    """
    path = Path(run_or_model)
    if path.is_dir():
        used = RunFolder(path).used
        if is_of_seeds(path):
            raise DataNotFoundError(
                f"the folder '{path}' holds the runs of several seeds. Give one of them: "
                f"{_first_seed(path)}."
            )
        if used.is_file():
            return used
        index = index_in(path)
        if index is None:
            raise DataNotFoundError(f"the folder '{path}' holds no {MODEL}.")
        return index
    if not path.exists():
        raise DataNotFoundError(
            f"there is no '{path}'. Give a run folder or a model file that `pellucid train` has "
            "written."
        )
    return path


def _first_seed(path: Path) -> Path:
    return min(path.glob("seed-*"), default=path / "seed-0")


def named_runs(paths: Iterable[Path]) -> dict[str, Path]:
    """Return each run once, by its folder's name; by its whole path where names are alike."""
    places = {path.resolve(): path for path in paths}
    names = [place.name for place in places]
    return {
        place.name if names.count(place.name) == 1 else str(path): path
        for place, path in places.items()
    }
