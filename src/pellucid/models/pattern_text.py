"""A network as a line of text: the inverse of `pellucid.models.from_pattern`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..errors import ArgumentError
from ..nn import Flatten, Layer, Sequential
from ..nn.init import without_values
from ..nn.pattern_words import Argument, PatternWord, keeping, own_word

__all__ = ["to_pattern"]


class _Leaf(NamedTuple):
    """A layer with its path and its word."""

    path: str
    layer: Layer
    word: PatternWord


class _Written(NamedTuple):
    """A word as it is written, and whether its layer has weights: chains begin with those."""

    text: str
    weights: bool


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
    leaves = list(_with_words(model))
    places = [k for k, leaf in enumerate(leaves) if leaf.word.outputs]
    rows = [k for k in places if leaves[k].word.takes == "rows"]
    last = max(rows or places, default=0)
    words = [_written(leaf, last=k == last) for k, leaf in enumerate(leaves)]
    return " -> ".join(["INPUT", *_folded(words)])


def _with_words(model: Layer) -> Iterator[_Leaf]:
    """Yield the layers in order, but for Flatten, which a pattern does not write."""
    flat = False
    for path, layer in _leaves(model):
        if isinstance(layer, Flatten):
            flat = True
            continue
        word = own_word(type(layer))
        if word is None:
            raise _refusal(layer, path, "has no word")
        if flat and word.takes != "rows" and not layer.per_number:
            raise _refusal(layer, path, "comes between Flatten and Linear")
        flat = flat and word.takes != "rows"
        yield _Leaf(path, layer, word)


def _leaves(model: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    if isinstance(model, Sequential):
        for name, child in model.children():
            yield from _leaves(child, f"{path}.{name}" if path else name)
    else:
        yield path, model


def _written(leaf: _Leaf, *, last: bool) -> _Written:
    """Return the word for a layer, after checking that it says all of it."""
    path, layer, word = leaf
    arguments: dict[str, Any] = dict(word.constants)
    if word.channels:
        arguments[word.channels] = getattr(layer, word.channels)
    text = word.text
    for argument in word.arguments:
        value, implied = _value(argument, layer, path), argument.value(arguments)
        arguments[argument.name] = value
        omitted = last if argument.name == word.outputs else value == implied
        if argument.always or not omitted:
            text += argument.mark + (str(value) if argument.whole else f"{value:.15g}")
    with without_values():
        said = type(layer)(**arguments).config()
    for key, value in layer.config().items():
        if key not in ("weight_init", "padding") and value != said[key]:
            raise _refusal(layer, path, f"has {key}={value!r}, for which there is no sign")
    return _Written(text, bool(word.outputs))


def _value(argument: Argument, layer: Any, path: str) -> Any:
    """Return a layer's argument as a word says it: one number, or what stands for an omitted one.

    Windows and strides have two equal numbers, paddings up to four, or a name.
    """
    value = getattr(layer, argument.name)
    if value == "valid":
        return 0
    if value in ("same", "same_lower"):
        window = layer.kernel_size[0]
        kept = keeping(window)
        odd = window % 2 == 1 and layer.stride == (1, 1)
        if argument.value({"kernel_size": window}) == kept and (odd or kept == value):
            return kept
    elif not isinstance(value, tuple | list):
        return value
    elif len(set(value)) == 1:
        return value[0]
    elif argument.name != "padding":
        raise _refusal(layer, path, f"has the sizes {value}, and a word has one number")
    raise _refusal(layer, path, f"has {argument.name}={value!r}, and a word has one number")


def _folded(words: Sequence[_Written]) -> list[str]:
    """Write repeated chains once, with the number of repetitions.

    As in the lecture a chain begins with a layer with weights (CONV, FC), unless it is one word.
    """
    items: list[str] = []
    at = 0
    while at < len(words):
        saved, length, times = 0, 1, 1
        longest = (len(words) - at) // 2 if words[at].weights else 1
        for period in range(1, longest + 1):
            chain, again = words[at : at + period], 1
            while words[at + again * period : at + (again + 1) * period] == chain:
                again += 1
            if (again - 1) * period > saved:
                saved, length, times = (again - 1) * period, period, again
        chain = words[at : at + length]
        items.append(f"[{' -> '.join(_folded(chain))}]*{times}" if times > 1 else chain[0].text)
        at += length * times
    return items


def _refusal(layer: Layer, path: str, why: str) -> ArgumentError:
    return ArgumentError(f"'{path}', {layer!r}, {why} in a pattern.", where="to_pattern")
