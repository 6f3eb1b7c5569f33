"""Adapt weights trained elsewhere to a network: prefixes, auxiliary heads, the last layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..errors import StateDictError
from ..typing import Array
from .correspondence import corresponding, fits
from .keys import WRAPPERS, is_count, shown, under, without_wrappers
from .layer import Layer
from .surgery import head_name

__all__ = ["Adapted", "adapted"]

# Auxiliary classifiers, used in training only.
_AUXILIARY = ("aux1", "aux2", "aux_classifier", "AuxLogits", "aux_logits")


class Adapted(NamedTuple):
    """A state dict that fits, whether the last layer is new, and notes on the changes made."""

    state: dict[str, Array]
    new_head: bool
    notes: list[str]


def adapted(model: Layer, arrays: Mapping[str, Array]) -> Adapted:
    """Return a state dict for ``model`` made from weights trained elsewhere.

    A prefix that a wrapper added to the keys (``module.``, ``_orig_mod.``, ``model.``) is removed
    where all keys fit without it. Where another library wrote the same network under other names,
    the keys are matched by the order and shapes of its layers (see `correspondence`). The last
    layer stays the model's own if the file has another number of outputs, or no last layer.
    Auxiliary classifiers, which serve training only, are left out, and so are arrays outside the
    network's prefix.

    Parameters
    ----------
    model : Layer
        Is not changed.
    arrays : mapping of key to array

    Raises
    ------
    StateDictError
        If the network occurs twice, under two prefixes; if its weights are not finite.

    Examples
    --------
    >>> from pellucid.nn import Linear, Sequential
    >>> model = Sequential(fc=Linear(2, 2), out=Linear(2, 3))
    >>> weights = {f"module.{key}": value for key, value in model.state_dict().items()}
    >>> adapted(model, weights).notes
    ["taken without 'module.' before every key"]
    """
    own = model.state_dict()
    head = head_name(model)
    of_head = {key for key in own if head and key.startswith(f"{head}.")}
    body = [key for key in own if key not in of_head and not is_count(key)]
    state, notes = _without_prefix({k: own[k].shape for k in body or own}, dict(arrays))
    dropped = {k for k in state.keys() - own.keys() if k.partition(".")[0] in _AUXILIARY}
    if dropped:
        layers = " and ".join(sorted({key.partition(".")[0] for key in dropped}))
        notes.append(f"without {layers} ({len(dropped)} arrays), which serve training only")
    state = {key: value for key, value in state.items() if key not in dropped}
    if not all(key in state or is_count(key) for key in own):
        state, renamed = _renamed(own, state, head)
        notes += renamed
    absent = bool(of_head) and not of_head & state.keys()
    other = {k for k in of_head & state.keys() if np.shape(state[k]) != own[k].shape}
    new_head = absent or bool(other)
    if new_head:
        state |= {key: own[key] for key in of_head}
    if any(is_count(key) for key in own.keys() - state.keys()):
        notes.append("num_batches_tracked, missing in the file, starts at 0")
    known = {key: value for key, value in state.items() if key in own}
    _require_finite(known)
    notes += _conversions(own, known)
    return Adapted(state, new_head, notes)


def _without_prefix(
    body: Mapping[str, tuple[int, ...]], state: dict[str, Array]
) -> tuple[dict[str, Array], list[str]]:
    if all(key in state for key in body):
        return state, []
    plain = {without_wrappers(key): value for key, value in state.items()}
    if len(plain) == len(state) and all(key in plain for key in body):
        names = sorted({p for key in state for p in key.split(".") if p in WRAPPERS})
        everywhere = all(key.startswith(f"{names[0]}.") for key in state)
        where = "before every key" if everywhere and len(names) == 1 else "in the keys"
        return plain, [f"taken without {' and '.join(repr(f'{n}.') for n in names)} {where}"]
    prefixes = under(body, {key: np.shape(value) for key, value in state.items()})
    if len(prefixes) > 1:
        listed = " and ".join(repr(shown(prefix)) for prefix in prefixes[:4])
        raise StateDictError(
            f"holds the weights of this network {len(prefixes)} times, under {listed}. Save the "
            "ones you want in a separate file."
        )
    if not prefixes:
        return state, []
    (prefix,) = prefixes
    found = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    rest = len(state) - len(found)
    if not rest:
        return found, [f"taken without {shown(prefix)!r} before every key"]
    others = "1 other array is" if rest == 1 else f"{rest} other arrays are"
    return found, [f"taken from under {shown(prefix)!r}; {others} left out"]


def _renamed(
    own: Mapping[str, Array], state: dict[str, Array], head: str | None
) -> tuple[dict[str, Array], list[str]]:
    """Return the arrays under the model's keys if only the names differ."""
    shapes = {key: np.shape(value) for key, value in state.items()}
    keys = corresponding({key: value.shape for key, value in own.items()}, shapes, head)
    if not keys:
        return state, []
    found = {}
    for key, ours in keys.items():
        same = fits(shapes[key], own[ours].shape)
        found[ours] = np.reshape(state[key], own[ours].shape) if same else state[key]
    changed = [key for key, ours in keys.items() if key != ours and not is_count(key)]
    listed = ", ".join(f"{shown(key)} is {keys[key]}" for key in (changed[0], changed[-1]))
    return found, [
        f"{len(changed)} keys are named otherwise, and matched by the order and shapes of the "
        f"layers: {listed}"
    ]


def _conversions(own: Mapping[str, Array], state: Mapping[str, Array]) -> list[str]:
    """Return notes on arrays that will be converted to the model's dtypes."""
    kinds = Counter(
        (own[key].dtype.name, np.asarray(value).dtype.name)
        for key, value in state.items()
        if not is_count(key) and np.asarray(value).dtype.newbyteorder("=") != own[key].dtype
    )
    return [
        f"converted from {theirs} to {ours}: {n} array{'s' * (n > 1)}"
        for (ours, theirs), n in kinds.items()
    ]


def _require_finite(state: Mapping[str, Array]) -> None:
    for key, value in state.items():
        if np.asarray(value).dtype.kind == "f":
            odd = int((~np.isfinite(value)).sum())
            if odd:
                raise StateDictError(
                    f"{odd:,} of the {np.size(value):,} numbers of {shown(key)} are NaN or "
                    "infinite, and so would be the network's outputs. Use weights saved before "
                    "the training diverged."
                )
