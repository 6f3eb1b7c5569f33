"""Explain how a state dict differs from a model, by its pattern, in a few lines.

Two hundred keys that all begin with ``module.`` are one difference, with one remedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..typing import Shape
from .keys import WRAPPERS, count, inside, is_count, mostly_under, shown, under, without_wrappers

__all__ = ["told"]

Shapes = Mapping[str, Shape]
MOST_LINES = 8

_ITEMS = "for k, v in state.items()"
# By the ending of a missing key: the endings found in its place, and what to do.
_ENDINGS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("weight", ("weight_g", "weight_v"),
     "{n} of weight norm (weight_g, weight_v in place of weight). Where they were saved, call "
     "torch.nn.utils.remove_weight_norm(layer) for each of these layers first."),
    ("weight", ("parametrizations.weight.original0", "parametrizations.weight.original1"),
     "{n} of weight norm (parametrizations.weight in place of weight). Where they were saved, call "
     "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight') first."),
    ("weight", ("parametrizations.weight.original",),
     "{n} of a parametrized weight. Where they were saved, call "
     "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight') first."),
    ("weight", ("weight_orig", "weight_mask"),
     "{n} of pruned layers (weight_orig, weight_mask in place of weight). Where they were saved, "
     "call torch.nn.utils.prune.remove(layer, 'weight') first."),
    ("weight", ("weight_orig", "weight_u"),
     "{n} of spectral norm (weight_orig, weight_u in place of weight). Where they were saved, call "
     "torch.nn.utils.remove_spectral_norm(layer) first."),
    ("weight", ("gamma",), "{n} called gamma, which is weight here: rename them."),
    ("bias", ("beta",), "{n} called beta, which is bias here: rename them."),
    ("running_mean", ("moving_mean",),
     "{n} called moving_mean, which is running_mean here: rename them."),
    ("running_var", ("moving_variance",),
     "{n} called moving_variance, which is running_var here: rename them."),
    ("weight", ("kernel",),
     "{n} called kernel, which is weight here: rename them, and transpose them to (out, in) and "
     "(out, in, height, width)."),
)  # fmt: skip
# Axis orders of other frameworks, and how to convert them to PyTorch's.
_ORDERS = (
    (2, (1, 0), "transposed, (in, out) as Keras and the book keep them", ".T"),
    (4, (3, 2, 0, 1), "in the axis order (height, width, in, out), as TensorFlow keeps them",
     ".transpose(3, 2, 0, 1)"),
    (4, (0, 3, 1, 2), "in the axis order (out, height, width, in), channels last",
     ".transpose(0, 3, 1, 2)"),
    (4, (1, 0, 2, 3), "with inputs and outputs exchanged", ".swapaxes(0, 1)"),
)  # fmt: skip


class _Told(NamedTuple):
    lines: list[str]
    advice: list[str]


def told(own: Shapes, state: Shapes, *, strict: bool = True) -> str:
    """Return why ``state`` cannot be loaded, or "" if it can.

    Parameters
    ----------
    own, state : mapping of key to shape
    strict : bool
        Whether missing and unexpected keys are errors.

    Examples
    --------
    >>> told({"fc.bias": (2,)}, {"module.fc.bias": (2,)})
    "every key begins with 'module.', as DataParallel saves them, and no key of this model does; \
nothing was loaded. Load {k.removeprefix('module.'): v for k, v in state.items()}."
    """
    missing = {key for key in own.keys() - state.keys() if not is_count(key)}
    unexpected = set(state.keys() - own.keys())
    common = own.keys() & state.keys()
    mis_shaped = {key for key in common if own[key] != state[key]}
    if not (missing or unexpected or mis_shaped) or (not strict and common and not mis_shaped):
        return ""
    if missing and unexpected and (strict or not common):
        pattern = _other_prefix(own, state)
        if pattern:
            return pattern
    if not strict:
        missing, unexpected = set(), set()
    if not (missing or unexpected or mis_shaped):
        return ""
    number = len(missing) + len(unexpected) + len(mis_shaped)
    found = _Told([], [])
    missing, unexpected = _endings(missing, unexpected, found)
    lines = _listed("missing", missing, own) + _listed("unexpected", unexpected, state)
    rest = _orders(mis_shaped, own, state, found)
    shapes = [f"mis-shaped: {shown(k)} must be {own[k]}, received {state[k]}" for k in rest]
    plain = sorted(lines + shapes)
    if len(plain) + len(found.lines) > MOST_LINES:
        kinds = {
            "mis-shaped": (sorted(rest), shapes),
            "missing": (sorted(missing), sorted(_listed("missing", missing, own))),
            "unexpected": (sorted(unexpected), sorted(_listed("unexpected", unexpected, state))),
        }
        most = 2 if all(keys for keys, _ in kinds.values()) else 3  # lines of each kind
        plain = [
            line
            for kind, (keys, all_) in kinds.items()
            for line in _grouped(kind, keys, all_, most)
        ]
    advice = found.advice + ([_last_advice(own, state, missing, unexpected, rest)] if plain else [])
    return (
        f"{count(number)} not fit this model, and nothing was loaded:\n  "
        + "\n  ".join(found.lines + plain)
        + "".join(f"\n{sentence}" for sentence in dict.fromkeys(advice))
    )


def _other_prefix(own: Shapes, state: Shapes) -> str:
    """Return one sentence about keys that fit except for a prefix, or ""."""
    prefixes = under(own, state)
    if len(prefixes) > 1:
        listed = " and ".join(repr(shown(p)) for p in prefixes[:4])
        return (
            f"the weights occur {len(prefixes)} times, under {listed}; nothing was loaded. "
            f"Load one of them: {{k.removeprefix({prefixes[0]!r}): v {_ITEMS} if "
            f"k.startswith({prefixes[0]!r})}}."
        )
    if prefixes:
        prefix = prefixes[0]
        rest = [key for key in state if not key.startswith(prefix)]
        below = {key.removeprefix(prefix) for key in state if key.startswith(prefix)}
        saved = _by_whom(prefix)
        if any(key not in own and not is_count(key) for key in below):
            return _without(prefix, own, state)
        if not rest:
            return (
                f"every key begins with {shown(prefix)!r}{saved or ','} and no key of this model "
                f"does; nothing was loaded. Load {{k.removeprefix({prefix!r}): v {_ITEMS}}}."
            )
        return (
            f"the weights of this model are under {shown(prefix)!r}{saved} besides "
            f"{len(rest)} other keys; nothing was loaded. Load {{k.removeprefix({prefix!r}): v "
            f"{_ITEMS} if k.startswith({prefix!r})}}."
        )
    plain = {without_wrappers(key) for key in state}
    if len(plain) == len(state) and all(is_count(key) for key in plain ^ own.keys()):
        names = sorted({p for key in state for p in key.split(".") if p in WRAPPERS})
        each = "".join(f".replace({name + '.'!r}, '')" for name in names)
        return (
            f"keys hold {' and '.join(map(repr, names))}, as {WRAPPERS[names[0]]} saves them, "
            f"which this model's do not; nothing was loaded. Load {{k{each}: v {_ITEMS}}}."
        )
    prefix = inside(own, state)
    if prefix:
        return (
            f"the keys are those of this model's {shown(prefix.rstrip('./'))!r}, without its name; "
            f"nothing was loaded. Load them into it: nn.layer_at(model, {prefix.rstrip('./')!r})"
            ".load_state_dict(state)."
        )
    prefix = mostly_under(own, state) if not own.keys() & state.keys() else ""
    return _without(prefix, own, state) if prefix else ""


def _by_whom(prefix: str) -> str:
    who = WRAPPERS.get(prefix.rstrip("./").rpartition(".")[2])
    return f", as {who} saves them," if who else ""


def _without(prefix: str, own: Shapes, state: Shapes) -> str:
    """Return the sentence about a prefix without which some keys fit, and what still differs."""
    rest = {k.removeprefix(prefix): shape for k, shape in state.items()}
    saved = _by_whom(prefix) or ","
    return f"keys begin with {shown(prefix)!r}{saved} and without it {told(own, rest)}"


def _endings(missing: set[str], unexpected: set[str], found: _Told) -> tuple[set[str], set[str]]:
    """Report keys that are present under another ending; return the unexplained ones."""
    for ending, others, text in _ENDINGS:
        layers = [
            key.removesuffix(ending)
            for key in missing
            if key.rpartition(".")[2] == ending
            and all(key.removesuffix(ending) + other in unexpected for other in others)
        ]
        if layers:
            found.lines.append(
                text.format(n=f"{len(layers)} {'key is' if len(layers) == 1 else 'keys are'}")
            )
            missing = missing - {layer + ending for layer in layers}
            unexpected = unexpected - {layer + other for layer in layers for other in others}
    return missing, unexpected


def _orders(mis_shaped: set[str], own: Shapes, state: Shapes, found: _Told) -> list[str]:
    """Report arrays with permuted axes; return the unexplained ones."""
    rest = sorted(mis_shaped)
    for ndim, axes, what, mend in _ORDERS:
        permuted = [
            key
            for key in rest
            if len(own[key]) == len(state[key]) == ndim
            and tuple(state[key][axis] for axis in axes) == own[key]
        ]
        # A single layer may have such a shape by chance.
        if permuted:
            found.lines.append(
                f"mis-shaped: {_some(permuted)} {'is' if len(permuted) == 1 else 'are'} {what}: "
                f"{shown(permuted[0])} must be {own[permuted[0]]}, received "
                f"{state[permuted[0]]}"
            )
            found.advice.append(f"Where axes are permuted, load v{mend} in place of v.")
            explained = set(permuted)
            rest = [key for key in rest if key not in explained]
    return rest


def _last_advice(
    own: Shapes, state: Shapes, missing: set[str], unexpected: set[str], mis_shaped: list[str]
) -> str:
    """Return advice on the differences that no pattern explains."""
    layers = {key.rpartition(".")[0] for key in mis_shaped}
    last = next((k for k in reversed(list(own)) if not is_count(k)), "").rpartition(".")[0]
    inputs_fit = all(state[k] and own[k][1:] == state[k][1:] for k in mis_shaped)
    if layers == {last} and last and inputs_fit and not (missing or unexpected):
        outputs = state[mis_shaped[0]][0]
        return (
            f"Only the last layer {shown(last)!r} differs, with {outputs} outputs there and "
            f"{own[mis_shaped[0]][0]} in this model. Load "
            f"the others: {{k: v {_ITEMS} if not k.startswith({last + '.'!r})}} with strict=False."
        )
    if len(missing) > 1:
        theirs, ours = (
            sorted([n for n in shapes[key] if n != 1] for key in keys if not is_count(key))
            for shapes, keys in ((state, unexpected), (own, missing))
        )
        if theirs == ours:
            return (
                "The shapes match the missing keys, only the names differ: rename the keys "
                "of the file to this model's, which list(model.state_dict()) shows."
            )
    build = "Build the model as it was when the weights were saved."
    normed, norms = (any(k.endswith("running_mean") for k in keys) for keys in (state, own))
    if normed and not norms:
        return f"The file has batch norms, which this model lacks. {build}"
    if norms and not normed and state:
        return f"This model has batch norms, which the file lacks. {build}"
    return build


def _listed(kind: str, keys: Iterable[str], shapes: Shapes) -> list[str]:
    return [f"{kind}: {shown(key)} {shapes[key]}" for key in keys]


def _grouped(kind: str, keys: list[str], lines: list[str], most: int) -> list[str]:
    """Return lines that group similar keys, by their endings or their beginnings."""
    if len(lines) <= 2:
        return lines
    by_end: dict[str, list[str]] = {}
    by_start: dict[str, list[str]] = {}
    for key in keys:
        by_end.setdefault(f"end with .{key.rpartition('.')[2]}", []).append(key)
        by_start.setdefault(f"begin with {key.partition('.')[0]}.", []).append(key)
    alike = min(by_start, by_end, key=len)
    line = dict(zip(keys, lines, strict=True))
    if len(alike) > 2:
        rest = f"{kind}: {len(keys) - most + 1} more, in {len(by_start)} layers"
        return [*lines[: most - 1], rest]
    return [
        line[group[0]] + (f" and {len(group) - 1} more that {shown(what)}" if group[1:] else "")
        for what, group in alike.items()
    ]


def _some(keys: list[str]) -> str:
    names = ", ".join(map(shown, keys[:3]))
    return names if len(keys) <= 3 else f"{names} and {len(keys) - 3} more"
