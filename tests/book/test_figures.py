"""Figures of a script where there is no screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from book.process import run, write
from pellucid.book.figures import has_screen


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


TWO = """
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()
plt.figure(figsize=(2, 1))
plt.plot([2, 1])
plt.show()
print(plt.get_fignums())
"""


def test_what_is_shown_is_saved_under_numbers_where_the_reader_is(tmp_path):
    write(tmp_path / "ch07" / "draws.py", TWO)
    result = run("ch07/draws.py", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "[]\n"
    assert "saved figure-1.png\nsaved figure-2.png\n" in result.stderr
    sizes = [size(tmp_path / f"figure-{k}.png") for k in (1, 2)]
    assert sizes == [(640, 480), (200, 100)]
    assert sorted(path.name for path in tmp_path.glob("**/*.png")) == [
        "figure-1.png",
        "figure-2.png",
    ]


def test_a_folder_for_figures_is_made_and_used_again_but_no_other_file_is_overwritten(tmp_path):
    write(tmp_path / "ch07" / "draws.py", TWO)
    for _ in range(2):
        result = run("--figures", "out/ch07", "ch07/draws.py", cwd=tmp_path, DISPLAY=":0")
        assert "saved out/ch07/figure-1.png\n" in result.stderr
    out = tmp_path / "out" / "ch07"
    assert sorted(path.name for path in out.iterdir()) == ["figure-1.png", "figure-2.png"]
    Image.new("L", (3, 3)).save(out / "figure-1.png")  # somebody's own
    run("--figures", "out/ch07", "ch07/draws.py", cwd=tmp_path)
    sizes = [size(out / f"figure-{k}.png") for k in (1, 2, 3)]
    assert sizes == [(3, 3), (640, 480), (200, 100)]


def test_a_figure_that_is_never_shown_is_saved_unless_the_script_saves_it(tmp_path):
    write(
        tmp_path / "draws.py",
        """
import sys
import matplotlib.pyplot as plt
plt.figure()
plt.plot([1, 2])
plt.savefig("own.png")
plt.figure()  # empty
plt.figure(figsize=(1, 1))
plt.axis("off")
sys.exit(3)
""",
    )
    result = run("draws.py", cwd=tmp_path)
    assert result.returncode == 3
    assert result.stderr == "saved figure-1.png\n"
    assert size(tmp_path / "figure-1.png") == (100, 100)


def test_a_drawing_that_moves_is_saved_once_in_the_end(tmp_path):
    write(
        tmp_path / "moves.py",
        "import matplotlib.pyplot as plt\n"
        "for k in range(3):\n    plt.plot([k, 1])\n    plt.pause(0.01)\n",
    )
    result = run("moves.py", cwd=tmp_path)
    assert result.stderr.count("saved") == 1
    assert "saved figure-1.png" in result.stderr


def test_letters_that_no_font_has_are_noted_once_and_break_nothing(tmp_path):
    write(
        tmp_path / "titled.py",
        """
import matplotlib
import matplotlib.pyplot as plt
matplotlib.rcParams["font.family"] = "DejaVu Sans"
for _ in range(2):
    plt.plot([1, 2])
    plt.title("\u0378\u0379")
    plt.tight_layout()
    plt.show()
""",
    )
    result = run("titled.py", cwd=tmp_path, PYTHONWARNINGS="error::UserWarning")
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("no font on this machine has the letters \u0378\u0379") == 1
    assert (tmp_path / "figure-2.png").exists()


def test_a_folder_that_cannot_be_written_costs_the_figure_and_not_the_run(tmp_path):
    write(tmp_path / "ch07" / "draws.py", TWO)
    (tmp_path / "out").symlink_to("/dev/null/nowhere")
    result = run("--figures", "out", "ch07/draws.py", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "[]\n")
    assert "note: could not save '" in result.stderr
    assert "Name another folder with --figures." in result.stderr


@pytest.mark.parametrize(
    ("environment", "platform", "seen"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0", "MPLBACKEND": "Agg"}, "linux", False),
        ({"MPLBACKEND": "module://matplotlib_inline.backend_inline"}, "darwin", False),
        ({"MPLBACKEND": "webagg"}, "linux", True),
        ({"MPLBACKEND": "tkagg"}, "linux", False),
        ({"MPLBACKEND": "pdf"}, "win32", False),
    ],
)
def test_a_screen_is_one_that_windows_can_be_opened_on(environment, platform, seen):
    assert has_screen(environment, platform) is seen


def test_a_screen_needs_a_toolkit():
    import importlib.util

    toolkit = importlib.util.find_spec("_tkinter") is not None
    assert has_screen({"DISPLAY": ":0", "MPLBACKEND": "TkAgg"}, "linux") is toolkit
