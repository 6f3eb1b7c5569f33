"""checkpoint.safetensors: the state of a run's training, and all else that the run depends on.

The file alone is enough to go on from: it also holds the settings, the architecture, which images
are used for what, and the first filters before the training. Every other file of a run folder is
written after it, and from it again when the run goes on: whenever a run is killed, it continues
from the checkpoint that is there.
"""

from __future__ import annotations

import io
import json
import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data import HeldOut, Split
from ..errors import DataNotFoundError, FileFormatError, PellucidError
from ..formats import build, describe, read_tensors
from ..training import Checkpoint, TrainingState
from .config import as_written, settings_from
from .folder import CHECKPOINT, RunFolder
from .settings import Settings

if TYPE_CHECKING:
    from ..nn import Layer
    from ..training import Trainer
    from ..typing import Array

__all__ = ["Kept", "RunCheckpoint", "read_checkpoint"]

SPLIT, BEFORE = "run/split", "run/before/"


class Kept(NamedTuple):
    """What a checkpoint holds.

    Attributes
    ----------
    state : TrainingState
    settings : Settings
    split : Split or None
        Which image is used for what, where they are files.
    held_out : HeldOut or None
        How the test images were drawn, where they were.
    network : Layer
        Built anew; its weights are in ``state``.
    before : dict of str to array
        The first filters before the training, by their key; empty without any.
    """

    state: TrainingState
    settings: Settings
    split: Split | None
    held_out: HeldOut | None
    network: Layer
    before: dict[str, Array]


class RunCheckpoint(Checkpoint):
    """Write the checkpoint of a run.

    Parameters
    ----------
    folder : RunFolder
    settings : Settings
    split : Split or None
    before : dict of str to array
        As in `Kept`.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        split: Split | None,
        before: dict[str, Array],
    ) -> None:
        minutes = settings.checkpoint_minutes
        super().__init__(folder.checkpoint, 5 if minutes is None else minutes)
        self.settings = settings
        self._arrays = {BEFORE + key: w for key, w in before.items()}
        if split is not None:
            self._arrays[SPLIT] = _packed(split)

    def save(self, state: TrainingState, trainer: Trainer) -> None:
        """Write the state and what the run depends on."""
        held_out = trainer.train.held_out
        run = {
            "settings": as_written(self.settings),
            "architecture": describe(trainer.model),
            "held_out": None if held_out is None else asdict(held_out),
        }
        state.save(self.path, self._arrays, {"run": json.dumps(run)})


def read_checkpoint(folder: RunFolder) -> Kept:
    """Read the checkpoint of a run.

    Raises
    ------
    DataNotFoundError
        If there is none.
    FileFormatError
        If it is damaged, or not that of a run.
    """
    path = folder.checkpoint
    if not path.is_file():
        advice = (
            f"To start from its model: pellucid train --from {folder}."
            if folder.model.is_file()
            else "Start one there: pellucid train --out."
        )
        raise DataNotFoundError(f"the folder '{folder}' holds no {CHECKPOINT}. {advice}")
    state = TrainingState.load(path)
    arrays, metadata = read_tensors(path)
    if "run" not in metadata:
        raise FileFormatError(
            f"'{path}' is the state of a training from Python, without the settings of a run. Load "
            "it with `Trainer.load_state(TrainingState.load(path))`."
        )
    try:
        run = json.loads(metadata["run"])
        settings = Settings(**settings_from(run["settings"], str(path)))
        network = build(run["architecture"])
        held_out = None if run["held_out"] is None else HeldOut(**run["held_out"])
        split = _unpacked(arrays[SPLIT], path) if SPLIT in arrays else None
    except (PellucidError, KeyError, ValueError, TypeError, RecursionError, zlib.error) as error:
        raise FileFormatError(f"'{path}' is not the checkpoint of a run ({error}).") from error
    before = {k.removeprefix(BEFORE): w for k, w in arrays.items() if k.startswith(BEFORE)}
    return Kept(state, settings, split, held_out, network, before)


def _packed(split: Split) -> Array:
    """Return the text of split.csv, compressed, as bytes (N,)."""
    text = io.StringIO(newline="")
    split.write(text)
    packed = zlib.compress(text.getvalue().encode(errors="surrogateescape"), 1)
    return np.frombuffer(packed, dtype=np.uint8)


def _unpacked(packed: Array, path: object) -> Split:
    text = zlib.decompress(packed.tobytes()).decode(errors="surrogateescape")
    return Split.read(io.StringIO(text, newline=""), f"{path}, {SPLIT}")
