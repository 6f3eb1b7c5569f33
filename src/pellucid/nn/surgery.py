"""Take networks apart and replace layers; the layers remain the same objects.

Layers are named by their dotted paths, as in state dicts: ``conv1``, ``layer2.0.bn1``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..errors import ArgumentError, PellucidError, did_you_mean
from . import walk
from .card import Card
from .checks import require_one_output
from .containers import Container, Sequential
from .conv import Conv2d
from .graph import Graph
from .init import WeightInit
from .layer import Layer
from .linear import Linear

__all__ = ["head_name", "layer_at", "replaced", "trunk", "with_head"]


def layer_at(model: Layer, name: str) -> Layer:
    """Return the layer of ``model`` that is called ``name``.

    Raises
    ------
    ArgumentError
        If there is no such layer.

    Examples
    --------
    >>> from pellucid.models import ResNet20
    >>> layer_at(ResNet20(), "layer2.0.conv1")
    Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
    """
    layers = dict(model.layers())
    if name not in layers:
        raise ArgumentError(
            f"has no layer {name!r}. {did_you_mean(name, list(layers)[1:])}",
            where=type(model).__name__,
        )
    return layers[name]


def trunk(model: Layer, name: str) -> Container:
    """Return the part of a network up to one layer, whose output it returns.

    Parameters
    ----------
    model : Layer
        Chains, residual blocks, branches and graphs, nested in any way.
    name : str
        Of the last layer; one inside a residual block or a branch is reached on its own path,
        before anything is added or concatenated.

    Returns
    -------
    Sequential, or Graph where several paths lead to the layer, or names have dots
        Of the model's own layers: it runs them, and its backward stores gradients in them.

    Raises
    ------
    ArgumentError
        If there is no such layer, or the class that contains it overrides forward.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> part = trunk(SimpleConvNet(), "pool1")
    >>> part.output_shape((1, 28, 28)), len(part)
    ((30, 12, 12), 3)
    """
    layer_at(model, name)
    part = _up_to(model, walk.steps_to(model, name))
    if not isinstance(part, Container):
        part = Sequential(**{name: part})
    part.input_shape, part.card, part.training = model.input_shape, model.card, model.training
    return part


def _up_to(model: Layer, steps: Sequence[str]) -> Layer:
    """Return the part of ``model`` up to the layer at these steps: a chain, or a graph."""
    if not steps:
        return model
    name, *rest = steps
    container = _container(model)
    nodes = container.wiring()
    names = ["", *(node.name for node in nodes)]
    needed = {names.index(name)}
    for k in range(len(nodes), 0, -1):
        if k in needed:
            needed.update(nodes[k - 1].reads)
    places = sorted(needed - {0})
    layers = {names[k]: nodes[k - 1].layer for k in places}
    layers[name] = _up_to(layers[name], rest)
    part: Container
    chain = [nodes[k - 1].reads for k in places] == [(k,) for k in (0, *places[:-1])]
    if chain and not any("." in names[k] for k in places):
        part = Sequential(**layers)
    else:
        names[0] = getattr(model, "input", "x")
        listed = [
            (names[k], layers[names[k]], *(names[r] for r in nodes[k - 1].reads)) for k in places
        ]
        part = Graph(listed, input=names[0])
    part.name, part.training = model.name, model.training
    return part


def replaced(model: Layer, name: str, layer: Layer) -> Layer:
    """Return the network with the layer called ``name`` replaced by ``layer``.

    Parameters
    ----------
    model : Layer
        Is not changed; shares all other layers with the result.
    name : str
    layer : Layer

    Returns
    -------
    Layer
        Plain containers (`Sequential`, `Residual`, `Branches`, `Graph`) with the same names, since
        a class such as SimpleConvNet stands for one architecture. If the layer is the last one with
        weights, the class names no longer describe its outputs: the ``card`` has numbers instead,
        until it is trained.

    Raises
    ------
    ArgumentError
        If there is no such layer, or the class that contains it overrides forward.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> model = replaced(SimpleConvNet(), "affine2", Linear(100, 26))
    >>> model.output_shape((1, 28, 28)), list(model.parameters())[-2:]
    ((26,), ['affine2.weight', 'affine2.bias'])
    """
    return replaced_all(model, {name: layer})


def replaced_all(model: Layer, layers: Mapping[str, Layer]) -> Layer:
    """Return the network with several layers replaced, by name, as by `replaced` one by one."""
    for name in layers:
        layer_at(model, name)
    whole = _with(model, [(walk.steps_to(model, name), layer) for name, layer in layers.items()])
    whole.input_shape, whole.training = model.input_shape, model.training
    head = head_name(model)
    new = any(head == name or head.startswith(f"{name}.") for name in layers)
    whole.card = _renumbered(model.card, whole) if model.card is not None and new else model.card
    return whole


def _renumbered(card: Card | None, model: Layer) -> Card | None:
    """Return the card with numbers for class names, as the outputs have changed."""
    try:
        outputs = model.output_shape(model.input_shape or ())
    except (PellucidError, ValueError, IndexError):
        outputs = ()
    one = model.output_names is None and len(outputs) == 1
    classes = tuple(map(str, range(outputs[0]))) if one else ()
    return card and replace(card, classes=classes)


def _with(model: Layer, changes: Sequence[tuple[Sequence[str], Layer]]) -> Layer:
    """Return the network with each layer, given with the steps to it, in its place."""
    container = _container(model)
    children = dict(container.children())
    inside: dict[str, list[tuple[Sequence[str], Layer]]] = {}
    for steps, layer in changes:
        name, *rest = steps or [""]
        if rest:
            inside.setdefault(name, []).append((rest, layer))
        else:
            children[name] = layer
    for name, deeper in inside.items():
        children[name] = _with(children[name], deeper)
    whole = container.with_layers(children)
    whole.name = model.name
    return whole


def _container(model: Layer) -> Container:
    """Return ``model`` if its wiring is known, or refuse it."""
    if isinstance(model, Container) and model.nodes() is not None:
        return model
    raise ArgumentError(
        "overrides forward, so that it is unknown which layers lead to which. Build it of "
        "Sequential, Residual, Branches and Graph.",
        where=type(model).__name__,
    )


def head_name(model: Layer) -> str:
    """Return the name of the last layer with weights; "" if that is the model itself.

    Examples
    --------
    >>> from pellucid.models import ResNet20
    >>> head_name(ResNet20())
    'fc'
    """
    own = [
        name
        for name, layer in model.layers()
        if layer.parameters() and not any(child.parameters() for _, child in layer.children())
    ]
    return own[-1] if own else ""


def with_head(
    model: Layer,
    outputs: int,
    *,
    weight_init: WeightInit | None = None,
    rng: np.random.Generator | None = None,
) -> Layer:
    """Return the network with a new last layer, for other classes.

    Parameters
    ----------
    model : Layer
        Is not changed; shares all other layers with the result.
    outputs : int
        Number of classes.
    weight_init : "he", "xavier", float or callable, optional
        Initial weights of the new layer; the old one's own by default.
    rng : numpy.random.Generator, optional

    Raises
    ------
    ArgumentError
        If the last layer with weights is neither a Linear nor a Conv2d without groups.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> with_head(SimpleConvNet(), 26)["affine2"]
    Linear(100, 26, weight_init=0.01)
    """
    require_one_output(model, "with_head")
    name = head_name(model)
    last = layer_at(model, name)
    init = weight_init if weight_init is not None else getattr(last, "weight_init", "he")
    biased = getattr(last, "bias", None) is not None
    if isinstance(last, Linear):
        new: Layer = Linear(last.in_features, outputs, bias=biased, weight_init=init, rng=rng)
    elif isinstance(last, Conv2d) and last.groups == 1:
        options = last.config() | {"out_channels": outputs, "weight_init": init}
        new = Conv2d(**options, rng=rng)
    else:
        raise ArgumentError(
            f"ends in {last!r}, whose number of outputs cannot be changed. Use "
            "`nn.replaced(model, name, layer)`.",
            where=type(model).__name__,
        )
    if not name:
        return new
    return replaced(model, name, new)
