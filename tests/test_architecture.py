"""The arrows between the packages point one way, and ``import pellucid`` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pellucid

ROOT = Path(pellucid.__file__).parent
MODULES = sorted(
    path
    for path in ROOT.rglob("*.py")
    if path != ROOT / "__init__.py"  # which may lazily import anything
)

# An import goes to a lower rank, or stays within its own package.
RANKS = {
    "__main__": 10,
    "cli": 9,
    "studio": 9,
    "report": 8.5,  # it reads runs
    "sweeps": 8.7,  # its page looks like a report
    "runs": 8,
    "sklearn": 8,
    "book": 8,
    "book.__main__": 10,
    "quantization": 7,
    "standalone": 5.5,  # models as programs
    "training": 6,
    "viz": 5,
    "engine": 4.5,
    "formats": 5,  # it rebuilds models
    "models": 4,
    "nn": 3,
    "optim": 3.5,
    "data": 3,
    "kernels": 3,
    "ops": 2,
    "display": 1.5,
    "preparation": 1.5,
    "distributed": 2.5,
    "image_random": 2.5,  # what draws by image: layers and loaders
    "formats.files": 1.5,  # a leaf: how any file is written and read safely
    "formats.pickle_machine": 1.5,
    "formats.pickle_names": 1.4,
    "formats.pickle_scan": 1.3,
    "formats.sniff": 1.5,  # leaves too: whatever refuses a file says what it is
    "formats.torch_files": 1.4,
    "formats.text_kinds": 1.4,
    "formats.signatures": 1.4,
    "memory": 1,
    "exports": 1,
    "extras": 1.1,
    "class_metrics": 1.1,
    "precision": 1.1,
    "launch": 1,
    "letters": 1,
    "names": 1,
    "networks": 1,
    "other_names": 1,
    "tables": 1,
    "receptive": 1.5,
    "shapes": 1,
    "errors": 1,
    "typing": 1,
}
# Modules of one rank that may import each other: what a window needs is checked with an error.
GROUND = {
    "shapes",
    "errors",
    "memory",
    "typing",
    "launch",
    "letters",
    "names",
    "other_names",
    "tables",
}
# From one module only, or the layers would know of the speed everywhere.
DISPATCH = ("nn.dispatch", "kernels")
# The command that opens the studio, and the one that writes it as a file.
LAUNCH = (("cli.studio", "studio"), ("cli.export", "studio"))

HEAVY = (
    "numba",
    "matplotlib",
    "typer",
    "rich",
    "PIL",
    "pooch",
    "torch",
    "sklearn",
    "onnx",
    "mpi4py",
)


def _name(path: Path) -> str:
    """Return the dotted name inside the package: ``nn/conv.py`` is ``nn.conv``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _unit(module: str) -> str:
    """Return what has a rank: a sub-package, or a module that is ranked on its own."""
    return module if module in RANKS else module.split(".")[0]


