"""What a module changes in place."""

from __future__ import annotations

from typing import Any

__all__ = ["changes_parts", "writes"]

# Views that the functions' schemas do not tell of: outside training they return what they get.
_SAME = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")


def changes_parts(graph: Any) -> bool:
    """Return whether a tensor is changed that is read later under another name, or in parts.

    A change in place alone is harmless: what reads the tensor later, reads what the change returns.
    """
    order = {node: k for k, node in enumerate(graph.nodes)}
    shared: dict[Any, list[Any]] = {}  # nodes with the same memory
    for node in graph.nodes:
        source = _source(node)
        shared[node] = shared.get(source, [])
        if writes(node) and any(
            order[user] > order[node] for other in shared[node] for user in other.users
        ):
            return True
        shared[node].append(node)
    return False


def writes(node: Any) -> bool:
    """Return whether a function changes its first argument in place."""
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.arguments:
        return False
    alias = schema.arguments[0].alias_info
    return alias is not None and bool(alias.is_write)


def _source(node: Any) -> Any:
    """Return the node whose memory a node's value has; None if it has its own."""
    inputs = node.all_input_nodes
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or not inputs:
        return None
    if schema is None:
        return inputs[0]  # a part of several values
    views = any(each.alias_info is not None for each in schema.returns)
    return inputs[0] if views or schema.name.rpartition("::")[2] in _SAME else None
