"""A script in a terminal hears that kernels are compiled; others hear nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.terminal import on_terminal

SCRIPT = """
import sys
import numba
import pellucid
from pellucid import data, nn

class Compiled(nn.ReLU):
    def forward(self, x):
        numba.njit(lambda number: number + 1)(len(x))
        return super().forward(x)

train, test = data.digits()
model = nn.Sequential(Compiled(), nn.Flatten(), nn.Linear(64, 10))
progress = {"None": None, "True": True, "False": False}[sys.argv[1]]
trainer = pellucid.Trainer(model, train.take(200), epochs=2, progress=progress)
print("begin")
trainer.fit()
print("trained")
pellucid.predict(model, test.take(3))
pellucid.evaluate(model, test.take(3))
print("end")
"""
NEWS = "compiling kernels (first run on this machine) "
ERASE = "\r\x1b[K"


@pytest.fixture
def script(tmp_path) -> Path:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


def test_on_a_terminal_a_line_says_it_and_is_erased(script):
    sent = on_terminal(100, script, "None", program=("script.py",))
    assert sent.count(NEWS) >= 3
    begin, trained, end = (sent.split(part)[0] for part in ("begin\r\n", "trained", "end\r\n"))
    assert NEWS not in begin
    assert trained.endswith(ERASE)
    assert end.endswith(ERASE)
    assert "epoch" not in sent


def test_progress_is_shown_or_not_as_it_is_asked_for(script):
    shown = on_terminal(100, script, "True", program=("script.py",)).split("trained")[0]
    assert re.search(r"epoch 1/2  loss .*\n.*epoch 2/2  loss ", shown, re.DOTALL)
    hidden = on_terminal(100, script, "False", program=("script.py",)).split("trained")[0]
    assert hidden == "begin\r\n"


def test_without_a_terminal_nothing_is_added_to_what_the_script_prints(script):
    result = subprocess.run(
        [sys.executable, "-W", "error", "script.py", "None"],
        cwd=script, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    assert result.stderr == ""
    assert result.stdout.split() == ["begin", "trained", "end"]
