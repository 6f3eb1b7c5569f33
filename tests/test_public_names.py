"""The public names: sorted, there, and documented."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest

import pellucid


def _modules() -> list[str]:
    found = pkgutil.walk_packages(pellucid.__path__, "pellucid.")
    return ["pellucid", *(module.name for module in found if not module.name.endswith("__main__"))]


def _public(name: str) -> list[str]:
    return list(getattr(importlib.import_module(name), "__all__", []))


WITH_NAMES = [name for name in _modules() if _public(name)]


def _as_ruff_sorts(names: list[str]) -> list[str]:
    """Constants first, then classes, then the rest; numbers inside names count as numbers."""

    def key(name: str):
        kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
        parts = re.split(r"(\d+)", name)
        return kind, [(int(part), "") if part.isdigit() else (-1, part) for part in parts]

    return sorted(names, key=key)


@pytest.mark.parametrize("module", WITH_NAMES)
def test_the_public_names_are_sorted_and_said_once(module):
    names = _public(module)
    assert names == _as_ruff_sorts(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("module", WITH_NAMES)
def test_every_public_name_is_there(module):
    for name in _public(module):
        if not (module == "pellucid" and name in _not_built_yet()):
            assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def _not_built_yet() -> set[str]:
    """Return the packages that `pellucid` announces and that are not there."""
    built = {module.name for module in pkgutil.iter_modules(pellucid.__path__)}
    packages = set(_public("pellucid")) - set(pellucid._HOMES) - {"__version__"}
    return packages - built


def test_every_announced_package_is_built():
    assert _not_built_yet() == set()


@pytest.mark.parametrize("module", _modules())
def test_every_module_says_what_it_is_for(module):
    doc = importlib.import_module(module).__doc__
    assert doc
    assert len(doc.splitlines()[0]) > 10


@pytest.mark.parametrize("module", WITH_NAMES)
def test_every_public_class_and_function_and_each_of_its_methods_is_documented(module):
    home = importlib.import_module(module)
    for name in _public(module):
        thing = getattr(home, name, None)
        if not getattr(thing, "__module__", "").startswith("pellucid"):
            continue  # a plain value, or a type alias
        assert inspect.getdoc(thing), f"{module}.{name}"
        # Not inherited, nor the signature that a dataclass writes for itself.
        assert not thing.__doc__.startswith(f"{name}("), f"{module}.{name}"
        for method, value in vars(thing).items() if inspect.isclass(thing) else ():
            if not method.startswith("_") and (
                inspect.isfunction(value) or isinstance(value, property)
            ):
                assert value.__doc__, f"{module}.{name}.{method}"


def test_what_a_package_imports_from_its_modules_is_public():
    for module in WITH_NAMES:
        home = importlib.import_module(module)
        if not hasattr(home, "__path__") or module == "pellucid":
            continue
        for name, thing in vars(home).items():
            inside = getattr(thing, "__module__", "").startswith(f"{module}.")
            if inside and not name.startswith("_"):
                assert name in home.__all__, f"{module}.{name}"


def test_dir_shows_the_public_names_and_nothing_else():
    assert dir(pellucid) == sorted(pellucid.__all__)
    assert pellucid.__all__ == _as_ruff_sorts(pellucid.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'pellucid' has no attribute 'Conv2d'$"):
        pellucid.Conv2d  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'formats_'"):
        pellucid.formats_  # noqa: B018


def test_the_version_is_a_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+([ab.]\w+)?", pellucid.__version__)


def test_a_name_is_the_one_of_its_home():
    for name, home in pellucid._HOMES.items():
        assert getattr(pellucid, name) is getattr(importlib.import_module(f"pellucid.{home}"), name)


def test_importing_pellucid_imports_nothing_heavy():
    code = (
        "import sys, pellucid; "
        "print(sorted({m.partition('.')[0] for m in sys.modules} & "
        "{'numpy', 'numba', 'matplotlib', 'safetensors', 'PIL', 'typer', 'rich', 'torch'}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
