"""Find which layer of one network is which of another, where only the names differ.

Two libraries that write the same network name its layers differently (``blocks.1.0.conv_pw`` and
``features.2.conv.0.0``), and keep the order of blocks and the shapes of arrays. Layers with arrays
of the same names and sizes correspond in their order. Where that order could be another one,
nothing is matched: all layers of one block must lie in one block of the other network, and within a
block, numbers must tell the order of layers that look alike, or one be on the shortcut in both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from ..typing import Shape
from .keys import is_count, without_wrappers

__all__ = ["corresponding", "fits"]

Shapes = Mapping[str, Shape]
Signature = frozenset[tuple[str, int, int]]

# First segments of names that do not sort as the layers follow one another; between: blocks.
_FIRST = re.compile(r"stem|conv_stem|patch_embed|conv_?1|conv_?0|bn_?1|norm_?1|norm_stem")
_SHORTCUT = re.compile(r"(^|\.)(shortcut|downsample|proj|skip|identity)(\.|$)")
_LAST = re.compile(r"conv_head|bn_?2|norm_?2|norm_head|norm|pre_logits|head|classifier|fc|last_.*")


def corresponding(own: Shapes, state: Shapes, head: str | None = None) -> dict[str, str]:
    """Return the key in ``own`` of each key of ``state``; {} if the networks differ in more.

    Parameters
    ----------
    own, state : mapping of key to shape
        Of the network, in the order of its layers; of the file, in the order of its layers or
        sorted.
    head : str, optional
        The last layer of ``own``, whose number of outputs may differ.

    Examples
    --------
    >>> own = {"features.0.weight": (4, 1, 3, 3), "classifier.weight": (2, 64)}
    >>> corresponding(own, {"stem.weight": (4, 1, 3, 3), "head.fc.weight": (2, 4, 4, 4)})
    {'stem.weight': 'features.0.weight', 'head.fc.weight': 'classifier.weight'}
    """
    ours = _layers(own)
    theirs = _layers(state)
    names = _in_order(theirs)
    if len(ours) != len(theirs) or names is None:
        return {}
    pairs = _paired(ours, {name: theirs[name] for name in names}, head)
    if pairs is None or not _blocks_agree(pairs) or not _order_is_told(pairs, theirs):
        return {}
    found = {}
    for theirs_name, ours_name in pairs.items():
        pattern = _keys_of(ours_name, ours[ours_name])
        for leaf, key in _keys_of(theirs_name, theirs[theirs_name]).items():
            target = pattern.get(leaf) or next(iter(pattern.values()))  # one array of another name
            if ours_name != head and not fits(state[key], own[target]):
                return {}
            found[key] = target
    counts = [key for key in state if is_count(key)]
    for key in counts:
        layer = pairs.get(key.rpartition(".")[0])
        if layer is not None and f"{layer}.num_batches_tracked" in own:
            found[key] = f"{layer}.num_batches_tracked"
    return found


def fits(theirs: Shape, ours: Shape) -> bool:
    """Return whether an array holds the same numbers in the same order in another shape.

    A 1x1 convolution is a fully connected layer over channels, and a convolution as large as its
    image is one over all of it.

    Examples
    --------
    >>> fits((8, 4, 1, 1), (8, 4)), fits((8, 4, 2, 2), (8, 16)), fits((4, 8), (8, 4))
    (True, True, False)
    """
    if [n for n in theirs if n != 1] == [n for n in ours if n != 1]:
        return True
    flat = {len(theirs), len(ours)} == {2, 4}
    return flat and theirs[0] == ours[0] and math.prod(theirs) == math.prod(ours)


def _layers(shapes: Shapes) -> dict[str, dict[str, Shape]]:
    """Return the arrays of each layer by their own names, without the counts of batches."""
    layers: dict[str, dict[str, Shape]] = {}
    for key, shape in shapes.items():
        if not is_count(key):
            name, _, leaf = key.rpartition(".")
            plain = leaf in ("weight", "bias", "running_mean", "running_var")
            layers.setdefault(name if plain else key, {})[leaf if plain else ""] = shape
    return layers


def _keys_of(name: str, arrays: Mapping[str, Shape]) -> dict[str, str]:
    return {leaf: f"{name}.{leaf}" if leaf else name for leaf in arrays}


def _signature(arrays: Mapping[str, Shape]) -> Signature:
    alone = len(arrays) == 1  # called gamma, layer_scale, ...
    return frozenset(
        ("" if alone else leaf, shape[0] if shape else 1, math.prod(shape))
        for leaf, shape in arrays.items()
    )


def _in_order(layers: Mapping[str, Mapping[str, Shape]]) -> list[str] | None:
    """Return the names in the order of the layers; None if sorted names do not tell it."""
    names = list(layers)
    if names != sorted(names):
        return names
    ordered = sorted(names, key=_order)
    for group in _alike(ordered, layers):
        for one, two in pairwise(group):
            if _block(one) != _block(two) and not _tells(one, two):
                return None
    return ordered


def _alike(names: Iterable[str], layers: Mapping[str, Mapping[str, Shape]]) -> Iterable[list[str]]:
    groups: dict[Signature, list[str]] = {}
    for name in names:
        groups.setdefault(_signature(layers[name]), []).append(name)
    return groups.values()


def _order_is_told(pairs: Mapping[str, str], theirs: Mapping[str, Mapping[str, Shape]]) -> bool:
    """Return whether the order of layers that look alike within a block is beyond doubt."""
    for group in _alike(pairs, theirs):
        for one, two in pairwise(group):
            if _block(one) == _block(two) and not _tells(one, two):
                shortcuts = [
                    _SHORTCUT.search(name) is not None
                    for name in (one, two, pairs[one], pairs[two])
                ]
                if shortcuts != [False, True, False, True]:
                    return False
    return True


def _block(name: str) -> str:
    """Return the innermost numbered part of a network in which a layer is; "" if there is none."""
    parents = name.split(".")[:-1]
    numbers = [k for k, segment in enumerate(parents) if segment.isdigit()]
    return ".".join(parents[: numbers[-1] + 1]) if numbers else ""


def _order(name: str) -> tuple[tuple[int, str, int], ...]:
    """Sort numbers by their value, and what comes first or last in a network there."""
    segments = without_wrappers(name).split(".")
    ranks = [0 if _FIRST.fullmatch(segments[0]) else 2 if _LAST.fullmatch(segments[0]) else 1]
    ranks += [1] * (len(segments) - 1)
    return tuple((rank, *_split(segment)) for rank, segment in zip(ranks, segments, strict=True))


def _split(segment: str) -> tuple[str, int]:
    word = segment.rstrip("0123456789")
    return word, int(segment[len(word) :] or -1)


def _tells(one: str, two: str) -> bool:
    """Return whether the order of two names is that of numbers, or of beginning and end."""
    for left, right in zip(_order(one), _order(two), strict=False):
        if left != right:
            return left[0] != right[0] or left[1] == right[1]
    return False


def _paired(
    ours: Mapping[str, Mapping[str, Shape]],
    theirs: Mapping[str, Mapping[str, Shape]],
    head: str | None,
) -> dict[str, str] | None:
    """Return the layer of ours for each of theirs, in the order of equal signatures."""
    waiting: dict[Signature, list[str]] = {}
    for name, arrays in ours.items():
        waiting.setdefault(_signature(arrays), []).append(name)
    pairs, left = {}, []
    for name, arrays in theirs.items():
        group = waiting.get(_signature(arrays), [])
        if group:
            pairs[name] = group.pop(0)
        else:
            left.append(name)
    rest = [name for group in waiting.values() for name in group]
    if head and rest == [head] and len(left) == 1 and ours[head].keys() == theirs[left[0]].keys():
        pairs[left[0]] = head  # of another number of outputs
        left = []
    return None if left else pairs


def _blocks_agree(pairs: Mapping[str, str]) -> bool:
    """Return whether the layers of each numbered block are in a block of their own."""
    blocks: dict[str, list[str]] = {}
    for theirs, ours in pairs.items():
        if block := _block(theirs):
            blocks.setdefault(block, []).append(ours)
    homes = sorted(_common(names) for names in blocks.values())
    return all(two[: len(one)] != one for one, two in pairwise(homes))


def _common(names: Iterable[str]) -> list[str]:
    """Return the segments with which all names begin."""
    first, *rest = (name.split(".") for name in names)
    size = next(
        (k for k, s in enumerate(first) if any(other[k : k + 1] != [s] for other in rest)),
        len(first),
    )
    return first[:size]
