"""The programs in examples/ and the README's Python run as they stand, and do what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SHOWN = {"sliding_window", "fine_tuning"}  # what prints more than one accuracy
READMES = sorted(ROOT.glob("README*.md"))


def _run(folder: Path, *arguments: str) -> str:
    process = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.mark.parametrize(
    "example", [path for path in EXAMPLES if path.stem not in SHOWN], ids=lambda path: path.stem
)
def test_an_example_runs_and_learns(example, tmp_path):
    output = _run(tmp_path, str(example))
    (accuracy,) = re.findall(r"test accuracy (\d\.\d+)", output)
    assert float(accuracy) > 0.9


def test_crops_in_one_pass_are_equal_without_padding_and_differ_at_the_border_with_it(tmp_path):
    output = _run(tmp_path, str(ROOT / "examples" / "sliding_window.py"))
    differences = re.findall(r"difference (\d\.\d+e[+-]\d+)", output)
    assert [float(d) < 1e-5 for d in differences] == [True, False]
    assert "scores (10, 7, 7), of 49 crops" in output
    assert "VGG-16 over 384x384: scores (1000, 6, 6); " in output


def test_a_network_that_goes_on_learns_the_other_digits(tmp_path):
    program = (ROOT / "examples" / "fine_tuning.py").read_text(encoding="utf-8")
    assert program.count("\nSEEDS = 3\n") == 1
    once = program.replace("\nSEEDS = 3\n", "\nSEEDS = 1\n")  # every network once, not three times
    output = _run(tmp_path, "-c", once, str(tmp_path))
    assert "learning 733 images of digits 0 to 4" in output
    rows = re.findall(r"^(.*\S) {2,}(0\.\d+) +(0\.\d+)$", output, re.MULTILINE)
    accuracies = {name: float(last) for name, _, last in rows}
    assert accuracies["from nothing"] > 0.9
    assert accuracies["going on"] > 0.9
    assert accuracies["convolution frozen"] > 0.9
    assert 0.4 < accuracies["all but the last layer frozen"] < accuracies["going on"]


def test_the_python_in_the_readme_runs_and_learns(tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    codes = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert codes
    for code in codes:
        output = _run(tmp_path, "-c", code)
        (accuracy,) = re.findall(r"accuracy[^\d]*(\d\.\d+)", output)
        assert float(accuracy) > 0.9


def test_both_readmes_show_the_same_programs():
    programs = {
        re.sub(r"#.*", "", "".join(re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL)))
        for path in READMES
    }
    assert len(READMES) == 2
    assert len(programs) == 1
