"""Read weights in several files, with the index that Hugging Face's libraries write."""

from __future__ import annotations

import json
from pathlib import Path

from ...errors import DataNotFoundError, FileFormatError
from ...typing import Array
from ..safetensors_file import require_memory, shown_key
from ..sniff import index_in, look_at
from ..tensors import read_safetensors
from .reading import Weights, read_torch

__all__ = ["read_shards"]

LARGEST_INDEX = 2**26


def read_shards(path: Path) -> Weights:
    """Read the arrays that an index names, from the files next to it.

    Parameters
    ----------
    path : Path
        ``model.safetensors.index.json``, ``pytorch_model.bin.index.json``, or their folder.

    Raises
    ------
    DataNotFoundError
        If files are missing; the message names them.
    FileFormatError
        If the index or a file is damaged, or a file lacks a tensor that the index says it has.
    """
    index = index_in(path) if path.is_dir() else path
    if index is None:
        raise DataNotFoundError(f"the folder '{path}' holds no index of weights (.index.json).")
    places = _places(index)
    files: dict[str, list[str]] = {}  # the keys in each
    for key, name in places.items():
        files.setdefault(name, []).append(key)
    missing = [name for name in files if not (index.parent / name).is_file()]
    if missing:
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        raise DataNotFoundError(
            f"{len(missing)} of the {len(files)} files that '{index}' names are missing: "
            f"{', '.join(map(shown_key, missing[:4]))}{more}. Download them into the same folder."
        )
    require_memory(sum((index.parent / name).stat().st_size for name in files), index)
    found: dict[str, Array] = {}
    notes = [f"from {len(files)} files"]
    for name, wanted in files.items():
        shard = index.parent / name
        of_torch = look_at(shard).kind == "torch"
        arrays, said = read_torch(shard) if of_torch else read_safetensors(shard)[::2]
        lacking = [key for key in wanted if key not in arrays]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise FileFormatError(
                f"'{shard}' lacks {shown_key(lacking[0])}{more}, which the index '{index.name}' "
                "says it has. Download both again, from the same place."
            )
        found |= {key: arrays[key] for key in wanted}
        notes += [f"{name}: {note}" for note in said]
    return Weights({key: found[key] for key in places}, notes)


def _places(index: Path) -> dict[str, str]:
    """Return the name of the file of each tensor."""
    if index.stat().st_size > LARGEST_INDEX:
        raise FileFormatError(f"the index '{index}' has more than {LARGEST_INDEX:,} bytes.")
    try:
        said = json.loads(index.read_bytes())
        places = said["weight_map"]
        if type(places) is not dict or not all(type(name) is str for name in places.values()):
            raise ValueError("its weight_map does not say a file for each tensor")
        if not places:
            raise ValueError("its weight_map names no tensors")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise FileFormatError(
            f"'{index}' is not the index of weights in several files ({why}). It must be JSON "
            'with "weight_map": {"conv1.weight": "model-00001-of-00002.safetensors", ...}.'
        ) from error
    for name in places.values():
        if name in ("", "..") or Path(name).name != name or set("\\:\0") & set(name):
            raise FileFormatError(
                f"'{index}' names the file {shown_key(name)}, which is not in its folder. Name the "
                "files of one folder only."
            )
    return places
