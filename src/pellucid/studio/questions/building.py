"""A network from the line that a reader types: its layers while typing, and opened at a click."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from ... import models
from ...data.catalogue import CATALOGUE
from ...data.registry import Record, available
from ...errors import ArgumentError, DataError, renamed
from ...models.pattern import planned
from ...models.pattern_layers import layers_by_word
from ...networks import NETWORKS
from ...nn import Card, Sequential
from ...nn.init import without_values
from ...nn.pattern_words import own_word
from ...receptive import ReceptiveField
from ...runs.trained_model import images_of
from ...shapes import shape_text
from ..opening import Studio
from ..registry import question
from .network import field_numbers, open_networks

__all__ = ["build", "build_open", "build_words"]

LECTURE = "INPUT -> [CONV -> RELU -> POOL]*2 -> FC -> RELU -> FC"  # as CS231n writes them
MOST_BUILT = 6  # networks at a time
MOST_PARAMETERS = 100_000_000  # 400 MB
MOST_NUMBERS = 50_000_000  # of all values of one image
NAME = 48  # letters


@question("build", studio=True)
def build(studio: Studio, *, pattern: str, input: list[int], classes: int) -> dict[str, Any]:
    """Return the layers that a pattern stands for, or what is wrong with it and where.

    For each layer its word, from letter ``start`` to ``end`` of the pattern, and ``implied`` if the
    pattern leaves it to be understood, as a Flatten. An ``error`` has a ``start`` and an ``end``
    too, null if it is about the image or the classes.
    """
    try:
        with renamed(input_shape="image"):
            return {"pattern": pattern, **_rows(pattern, _image(input), classes)}
    except ArgumentError as error:
        start, end = error.place or (None, None)
        sentence = error.text.partition("\n")[0]  # without the drawing of the place
        if error.place is None and error.where:
            sentence = f"{error.where}: {sentence}"
        return {"pattern": pattern, "error": sentence, "start": start, "end": end}


@question("build/words", studio=True)
def build_words(studio: Studio) -> dict[str, Any]:
    """Return the words of patterns, examples, and the data sets that are on this machine."""
    words = [
        {
            "word": text,
            "kind": kind.__name__,
            "says": (kind.__doc__ or "").partition("\n")[0].rstrip(".").replace("``", ""),
            "form": word.form,
            "also": list(word.also),
        }
        for text, (kind, word) in sorted(layers_by_word().items())
    ]
    sets = [
        {
            "name": each.name,
            "title": each.title,
            "input": list(each.image_shape),
            "classes": len(each.classes),
        }
        for each in _present().values()
    ]
    return {"words": words, "examples": [dict(each) for each in _examples()], "data": sets}


@question("build/open", studio=True)
def build_open(
    studio: Studio, *, pattern: str, input: list[int], classes: int, data: str | None = None
) -> dict[str, Any]:
    """Open the network of a pattern with new weights, and the images of the set ``data`` with it.

    At most 6 networks that were built here are open at once: ``closed`` is the name of the one that
    was closed for it, or null.

    Raises
    ------
    ArgumentError
        If the pattern does not describe a network, or one that is too large.
    DataError
        If there is no such data set on this machine, or its images do not fit.
    """
    image = _image(input)
    planned_rows = _rows(pattern, image, classes)
    for key, most in (("parameters", MOST_PARAMETERS), ("numbers", MOST_NUMBERS)):
        if planned_rows[key] > most:
            what = "parameters" if key == "parameters" else "numbers in its values"
            raise ArgumentError(
                f"this network has {planned_rows[key]:,} {what}; the studio opens networks of at "
                f"most {most:,}. Pool more, or ask for fewer filters.",
                where="pattern",
            )
    found = None if data is None else _set_named(data, image, classes)
    model = models.from_pattern(pattern, image, classes)
    load = None
    if found is not None:
        prepared = CATALOGUE[found.name].preparation
        model.card = Card(found.name, found.classes, prepared, value_range=(0.0, 1.0))

        def load() -> Any:
            return images_of(model, None, found.name, download=False, listener=studio.listener)

    source = pattern if models.is_pattern(pattern) else f"INPUT -> {pattern}"
    opened = studio.add(model, _name(pattern), load, source)
    studio.built.append(opened.id)
    closed = None
    if len(studio.built) > MOST_BUILT:
        closed = studio.networks.pop(studio.built.pop(0)).name
    studio.events.tell("networks", {"networks": open_networks(studio), "closed": closed})
    return {"network": opened.id, "closed": closed}


def _rows(pattern: str, image: tuple[int, int, int], classes: int) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    shape: tuple[int, ...] = image
    field = ReceptiveField()
    for each in planned(pattern, image, classes):
        layer = each.layer
        field = layer.receptive_field(field, shape)
        products = layer.multiply_adds(shape)
        shape = layer.output_shape(shape)
        rows.append(
            {
                "word": pattern[each.start : each.end],
                "start": each.start,
                "end": each.end,
                "implied": own_word(type(layer)) is None,
                "path": each.name,
                "kind": type(layer).__name__,
                "repr": repr(layer),
                "shape": list(shape),
                "parameters": layer.parameter_count(),
                "products": products,
                "field": field_numbers(field),
            }
        )
    totals = {key: sum(row[key] for row in rows) for key in ("parameters", "products")}
    return {"rows": rows, **totals, "numbers": sum(math.prod(row["shape"]) for row in rows)}


def _image(input: list[int]) -> tuple[int, int, int]:
    if len(input) != 3:
        raise ArgumentError(f"must be channels, height, width; received {input}.", where="image")
    c, h, w = input
    return c, h, w


def _present() -> dict[str, Record]:
    """Return the data sets whose files are on this machine, those for tests first."""
    found = {each.name: each for each in available() if each.where is not None}
    return dict(sorted(found.items(), key=lambda item: (item[0] != "digits", item[0])))


def _set_named(name: str, image: tuple[int, int, int], classes: int) -> Record:
    """Return a data set on this machine, or refuse one that is not there or does not fit."""
    present = _present()
    if name not in present:
        raise DataError(
            f"there is no {name!r:.40} on this machine. Here: {', '.join(present)}.", where="data"
        )
    found = present[name]
    if (found.image_shape, len(found.classes)) != (image, classes):
        raise DataError(
            f"'{name}' has images {shape_text(found.image_shape)} of {len(found.classes)} classes; "
            f"the network is for images {shape_text(image)} of {classes}. Set both to those of the "
            "data set.",
            where="data",
        )
    return found


@cache
def _examples() -> tuple[dict[str, Any], ...]:
    """Return the networks with a name that are patterns, after the lecture's."""
    found = [{"name": "CS231n", "pattern": LECTURE, "input": [3, 32, 32], "classes": 10}]
    for name in NETWORKS:
        image, classes = models.published_for(name)
        with without_values():
            model = models.by_name(name, image, classes)
        try:
            pattern = models.to_pattern(model) if isinstance(model, Sequential) else ""
        except ArgumentError:  # it has blocks, or a layer without a word
            continue
        if pattern:
            found.append(
                {"name": name, "pattern": pattern, "input": list(image), "classes": classes}
            )
    return tuple(found)


def _name(pattern: str) -> str:
    """Return a pattern as the name of a network: without INPUT, and cut."""
    text = " ".join(pattern.replace("→", "->").split())
    text = text[8:].lstrip("-> ") if text[:5].upper() == "INPUT" else text
    return text if len(text) <= NAME else text[: NAME - 1] + "…"
