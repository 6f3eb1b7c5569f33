"""Save and load a model in one file: weights, architecture, image shape and card."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..data.catalogue import CATALOGUE
from ..errors import FileFormatError, PellucidError
from ..nn import Card, Layer
from ..nn.init import without_values
from ..preparation import HeldOut, Preparation
from ..typing import Array, PathLike
from .architecture import build, describe
from .registry import read_network
from .sniff import describe_file
from .tensors import write_tensors

__all__ = ["load", "rebuild", "save"]

VERSION = "1"
LARGEST_IMAGE = 3 * 2**24  # numbers: 16.7 million pixels in colour


def save(model: Layer, path: PathLike) -> None:
    """Write ``model`` to a safetensors file from which `load` rebuilds it.

    Parameters
    ----------
    model : Layer
        Weights, architecture, ``input_shape`` and ``card`` are written.
    path : str or path
        Usually ``something.safetensors``. An existing file is replaced only once the new one is
        complete.

    Raises
    ------
    ArgumentError
        If the arguments of a layer cannot be saved, or ``path`` cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid.models import SimpleConvNet
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(SimpleConvNet((1, 8, 8), hidden_size=20), f"{folder}/m.safetensors")
    ...     model = load(f"{folder}/m.safetensors")
    >>> model.output_shape((1, 8, 8)), model["affine1"]
    ((10,), Linear(120, 20, weight_init=0.01))
    """
    metadata = {
        "pellucid": VERSION,
        "architecture": json.dumps(describe(model)),
        "input_shape": json.dumps(model.input_shape),
        "card": json.dumps(_as_dict(model.card) if model.card else None),
    }
    write_tensors(path, model.state_dict(), metadata)


def load(path: PathLike, *, layers: Iterable[type[Layer]] = ()) -> Layer:
    """Rebuild the model in a file, in evaluation mode.

    Parameters
    ----------
    path : str or path
        Of a file that `save` wrote, or of another format that holds an architecture.
    layers : iterable of Layer classes
        Your own layers that occur in it.

    Raises
    ------
    DataNotFoundError, FileFormatError
        If there is no such file; if it is damaged or changed, or does not hold a model.
    """
    contents = read_network(path)
    if contents.build is not None:
        return contents.build(layers)
    if {"training", "filters"} & contents.metadata.keys():
        raise FileFormatError(
            f"'{path}' holds {describe_file(path)} and no architecture. Give a model file or a run "
            "folder."
        )
    raise FileFormatError(
        f"'{path}' holds weights but no architecture. Build the model yourself, and give it "
        "`pellucid.read_tensors(path)[0]` with `load_state_dict`."
    )


def rebuild(
    path: Path,
    tensors: Mapping[str, Array],
    metadata: Mapping[str, str],
    layers: Iterable[type[Layer]] = (),
) -> Layer:
    """Return the model, in evaluation mode, that `save` described in the metadata of a file.

    Parameters
    ----------
    path : path
        What errors call the file.
    tensors, metadata
        As `read_tensors` returns them.
    layers : iterable of Layer classes
        Your own layers that occur in it.

    Raises
    ------
    FileFormatError
        If the description is malformed, or does not fit the tensors.
    """
    if metadata.get("pellucid") != VERSION:
        raise FileFormatError(
            f"'{path}' is of version {metadata.get('pellucid')!r}; this Pellucid reads {VERSION!r}."
        )
    try:
        with without_values():
            model = build(json.loads(metadata["architecture"]), layers)
        model.load_state_dict(tensors)
        model.input_shape = _image_shape(json.loads(metadata.get("input_shape", "null")))
        model.card = _card(json.loads(metadata.get("card", "null")), model.input_shape)
    except PellucidError as error:
        raise FileFormatError(f"'{path}': {error}") from error
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise FileFormatError(f"'{path}' has malformed metadata: {error}") from error
    return model.eval()


def _image_shape(shape: list[int] | None) -> tuple[int, ...] | None:
    if shape is None:
        return None
    sizes = tuple(int(size) for size in shape)
    if len(sizes) != 3 or min(sizes) < 1 or math.prod(sizes) > LARGEST_IMAGE:
        raise ValueError(
            f"{sizes} is not an image shape (C, H, W) of at most {LARGEST_IMAGE} numbers"
        )
    return sizes


def _as_dict(card: Card) -> dict[str, Any]:
    values = asdict(card)
    if card.held_out is not None:
        values["held_out"] = card.held_out.as_dict()
    return values


def _card(card: dict[str, Any] | None, image_shape: tuple[int, ...] | None) -> Card | None:
    if card is None:
        return None
    dataset, classes = card["dataset"], card["classes"]
    texts = [dataset, *classes]
    if not all(isinstance(t, str) for t in texts) or isinstance(classes, str):
        raise ValueError("a card needs a name and a list of class names")
    held_out = card.get("held_out")
    if held_out is not None:
        held_out = HeldOut.from_dict(held_out)
    return Card(
        dataset,
        tuple(classes),
        _preparation(card, image_shape),
        held_out,
        _value_range(card.get("value_range")),
    )


def _preparation(card: dict[str, Any], image_shape: tuple[int, ...] | None) -> Preparation | None:
    if "preparation" in card:
        described = card["preparation"]
        if described is None:
            return None
        preparation = Preparation.from_dict(described)
        _image_shape(list(preparation.image_shape))  # refuses one that would exhaust the memory
        return preparation
    source = CATALOGUE.get(card["dataset"])
    if source and source.drawing:  # a file of an earlier version, which looked at the background
        return source.preparation
    return None if image_shape is None else Preparation.of_shape(image_shape)


def _value_range(ends: list[float] | None) -> tuple[float, float] | None:
    if ends is None:
        return None
    low, high = (float(end) for end in ends)
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"the value range {ends} is not two finite numbers in ascending order")
    return low, high
