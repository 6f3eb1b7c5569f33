"""Grad-CAM: which places of the last convolutional maps speak for a class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ... import ops
from ...errors import ArgumentError
from ...nn import Branches, Layer, Residual, Sequential, layer_at, replaced
from ...typing import Array, Shape
from .attribution import input_gradient
from .unit_access import looked_at

__all__ = ["cam_layer", "grad_cam"]


class _Tap(Layer):
    """A layer that keeps its last output and the gradient that came for it."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def forward(self, x: Array) -> Array:
        self.y = self.layer(x)
        return self.y

    def backward(self, dy: Array) -> Array:
        self.dy = dy
        return self.layer.backward(dy)

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.layer.output_shape(input_shape)


def cam_layer(model: Layer, input_shape: Shape) -> str:
    """Return the layer that Grad-CAM looks at: the last convolutional maps of more than one cell.

    On the network's main way: of a residual block or of branches the whole output counts, and
    normalizations and activations that follow belong to it.

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
    for name, layer, out in _main_way("", model, tuple(input_shape)):
        maps = len(out) == 3 and out[1] * out[2] > 1
        follows = layer.is_activation or layer.is_normalization
        if maps and not follows and layer.parameters():
            found, open_ = name, True
        elif maps and follows and open_:
            found = name
        else:
            open_ = False
    if not found:
        raise ArgumentError(
            "has no convolutional maps of more than one cell for Grad-CAM to weigh. Use the "
            "saliency map or occlusion.",
            where=type(model).__name__,
        )
    return found


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
        Whose maps A are weighed; `cam_layer` by default.

    Returns
    -------
    array (h, w)
        As large as the layer's maps.

    Raises
    ------
    ArgumentError
        If there is no such class or layer, or its output is no maps.
    """
    image = np.asarray(image)
    name = cam_layer(model, image.shape) if layer is None else layer
    own = layer_at(model, name).name  # the tap will call the layer otherwise
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


def _main_way(path: str, layer: Layer, shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
    """Yield name, layer and output shape, going into chains but not into what runs otherwise."""
    chain = type(layer).forward is Sequential.forward
    if not chain or isinstance(layer, Residual | Branches):
        yield path, layer, layer.output_shape(shape)
        return
    for name, child in layer.children():
        yield from _main_way(f"{path}.{name}" if path else name, child, shape)
        shape = child.output_shape(shape)
