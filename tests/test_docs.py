"""What the pages say is there, and their programs run."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from importlib.util import find_spec
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
LINKS = re.compile(r"\]\(([^)#\s]+)")  # without the place on the page
MADE = {"train/", "val/", "valid/", "validation/", "dev/", "test/", "runs/", "run/"}  # a user's


def run(program, folder):
    (folder / "page.py").write_text(program, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", "page.py"],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


def programs_of(name):
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_are_there(page):
    named = set(PATHS.findall(page.read_text(encoding="utf-8"))) - MADE
    missing = [
        name
        for name in sorted(named)
        if not any((root / name).exists() for root in (ROOT, ROOT / "src", ROOT / "src/pellucid"))
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_links_to_are_there(page):
    links = {link for link in LINKS.findall(page.read_text(encoding="utf-8")) if ":" not in link}
    assert not [link for link in sorted(links) if not (page.parent / link).exists()]


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


def test_the_layer_with_a_kernel_runs(tmp_path):
    (program,) = programs_of("design.md")
    printed = run(program, tmp_path)
    assert re.search(r"^1 +square ", printed, re.MULTILINE)  # a step of its own
    errors = [float(e) for e in re.findall(r"\d\.\de-\d\d", printed)]
    assert len(errors) == 5
    assert max(errors) < 1e-6


def test_the_programs_of_the_page_on_notebooks_run(tmp_path):
    printed = run("\n".join(programs_of("notebooks.md")), tmp_path)
    assert re.search(r"^epoch 3/3 .*\naccuracy 0\.\d\d$", printed, re.MULTILINE)
    assert "history: expects a History, received SimpleConvNet" in printed
    assert sorted(path.suffix for path in tmp_path.glob("*.[ps][nv]g")) == [".png", ".png", ".svg"]


@pytest.mark.parametrize("name", ["design", "large-batches"])
def test_both_pages_have_the_same_program(name):
    assert programs_of(f"{name}.md") == programs_of(f"{name}.ko.md") != []


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("calibration.md", r"^Temperature\(.+\)\n(0\.\d{4}) .*\n\1 .*\n$"),
        ("integrations.md", r" 0\.\d+\n(.*\n)*.*0\.\d+\n$"),
        ("large-batches.md", r"^0\.08 0\.08\n$"),
        ("recipe.md", r"^True\n$"),
        ("resuming.md", r"  goes on in epoch 3 of 4\n4 epochs\n$"),
    ],
)
def test_the_programs_of_a_page_run(name, printed, tmp_path):
    assert re.search(printed, run("\n".join(programs_of(name)), tmp_path))


def test_the_space_on_the_page_is_one(tmp_path):
    from pellucid.sweeps import Space

    page = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "space.toml").write_text(text, encoding="utf-8")
    assert len(Space.read(tmp_path / "space.toml").ranges) == 4


def test_the_programs_of_the_page_on_pytorch_run(tmp_path):
    files, *module = programs_of("pytorch.md")
    assert len(module) == 2
    if find_spec("torch") is None:  # the files are read and written without it
        module = []
    printed = run("\n".join([files, *module]), tmp_path)
    assert re.match(r"\d+ True\n", printed)
    assert bool(module) == bool(re.search(r"^True \['0.weight', '1.weight'\]\n", printed, re.M))


def test_the_programs_of_the_page_on_onnx_run(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    printed = run("\n".join(programs_of("onnx.md")), tmp_path)
    assert printed.startswith("(7, 10) True\n")
    assert '["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]' in printed
    assert "{'images': ('N', 1, 'H', 'W')} {'scores': ('N', 4, None, None)}\n" in printed
    assert printed.endswith("['conv1.weight', 'conv1.bias'] ('0', '1', '2')\nTrue\n")


def test_the_programs_of_the_page_on_standalone_files_run(tmp_path):
    assert run("\n".join(programs_of("standalone.md")), tmp_path) == "(7, 10) True\n"
    made = {"digits.py", "digits.npz", "digits.html", "square.py", "square.npz"}
    assert made <= {path.name for path in tmp_path.iterdir()}


def test_the_programs_of_the_page_on_the_studio_run(tmp_path):
    pytest.importorskip("anywidget")
    printed = run("\n".join(programs_of("studio.md")), tmp_path)
    assert printed == "['channels']\n{'scores': array([0., 0., 0.], dtype=float32), 'loss': inf}\n"
    assert (tmp_path / "simple.html").stat().st_size > 100_000


def test_the_lesson_on_the_page_on_the_studio_is_one(tmp_path):
    from pellucid.studio.lesson_files import read_lesson

    page = (ROOT / "docs" / "studio.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (tmp_path / "lesson.json").write_text(text, encoding="utf-8")
    assert len(read_lesson(tmp_path / "lesson.json")["steps"]) == 2
