"""What a module changes in place: later readers of a tensor see the changed one."""

from __future__ import annotations

from typing import Any

__all__ = ["Versions", "writes"]

# Views that the functions' schemas do not tell of: outside training they return what they get.
_SAME = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")


class Versions:
    """The nodes of a traced graph that are one tensor, or parts of one.

    Parameters
    ----------
    graph : torch.fx.Graph
    """

    def __init__(self, graph: Any) -> None:
        self._order = {node: k for k, node in enumerate(graph.nodes)}
        self._shared: dict[Any, list[Any]] = {}  # nodes with the same memory
        self._same: dict[Any, list[Any]] = {}  # nodes that are the same tensor
        for node in graph.nodes:
            source, written = _source(node)
            self._shared[node] = self._shared.get(source, [])
            self._shared[node].append(node)
            self._same[node] = self._same.get(source, []) if written else []
            self._same[node].append(node)

    def changes_parts(self) -> bool:
        """Return whether a tensor is changed of which others were parts, and are read later."""
        return any(
            writes(node)
            and any(
                self._order[other] < self._order[node] and self._is_read_after(other, node)
                for other in self._shared[node]
                if other not in self._same[node]
            )
            for node in self._order
        )

    def write(self, node: Any, values: dict[Any, Any]) -> None:
        """Let all nodes that are the same tensor have the value of one that changed it."""
        if writes(node):
            for other in self._same[node]:
                values[other] = values[node]

    def _is_read_after(self, node: Any, change: Any) -> bool:
        return any(self._order[user] > self._order[change] for user in node.users)


def writes(node: Any) -> bool:
    """Return whether a function changes its first argument in place."""
    schema = getattr(node.target, "_schema", None)
    if schema is None or not schema.arguments:
        return False
    alias = schema.arguments[0].alias_info
    return alias is not None and bool(alias.is_write)


def _source(node: Any) -> tuple[Any, bool]:
    """Return the node whose memory a node's value has, and whether it is changed in place."""
    inputs = node.all_input_nodes
    schema = getattr(node.target, "_schema", None)
    if node.op != "call_function" or not inputs:
        return None, False
    if schema is None:
        return inputs[0], False  # a part of several values
    if writes(node):
        return inputs[0], True
    views = any(each.alias_info is not None for each in schema.returns)
    name = schema.name.rpartition("::")[2]
    return (inputs[0], False) if views or name in _SAME else (None, False)
