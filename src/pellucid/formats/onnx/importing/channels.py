"""Networks that take images with the channels last, as TensorFlow's do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..operations import Operation, Operations, Size

__all__ = ["with_channels_first"]

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
            _move(changed, name)
    return changed, changed.inputs != operations.inputs


def _channels_last(shape: tuple[Size, ...]) -> bool:
    return len(shape) == 4 and shape[3] in _COUNTS and shape[1] not in _COUNTS


def _move(network: Operations, name: str) -> None:
    """Let all that read an input read its transpose."""
    taken = {made for each in network.operations for made in each.outputs}
    taken.update(network.constants, network.inputs)
    last = f"{name}_channels_last"
    while last in taken:
        last += "_"
    to_last = Operation("Transpose", (name,), (last,), {"perm": [0, 2, 3, 1]}, last)
    network.operations = [to_last] + [
        replace(each, inputs=tuple(last if read == name else read for read in each.inputs))
        for each in network.operations
    ]
    network.outputs = [last if output == name else output for output in network.outputs]
