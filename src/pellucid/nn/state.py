"""A model's state: finding it, and putting a state dict into it, all of it or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from ..errors import ArgumentError, StateDictError
from ..typing import Array
from .differences import told
from .keys import count, shown
from .parameter import Buffer

__all__ = ["collected", "load", "widened"]

Kind = TypeVar("Kind", bound=Buffer)


def collected(
    layers: Iterable[tuple[str, object]], kind: type[Kind], *, where: str
) -> dict[str, Kind]:
    """Return what of ``kind`` the layers have as attributes, by key; refuse one with two keys."""
    found: dict[str, Kind] = {}
    places: dict[int, str] = {}
    for path, layer in layers:
        for name, value in vars(layer).items():
            if isinstance(value, kind):
                key = f"{path}.{name}" if path else name
                if (first := places.setdefault(id(value), key)) != key:
                    raise ArgumentError(
                        f"one array of the state stands in two places, {first!r} and {key!r}: the "
                        "gradient of one would replace that of the other, and an optimizer would "
                        "change it twice. Give each layer its own.",
                        where=where,
                    )
                found[key] = value
    return found


def load(buffers: Mapping[str, Buffer], state: Mapping[str, Array], *, strict: bool = True) -> None:
    """Copy ``state`` into ``buffers``; see `Layer.load_state_dict`."""
    own = {key: buffer.data.shape for key, buffer in buffers.items()}
    values = {key: np.asarray(state[key]) for key in buffers.keys() & state.keys()}
    wrong = told(own, {key: np.shape(value) for key, value in state.items()}, strict=strict)
    if not wrong:
        # The dtypes of what does not fit by its name and shape say nothing.
        wrong = _not_representable(buffers, values)
    if wrong:
        raise StateDictError(wrong, where="load_state_dict")
    for key, value in values.items():
        buffer = buffers[key]
        if buffer.data.flags.writeable:
            buffer.data[...] = value  # in place: an optimizer or a plan may hold this very array
        else:  # a place holder, see init.without_values; a model of float64 is to stay one
            same_kind = value.dtype.kind == buffer.data.dtype.kind
            buffer.data = np.array(value, dtype=value.dtype if same_kind else buffer.data.dtype)
    if strict:  # what PyTorch before 0.4.1 did not count
        for key in buffers.keys() - values.keys():
            if buffers[key].data.flags.writeable:
                buffers[key].data[...] = 0
            else:
                buffers[key].data = np.zeros(buffers[key].data.shape, buffers[key].data.dtype)


def _not_representable(buffers: Mapping[str, Buffer], values: Mapping[str, Array]) -> str:
    """Return what no buffer can hold as it is: texts, complex numbers, what is too large."""
    lines = []
    for key, value in values.items():
        dtype = buffers[key].data.dtype
        if value.dtype.kind not in "biuf":
            lines.append(f"no real numbers: {shown(key)} is {value.dtype}")
        elif _overflows(value, dtype, placed=buffers[key].data.flags.writeable):
            lines.append(f"out of range: {shown(key)} has numbers that {dtype} does not hold")
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
    """Return images in a dtype that holds all digits of a model's parameters, which layers ask for.

    Float32 images for a model of float64 become float64; others are returned as they are.
    """
    dtypes = {b.data.dtype for b in buffers if b.data.dtype.kind == "f"}
    return x.astype(np.result_type(x, *dtypes), copy=False) if x.dtype.kind == "f" else x
