"""The error that lists all nodes which cannot be converted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ....errors import ArgumentError
from ....nn.keys import shown
from ..operations import Operation

__all__ = ["Refused", "refusal"]

MOST = 12  # kinds of refusals in one message


class Refused(NamedTuple):
    """A node that cannot be converted, why, and what would do."""

    operation: Operation
    reason: str
    advice: str


def refusal(
    refused: Sequence[Refused],
    noun: str = "node",
    own: str = "An operator of your own: pellucid.formats.onnx.importing.reads.",
) -> ArgumentError:
    """Return the error for these nodes, those of one operator and one reason together.

    Examples
    --------
    >>> nodes = [Operation("Einsum", ("a",), (name,), name=name) for name in ("e1", "e2")]
    >>> print(refusal([Refused(node, "the operator is unknown", "") for node in nodes]))
    2 nodes cannot be converted, and nothing was imported:
      2 nodes of Einsum ('e1', 'e2'): the operator is unknown.
    An operator of your own: pellucid.formats.onnx.importing.reads.
    """
    groups: dict[tuple[str, str, str], list[str]] = {}
    for operation, reason, advice in refused:
        labels = groups.setdefault((operation.op, reason, advice), [])
        labels.append(f"'{shown(operation.label)}'")
    lines = [
        f"  {_named(op, labels, noun)}: {reason}.{' ' * bool(advice)}{advice}"
        for (op, reason, advice), labels in groups.items()
    ]
    if len(lines) > MOST:
        lines = [*lines[:MOST], f"  and {len(lines) - MOST} more kinds"]
    count = f"1 {noun}" if len(refused) == 1 else f"{len(refused)} {noun}s"
    return ArgumentError(
        f"{count} cannot be converted, and nothing was imported:\n" + "\n".join(lines) + f"\n{own}"
    )


def _named(op: str, labels: Sequence[str], noun: str) -> str:
    if len(labels) == 1:
        return f"{op} {labels[0]}"
    some = ", ".join(labels[:4]) + ", ..." * (len(labels) > 4)
    return f"{len(labels)} {noun}s of {op} ({some})"
