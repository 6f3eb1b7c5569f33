"""Fully connected layers as convolutions: the same network, for images of any size.

A Linear after a map of C x h x w is a convolution whose window is the whole map, and a Linear
after it one of 1x1 (CS231n, "Converting FC layers to CONV layers"; Long et al. 2015, "Fully
convolutional networks", section 3.1): the numbers are the same. The convolution also runs over
larger maps: see `pellucid.nn.dense_scores`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError
from ..typing import Array, Shape
from .activations import Softmax
from .arithmetic import Arithmetic
from .checks import require_one_output
from .containers import Container, Sequential
from .conv import Conv2d
from .graph import Graph
from .init import without_values
from .join import Join
from .joins import Add, Concat
from .layer import Layer
from .linear import Flatten, Linear
from .parameter import Parameter
from .pooling import AvgPool2d, GlobalAvgPool2d, GlobalMaxPool2d, MaxPool2d
from .summaries import known_shape
from .walk import Node, flattened, shapes

__all__ = ["Converter", "to_convolutional"]


def to_convolutional(model: Layer, input_shape: Shape | None = None) -> Container:
    """Return a copy of ``model`` that takes images of any size from ``input_shape`` up.

    Flatten is removed; the first Linear becomes a convolution with the window of the map, later
    ones become convolutions of 1x1; global pooling becomes pooling over the window of the map,
    except in a gate that multiplies a map, as in squeeze-and-excite. All other layers stay as they
    are. On images of ``input_shape`` the scores are those of ``model``, as (K, 1, 1).

    Parameters
    ----------
    model : Layer
        `Sequential` or `Graph`, also nested, with any layers before the Flatten.
    input_shape : (C, H, W), optional
        The images it was built for. Defaults to the model's own.

    Returns
    -------
    Sequential or Graph
        With layers of the same names and modes, and its own weights.

    Raises
    ------
    ArgumentError
        If a layer fits one size of image only and cannot be converted.

    Examples
    --------
    >>> from pellucid.models import SimpleConvNet
    >>> net = to_convolutional(SimpleConvNet())
    >>> net["affine1"], net["affine2"]
    (Conv2d(30, 100, 12, weight_init=0.01), Conv2d(100, 10, 1, weight_init=0.01))
    >>> net.output_shape((1, 28, 28)), net.output_shape((1, 40, 40))
    ((10, 1, 1), (10, 7, 7))
    """
    return Converter(known_shape(model, input_shape), share=False).converted(model)


class Converter:
    """Converts node by node; ``shape`` is the input of a model's layer, ``map`` that of its twin.

    After a Flatten the model has rows of C·H·W numbers, and the copy still maps of (C, H, W).
    """

    def __init__(self, shape: Shape, *, share: bool) -> None:
        self.input_shape = self.shape = self.map = shape
        self.share = share
        self.in_gate = False

    def converted(self, model: Layer) -> Container:
        """Return the twin of a whole network."""
        require_one_output(model, "to_convolutional")
        if not isinstance(model, Sequential | Graph):
            raise _refusal(model, "is not a chain of layers. Put it into a Sequential.")
        network = self.container(model)
        network.input_shape = self.input_shape
        return network

    def container(self, model: Sequential | Graph) -> Container:
        """Return the twin of a chain or a graph, without the layers that need no twin."""
        nodes = model.nodes()
        if nodes is None:
            raise _refusal(model, "overrides forward.")
        reached = [(self.shape, self.map)]
        gates = _gates(nodes, self.shape)
        names = [model.input if isinstance(model, Graph) else ""]  # of the twins of all values
        entries: list[tuple[Any, ...]] = []
        for node in nodes:
            read = [names[k] for k in node.reads]
            self.in_gate = node.name in gates
            twin = self.node(node, [reached[k] for k in node.reads])
            reached.append((self.shape, self.map))
            names.append(read[0] if twin is None else node.name)
            if twin is not None:
                entries.append((node.name, twin, *read))
        if isinstance(model, Graph) and entries:
            network: Container = Graph(entries, input=model.input)
        else:
            network = Sequential(**{name: twin for name, twin, *_ in entries})
        network.training = model.training
        return network

    def node(self, node: Node, reached: list[tuple[Shape, Shape]]) -> Layer | None:
        """Return the twin of a node; None for a Flatten."""
        layer = node.layer
        self.shape, self.map = reached[0]
        with layer._named_errors():
            if isinstance(layer, Sequential | Graph):
                return self.container(layer)
            return self.join(layer, reached) if isinstance(layer, Join) else self.layer(layer)

    def join(self, layer: Join, reached: list[tuple[Shape, Shape]]) -> Layer:
        """Return the twin of a join; after a Flatten it joins maps instead of rows."""
        if len(self.shape) != 3 and not isinstance(layer, Add | Arithmetic | Concat):
            raise _refusal(layer, "may give other results for maps than for rows after Flatten.")
        read, maps = zip(*reached, strict=True)
        of_rows = isinstance(layer, Concat) and len(self.shape) == 1
        twin = Concat() if of_rows else self.replica(layer)  # whose last axis is that of channels
        self.shape, self.map = layer.output_shape(*read), twin.output_shape(*maps)
        twin.training = layer.training
        return twin

    def layer(self, layer: Layer) -> Layer | None:
        """Return the twin of one layer; None for a Flatten."""
        images = len(self.shape) == 3
        self.shape = layer.output_shape(self.shape)
        if isinstance(layer, Flatten):
            return None
        twin = self.of_images(layer) if images else self.of_rows(layer)
        self.map = twin.output_shape(self.map)
        twin.training = layer.training
        return twin

    def of_images(self, layer: Layer) -> Layer:
        """Return the twin of a layer before the Flatten."""
        # Of the whole image, however large:
        if self.in_gate or (not layer.one_size and isinstance(layer, GlobalAvgPool2d)):
            return self.replica(layer)
        if isinstance(layer, GlobalAvgPool2d):
            return AvgPool2d((self.map[1], self.map[2]), 1)
        if isinstance(layer, GlobalMaxPool2d):
            return MaxPool2d((self.map[1], self.map[2]), 1)
        gates = _gates(flattened(layer), self.map)
        for path, inner in layer.layers():
            if path in gates:
                continue
            if inner.one_size and isinstance(inner, Softmax):
                raise _refusal(layer, "works along rows or columns, whose number will change.")
            if inner.one_size:
                inside = f" ('{path}' inside it does)" if path else ""
                raise _refusal(layer, f"fits one size of image only{inside}.")
        return self.replica(layer)

    def of_rows(self, layer: Layer) -> Layer:
        """Return the twin of a layer after it."""
        if isinstance(layer, Linear):
            return self.convolution(layer)
        if isinstance(layer, Softmax) and layer.dim == -1:
            layer = Softmax(1)  # -1 means the channels of rows, but the columns of maps
        if layer.per_pixel and self.map[1:] != (1, 1):
            raise _refusal(
                layer,
                f"takes the {math.prod(self.map)} numbers after Flatten as channels, but the map "
                f"has {self.map[0]}. Put it before Flatten, or after a Linear.",
            )
        if not (layer.per_pixel or layer.per_number):
            raise _refusal(
                layer,
                "may give other results for maps than for the rows after Flatten. Put it before "
                "Flatten. If it is element-wise, or maps the channels of each pixel, declare "
                "it in its class: `per_number = True` or `per_pixel = True`.",
            )
        return self.replica(layer)

    def convolution(self, linear: Linear) -> Conv2d:
        """Return the convolution whose window is the whole map."""
        c, h, w = self.map
        with without_values():
            conv = Conv2d(
                c,
                linear.out_features,
                (h, w),
                bias=linear.bias is not None,
                weight_init=linear.weight_init,
            )
        shape = conv.weight.data.shape
        weight = self.values(linear.weight.data.reshape(shape))
        conv.weight = Parameter(weight, decay=linear.weight.decay)
        if linear.bias is not None:
            conv.bias = Parameter(self.values(linear.bias.data), decay=linear.bias.decay)
        return conv

    def replica(self, layer: Layer) -> Layer:
        """Return a copy of a layer, with the same arrays if they are shared."""
        buffers = layer.buffers().values()
        kept: dict[int, Any] = {id(b): b for b in buffers} if self.share else {}
        kept |= {id(b.data): b.data for b in buffers if not b.data.flags.writeable}
        twin = copy.deepcopy(layer, kept)
        twin.forget()
        return twin

    def values(self, array: Array) -> Array:
        """Return the twin's numbers: the same array, or a copy."""
        # A placeholder without memory, see init.without_values, stays one.
        return array if self.share or not array.flags.writeable else array.copy()


def _gates(nodes: Sequence[Node], shape: Shape) -> set[str]:
    """Return the nodes from which the gates of images are made, as in squeeze-and-excite.

    A gate (C, 1, 1) is broadcast over the map that it multiplies, and stays one number a channel.
    """
    made = [shape, *(out for _, _, out in shapes(nodes, shape))]

    def is_one_cell(value: int) -> bool:
        return len(made[value]) == 3 and made[value][1:] == (1, 1)

    waiting = [
        k
        for made_by, node in enumerate(nodes, 1)
        if isinstance(node.layer, Join) and len(made[made_by]) == 3 and not is_one_cell(made_by)
        for k in node.reads
        if is_one_cell(k)
    ]
    found: set[int] = set()
    while waiting:
        if (value := waiting.pop()) and value not in found and is_one_cell(value):
            found.add(value)
            waiting.extend(nodes[value - 1].reads)
    return {nodes[value - 1].name for value in found}


def _refusal(layer: Layer, why: str) -> ArgumentError:
    message = f"cannot become a convolution: it {why}"
    return ArgumentError(message, where=type(layer).__name__)
