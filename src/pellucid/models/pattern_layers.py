"""What the words of a pattern mean: which layers they add to a network that has come so far."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .. import nn
from ..errors import ArgumentError, PellucidError, ShapeError
from ..nn import Flatten, Layer
from ..nn.description import constructor_arguments
from ..nn.init import WeightInit
from ..nn.pattern_words import PatternWord, own_word
from ..shapes import shape_text
from .grammar import Item, Word, pointing

__all__ = ["Builder", "Entry", "Planned", "State", "layers_by_word"]

# Filters double after a pooling as in VGG (Simonyan & Zisserman 2014, table 1).
FILTERS, MOST_FILTERS, HIDDEN = 32, 512, 128
MOST_PARAMETERS = 10**9  # 4 GB


class Entry(NamedTuple):
    """A layer class and its word."""

    kind: type[Layer]
    word: PatternWord


def layers_by_word(own: Iterable[type[Layer]] = ()) -> dict[str, Entry]:
    """Return the layers of Pellucid that have a word, and your ``own``, by their words.

    Raises
    ------
    ArgumentError
        If one of your own has none.
    """
    classes = [kind for kind in vars(nn).values() if inspect.isclass(kind)]
    library = [kind for kind in classes if issubclass(kind, Layer)]
    found = {word.text: Entry(kind, word) for kind in library if (word := own_word(kind))}
    for kind in own:
        word = own_word(kind)
        if word is None:
            raise ArgumentError(
                f"{kind.__name__} has no word. Give the class a `pattern_word = PatternWord(...)`.",
                where="layers",
            )
        found[word.text] = Entry(kind, word)
    return found


class Planned(NamedTuple):
    """A layer of a pattern, and where its word stands: from letter ``start`` to ``end``."""

    name: str
    layer: Layer
    start: int
    end: int


@dataclass(frozen=True)
class State:
    """How far the network has come."""

    shape: tuple[int, ...]
    filters: int = 0  # of the last convolution
    pooled: bool = False  # whether a pooling came after it
    layers: tuple[Planned, ...] = ()
    parameters: int = 0
    convs: int = 0  # layers with weights for images
    fcs: int = 0  # layers with weights for rows


@dataclass(frozen=True)
class Builder:
    """Adds the layers of items to a state, without values.

    ``last`` says which layer with weights gives the classes: the n-th one for rows, or images.
    """

    text: str
    kinds: Mapping[str, Entry]
    classes: int
    weight_init: WeightInit
    last: tuple[str, int] = ("", 0)

    def chain(self, items: Iterable[Item], state: State) -> State:
        """Return the state after all ``items``; without optional ones that do not fit."""
        for item in items:
            for _ in range(item.repeat):
                try:
                    if isinstance(item, Word):
                        state = self.word(item, state)
                    else:
                        state = self.chain(item.items, state)
                except ShapeError:
                    if not item.optional:
                        raise
        return state

    def word(self, item: Word, state: State) -> State:
        """Return the state after one layer; an error in it points at its word."""
        kind, word = self.kinds[item.name]
        images = len(state.shape) == 3
        if word.takes == "images" and not images:
            raise self.error(f"{item.name} needs images; FC comes after all that do.", item)
        try:
            if word.takes == "rows" and images:
                state = self.add(item, state, Flatten(), "flatten")
            layer = kind(**self.arguments(item, state))
            state = self.add(item, state, layer, word.layer_name or item.name.lower())
        except PellucidError as error:
            if error.where in ("pattern", "weight_init"):
                raise
            again = ShapeError if isinstance(error, ShapeError) else ArgumentError
            raise self.error(error.text, item, again) from error
        if word.pools:
            return replace(state, pooled=True)
        if not word.outputs:
            return state
        if word.takes == "rows":
            return replace(state, fcs=state.fcs + 1)
        return replace(state, filters=state.shape[0], pooled=False, convs=state.convs + 1)

    def arguments(self, item: Word, state: State) -> dict[str, Any]:
        """Return the constructor's arguments: those given, and what stands for the others."""
        kind, word = self.kinds[item.name]
        arguments: dict[str, Any] = dict(word.constants)
        if word.channels:
            arguments[word.channels] = state.shape[0]
        for argument in word.arguments:
            if argument.name == word.outputs:
                value: Any = self.outputs(item, state)
            else:
                value = item.given.get(argument.name, argument.value(arguments))
            arguments[argument.name] = value
        if word.pools and 2 * arguments["padding"] > arguments["kernel_size"]:
            raise self.error("the padding may be at most half of the window.", item)
        if "weight_init" in constructor_arguments(kind):
            arguments["weight_init"] = self.weight_init
        return arguments

    def outputs(self, item: Word, state: State) -> int:
        """Return how many outputs a layer with weights has."""
        word = self.kinds[item.name].word
        given = item.given.get(word.outputs)
        if word.takes == "rows":
            is_last = self.last == ("rows", state.fcs + 1)
            outputs = given or (self.classes if is_last else HIDDEN)
            if is_last and outputs != self.classes:
                raise self.error(
                    f"the last {word.text} gives one number for each of {self.classes} classes; "
                    "leave its size out.",
                    item,
                )
            return int(outputs)
        filters = min(state.filters * (1 + state.pooled), max(MOST_FILTERS, state.filters))
        is_last = self.last == ("images", state.convs + 1)
        return int(given or (self.classes if is_last else filters or FILTERS))

    def add(self, item: Item, state: State, layer: Layer, name: str) -> State:
        """Add a layer that is built."""
        parameters = state.parameters + layer.parameter_count()
        if parameters > MOST_PARAMETERS:
            raise self.error(
                f"here the network has {parameters:,} parameters; at most {MOST_PARAMETERS:,} are "
                "allowed. Pool more before it, or ask for fewer outputs.",
                item,
            )
        return replace(
            state,
            shape=layer.output_shape(state.shape),
            layers=(*state.layers, Planned(name, layer, item.start, item.end)),
            parameters=parameters,
        )

    def ended(self, item: Item, state: State) -> State:
        """Return the state as rows of one number a class."""
        if not state.fcs + state.convs:
            raise self.error("nothing here has weights; end with FC.", item)
        if state.shape[1:] == (1, 1):
            state = self.add(item, state, Flatten(), "flatten")
        if state.shape != (self.classes,):
            raise self.error(
                f"ends with {shape_text(state.shape)} numbers for an image, not with one for each "
                f"of {self.classes} classes. End with FC, or with CONV1-{self.classes} -> GAP.",
                item,
            )
        return state

    def error(
        self, message: str, item: Item, kind: type[ArgumentError] = ArgumentError
    ) -> ArgumentError:
        """Return an error that points at ``item``."""
        return pointing(message, self.text, item.start, item.end, kind)
