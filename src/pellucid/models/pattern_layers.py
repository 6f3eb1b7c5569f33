"""What the words of a pattern mean: which layers they add to a network that has come so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import ArgumentError, PellucidError, ShapeError
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
    ReLU,
    Sigmoid,
    Tanh,
)
from ..nn.init import WeightInit
from ..shapes import Padding
from .grammar import Item, Word, pointing

__all__ = ["PLAIN", "Builder", "State", "keeping"]

# What is left out. Filters double behind a pooling as in VGG (Simonyan & Zisserman 2014, table 1).
FILTERS, MOST_FILTERS, WINDOW, HIDDEN, SILENCE = 32, 512, 3, 128, 0.5
MOST_PARAMETERS = 10**9  # 4 GB

NAMES = {"AVGPOOL": "pool", "BN": "norm"}  # others are called as they are written
PLAIN: dict[str, type[Layer]] = {"RELU": ReLU, "SIGMOID": Sigmoid, "TANH": Tanh}


def keeping(window: int) -> Padding:
    """Return the padding with which a window of this size keeps an image's size at stride 1."""
    return window // 2 if window % 2 else "same"


@dataclass(frozen=True)
class State:
    """How far the network has come."""

    shape: tuple[int, ...]
    filters: int = 0  # of the last convolution
    pooled: bool = False  # whether a pooling came after it
    layers: tuple[tuple[str, Layer], ...] = ()
    parameters: int = 0
    convs: int = 0
    fcs: int = 0


@dataclass(frozen=True)
class Builder:
    """Adds the layers of items to a state, without values."""

    text: str
    classes: int
    weight_init: WeightInit
    last: tuple[str, int] = ("", 0)

    def chain(self, items: Iterable[Item], state: State) -> State:
        """Return the state behind all ``items``; without those that may miss and do not fit."""
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

    def word(self, word: Word, state: State) -> State:
        """Return the state behind one layer; an error in it points at its word."""
        if word.name in ("CONV", "POOL", "AVGPOOL", "GAP") and len(state.shape) == 1:
            raise self.error(f"{word.name} needs images; FC comes behind all that do.", word)
        try:
            if word.name == "FC":
                return self.fully_connected(word, state)
            if word.name == "CONV":
                return self.convolution(word, state)
            return self.other(word, state)
        except PellucidError as error:
            if error.where in ("pattern", "weight_init"):
                raise
            kind = ShapeError if isinstance(error, ShapeError) else ArgumentError
            raise self.error(error.text, word, kind) from error

    def fully_connected(self, word: Word, state: State) -> State:
        """Add a Linear, and a Flatten where images come in."""
        if len(state.shape) == 3:
            state = self.add(word, state, Flatten())
        is_last = self.last == ("FC", state.fcs + 1)
        outputs = int(word.sizes.get("outputs", self.classes if is_last else HIDDEN))
        if is_last and outputs != self.classes:
            raise self.error(
                f"the last FC gives one number for each of {self.classes} classes; leave its size "
                "out.",
                word,
            )
        layer = Linear(state.shape[0], outputs, weight_init=self.weight_init)
        return replace(self.add(word, state, layer), fcs=state.fcs + 1)

    def convolution(self, word: Word, state: State) -> State:
        """Add a Conv2d, with what was left out."""
        filters = min(state.filters * (1 + state.pooled), max(MOST_FILTERS, state.filters))
        if self.last == ("CONV", state.convs + 1):
            filters = self.classes
        filters = int(word.sizes.get("filters", filters or FILTERS))
        window = int(word.sizes.get("window", WINDOW))
        layer = Conv2d(
            state.shape[0],
            filters,
            window,
            int(word.sizes.get("stride", 1)),
            int(word.sizes["padding"]) if "padding" in word.sizes else keeping(window),
            weight_init=self.weight_init,
        )
        state = self.add(word, state, layer)
        return replace(state, filters=filters, pooled=False, convs=state.convs + 1)

    def other(self, word: Word, state: State) -> State:
        """Add a layer of another kind."""
        layer: Layer
        if word.name in ("POOL", "AVGPOOL"):
            window = int(word.sizes.get("window", 2))
            stride, padding = (
                int(word.sizes.get(k, d)) for k, d in (("stride", window), ("padding", 0))
            )
            if 2 * padding > window:
                raise self.error("the padding may be half of the window and no more.", word)
            layer = (MaxPool2d if word.name == "POOL" else AvgPool2d)(window, stride, padding)
            return replace(self.add(word, state, layer), pooled=True)
        if word.name == "GAP":
            layer = GlobalAvgPool2d()
        elif word.name == "DROP":
            layer = Dropout(word.sizes.get("p", SILENCE))
        elif word.name == "BN":
            layer = BatchNorm2d(state.shape[0])
        elif word.name == "LRN":
            layer = LocalResponseNorm.krizhevsky()
        else:
            layer = PLAIN[word.name]()
        return self.add(word, state, layer)

    def add(self, word: Word, state: State, layer: Layer) -> State:
        """Add a layer that is built."""
        parameters = state.parameters + layer.parameter_count()
        if parameters > MOST_PARAMETERS:
            raise self.error(
                f"here the network has {parameters:,} parameters; at most {MOST_PARAMETERS:,} are "
                "allowed. Pool more in front of it, or ask for fewer outputs.",
                word,
            )
        name = "flatten" if isinstance(layer, Flatten) else NAMES.get(word.name, word.name.lower())
        return replace(
            state,
            shape=layer.output_shape(state.shape),
            layers=(*state.layers, (name, layer)),
            parameters=parameters,
        )

    def ended(self, item: Item, state: State) -> State:
        """Return the state as rows of one number a class."""
        if not state.fcs + state.convs:
            raise self.error("nothing here has weights; end with FC.", item)
        if state.shape[1:] == (1, 1):
            state = replace(
                state, shape=state.shape[:1], layers=(*state.layers, ("flatten", Flatten()))
            )
        if state.shape != (self.classes,):
            raise self.error(
                f"ends with {'x'.join(map(str, state.shape))} numbers for an image, not with one "
                f"for each of {self.classes} classes. End with FC, or with "
                f"CONV1-{self.classes} -> GAP.",
                item,
            )
        return state

    def error(
        self, message: str, item: Item, kind: type[ArgumentError] = ArgumentError
    ) -> ArgumentError:
        """Return an error that points at ``item``."""
        return pointing(message, self.text, item.start, item.end, kind)
