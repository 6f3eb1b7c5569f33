"""Putting a state dict into a model: all of it, or a refusal that names every difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..errors import StateDictError
from ..typing import Array
from .parameter import Buffer

__all__ = ["load", "widened"]


def load(buffers: Mapping[str, Buffer], state: Mapping[str, Array], *, strict: bool = True) -> None:
    """Copy ``state`` into ``buffers``; see `Layer.load_state_dict`."""
    wrong = []
    if strict:
        wrong += [f"missing: {key} {buffers[key].data.shape}" for key in buffers.keys() - state]
        wrong += [f"unexpected: {key} {np.shape(state[key])}" for key in state.keys() - buffers]
    for key in buffers.keys() & state.keys():
        required, received = buffers[key].data.shape, np.shape(state[key])
        if required != received:
            wrong.append(f"mis-shaped: {key} must be {required}, received {received}")
        dtype = np.asarray(state[key]).dtype
        if dtype.kind not in "biuf":
            wrong.append(f"no real numbers: {key} is {dtype}")
    if wrong:
        raise StateDictError(
            f"{len(wrong)} keys do not fit this model, and nothing was loaded:\n  "
            + "\n  ".join(sorted(wrong))
            + "\nBuild the model as it was when the weights were saved.",
            where="load_state_dict",
        )
    for key in buffers.keys() & state.keys():
        own = buffers[key]
        value = np.asarray(state[key])
        if own.data.flags.writeable:
            own.data[...] = value  # in place: an optimizer or a plan may hold this very array
        else:  # a place holder, see init.without_values; a model of float64 is to stay one
            same_kind = value.dtype.kind == own.data.dtype.kind
            own.data = np.array(value, dtype=value.dtype if same_kind else own.data.dtype)


def widened(x: Array, buffers: Iterable[Buffer]) -> Array:
    """Return images in a dtype that holds all digits of a model's parameters, which layers ask for.

    Float32 images for a model of float64 become float64; others are returned as they are.
    """
    dtypes = {b.data.dtype for b in buffers if b.data.dtype.kind == "f"}
    return x.astype(np.result_type(x, *dtypes), copy=False) if x.dtype.kind == "f" else x
