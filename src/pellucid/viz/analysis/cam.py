"""Grad-CAM: which places of the last convolutional maps support a class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ... import ops
from ...errors import ArgumentError
from ...nn import Layer, layer_at, replaced, walk
from ...typing import Array, Shape
from .asked import asking
from .attribution import input_gradient
from .unit_access import looked_at

__all__ = ["cam_layer", "grad_cam"]


class _Tap(Layer):
    """A layer that records its last output and that output's gradient."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def forward(self, *inputs: Array) -> Array:
        self.y = self.layer(*inputs)
        return self.y

    def backward(self, dy: Array) -> Array:
        self.dy = dy
        return self.layer.backward(dy)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return self.layer.output_shape(*input_shapes)


@asking
def cam_layer(model: Layer, input_shape: Shape) -> str:
    """Return the layer that Grad-CAM uses: the last convolutional maps of more than one cell.

    On the network's main path: a residual block or branches count as one layer; normalizations and
    activations that follow belong to the layer before them.

    Raises
    ------
    ArgumentError
        If the network has none.

    Examples
    --------
    >>> from pellucid.models import ResNet20, SimpleConvNet
    >>> cam_layer(SimpleConvNet(), (1, 28, 28)), cam_layer(ResNet20(), (3, 32, 32))
    ('relu1', 'layer3.relu2')
    """
    found, open_ = "", False
    for name, weights, follows, out in _main_path("", model, tuple(input_shape)):
        maps = len(out) == 3 and out[1] * out[2] > 1
        if maps and not follows and weights:
            found, open_ = name, True
        elif maps and follows and open_:
            found = name
        else:
            open_ = False
    if not found:
        raise ArgumentError(
            "has no convolutional maps of more than one cell for Grad-CAM to weight. Use the "
            "saliency map or occlusion.",
            where=type(model).__name__,
        )
    return found


@asking
def grad_cam(model: Layer, image: Array, target: int, layer: str | None = None) -> Array:
    """Return the class activation map: ``max(0, Σ_k a_k A_k)``, with ``a_k = mean_ij ∂score/∂A_k``.

    Source: Selvaraju et al. 2017, "Grad-CAM", section 3, eq. 1 and 2.

    Parameters
    ----------
    model : Layer
    image : array (C, H, W)
    target : int
        The class.
    layer : str, optional
        The layer whose maps A are weighted; `cam_layer` by default.

    Returns
    -------
    array (h, w)
        As large as the layer's maps.

    Raises
    ------
    ArgumentError
        If the class or layer does not exist, or the layer's output is not maps.
    """
    image = np.asarray(image)
    name = cam_layer(model, image.shape) if layer is None else layer
    own = layer_at(model, name).name  # the tap renames the layer
    tap = _Tap(layer_at(model, name))
    with looked_at(model):
        try:
            input_gradient(replaced(model, name, tap), image, target)
        finally:
            tap.layer.name = own
    if tap.y.ndim != 4:
        raise ArgumentError(
            f"layer '{name}' makes {tap.y.shape[1]} numbers, not maps; Grad-CAM needs maps. Take "
            f"'{cam_layer(model, image.shape)}' or a layer before it.",
            where="layer",
        )
    weights = tap.dy.mean(axis=(2, 3))
    return ops.relu(np.einsum("k,kij->ij", weights[0], tap.y[0]))


def _main_path(path: str, layer: Layer, shape: Shape) -> Iterator[tuple[str, bool, bool, Shape]]:
    """Yield the layers that everything passes, with what lies between two as part of the second.

    Each with its name, whether it has weights, whether it belongs to the layer before it, and its
    output shape.
    """
    nodes = layer.nodes()
    if nodes is None or (
        nodes and not nodes[-1].name
    ):  # a layer, or a container whose last join is its own
        follows = layer.is_activation or layer.is_normalization
        yield path, bool(layer.parameters()), follows, layer.output_shape(shape)
        return
    passed, cuts = 0, set(walk.bottlenecks(nodes))
    for made, (node, read, out) in enumerate(walk.shapes(nodes, shape), 1):
        if made not in cuts:
            continue  # another path leads around it
        name = walk.path_of(path, node.name)
        if made == passed + 1 and len(read) == 1:
            yield from _main_path(name, node.layer, read[0])
        else:
            weights = any(inner.layer.parameters() for inner in nodes[passed:made])
            yield name, weights, False, out
        passed = made
