"""What each node of an ONNX file must have: its operator's inputs, outputs and attributes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ....errors import FileFormatError
from ....extras import extra
from ....nn.keys import shown

__all__ = ["require_signatures"]


def require_signatures(nodes: Iterable[Any], opset: int, path: Path) -> None:
    """Refuse nodes of ONNX's own operators that do not fit the operator's definition.

    Operators that the installed onnx does not know, and versions newer than it, are left to the
    importer.

    Raises
    ------
    FileFormatError
        If a node has more or fewer inputs or outputs than its operator, lacks one of them or an
        attribute, or has an attribute of another type.
    """
    defs = extra("onnx.defs", "onnx", "reading ONNX files")
    schemas: dict[str, Any] = {}
    if opset > defs.onnx_opset_version():
        return
    for node in nodes:
        if node.domain not in ("", "ai.onnx"):
            continue
        op = node.op_type
        if op not in schemas:
            known = defs.has(op, opset)
            schemas[op] = defs.get_schema(op, opset) if known else None
        if schemas[op] is None:
            continue
        fault = _fault(node, schemas[op])
        if fault:
            label = node.name or next(filter(None, node.output), op)
            raise FileFormatError(
                f"'{path}' is damaged: {op} '{shown(label)}' {fault} in version {opset} of ONNX's "
                "operators. Export it again."
            )


def _fault(node: Any, schema: Any) -> str:
    """Return what of a node does not fit the definition of its operator; "" if all fits."""
    for what, names, formal, least, most in (
        ("input", node.input, schema.inputs, schema.min_input, schema.max_input),
        ("output", node.output, schema.outputs, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            return f"has {len(names)} {what}s, where the operator has {wanted}"
        options = [formal[min(k, len(formal) - 1)].option.name for k in range(len(names))]
        needed = ("Single", "Variadic") if what == "input" else ("Single",)
        missing = [
            k
            for k, (name, kind) in enumerate(zip(names, options, strict=True))
            if not name and kind in needed
        ]
        if missing:
            return f"lacks its {what} {missing[0] + 1}, which the operator has"
    kinds = {each.name: each.type for each in node.attribute}
    for name, attribute in schema.attributes.items():
        if attribute.required and name not in kinds:
            return f"lacks the attribute {name}, which the operator has"
        if name in kinds and kinds[name] != attribute.type.value:
            return f"has an attribute {name} that is not of the operator's type"
    return ""
