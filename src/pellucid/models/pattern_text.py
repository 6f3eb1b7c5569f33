"""A network as a line of text: the way back from `pellucid.models.from_pattern`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import ArgumentError
from ..nn import (
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    Sequential,
)
from ..nn.init import without_values
from ..shapes import Padding
from .pattern_layers import PLAIN, keeping

__all__ = ["to_pattern"]


def to_pattern(model: Sequential) -> str:
    """Return the pattern from which `from_pattern` builds this architecture again.

    Sizes are written out, but for the number of classes, which the images decide. Chains inside the
    chain are written as one.

    Raises
    ------
    ArgumentError
        Naming the first layer that a pattern has no word or sign for.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet, from_pattern
    >>> to_pattern(SimpleConvNet())
    'INPUT -> CONV5-30p0 -> RELU -> POOL -> FC100 -> RELU -> FC'
    >>> deep = from_pattern("INPUT -> [[CONV-16 -> RELU]*2 -> POOL]*2 -> FC", (1, 28, 28), 10)
    >>> to_pattern(deep)
    'INPUT -> [[CONV3-16 -> RELU]*2 -> POOL]*2 -> FC'
    """
    leaves = list(_leaves(model))
    weighted = [k for k, (_, layer) in enumerate(leaves) if isinstance(layer, Linear)]
    weighted = weighted or [k for k, (_, layer) in enumerate(leaves) if isinstance(layer, Conv2d)]
    flat, words = False, []
    for place, (path, layer) in enumerate(leaves):
        if isinstance(layer, Flatten):
            flat = True
            continue
        word = _word(layer, path, last=place == max(weighted, default=0))
        if flat and word in ("BN", "LRN"):
            raise _refusal(layer, path, "comes between Flatten and Linear")
        flat = flat and not isinstance(layer, Linear)
        words.append(word)
    return " -> ".join(["INPUT", *_folded(words)])


def _leaves(model: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    if isinstance(model, Sequential):
        for name, child in model.children():
            yield from _leaves(child, f"{path}.{name}" if path else name)
    else:
        yield path, model


def _word(layer: Layer, path: str, *, last: bool) -> str:
    """Return the word for a layer, after a look whether the word says all of it."""
    twin: Layer | None = None
    with without_values():
        if type(layer) is Conv2d:
            (window, stride), padding = _square(layer, path), _padding(layer, path)
            twin = Conv2d(layer.in_channels, layer.out_channels, window, stride, padding)
            word = f"CONV{window}" + f"-{layer.out_channels}" * (not last)
            word += f"/{stride}" * (stride != 1)
            word += f"p{padding}" * (padding != keeping(window))
        elif isinstance(layer, MaxPool2d | AvgPool2d):
            (window, stride), padding = _square(layer, path), _padding(layer, path)
            twin = type(layer)(window, stride, padding)
            word = ("POOL" if type(layer) is MaxPool2d else "AVGPOOL") + str(window) * (window != 2)
            word += f"/{stride}" * (stride != window) + f"p{padding}" * (padding != 0)
        elif type(layer) is Linear:
            twin = Linear(layer.in_features, layer.out_features)
            word = "FC" if last else f"FC{layer.out_features}"
        elif type(layer) is Dropout:
            twin, word = Dropout(layer.p), f"DROP{layer.p:.15g}"
        elif type(layer) is BatchNorm2d:
            twin, word = BatchNorm2d(layer.num_features), "BN"
        elif type(layer) is LocalResponseNorm:
            twin, word = LocalResponseNorm.krizhevsky(), "LRN"
        elif type(layer) is GlobalAvgPool2d:
            twin, word = layer, "GAP"
        else:
            names = [name for name, kind in PLAIN.items() if type(layer) is kind]
            twin, word = (layer, names[0]) if names else (None, "")
    if twin is None:
        raise _refusal(layer, path, "has no word")
    theirs = twin.config()
    for key, value in layer.config().items():
        if key not in ("weight_init", "padding") and value != theirs[key]:
            raise _refusal(layer, path, f"has {key}={value!r}, for which there is no sign")
    return word


def _square(layer: Any, path: str) -> tuple[int, int]:
    """Return the one number of window and stride."""
    for sizes in (layer.kernel_size, layer.stride):
        if sizes[0] != sizes[1]:
            raise _refusal(layer, path, f"has the sizes {sizes}, and a word has one number")
    return layer.kernel_size[0], layer.stride[0]


def _padding(layer: Any, path: str) -> Padding:
    """Return the padding as a word says it: one number, or what is left out."""
    padding, window = layer.padding, layer.kernel_size[0]
    if padding == "valid":
        return 0
    if padding == "same" and (layer.stride == (1, 1) or window % 2 == 0):
        return keeping(window)
    sides = {padding} if isinstance(padding, int) else set(padding)
    if len(sides) > 1:
        raise _refusal(layer, path, f"has padding={padding!r}, and a word has one number")
    return sides.pop()


def _folded(words: Sequence[str]) -> list[str]:
    """Write chains that follow each other again and again once, with how often.

    As in the lecture a chain begins with CONV or FC, unless it is one word.
    """
    items: list[str] = []
    at = 0
    while at < len(words):
        saved, length, times = 0, 1, 1
        longest = (len(words) - at) // 2 if words[at].startswith(("CONV", "FC")) else 1
        for period in range(1, longest + 1):
            chain, again = words[at : at + period], 1
            while words[at + again * period : at + (again + 1) * period] == chain:
                again += 1
            if (again - 1) * period > saved:
                saved, length, times = (again - 1) * period, period, again
        chain = words[at : at + length]
        items.append(f"[{' -> '.join(_folded(chain))}]*{times}" if times > 1 else chain[0])
        at += length * times
    return items


def _refusal(layer: Layer, path: str, why: str) -> ArgumentError:
    return ArgumentError(f"'{path}', {layer!r}, {why} in a pattern.", where="to_pattern")
