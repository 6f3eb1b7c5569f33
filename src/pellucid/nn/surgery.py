"""Parts of a network, and networks with another part: the layers stay the very same objects.

Layers are named by their dotted paths, as in state dicts: ``conv1``, ``layer2.0.bn1``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ArgumentError, PellucidError, did_you_mean
from .branching import Branches, Residual
from .card import Card
from .containers import Container, Sequential
from .conv import Conv2d
from .init import WeightInit
from .layer import Layer
from .linear import Linear

__all__ = ["head_name", "layer_at", "replaced", "trunk", "with_head"]


def layer_at(model: Layer, name: str) -> Layer:
    """Return the layer of ``model`` that is called ``name``.

    Raises
    ------
    ArgumentError
        If there is none.

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


def trunk(model: Layer, name: str) -> Sequential:
    """Return the network that ends behind one layer: its output is what that layer makes.

    Parameters
    ----------
    model : Layer
        Chains, residual blocks and branches, nested as one likes.
    name : str
        Of the last layer; one inside a residual block or a branch is reached on its own way,
        without what is added or joined further on.

    Returns
    -------
    Sequential
        Of the model's own layers: it runs them, and its backward leaves gradients in them.

    Raises
    ------
    ArgumentError
        If there is no such layer, or what contains it runs its layers in a way of its own.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> part = trunk(SimpleConvNet(), "pool1")
    >>> part.output_shape((1, 28, 28)), len(part)
    ((30, 12, 12), 3)
    """
    layer_at(model, name)
    part = _up_to(model, name)
    if not isinstance(part, Sequential):
        part = Sequential(**{name: part})
    part.input_shape, part.card, part.training = model.input_shape, model.card, model.training
    return part


def _up_to(model: Layer, path: str) -> Layer:
    if not path:
        return model
    name, _, rest = path.partition(".")
    kind = _kind(model)
    children = dict(model.children())
    if kind is Sequential or (isinstance(model, Residual) and name in dict(model.chain.children())):
        before = list(children)[: list(children).index(name)]
        layers = {key: children[key] for key in before}
        part = Sequential(**layers, **{name: _up_to(children[name], rest)})
        part.name, part.training = model.name, model.training
        return part
    # A branch, or the way around a residual block; in a chain, so that its names stay.
    return Sequential(**{name: _up_to(children[name], rest)})


def replaced(model: Layer, name: str, layer: Layer) -> Layer:
    """Return the network with ``layer`` in the place of the one called ``name``.

    Parameters
    ----------
    model : Layer
        Remains as it is, and shares all other layers with the result.
    name : str
    layer : Layer

    Returns
    -------
    Layer
        Plain containers (`Sequential`, `Residual`, `Branches`) of the same names: a class of its
        own, as SimpleConvNet, promises an architecture that this one no longer has. If the layer is
        the last one with weights, the names of the classes are no longer those of its outputs: the
        ``card`` has numbers for them, until it is trained.

    Raises
    ------
    ArgumentError
        If there is no such layer, or what contains it runs its layers in a way of its own.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> model = replaced(SimpleConvNet(), "affine2", Linear(100, 26))
    >>> model.output_shape((1, 28, 28)), list(model.parameters())[-2:]
    ((26,), ['affine2.weight', 'affine2.bias'])
    """
    layer_at(model, name)
    whole = _with(model, name, layer)
    whole.input_shape, whole.training = model.input_shape, model.training
    head = head_name(model)
    new = model.card is not None and (head == name or head.startswith(f"{name}."))
    whole.card = _renumbered(model.card, whole) if new else model.card
    return whole


def _renumbered(card: Card | None, model: Layer) -> Card | None:
    """Return the card with numbers for classes: the outputs mean something else now."""
    try:
        outputs = model.output_shape(model.input_shape or ())
    except (PellucidError, ValueError, IndexError):
        outputs = ()
    classes = tuple(map(str, range(outputs[0]))) if len(outputs) == 1 else ()
    return card and replace(card, classes=classes)


def _with(model: Layer, path: str, layer: Layer) -> Layer:
    name, _, rest = path.partition(".")
    kind = _kind(model)
    children = dict(model.children())
    children[name] = _with(children[name], rest, layer) if rest else layer
    if isinstance(model, Residual):
        chain = {key: children[key] for key in dict(model.chain.children())}
        around = next((child for key, child in children.items() if key not in chain), None)
        whole: Container = Residual(**chain, shortcut=around)
    else:
        whole = kind(**children)
    whole.name = model.name
    return whole


def _kind(model: Layer) -> type[Container]:
    """Return which container runs as ``model`` does."""
    for kind in (Sequential, Residual, Branches):
        if type(model).forward is kind.forward:
            return kind
    raise ArgumentError(
        "runs its layers in a way of its own: there is no telling which part of it leads to a "
        "layer inside. Build it of Sequential, Residual and Branches.",
        where=type(model).__name__,
    )


def head_name(model: Layer) -> str:
    """Return the name of the last layer that has weights; "" if that is the model itself.

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
    """Return the network with a new last layer of weights, for other classes.

    Parameters
    ----------
    model : Layer
        Remains as it is, and shares all other layers with the result.
    outputs : int
        How many classes.
    weight_init : "he", "xavier", float or callable, optional
        Initial weights of the new layer; the old one's own by default.
    rng : numpy.random.Generator, optional

    Raises
    ------
    ArgumentError
        If the last layer of weights is neither a Linear nor a Conv2d without groups.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> with_head(SimpleConvNet(), 26)["affine2"]
    Linear(100, 26, weight_init=0.01)
    """
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
            f"ends in {last!r}, which has no number of classes to change. Use "
            "`nn.replaced(model, name, layer)`.",
            where=type(model).__name__,
        )
    if not name:
        return new
    return replaced(model, name, new)
