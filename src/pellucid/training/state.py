"""The whole state of a training, as one object that can be written and read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import FileFormatError
from ..formats import describe_file, read_tensors, write_tensors
from ..typing import Array, PathLike
from .history import EpochRecord, History

__all__ = ["Best", "TrainingState"]


@dataclass(frozen=True, slots=True)
class Best:
    """The best epoch so far, by accuracy on the validation set, or on the training set alone."""

    epoch: int
    accuracy: float


@dataclass
class TrainingState:
    """Everything that a training depends on; resuming from it repeats it bit for bit.

    Attributes
    ----------
    weights : dict of key to array
        The model's state dict.
    optimizer : dict of key to array
        The optimizer's memory and its step count.
    optimizer_name, optimizer_config
        Which rule with which constants.
    generators : dict of name to state
        The random generators: "shuffle", one for each layer that draws, and the augmentation's.
    epoch : int
        Finished epochs.
    batch_size : int
    order : int64 array, position : int
        The shuffled order of the current epoch, and how many of its images are done.
    best : Best or None
    history : History
    lr : float or None
        The optimizer's learning rate, which the schedule multiplies.
    schedule, epochs : str or None, int or None
        The schedule's name, and its number of epochs; a function of your own by its name.
    loss : str or None
        The class of the loss.
    rates : dict of key to float, or None
        Those of parameters that are not 1.

    None means that the version which saved it did not write this yet.
    """

    weights: dict[str, Array]
    optimizer: dict[str, Array]
    optimizer_name: str
    optimizer_config: dict[str, Any]
    generators: dict[str, dict[str, Any]]
    epoch: int
    batch_size: int
    order: Array
    position: int
    best: Best | None
    history: History
    lr: float | None = None
    schedule: str | None = None
    epochs: int | None = None
    loss: str | None = None
    rates: dict[str, float] | None = None

    def save(self, path: PathLike) -> None:
        """Write the state to a safetensors file, atomically."""
        arrays = {f"weights/{key}": value for key, value in self.weights.items()}
        arrays |= {f"optimizer/{key}": value for key, value in self.optimizer.items()}
        arrays["order"] = self.order
        arrays["losses"] = np.array(self.history.losses, dtype=np.float64)
        rest = {
            "optimizer_name": self.optimizer_name,
            "optimizer_config": self.optimizer_config,
            "generators": self.generators,
            "epoch": self.epoch,
            "batch_size": self.batch_size,
            "position": self.position,
            "best": asdict(self.best) if self.best else None,
            "epochs": [asdict(record) for record in self.history.epochs],
            "lr": self.lr,
            "schedule": self.schedule,
            "epochs_in_all": self.epochs,
            "loss": self.loss,
            "rates": self.rates,
        }
        write_tensors(path, arrays, {"training": json.dumps(rest)})

    @classmethod
    def load(cls, path: PathLike) -> TrainingState:
        """Read the state that `save` wrote.

        Raises
        ------
        DataNotFoundError, FileFormatError
            If there is no such file; if it is damaged, changed, or not a state of a training.
        """
        arrays, metadata = read_tensors(path)
        if "training" not in metadata:
            raise FileFormatError(
                f"'{path}' holds no state of a training: it is {describe_file(path)}. Give a file "
                "that `TrainingState.save` wrote."
            )
        try:
            rest = json.loads(metadata["training"])
            return cls(
                weights=_under("weights/", arrays),
                optimizer=_under("optimizer/", arrays),
                optimizer_name=rest["optimizer_name"],
                optimizer_config={
                    k: tuple(v) if isinstance(v, list) else v  # JSON has no tuples
                    for k, v in rest["optimizer_config"].items()
                },
                generators=rest["generators"],
                epoch=int(rest["epoch"]),
                batch_size=int(rest["batch_size"]),
                order=arrays["order"],
                position=int(rest["position"]),
                best=Best(**rest["best"]) if rest["best"] else None,
                history=History(
                    arrays["losses"].tolist(),
                    [EpochRecord(**record) for record in rest["epochs"]],
                ),
                lr=rest.get("lr"),
                schedule=rest.get("schedule"),
                epochs=rest.get("epochs_in_all"),
                loss=rest.get("loss"),
                rates=None if rest.get("rates") is None else dict(rest["rates"]),
            )
        except (
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
        ) as error:
            raise FileFormatError(f"'{path}' holds no state of a training ({error}).") from error


def _under(prefix: str, arrays: dict[str, Array]) -> dict[str, Array]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
