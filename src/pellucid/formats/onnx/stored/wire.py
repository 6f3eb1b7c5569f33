"""Check the structure of an ONNX file before it is parsed: lengths, depth, number of fields.

A protocol buffer is a sequence of fields, each with a number and a kind: a whole number, 4 or 8
bytes, or a length and as many bytes, which may be a message again. A parser makes an object of each
message, even of an empty one of two bytes; so their number is bounded here. Large payloads are
skipped, not read. ("Protocol Buffers: Encoding", protobuf.dev.)
"""

from __future__ import annotations

__all__ = ["LARGEST_FILE", "MOST_FIELDS", "WireError", "check"]

LARGEST_FILE = 2**31 - 1  # bytes: the limit of protocol buffers
MOST_FIELDS = 2_000_000
DEEPEST = 64

# The messages of onnx.proto that hold messages, by field number; all others are payload.
_TREE: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 8: "Leaf", 14: "Leaf", 20: "Training", 25: "Function", 26: "Leaf"},
    "Graph": {
        1: "Node", 5: "Tensor", 11: "Value", 12: "Value", 13: "Value", 14: "Annotation",
        15: "Sparse", 16: "Leaf",
    },
    "Node": {5: "Attribute", 9: "Leaf", 10: "Leaf"},
    "Attribute": {
        5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 14: "Type", 15: "Type",
        22: "Sparse", 23: "Sparse",
    },
    "Tensor": {3: "Leaf", 13: "Leaf", 16: "Leaf"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Value": {2: "Type", 4: "Leaf"},
    "Type": {1: "TensorType", 4: "Leaf", 5: "Leaf", 8: "TensorType", 9: "Leaf"},
    "TensorType": {2: "Shape"},
    "Shape": {1: "Leaf"},
    "Function": {7: "Node", 9: "Leaf", 11: "Attribute", 12: "Value", 14: "Leaf"},
    "Training": {1: "Graph", 2: "Graph", 3: "Leaf", 4: "Leaf"},
    "Annotation": {2: "Leaf"},
    "Leaf": {},
}  # fmt: skip


class WireError(ValueError):
    """A file that is not a protocol buffer, or a truncated or an oversized one."""


def check(content: bytes) -> None:
    """Refuse a content that is not a complete protocol buffer of moderate size.

    Raises
    ------
    WireError
        With the reason, and the place in the file.

    Examples
    --------
    >>> check(bytes([0x08, 0x07]))  # the version, 7
    >>> check(bytes([0x3A, 0x05, 0x0A]))
    Traceback (most recent call last):
    pellucid.formats.onnx.stored.wire.WireError: a part of 5 bytes at byte 2 ends after the file
    """
    fields = 0
    waiting = [(0, len(content), "Model", 0)]
    while waiting:
        at, end, message, depth = waiting.pop()
        if depth > DEEPEST:
            raise WireError(f"its parts are nested more than {DEEPEST} deep")
        inside = _TREE[message]
        while at < end:
            fields += 1
            if fields > MOST_FIELDS:
                raise WireError(f"it has more than {MOST_FIELDS:,} parts")
            tag, at = _number(content, at, end)
            kind, field = tag & 7, tag >> 3
            if field == 0:
                raise WireError(f"a field at byte {at} has the number 0")
            if kind == 0:
                _, at = _number(content, at, end)
            elif kind in (1, 5):
                at += 8 if kind == 1 else 4
            elif kind == 2:
                length, at = _number(content, at, end)
                if at + length > end:
                    raise WireError(f"a part of {length:,} bytes at byte {at} ends after the file")
                if field in inside:
                    waiting.append((at, at + length, inside[field], depth + 1))
                at += length
            else:
                raise WireError(f"a field at byte {at} has the unknown kind {kind}")
        if at > end:
            raise WireError(f"a number at byte {end} ends after its part")


def _number(content: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the number of variable length at a place, and the place after it."""
    value = shift = 0
    while at < end and shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise WireError(f"a number at byte {at} is not complete")
