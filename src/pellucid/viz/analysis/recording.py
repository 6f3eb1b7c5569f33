"""The outputs of every layer for one batch, in execution order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...nn import Layer
from ...nn.state import widened
from ...typing import Array

__all__ = ["Stage", "recorded"]


@dataclass
class Stage:
    """A layer with the normalization and activation that follow it.

    Attributes
    ----------
    names : list of str
        Of the layers, dotted paths; the first one made the maps.
    layers : list of Layer
    output : array (N, ...)
        Of the last of them.
    depth : int
        The number of residual blocks and branches around it.
    """

    names: list[str]
    layers: list[Layer]
    output: Array
    depth: int

    @property
    def title(self) -> str:
        """The names, joined; after the first one, without the path that they share with it.

        Examples
        --------
        >>> Stage(["layer1.0.conv1", "layer1.0.bn1", "layer1.relu0"], [], None, 0).title
        'layer1.0.conv1 + bn1 + layer1.relu0'
        """
        home = self.names[0].rpartition(".")[0]
        rest = [name.removeprefix(f"{home}.") if home else name for name in self.names[1:]]
        return " + ".join([self.names[0], *rest])


def recorded(model: Layer, x: Array) -> list[Stage]:
    """Run ``model`` on ``x`` in evaluation mode; return the stages in the order they finish.

    Layers inside residual blocks and branches are stages, and so is the output of the whole block
    or of the branches. A chain or a graph is not: its last layer is. The model is not changed.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid.models import SimpleConvNet
    >>> stages = recorded(SimpleConvNet(), np.zeros((1, 1, 28, 28), dtype=np.float32))
    >>> [stage.title for stage in stages]
    ['conv1 + relu1', 'pool1', 'flatten', 'affine1 + relu2', 'affine2']
    """
    listened = [
        (path, layer)
        for path, layer in model.layers()
        if not _ends_in_a_node(layer) and (path or not any(layer.children()))
    ]
    crossings = {p for p, layer in listened if any(layer.children())}
    stages: list[Stage] = []

    def listening(path: str, layer: Layer) -> Callable[..., Array]:
        forward = layer.forward
        depth = sum(path.startswith(f"{outer}.") for outer in crossings)

        def run(*inputs: Array) -> Array:
            y = forward(*inputs)
            last = stages[-1] if stages else None
            follows = layer.per_number or layer.is_normalization
            if last is not None and follows and all(x is last.output for x in inputs):
                last.names.append(path)
                last.layers.append(layer)
                last.output = y
            else:
                stages.append(Stage([path or type(layer).__name__], [layer], y, depth))
            return y

        return run

    try:
        for path, layer in listened:
            vars(layer)["forward"] = listening(path, layer)
        with model.evaluating():
            model(widened(x, model.parameters().values()))
    finally:
        for _, layer in listened:
            vars(layer).pop("forward", None)
    return stages


def _ends_in_a_node(layer: Layer) -> bool:
    """Return whether what a container makes is what a layer inside it makes: chains and graphs."""
    nodes = layer.nodes()
    return nodes is not None and (not nodes or nodes[-1].name != "")
