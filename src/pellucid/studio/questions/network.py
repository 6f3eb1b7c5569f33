"""Questions about the network itself: its values as a graph, with what each layer costs."""

from __future__ import annotations

from dataclasses import asdict
from functools import reduce
from operator import itemgetter
from typing import Any

from ...nn import walk
from ...receptive import ReceptiveField
from ..graph_layout import layout
from ..opened import Opened
from ..opening import Studio
from ..registry import QUESTIONS, question

__all__ = ["described", "field_numbers", "network", "networks", "open_networks"]


@question("networks", studio=True)
def networks(studio: Studio) -> dict[str, Any]:
    """Return the open networks, the first one to be shown first."""
    return {"networks": open_networks(studio)}


def open_networks(studio: Studio) -> list[dict[str, str]]:
    """Return the id and the name of each open network."""
    return [{"id": each.id, "name": each.name} for each in list(studio.networks.values())]


@question("network")
def network(opened: Opened) -> dict[str, Any]:
    """Return the network as a graph of values, and what is known of its images and classes."""
    preparation, values = opened.preparation, described(opened)
    card = opened.model.card
    return {
        "id": opened.id,
        "name": opened.name,
        "title": type(opened.model).__name__,
        "classes": list(opened.classes),
        "input": list(opened.shapes[0]),
        "range": list(opened.value_range),
        "preparation": {
            "channels": preparation.channels,
            "size": list(preparation.size),
            "drawing": preparation.drawing is not None,
            "text": str(preparation),
        },
        "dataset": card.dataset if card is not None else None,
        "data": opened.has_images,
        "values": values,
        "layout": {"stages": _drawn(values, "stage"), "values": _drawn(values, "id")},
        "outputs": list(opened.outputs),
        "parameters": opened.model.parameter_count(),
        "can": sorted(key for key, each in QUESTIONS.items() if opened.classes or not each.scores),
    }


def described(opened: Opened) -> list[dict[str, Any]]:
    """Return each value: the layer that makes it, its shape, and its costs for one image."""
    keys = {id(p): key for key, p in opened.model.parameters().items()}
    fields = [ReceptiveField()]
    stages = _stages(opened.nodes)
    shape = opened.shapes[0]
    told: list[dict[str, Any]] = [
        {
            "id": 0, "path": "", "kind": "input", "title": "input", "repr": "", "reads": [],
            "shape": list(shape), "parameters": 0, "products": 0, "field": field_numbers(fields[0]),
            "weights": [], "stage": 0,
        }
    ]  # fmt: skip
    for made, node in enumerate(opened.nodes, 1):
        read = [opened.shapes[k] for k in node.reads]
        before = reduce(ReceptiveField.joined, (fields[k] for k in node.reads))
        fields.append(node.layer.receptive_field(before, *read))
        own = node.layer.parameters().values()
        told.append(
            {
                "id": made,
                "path": node.name,
                "kind": type(node.layer).__name__,
                "title": node.name or type(node.layer).__name__,
                "repr": repr(node.layer),
                "reads": list(node.reads),
                "shape": list(opened.shapes[made]),
                "parameters": sum(p.data.size for p in own),
                "products": node.layer.multiply_adds(*read),
                "field": field_numbers(fields[made]),
                "weights": [
                    {"key": keys[id(p)], "shape": list(p.data.shape), "trainable": bool(p.rate)}
                    for p in own
                ],
                "stage": stages[made],
            }
        )
    return told


def field_numbers(field: ReceptiveField) -> dict[str, Any]:
    """Return a receptive field with its fractions as numbers."""
    return {
        key: value if isinstance(value, bool) else [float(n) for n in value]
        for key, value in asdict(field).items()
    }


def _drawn(values: list[dict[str, Any]], box: str) -> dict[str, Any]:
    """Return the places of the boxes of a graph, in which values of the same ``box`` are one."""
    reads: dict[int, list[int]] = {each[box]: [] for each in sorted(values, key=itemgetter(box))}
    for each in values:
        read = (values[k][box] for k in each["reads"])
        reads[each[box]] += [other for other in read if other != each[box]]
    return layout(reads).as_dict()


def _stages(nodes: list[walk.Node]) -> list[int]:
    """Return for each value the one after the normalizations and activation that follow it.

    A value that several nodes read, or none of these, stays itself; and so does one before a
    normalization without an activation, unless it is that of a layer with parameters.
    """
    readers: list[list[int]] = [[] for _ in range(len(nodes) + 1)]
    for made, node in enumerate(nodes, 1):
        for k in node.reads:
            readers[k].append(made)
    stages = list(range(len(nodes) + 1))
    for value in range(len(nodes), 0, -1):  # later ones are known already
        if len(readers[value]) != 1:
            continue
        (after,) = readers[value]
        layer = nodes[after - 1].layer
        if layer.is_activation:
            stages[value] = after
        elif layer.is_normalization and (
            stages[after] != after or nodes[value - 1].layer.parameters()
        ):
            stages[value] = stages[after]
    return stages
