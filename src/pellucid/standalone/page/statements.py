"""Choose the statements of a JavaScript file that some names need."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["needed"]

NAME = re.compile(r"(?:F\.)?[A-Za-z_$][\w$]*")
DEFINED = re.compile(r"(?:async )?(?:const|let|function) (\w+)|((?:F\.\w+ = )+)")


class _Statement(NamedTuple):
    text: str
    defines: set[str]
    uses: set[str]


def needed(source: str, names: Iterable[str]) -> str:
    r"""Return the statements of ``source`` that define ``names``, and what they use, in order.

    A statement begins at the left margin, with the comment above it; functions of layers are
    assigned to ``F.name``. Statements that define nothing are kept.

    Examples
    --------
    >>> source = "const F = {};\nconst one = 1;\nF.a = () => one;\nF.b = () => 2;"
    >>> print(needed(source, ["F.b"]))
    const F = {};
    F.b = () => 2;
    """
    statements = _statements(source)
    by_name = {name: k for k, each in enumerate(statements) for name in each.defines}
    kept = {k for k, each in enumerate(statements) if not each.defines}
    waiting = ["F", *names]
    while waiting:
        k = by_name.get(waiting.pop())
        if k is not None and k not in kept:
            kept.add(k)
            waiting.extend(statements[k].uses)
    return "\n".join(statements[k].text for k in sorted(kept))


def _statements(source: str) -> list[_Statement]:
    found: list[list[str]] = []
    above: list[str] = []  # comments and empty lines before a statement
    for line in source.splitlines():
        if line[:1] in (" ", "\t", "}", "]", ")") and found:
            found[-1].append(line)
        elif not line or line.startswith("//"):
            above.append(line)
        else:
            found.append([*above, line])
            above = []
    return [_statement("\n".join(lines)) for lines in found]


def _statement(text: str) -> _Statement:
    code = "\n".join(line.split(" // ")[0] for line in text.splitlines() if line[:2] != "//")
    head = DEFINED.match(code.lstrip("\n"))
    names = set() if head is None else {head[1]} if head[1] else set(re.findall(r"F\.\w+", head[2]))
    return _Statement(text, names, set(NAME.findall(code)) - names)
