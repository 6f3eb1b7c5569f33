"""What a node of a traced graph says: its function, its arguments, its submodule, its value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["arguments_of", "flat", "function_of", "grows", "is_tensor", "path_of"]


def function_of(node: Any) -> str:
    """Return a called function's name without its overload: "aten.conv2d"."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return str(getattr(node.target, "__name__", node.target))
    return str(schema.name).replace("::", ".")


def arguments_of(node: Any, value: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the arguments of a call by name, with defaults, and the nodes' values in place."""
    import torch

    args = torch.fx.node.map_arg(node.args, value)
    kwargs = torch.fx.node.map_arg(node.kwargs, value)
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {str(k): each for k, each in enumerate(args)} | dict(kwargs)
    found = {}
    for k, argument in enumerate(schema.arguments):
        if k < len(args):
            found[argument.name] = args[k]
        elif argument.name in kwargs:
            found[argument.name] = kwargs[argument.name]
        else:
            found[argument.name] = argument.default_value
    return found


def path_of(node: Any) -> str:
    """Return the submodule that calls."""
    stack = node.meta.get("nn_module_stack") or {}
    path, owner = list(stack.values())[-1] if stack else ("", "")
    return "" if str(owner).startswith("_empty") else str(path)


def flat(values: Any) -> Iterator[Any]:
    """Yield values, also those in lists."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from flat(value)
        else:
            yield value


def is_tensor(made: Any) -> bool:
    """Return whether a traced value is a tensor, or several."""
    if isinstance(made, list | tuple):
        return any(is_tensor(each) for each in made)
    return hasattr(made, "shape") and hasattr(made, "dtype")


def grows(made: Any) -> bool:
    """Return whether N occurs in the shape of a traced value, or of one of several."""
    if isinstance(made, list | tuple):
        return any(grows(each) for each in made)
    return hasattr(made, "shape") and any(not isinstance(size, int) for size in made.shape)