def _exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every module that a file imports, anywhere in it but for the type checker alone."""
    package = path.relative_to(ROOT).parent.parts
    tree = ast.parse(path.read_text(encoding="utf-8"))
    never_run = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in never_run:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = tuple((node.module or "").split(".")) if node.module else ()
            if node.level:
                base = ("pellucid", *package[: len(package) - node.level + 1], *base)
            for alias in node.names:  # the name may be a module of its own: from .. import ops
                full = ".".join((*base, alias.name))
                ours = full.removeprefix("pellucid.")
                deeper = base[:1] == ("pellucid",) and _exists(ours)
                yield full if deeper else ".".join(base), node.lineno


def _arrows(path: Path) -> Iterator[tuple[str, str, int]]:
    for target, line in _imports(path):
        if target == "pellucid" or target.startswith("pellucid."):
            yield _name(path), target.removeprefix("pellucid").removeprefix("."), line


def _is_allowed(source: str, target: str) -> bool:
    one, two = _unit(source), _unit(target)
    if target == "":
        return True  # the version; what else it may give is checked below
    if one == two or (one in GROUND and two in GROUND) or (source, two) in (DISPATCH, *LAUNCH):
        return True
    return RANKS[one] > RANKS[two]


def test_every_package_has_a_rank():
    unknown = {_unit(_name(path)) for path in MODULES} - RANKS.keys()
    assert not unknown, f"give these a rank: {unknown}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_point_downwards(path: Path):
    wrong = [
        f"line {line}: {source} imports {target}"
        for source, target, line in _arrows(path)
        if not _is_allowed(source, target)
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nothing_is_taken_from_the_root_but_its_version(path: Path):
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        climbs_to_root = node.level == len(package) + 1 and not node.module
        if climbs_to_root or (not node.level and node.module == "pellucid"):
            for alias in node.names:
                assert alias.name == "__version__" or _exists(alias.name), (
                    f"line {node.lineno}: import {alias.name} from where it lives"
                )


@pytest.mark.parametrize(
    ("source", "target", "allowed"),
    [
        ("nn.conv", "ops", True),
        ("ops.conv", "nn.conv", False),
        ("ops.conv", "shapes", True),
        ("shapes", "ops", False),
        ("nn.conv", "kernels.convolution.direct", False),
        ("nn.dispatch", "kernels.convolution.direct", True),
        ("kernels.convolution.direct", "nn.dispatch", False),
        ("engine.plan", "kernels", True),
        ("training.trainer", "formats", True),
        ("viz.filters", "formats", False),
        ("formats.onnx", "viz", False),
        ("formats.onnx", "training.trainer", False),
        ("formats.onnx", "formats.files", True),
        ("formats.files", "formats.onnx", False),
        ("formats.files", "errors", True),
        ("formats.files", "nn", False),
        ("data.download", "formats.files", True),
        ("data.download", "formats.onnx", False),
        ("cli.train", "studio", False),
        ("cli.studio", "studio", True),
        ("cli.export", "studio", True),
        ("studio.server.serving", "cli.messages", False),
        ("cli.train", "runs", True),
        ("runs.beginning", "training.trainer", True),
        ("runs.beginning", "report", False),
        ("runs.beginning", "cli.messages", False),
        ("report.page", "runs.folder", True),
        ("report.page", "cli.messages", False),
        ("book.layers", "training", True),
    ],
)
def test_the_rule_itself(source: str, target: str, allowed: bool):
    assert _is_allowed(source, target) is allowed


def test_the_mathematics_needs_nothing_but_numpy():
    for path in MODULES:
        if _unit(_name(path)) not in {"ops", *GROUND}:
            continue
        others = {target.split(".")[0] for target, _ in _imports(path)}
        others -= {"pellucid", "numpy", *sys.stdlib_module_names}
        assert not others, f"{_name(path)} imports {others}"


def test_the_kernels_own_numba():
    users = {
        _unit(_name(path))
        for path in MODULES
        for target, _ in _imports(path)
        if target.split(".")[0] == "numba"
    }
    assert users <= {"kernels"}


def test_what_a_figure_shows_is_computed_without_matplotlib():
    users = [
        _name(path)
        for path in MODULES
        if _name(path).startswith("viz.analysis")
        for target, _ in _imports(path)
        if target.split(".")[0] == "matplotlib" or "drawing" in target or "figures" in target
    ]
    assert not users, users


@pytest.mark.parametrize("statement", ["import pellucid", "import pellucid.ops, pellucid.shapes"])
def test_importing_the_library_loads_nothing_heavy(statement: str):
    code = f"{statement}, sys; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    code = code.replace(repr(HEAVY), repr(set(HEAVY)))
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert result.stdout.split() == []


def test_a_help_text_needs_no_arrays():
    code = "import pellucid.cli.app, sys; print(*sorted({'numpy', 'numba'} & sys.modules.keys()))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert result.stdout.split() == []
