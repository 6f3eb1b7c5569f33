"""Run folders: what a training leaves behind, and where."""

from __future__ import annotations

import itertools
import json
import os
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, DataNotFoundError, FileFormatError, did_you_mean
from ..names import file_name

if TYPE_CHECKING:
    from ..data import Split

__all__ = [
    "CONFIG",
    "FILES",
    "FILTERS",
    "HISTORY",
    "MODEL",
    "PICTURES",
    "REPORT",
    "SPLIT",
    "create_run",
    "model_path",
    "read_config",
    "require_free",
    "run_of",
    "split_of",
    "write_config",
]

MODEL, HISTORY, CONFIG = "model.safetensors", "history.csv", "config.toml"
FILTERS, REPORT, SPLIT = "filters.safetensors", "report.html", "split.csv"
PICTURES = {
    "curves.png": "loss and accuracy over the epochs",
    "filters.png": "the filters before and after training",
    "confusion.png": "which classes are taken for which",
}
FILES = {
    MODEL: "the model: pellucid predict, evaluate, summary",
    HISTORY: "loss and accuracies of every epoch",
    CONFIG: "the settings: pellucid train --config",
    SPLIT: "which image was learned from, and which tested on",
    FILTERS: "the first filters after each epoch: pellucid show learning",
    **PICTURES,
    REPORT: "all of it on one page",
}
RUNS = Path("runs")

# What config.toml may hold.
SETTINGS: dict[str, type] = {
    "data": str,
    "data_dir": str,
    "model": str,
    "from": str,
    "freeze": str,
    "rates": str,
    "epochs": int,
    "batch_size": int,
    "lr": float,
    "schedule": str,
    "weight_decay": float,
    "optimizer": str,
    "init": str,
    "seed": int,
    "limit": int,
    "engine": str,
    "evaluate_samples": int,
    "size": str,
    "channels": int,
    "held_out": float,
    "skip_corrupt": bool,
    "drawings": bool,
    "skip_empty": bool,
    "augment": str,
    "normalize": bool,
}
# Bytes of a path that are not valid UTF-8 are written to the file and read back unchanged.
BYTES_OF_NAMES = sys.getfilesystemencodeerrors()
KINDS = {
    str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false",
}  # fmt: skip


def require_free(out: Path | None, *, overwrite: bool) -> None:
    """Refuse a folder for a new run that already holds something, unless ``overwrite`` is given.

    Raises
    ------
    ArgumentError
        If so, or if ``out`` is a file.
    """
    if out is None or not out.exists():
        return
    if not out.is_dir():
        raise ArgumentError(f"'{out}' is a file; give a folder.", where="--out")
    if any(out.iterdir()) and not overwrite:
        raise ArgumentError(
            f"'{out}' is not empty. Give another folder, or --overwrite to replace the run in it.",
            where="--out",
        )


def create_run(out: Path | None, dataset: str, *, overwrite: bool = False) -> Path:
    """Return the folder for a new run: ``out``, or the next ``runs/DATASET-N``.

    It belongs to this process until that ends: the files of two trainings would mix.

    Raises
    ------
    ArgumentError
        If it cannot be created or written to, another training writes into it, or one has since
        `require_free`.
    """
    try:
        if out is None:
            RUNS.mkdir(exist_ok=True)
            out = _next_run(file_name(dataset, "run"))
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(
            f"cannot create '{out or RUNS}': {error.strerror}. Give another folder.",
            where="--out",
        ) from error
    if not os.access(out, os.W_OK):
        raise ArgumentError(f"'{out}' may not be written to. Give another folder.", where="--out")
    if not _claimed(out):
        raise ArgumentError(
            f"'{out}' is the folder of another training that still runs. Give another folder, or "
            "wait until it has ended.",
            where="--out",
        )
    require_free(out, overwrite=overwrite)
    return out


_LOCKS: dict[Path, int] = {}  # folders that this process has locked, and their open handles


def _claimed(folder: Path) -> bool:
    """Lock a folder until this process ends, however it ends; returns False if another has it.

    A process that trains again in the same folder keeps its lock.

    Where folders cannot be locked (Windows, some network drives) they are not.
    """
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)  # open to the end, which is the end of the lock
        if (own := _LOCKS.pop(folder.resolve(), None)) is not None:
            os.close(own)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    except (ImportError, OSError):
        return True
    _LOCKS[folder.resolve()] = handle
    return True


def _next_run(dataset: str) -> Path:
    for number in itertools.count(1):
        run = RUNS / f"{dataset}-{number}"
        with suppress(FileExistsError):  # another training may create the same at this moment
            run.mkdir()
            return run
    raise AssertionError


def model_path(run_or_model: Path) -> Path:
    """Return the model file of a run folder, or the file itself.

    Raises
    ------
    DataNotFoundError
        If there is neither.
    """
    if run_or_model.is_dir():
        if not (run_or_model / MODEL).is_file():
            raise DataNotFoundError(f"the folder '{run_or_model}' holds no {MODEL}.")
        return run_or_model / MODEL
    if not run_or_model.exists():
        raise DataNotFoundError(
            f"there is no '{run_or_model}'. Give a run folder or a model file that "
            "`pellucid train` has written."
        )
    return run_or_model


def run_of(run_or_model: Path) -> Path | None:
    """Return the run folder that is meant: itself, or the one that a model file lies in.

    The model of a run that is named by its file is the same model, learned from the same images.
    """
    folder = run_or_model if run_or_model.is_dir() else run_or_model.parent
    own = run_or_model.is_dir() or run_or_model.name == MODEL
    return folder if own and (folder / CONFIG).is_file() else None


def split_of(run_or_model: Path) -> Split | None:
    """Return which images the training of a run learned from, if it has kept that."""
    from ..data import Split

    run = run_of(run_or_model)
    return Split.load(run / SPLIT) if run is not None and (run / SPLIT).is_file() else None


def write_config(path: Path, config: Mapping[str, Any]) -> None:
    """Write flat settings as TOML; what is None is left out."""
    from ..formats import atomic_write

    lines = ["# Repeat this run: pellucid train --config with this file or its folder"]
    lines += [f"{key} = {_toml(value)}" for key, value in config.items() if value is not None]
    with atomic_write(path) as part:
        part.write_bytes(("\n".join(lines) + "\n").encode("utf-8", BYTES_OF_NAMES))


def _toml(value: str | float | bool) -> str:
    """Return a value in TOML: as in JSON, but for escapes of what is not ASCII, and for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_config(path: Path) -> dict[str, Any]:
    """Read what `write_config` wrote.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is not TOML, or holds what no training has as a setting.
    """
    from ..formats.sniff import describe_file, look_at

    try:
        text = path.read_bytes().decode("utf-8", BYTES_OF_NAMES)
        config = tomllib.loads(text)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no file '{path}'.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        if path.exists() and look_at(path).kind not in ("text", "settings"):
            raise FileFormatError(
                f"'{path}' cannot be read as TOML: it is {describe_file(path)}. Give a "
                "config.toml, or the run folder that holds one."
            ) from error
        raise FileFormatError(f"'{path}' cannot be read as TOML: {error}.") from error
    for key, value in config.items():
        if key not in SETTINGS:
            raise FileFormatError(
                f"has no setting {key!r}. {did_you_mean(key, SETTINGS)}", where=str(path)
            )
        kind = SETTINGS[key]
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise FileFormatError(
                f"{key} must be {KINDS[kind]}, received {value!r}.", where=str(path)
            )
    if "engine" in config:
        from ..training.engines import renamed

        config["engine"] = renamed(config["engine"])
    return config
