"""Copies of definitions out of modules: what one calls comes with it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import ModuleType

__all__ = ["Definition", "Sources"]


@dataclass
class Definition:
    """A top-level statement of a module.

    Attributes
    ----------
    text : str
    uses : set of str
        The names in it, without those of annotations.
    is_function : bool
    """

    text: str
    uses: set[str] = field(default_factory=set)
    is_function: bool = False


class Sources:
    """The definitions of some modules by their names, which must differ.

    Parameters
    ----------
    modules : sequence of module
        Their order is that of the copies. A definition in an earlier one hides a later one.
    """

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        self.definitions: dict[str, Definition] = {}
        self.imports: dict[str, str] = {}  # a name, and the statement that imports it
        for module in modules:
            text = inspect.getsource(module)
            for node in ast.parse(text).body:
                self._take(node, text)

    def _take(self, node: ast.stmt, text: str) -> None:
        segment = ast.get_source_segment(text, node) or ""
        if isinstance(node, ast.Import):
            for alias in node.names:
                said = f" as {alias.asname}" if alias.asname else ""
                self.imports[alias.asname or alias.name] = f"import {alias.name}{said}"
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                self.imports[alias.name] = f"from {node.module} import {alias.name}"
        elif isinstance(node, ast.FunctionDef):
            decorators = "".join(
                f"@{ast.get_source_segment(text, each)}\n" for each in node.decorator_list
            )
            self.definitions.setdefault(
                node.name, Definition(decorators + segment, _names([node]), True)
            )
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            end = text.splitlines()[(node.end_lineno or node.lineno) - 1]
            remark = end[end.index("  #") :] if "  #" in end else ""
            made = Definition(segment + remark, _names([node.value]))
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in _names(targets) - {"__all__"}:
                self.definitions.setdefault(name, made)

    def closure(self, names: Iterable[str]) -> list[Definition]:
        """Return the definitions of ``names`` and of all that they use, in their order."""
        needed, waiting = set[str](), [*names]
        while waiting:
            name = waiting.pop()
            if name in self.definitions and name not in needed:
                needed.add(name)
                waiting.extend(self.definitions[name].uses)
        found: list[Definition] = []
        for name, definition in self.definitions.items():
            if name in needed and not any(definition is other for other in found):
                found.append(definition)
        return found

    def imported(self, definitions: Iterable[Definition]) -> list[str]:
        """Return the import statements that the definitions need, sorted."""
        used = set[str]().union(*(definition.uses for definition in definitions))
        return sorted({self.imports[name] for name in used & self.imports.keys()})


def _names(nodes: Sequence[ast.AST]) -> set[str]:
    """Return the names in some nodes, leaving out annotations."""
    found: set[str] = set()
    local: set[str] = set()  # of functions: their arguments and variables
    waiting: list[ast.AST] = [*nodes]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
            if isinstance(node.ctx, ast.Store) and isinstance(nodes[0], ast.FunctionDef):
                local.add(node.id)
        elif isinstance(node, ast.arg):
            local.add(node.arg)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns"):
                continue
            parts = value if isinstance(value, list) else [value]
            waiting.extend(part for part in parts if isinstance(part, ast.AST))
    return found - local
