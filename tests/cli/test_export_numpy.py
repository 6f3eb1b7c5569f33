"""pellucid export --numpy: a run becomes a file that needs NumPy only."""

from __future__ import annotations

import re
import subprocess
import sys

from PIL import Image

import pellucid as library


def test_the_file_of_a_run_says_what_predict_says(pellucid, trained, tmp_path):
    _, test = library.data.digits()
    Image.fromarray(test.images[0, 0]).save(tmp_path / "digit.png")
    result = pellucid("export", trained[0], "--numpy", "digits.py")
    assert (result.returncode, result.stdout) == (0, "digits.py\n"), result.stderr
    assert "the weights are beside it, in digits.npz" in result.stderr
    command = [sys.executable, "digits.py", "digit.png"]
    alone = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    predicted = pellucid("predict", trained[0], "digit.png").stdout.splitlines()[-1]
    guesses = r"(\d) ([\d.]+) ?%"
    assert re.findall(guesses, alone) == re.findall(guesses, predicted)


def test_neither_file_is_replaced_without_being_told(pellucid, tmp_path):
    (tmp_path / "net.npz").write_bytes(b"mine")
    result = pellucid("export", "lenet", "--numpy", "net.py")
    assert result.returncode == 1
    assert "--numpy: 'net.npz' exists" in result.stderr
    assert (tmp_path / "net.npz").read_bytes() == b"mine"
    assert pellucid("export", "lenet", "--numpy", "net.py", "--overwrite").returncode == 0
