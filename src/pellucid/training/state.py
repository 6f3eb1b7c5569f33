"""The whole state of a training, and its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..data.fingerprint import Fingerprint
from ..errors import FileFormatError
from ..formats import describe_file, read_tensors, write_tensors
from ..typing import Array, PathLike
from .history import EpochRecord, History

__all__ = ["NONE", "Best", "TrainingState", "loss_constants"]

NONE = "None"  # in a recipe, where None would mean that a state does not say


@dataclass(frozen=True, slots=True)
class Best:
    """The best epoch so far, by accuracy on the validation set, or on the training set alone."""

    epoch: int
    accuracy: float


@dataclass
class TrainingState:
    """Everything that a training depends on: resuming from it gives the same bits.

    Attributes
    ----------
    weights : dict of key to array
        The model's state dict.
    optimizer : dict of key to array
        The optimizer's memory and its step count.
    optimizer_name, optimizer_config
        The rule and its constants.
    seed : int or None
        Determines, with epoch and image, all random numbers. (States of 0.1 have none; a training
        resumed from one draws by its Trainer's seed.)
    draws : list of str
        What draws random numbers: paths of layers, and the augmentation with its transforms.
    epoch : int
        Finished epochs.
    batch_size : int
    order : int64 array, position : int, order_epoch : int
        The shuffled order of the current epoch, the number of its images that are done, and the
        epoch's number from 0; -1 before the first.
    best : Best or None
    history : History
    lr : float or None
        The optimizer's learning rate, which the schedule multiplies.
    schedule, epochs : str or None, int or None
        The schedule's name (a function's own), and its number of epochs.
    loss : str or None
        The class of the loss.
    rates : dict of key to float, or None
        Those of parameters, where not 1.
    clip_norm : float or None
        The norm that gradients are clipped to.
    recipe : dict or None
        Other arguments of the Trainer that decide what is learned, and the constants of its loss.
    decays : dict of key to float, or None
        The factors of the weight decay of parameters, where not 1.
    average : dict of key to array
        The moving average of the weights; empty without one.
    data : dict of str to Fingerprint
        Those of the images, by role (``"train"``, ``"validation"``), in the file of a `Checkpoint`;
        otherwise empty.

    None means that the version that saved it did not write this yet.
    """

    weights: dict[str, Array]
    optimizer: dict[str, Array]
    optimizer_name: str
    optimizer_config: dict[str, Any]
    seed: int | None
    draws: list[str]
    epoch: int
    batch_size: int
    order: Array
    position: int
    order_epoch: int
    best: Best | None
    history: History
    lr: float | None = None
    schedule: str | None = None
    epochs: int | None = None
    loss: str | None = None
    rates: dict[str, float] | None = None
    clip_norm: float | None = None
    recipe: dict[str, Any] | None = None
    decays: dict[str, float] | None = None
    average: dict[str, Array] = field(default_factory=dict)
    data: dict[str, Fingerprint] = field(default_factory=dict)

    def save(
        self,
        path: PathLike,
        more: Mapping[str, Array] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write the state to a safetensors file, atomically.

        ``more`` arrays and ``metadata`` are the caller's own, and written beside it; `load` ignores
        them. They must not be called as the state's own are.
        """
        arrays = {f"weights/{key}": value for key, value in self.weights.items()}
        arrays |= {f"optimizer/{key}": value for key, value in self.optimizer.items()}
        arrays |= {f"average/{key}": value for key, value in self.average.items()}
        arrays["order"] = self.order
        arrays["losses"] = np.array(self.history.losses, dtype=np.float64)
        rest = {
            "optimizer_name": self.optimizer_name,
            "optimizer_config": self.optimizer_config,
            "seed": self.seed,
            "draws": self.draws,
            "epoch": self.epoch,
            "batch_size": self.batch_size,
            "position": self.position,
            "order_epoch": self.order_epoch,
            "best": asdict(self.best) if self.best else None,
            "epochs": [asdict(record) for record in self.history.epochs],
            "lr": self.lr,
            "schedule": self.schedule,
            "epochs_in_all": self.epochs,
            "loss": self.loss,
            "rates": self.rates,
            "clip_norm": self.clip_norm,
            "recipe": self.recipe,
            "decays": self.decays,
            "data": {role: one._asdict() for role, one in (self.data or {}).items()},
        }
        training = {"training": json.dumps(rest)}
        write_tensors(path, {**(more or {}), **arrays}, {**(metadata or {}), **training})

    @classmethod
    def load(cls, path: PathLike) -> TrainingState:
        """Read a file of `save`.

        Raises
        ------
        DataNotFoundError, FileFormatError
            If there is no such file; if it is damaged, was edited, or is not a state of a training.
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
                seed=rest.get("seed"),
                draws=[
                    str(k) for k in rest.get("draws", rest.get("generators", ())) if k != "shuffle"
                ],
                epoch=int(rest["epoch"]),
                batch_size=int(rest["batch_size"]),
                order=arrays["order"],
                position=int(rest["position"]),
                order_epoch=int(rest.get("order_epoch", _order_epoch(rest, arrays["order"]))),
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
                clip_norm=rest.get("clip_norm"),
                recipe=None if rest.get("recipe") is None else dict(rest["recipe"]),
                decays=None if rest.get("decays") is None else dict(rest["decays"]),
                average=_under("average/", arrays),
                data={k: Fingerprint(**one) for k, one in rest.get("data", {}).items()},
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


def loss_constants(loss: Any) -> dict[str, Any]:
    """Return the constants of a loss for a recipe; a loss of one's own may not tell them."""
    config: dict[str, Any] = loss.config() if hasattr(loss, "config") else {}
    return {name: NONE if value is None else value for name, value in config.items()}


def _order_epoch(rest: dict[str, Any], order: Array) -> int:
    """Return the epoch of the order, for a state that does not say so."""
    finished = int(rest["position"]) >= len(order)
    return -1 if not order.size else int(rest["epoch"]) - finished


def _under(prefix: str, arrays: dict[str, Array]) -> dict[str, Array]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
