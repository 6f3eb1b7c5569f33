"""A model's state: collecting it, and loading a state dict, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from ..errors import ArgumentError, StateDictError
from ..typing import Array
from .differences import told
from .keys import count, shown
from .parameter import Buffer

__all__ = ["collected", "key_of", "load", "widened"]

Kind = TypeVar("Kind", bound=Buffer)


def collected(
    layers: Iterable[tuple[str, object]], kind: type[Kind], *, where: str
) -> dict[str, Kind]:
    """Return the layers' attributes of ``kind`` by key, in PyTorch's order.

    Refuse one with two keys.
    """
    found: dict[str, Kind] = {}
    places: dict[int, str] = {}
    of_parents: dict[str, Kind] = {}
    for path, layer in layers:
        own_key = bool(path) and getattr(layer, "own_key", False)
        for name, value in vars(layer).items():
            if isinstance(value, kind):
                key = key_of(path, layer, name)
                if (first := places.setdefault(id(value), key)) != key:
                    raise ArgumentError(
                        f"one array of the state has two keys, {first!r} and {key!r}: the gradient "
                        "of one would replace that of the other, and an optimizer would update it "
                        "twice. Give each layer its own.",
                        where=where,
                    )
                (of_parents if own_key else found)[key] = value
    return _placed(found, of_parents) if of_parents else found


def key_of(path: str, layer: object, name: str) -> str:
    """Return the key of the array ``name`` of the layer at ``path`` in a state dict.

    Examples
    --------
    >>> from pellucid.nn import LayerScale, ReLU
    >>> key_of("conv1", ReLU(), "weight"), key_of("block.scale", LayerScale(3), "weight")
    ('conv1.weight', 'block.scale')
    """
    if path and getattr(layer, "own_key", False):
        return path
    return f"{path}.{name}" if path else name


def _placed(found: dict[str, Kind], of_parents: dict[str, Kind]) -> dict[str, Kind]:
    """Return all by key, those ``of_parents`` before what else their parent layer has inside."""
    waiting = {key.rpartition(".")[0]: (key, value) for key, value in of_parents.items()}
    ordered: dict[str, Kind] = {}
    for key, value in found.items():
        parts = key.split(".")
        for n in range(len(parts)):
            early = waiting.pop(".".join(parts[:n]), None)
            if early is not None:
                ordered[early[0]] = early[1]
        ordered[key] = value
    return ordered | of_parents


def load(buffers: Mapping[str, Buffer], state: Mapping[str, Array], *, strict: bool = True) -> None:
    """Copy ``state`` into ``buffers``; see `Layer.load_state_dict`."""
    own = {key: buffer.data.shape for key, buffer in buffers.items()}
    values = {key: np.asarray(state[key]) for key in buffers.keys() & state.keys()}
    wrong = told(own, {key: np.shape(value) for key, value in state.items()}, strict=strict)
    if not wrong:
        # Where names and shapes do not fit, dtypes do not matter.
        wrong = _not_representable(buffers, values)
    if wrong:
        raise StateDictError(wrong, where="load_state_dict")
    for key, value in values.items():
        buffer = buffers[key]
        if buffer.data.flags.writeable:
            buffer.data[...] = value  # in place: an optimizer or a plan may hold this array
        else:  # a placeholder, see init.without_values; a float64 model stays float64
            same_kind = value.dtype.kind == buffer.data.dtype.kind
            buffer.data = np.array(value, dtype=value.dtype if same_kind else buffer.data.dtype)
    if strict:  # missing in files of PyTorch before 0.4.1
        for key in buffers.keys() - values.keys():
            if buffers[key].data.flags.writeable:
                buffers[key].data[...] = 0
            else:
                buffers[key].data = np.zeros(buffers[key].data.shape, buffers[key].data.dtype)


def _not_representable(buffers: Mapping[str, Buffer], values: Mapping[str, Array]) -> str:
    """Return lines on values that no buffer can hold: text, complex or too large numbers."""
    lines = []
    for key, value in values.items():
        dtype = buffers[key].data.dtype
        if value.dtype.kind not in "biuf":
            lines.append(f"not real numbers: {shown(key)} is {value.dtype}")
        elif _overflows(value, dtype, placed=buffers[key].data.flags.writeable):
            lines.append(f"out of range: {shown(key)} has numbers too large for {dtype}")
    if not lines:
        return ""
    more = [f"and {len(lines) - 7} more"] if len(lines) > 8 else []
    return (
        f"{count(len(lines))} not fit this model, and nothing was loaded:\n  "
        + "\n  ".join(sorted(lines)[: 8 - len(more)] + more)
        + "\nGive real numbers within the range of the model's dtype."
    )


def _overflows(value: Array, dtype: np.dtype, *, placed: bool) -> bool:
    if value.dtype == dtype or not value.size:
        return False
    if dtype.kind in "iu":
        least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
        whole = value.dtype.kind != "f" or bool((np.isfinite(value) & (value % 1 == 0)).all())
        return not whole or int(value.min()) < least or int(value.max()) > most
    if value.dtype.kind != "f" or not placed or value.dtype.itemsize <= dtype.itemsize:
        return False
    with np.errstate(over="ignore"):
        return bool((np.isfinite(value) & ~np.isfinite(value.astype(dtype))).any())


def widened(x: Array, buffers: Iterable[Buffer]) -> Array:
    """Return images widened to the dtype of a model's parameters, as layers require.

    Float32 images for a float64 model become float64; others are returned as they are.
    """
    dtypes = {b.data.dtype for b in buffers if b.data.dtype.kind == "f"}
    return x.astype(np.result_type(x, *dtypes), copy=False) if x.dtype.kind == "f" else x
