"""Networks that take images with the channels last, as TensorFlow's do, or blue first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from ....errors import ArgumentError
from ....nn.keys import shown
from ..operations import Operation, Operations, Size

__all__ = ["with_channels_first", "with_red_first"]

_COUNTS = (1, 3)  # channels of pictures


def with_channels_first(
    operations: Operations, but: Collection[str] = ()
) -> tuple[Operations, bool]:
    """Return a network that takes (N, C, H, W), and whether it took (N, H, W, C).

    A transposition is put in front, which then usually meets one of the file's own.

    Parameters
    ----------
    operations : Operations
    but : collection of str
        The names of inputs to leave as they are.

    Examples
    --------
    >>> keras = Operations([Operation("Relu", ("x",), ("y",))], {"x": ("N", 8, 8, 3)}, ["y"])
    >>> first, changed = with_channels_first(keras)
    >>> first.inputs, [each.op for each in first.operations], changed
    ({'x': ('N', 3, 8, 8)}, ['Transpose', 'Relu'], True)
    """
    changed = Operations(**vars(operations))
    changed.inputs = dict(operations.inputs)
    for name, shape in operations.inputs.items():
        if name not in but and shape is not None and _channels_last(shape):
            count, height, width, channels = shape
            changed.inputs[name] = (count, channels, height, width)
            _put_before(changed, name, "channels_last", "Transpose", perm=[0, 2, 3, 1])
    return changed, changed.inputs != operations.inputs


def with_red_first(operations: Operations, but: Collection[str] = ()) -> Operations:
    """Return a network of blue, green and red that takes red, green and blue instead.

    Raises
    ------
    ArgumentError
        If it does not take three channels.

    Examples
    --------
    >>> caffe = Operations([Operation("Relu", ("x",), ("y",))], {"x": ("N", 3, 8, 8)}, ["y"])
    >>> [each.op for each in with_red_first(caffe).operations]
    ['Gather', 'Relu']
    """
    changed = Operations(**vars(operations))
    for name, shape in operations.inputs.items():
        if name in but:
            continue
        if shape is None or len(shape) != 4 or shape[1] != 3:
            told = "an unknown shape" if shape is None else f"({', '.join(map(str, shape))})"
            raise ArgumentError(
                "is for images of three channels (N, 3, H, W); the network's input "
                f"'{shown(name)}' has {told}. Leave it out.",
                where="bgr",
            )
        order = f"{name}_blue_first"
        while order in changed.constants:
            order += "_"
        changed.constants = changed.constants | {order: np.array([2, 1, 0])}
        _put_before(changed, name, "blue_first", "Gather", order, axis=1)
    return changed


def _channels_last(shape: tuple[Size, ...]) -> bool:
    return len(shape) == 4 and shape[3] in _COUNTS and shape[1] not in _COUNTS


def _put_before(
    network: Operations, name: str, end: str, op: str, *inputs: str, **attributes: Any
) -> None:
    """Let all that read an input read what an operation makes of it."""
    taken = {made for each in network.operations for made in each.outputs}
    taken.update(network.constants, network.inputs)
    made = name
    while made in taken:
        made += f"_{end}"
    network.operations = [Operation(op, (name, *inputs), (made,), attributes, made)] + [
        replace(each, inputs=tuple(made if read == name else read for read in each.inputs))
        for each in network.operations
    ]
    network.outputs = [made if output == name else output for output in network.outputs]
