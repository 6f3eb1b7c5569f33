"""What the pages say is there, and their programs run."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("README*.md")),
    ROOT / "CONTRIBUTING.md",
]
# A path in code, with a folder or an ending: `nn/walk.py`, `engine/cpu/steps/`.
PATHS = re.compile(r"`((?:[a-z_0-9]+/)+(?:[a-z_0-9]+\.(?:py|md))?|[a-z_0-9]+\.py)`")
MADE = {"train/", "val/", "valid/", "validation/", "dev/", "test/", "runs/", "run/"}  # a user's


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_are_there(page):
    named = set(PATHS.findall(page.read_text(encoding="utf-8"))) - MADE
    missing = [
        name
        for name in sorted(named)
        if not any((root / name).exists() for root in (ROOT, ROOT / "src", ROOT / "src/pellucid"))
    ]
    assert not missing


@pytest.mark.parametrize("name", ["validation.md"])
def test_the_examples_of_a_page_give_what_it_shows(name):
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    text = re.sub("^```.*$", "", page, flags=re.MULTILINE)
    example = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    failed, tried = doctest.DocTestRunner().run(example)
    assert (failed, tried > 0) == (0, True)


def test_the_page_on_the_design_names_files():
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    assert len(set(PATHS.findall(page))) > 30


@pytest.mark.parametrize("name", ["design.md", "design.ko.md"])
def test_the_layer_with_a_kernel_runs(name, tmp_path):
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "square.py").write_text(program, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", "square.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert re.search(r"^1 +square ", result.stdout, re.MULTILINE)  # a step of its own
    errors = [float(e) for e in re.findall(r"\d\.\de-\d\d", result.stdout)]
    assert len(errors) == 5
    assert max(errors) < 1e-6


def test_the_programs_of_the_page_on_notebooks_run(tmp_path):
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "page.py").write_text("\n".join(programs), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", "page.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert re.search(r"^epoch 3/3 .*\naccuracy 0\.\d\d$", result.stdout, re.MULTILINE)
    assert "history: expects a History, received SimpleConvNet" in result.stdout
    assert sorted(path.suffix for path in tmp_path.glob("*.[ps][nv]g")) == [".png", ".png", ".svg"]


def test_both_pages_have_the_same_program():
    pages = [
        (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("design.md", "design.ko.md")
    ]
    programs = [re.findall(r"```python\n(.*?)```", page, re.DOTALL) for page in pages]
    assert programs[0] == programs[1]


<<<<<<< HEAD
def test_the_programs_of_the_page_on_resuming_run(tmp_path):
    page = (ROOT / "docs" / "resuming.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(programs) == 2
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(programs)],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("  goes on in epoch 3 of 4\n4 epochs\n")


def test_the_programs_of_the_page_on_the_recipe_run(tmp_path):
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout == "True\n"
=======
def test_the_programs_on_other_tools_run(tmp_path):
    page = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(programs) == 2
    for program in programs:
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert float(result.stdout.split()[-1]) > 0.2


def test_the_space_on_the_page_is_one(tmp_path):
    from pellucid.sweeps import Space

    page = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "space.toml").write_text(text, encoding="utf-8")
    assert len(Space.read(tmp_path / "space.toml").ranges) == 4
>>>>>>> 27c4823 (Describe scikit-learn, logs and sweeps on a page; weigh classes in ConvNetClassifier)
