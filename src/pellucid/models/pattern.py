"""Networks from a line of text, as the lecture writes them, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..errors import ArgumentError
from ..nn import Layer, Sequential
from ..nn.checks import require_count
from ..nn.description import constructor_arguments
from ..nn.init import WeightInit, without_values
from .grammar import parse
from .pattern_layers import Builder, Planned, State, layers_by_word

__all__ = ["from_pattern", "is_pattern", "planned"]


def is_pattern(text: str) -> bool:
    """Return whether ``text`` is meant as a pattern, not as the name of a network or a file."""
    return "->" in text or "→" in text or text.lstrip()[:5].upper() == "INPUT"


def from_pattern(
    text: str,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    weight_init: WeightInit = "he",
    rng: np.random.Generator | None = None,
    layers: Iterable[type[Layer]] = (),
) -> Sequential:
    """Return the network that a line of text describes, for images (C, H, W).

    The grammar is that of CS231n, "Layer patterns"::

        INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> [FC -> RELU]*K -> FC

    with numbers for N, M and K (0 repeats: the part is omitted). ``?`` marks a layer or bracket to
    omit where its window does not fit: where an image is too small to be halved once more.
    Brackets may be nested. Numbers follow a word, each has a default:

    ==================== ==========================================================================
    ``CONV5-32/2p0``     32 filters of 5x5, stride 2, padding 0. Defaults: 3x3; as many filters as
                         the convolution before, twice as many after a pooling (32 at first, 512
                         at most); stride 1; the padding that keeps the size at stride 1.
    ``POOL3/2p0``        Maximum of 3x3, stride 2, padding 0. Defaults: 2x2; stride as the window.
    ``AVGPOOL3/2p0``     The same with the mean.
    ``GAP``              The mean of each channel over the whole image.
    ``FC128``            Fully connected, 128 outputs. Default: 128, for the last one ``classes``.
    ``DROP0.5``          Dropout. Default: half of all numbers.
    ``BN``, ``LRN``      Batch normalisation; the response normalisation of Krizhevsky et al. 2012.
    ``RELU``, ``TANH``   Activations, by the names of their layers.
    ==================== ==========================================================================

    Each layer class states its word: `pellucid.nn.Layer.pattern_word`. Images are flattened where
    FC needs it, and after a GAP that ends the pattern. A pattern without FC has as many filters in
    its last CONV as there are classes.

    Parameters
    ----------
    text : str
        Small letters are read as capitals; INPUT may be omitted.
    input_shape : (C, H, W)
    classes : int
    weight_init : "he", "xavier" or float
        Initial weights, see `pellucid.nn.init`.
    rng : numpy.random.Generator
        Draws them.
    layers : iterable of Layer classes
        Your own layers with a ``pattern_word``.

    Returns
    -------
    Sequential
        With layers called conv1, relu1, pool1, flatten, fc1, ...

    Raises
    ------
    ArgumentError, ShapeError
        With a line that points into the text: at what cannot be read, at a layer that does not fit
        the images, or at what would be too large (1,000 layers, 10⁹ parameters).

    Examples
    --------
    >>> model = from_pattern("[CONV -> RELU -> POOL]*2 -> FC -> RELU -> FC", (3, 32, 32), 10)
    >>> [model[name] for name in ("conv2", "flatten", "fc1")]
    [Conv2d(32, 64, 3, padding=1), Flatten(), Linear(4096, 128)]
    >>> from_pattern("INPUT -> CNOV -> FC", (3, 32, 32), 10)
    Traceback (most recent call last):
    pellucid.errors.ArgumentError: pattern: 'CNOV' is not a layer. Did you mean 'CONV'? Known: ...
        INPUT -> CNOV -> FC
                 ^~~~
    """
    made = planned(text, input_shape, classes, weight_init=weight_init, layers=layers)
    rng = np.random.default_rng() if rng is None else rng
    model = Sequential(**{each.name: _with_values(each.layer, rng) for each in made})
    model.input_shape = _image_shape(input_shape)
    return model


def planned(
    text: str,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    weight_init: WeightInit = "he",
    layers: Iterable[type[Layer]] = (),
) -> list[Planned]:
    """Return the layers of `from_pattern` without memory for their weights, each with its word.

    Raises
    ------
    ArgumentError, ShapeError
        As `from_pattern`.

    Examples
    --------
    >>> text = "INPUT -> CONV1-1000 -> GAP -> FC"
    >>> [(each.name, text[each.start : each.end]) for each in planned(text, (3, 32, 32), 10)]
    [('conv1', 'CONV1-1000'), ('gap', 'GAP'), ('flatten', 'FC'), ('fc1', 'FC')]
    """
    kinds, shape = layers_by_word(layers), _image_shape(input_shape)
    items = parse(text, {word: entry.word for word, entry in kinds.items()})
    builder = Builder(text, kinds, require_count(classes, "classes"), weight_init)
    with without_values():  # twice, for only the end tells which FC or CONV was the last
        state = builder.chain(items, State(shape))
        last = ("rows", state.fcs) if state.fcs else ("images", state.convs)
        builder = replace(builder, last=last)
        return _named(builder.ended(items[-1], builder.chain(items, State(shape))).layers)


def _named(layers: Iterable[Planned]) -> list[Planned]:
    """Give each kind its numbers: conv1, relu1, conv2, ...; flatten and gap mostly stand alone."""
    count: Counter[str] = Counter()
    named = []
    for each in layers:
        count[each.name] += 1
        alone = each.name in ("flatten", "gap") and count[each.name] == 1
        named.append(each if alone else each._replace(name=f"{each.name}{count[each.name]}"))
    return named


def _with_values(layer: Layer, rng: np.random.Generator) -> Layer:
    """Build a layer again, now with weights."""
    random = {"rng": rng} if "rng" in constructor_arguments(type(layer)) else {}
    return type(layer)(**layer.config(), **random)


def _image_shape(input_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    sizes = tuple(input_shape)
    if len(sizes) != 3:
        raise ArgumentError(
            f"must be (channels, height, width), received {sizes}.", where="input_shape"
        )
    c, h, w = (require_count(size, "input_shape") for size in sizes)
    return c, h, w
