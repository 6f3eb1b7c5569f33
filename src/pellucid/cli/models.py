"""The model file that a command's argument means."""

from __future__ import annotations

from pathlib import Path

from ..runs.folder import BEST, MODEL, model_path
from .messages import note

__all__ = ["model_file"]


def model_file(run: Path) -> Path:
    """Return the model file of a run folder, or the file itself; of two models, say which.

    Raises
    ------
    DataNotFoundError
        If there is none.
    """
    path = model_path(run)
    if run.is_dir() and path.name == BEST and (run / MODEL).is_file():
        note(f"note: {path}, the best epoch on the validation set ({MODEL} is the last)")
    return path
