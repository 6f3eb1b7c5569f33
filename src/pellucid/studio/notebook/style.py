"""The studio's style sheets, for a part of a page that has others."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["confined"]

ROOT = re.compile(r":root([^{,\s]*)")


def confined(style: str, inside: str) -> str:
    r"""Return a style sheet whose rules hold only within the elements that ``inside`` selects.

    What ``:root`` defines is defined there, in the themes that the page's root has.

    Examples
    --------
    >>> confined(":root { --a: 1; }\nbody { margin: 0; }\n* { color: red; }", ".x")
    ':root .x { --a: 1; }\n.x {\n* { color: red; }\n}'
    """
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.S)
    roots, others = [], []
    for head, rule in _rules(style):
        if ":root" in rule:
            roots.append(ROOT.sub(rf":root\1 {inside}", rule))
        elif head not in ("body", "html"):
            others.append(rule)
    return "\n".join([*roots, f"{inside} {{", *others, "}"])


def _rules(style: str) -> Iterator[tuple[str, str]]:
    """Yield the rules of the outermost level, each with what stands before its brace."""
    depth = begin = 0
    for at, letter in enumerate(style):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "}" and depth == 0:
            rule = style[begin : at + 1].strip()
            yield rule.partition("{")[0].strip(), rule
            begin = at + 1
