"""Turn a network of operations into a graph of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ....errors import ArgumentError
from ....nn import Graph
from ....nn.keys import shown
from ....typing import Array, Shape
from ..operations import Operations, Size
from .builder import Builder
from .patterns import rewritten

__all__ = ["network_of", "without_softmax"]

# What may follow the softmax at a network's end: the numbers stay as they are.
_SHAPING = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze")


def network_of(
    operations: Operations,
    *,
    input_shape: Sequence[int] | None = None,
    values: Mapping[str, Array] | None = None,
    fold: bool = False,
) -> Graph:
    """Return a graph of layers that computes the same, in evaluation mode.

    Parameters
    ----------
    operations : Operations
        From a file, or traced.
    input_shape : tuple of int, optional
        The images (C, H, W), where the network leaves lengths open.
    values : mapping of name to array, optional
        The values of inputs other than the images.
    fold : bool
        Whether batch norms become part of the convolutions before them.

    Raises
    ------
    ArgumentError
        If nodes cannot be converted, all of them; if the images' shape is open or does not fit.

    Examples
    --------
    >>> from pellucid.formats.onnx.operations import Operation
    >>> kernel = np.ones((4, 1, 3, 3), dtype=np.float32)
    >>> conv = Operation("Conv", ("image", "conv.weight"), ("maps",), {"kernel_shape": [3, 3]})
    >>> relu = Operation("Relu", ("maps",), ("y",))
    >>> network_of(
    ...     Operations([conv, relu], {"image": ("N", 1, 8, 8)}, ["y"], {"conv.weight": kernel})
    ... )
    Graph({
        'conv': (Conv2d(1, 4, 3, bias=False), 'image'),
        'y': (ReLU(), 'conv'),
    }, input='image')
    """
    operations = _with_values(operations, values or {})
    ((name, given),) = operations.inputs.items()
    shape = _shape(name, given, input_shape)
    batch = given[0] if given and isinstance(given[0], int) else None
    graph = Builder(rewritten(operations, fold=fold), shape, batch).build()
    graph.input_shape = shape
    graph.eval()
    return graph


def without_softmax(operations: Operations) -> tuple[Operations, bool]:
    """Return a network without the softmax at its end, and whether it had one.

    Networks here end in scores: the loss of a training and `pellucid.predict` apply softmax.
    """
    makers = {name: op for op in operations.operations for name in op.outputs}
    changed = Operations(**vars(operations))
    changed.operations, changed.outputs = list(operations.operations), []
    for name in operations.outputs:
        value, after = name, []
        end = makers.get(name)
        while end is not None and end.inputs and end.op in _SHAPING:
            after.append(end)
            value, end = end.inputs[0], makers.get(end.inputs[0])
        if end is None or end.domain or end.op != "Softmax" or not end.inputs:
            changed.outputs.append(name)
            continue
        value = end.inputs[0]
        for operation in reversed(after):  # what gives the scores the shape of the output
            inputs = (value, *operation.inputs[1:])
            value = _unused(f"{operation.outputs[0]}_scores", makers, operations)
            changed.operations.append(replace(operation, inputs=inputs, outputs=(value,)))
        changed.outputs.append(value)
    return changed, changed.outputs != operations.outputs


def _unused(name: str, makers: Mapping[str, object], operations: Operations) -> str:
    while name in makers or name in operations.constants or name in operations.inputs:
        name += "_"
    return name


def _with_values(operations: Operations, values: Mapping[str, Array]) -> Operations:
    """Return the network with one input: others become the constants ``values``."""
    for name in values:
        if name not in operations.inputs:
            known = ", ".join(map(shown, operations.inputs)) or "no input"
            raise ArgumentError(f"names '{name}'; the network has {known}.", where="values")
    open_ = {name: shape for name, shape in operations.inputs.items() if name not in values}
    if len(open_) != 1:
        names = ", ".join(f"'{shown(name)}'" for name in open_) or "none"
        raise ArgumentError(
            f"a network here takes one array of images, and this one's inputs are {names}. Give "
            "the arrays of all others: values={name: array}.",
            where="from_onnx",
        )
    changed = Operations(**vars(operations))
    changed.inputs = open_
    given = {name: np.asarray(array) for name, array in values.items()}
    changed.constants = operations.constants | given
    return changed


def _shape(name: str, given: tuple[Size, ...] | None, wanted: Sequence[int] | None) -> Shape:
    """Return the images' shape without N, from the file and the caller."""
    told = "an unknown shape" if given is None else f"the shape ({', '.join(map(str, given))})"
    if wanted is not None:
        shape = tuple(int(size) for size in wanted)
        fits = min(shape, default=1) > 0 and (
            given is None
            or (
                len(given) == len(shape) + 1
                and all(isinstance(a, str) or a == b for a, b in zip(given[1:], shape, strict=True))
            )
        )
        if not fits:
            raise ArgumentError(
                f"the network's input '{shown(name)}' has {told}, with N first; received {shape}.",
                where="input_shape",
            )
        return shape
    if given and all(isinstance(size, int) for size in given[1:]):
        return tuple(int(size) for size in given[1:])
    open_ = [k for k, size in enumerate(given or ()) if k and isinstance(size, str)]
    which = f", of which {_axes(open_)} open" if open_ else ""
    example: Shape = (3, 224, 224)
    if given and len(given) == 4:
        example = tuple(
            size if isinstance(size, int) else usual
            for size, usual in zip(given[1:], example, strict=True)
        )
    raise ArgumentError(
        f"the network's input '{shown(name)}' has {told}{which}. Say how large the images are: "
        "{input_shape}, for example.",
        where="input_shape",
        arguments={"input_shape": (example,)},
    )


def _axes(axes: Sequence[int]) -> str:
    """Return axes in words, with their verb.

    Examples
    --------
    >>> _axes([3]), _axes([2, 3])
    ('axis 3 is', 'axes 2 and 3 are')
    """
    if len(axes) == 1:
        return f"axis {axes[0]} is"
    return f"axes {', '.join(map(str, axes[:-1]))} and {axes[-1]} are"
