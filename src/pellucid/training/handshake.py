"""What all ranks of a training must have alike, compared before its first batch."""

from __future__ import annotations

import hashlib
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..data import Dataset
from ..data.fingerprint import fingerprint
from ..distributed import Communicator
from ..distributed.agreement import require_same
from ..nn import Layer
from ..optim import schedule_name
from .callbacks import changes_gradients
from .resuming import recipe

if TYPE_CHECKING:
    from .trainer import Trainer

__all__ = ["facts", "shake_hands"]


def shake_hands(trainer: Trainer, communicator: Communicator) -> None:
    """Refuse to train on ranks that would compute something else than one process.

    Raises
    ------
    ArgumentError
        On all ranks, with what differs and where.
    """
    require_same(communicator, facts(trainer))
    units = communicator.gather(_vector_unit())
    if communicator.rank:
        return
    if len(kinds := sorted(set(units))) > 1:
        warnings.warn(
            f"the ranks have processors with different vector units ({', '.join(kinds)}): the last "
            "bits of the weights depend on which rank computes which images.",
            stacklevel=2,
        )
    if paths := getattr(trainer._run, "approximate", ()):
        warnings.warn(
            f"the layers without a kernel ({', '.join(paths)}) make the last bits of the weights "
            "depend on the number of ranks.",
            stacklevel=2,
        )


def facts(trainer: Trainer) -> dict[str, Any]:
    """Return what must be the same on all ranks, by names that a user knows."""
    changing = [type(each).__name__ for each in trainer.callbacks if changes_gradients(each)]
    return {
        **_versions(),
        "the hash of the model": _hash(_text(trainer.model)),
        "the hash of the weights": _weights(trainer.model),
        "the hash of the training images": _images(trainer.train),
        "the hash of the validation images": None
        if trainer.validation is None
        else _images(trainer.validation),
        "the hash of the parameters' rates and decays": _hash(
            repr([(p.rate, p.decay) for p in trainer.model.parameters().values()])
        ),
        "the optimizer": _text(trainer.optimizer),
        "the optimizer's number of steps": trainer.optimizer.t,
        "the loss": _text(trainer.loss),
        "the schedule": schedule_name(trainer.schedule),
        "the augmentation": str(trainer.augment),
        "the engine": trainer.engine.name,
        "the batch size": trainer.loader.batch_size,
        "the seed": int(trainer.seed),
        "the number of epochs": int(trainer.epochs),
        "the number of finished epochs": trainer.epoch,
        "the number of finished batches": len(trainer.history.losses),
        "evaluate_samples": trainer.evaluate_samples,
        **recipe(trainer),
        "the precision of this processor": getattr(trainer._run, "precision", "float32"),
        "the list of callbacks that have on_gradients": changing,
    }


def _versions() -> dict[str, str]:
    from ..kernels.shipped import MAKERS

    names = "Python", "Numba", "llvmlite", "NumPy", "Pellucid"
    versions = *MAKERS.values(), np.__version__, __version__
    return {f"the version of {k}": str(v) for k, v in zip(names, versions, strict=True)}


def _weights(model: Layer) -> str:
    digest = hashlib.sha256()
    for key, array in model.state_dict().items():
        digest.update(f"{key} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:12]


def _images(dataset: Dataset) -> str:
    return f"{len(dataset):,} images {_hash(repr(fingerprint(dataset)))}"


def _text(value: object) -> str:
    """Return the repr without addresses, which differ between processes."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _vector_unit() -> str:
    from ..kernels.jit import LANES, REGISTERS

    return f"{32 * LANES} bits, {REGISTERS} registers"
