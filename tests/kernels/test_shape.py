"""Kernels stay readable: few parameters, and loops that are not nested too deeply."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pellucid import kernels

ROOT = Path(kernels.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
BLOCKS = (ast.For, ast.While, ast.If, ast.With, ast.Try)
DEEPEST = 6
MOST = 9  # arguments that belong together travel as a named tuple


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node


def depth(node: ast.AST, level: int = 0) -> int:
    """Return how deeply blocks are nested in a function; one within it counts for itself."""
    deepest = level
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and [child] == node.orelse
        inside = isinstance(child, BLOCKS) and not is_elif
        deepest = max(deepest, depth(child, level + inside))
    return deepest


def is_compiled(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(d) in ("kernel", "inlined") for d in function.decorator_list)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_blocks_are_nested_at_most_six_levels(path):
    too_deep = {f.name: depth(f) for f in functions(path) if depth(f) > DEEPEST}
    assert not too_deep, "give the inner tile a name of its own"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arguments_that_belong_together_are_one(path):
    counts = {f.name: len(f.args.args) for f in functions(path) if is_compiled(f)}
    assert not {name: count for name, count in counts.items() if count > MOST}


def test_the_depth_itself():
    code = "def f():\n for i in x:\n  if i:\n   pass\n  elif j:\n   while k:\n    pass\n"
    assert depth(ast.parse(code)) == 0
    assert depth(ast.parse(code).body[0]) == 3
