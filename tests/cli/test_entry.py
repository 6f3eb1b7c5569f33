"""pellucid itself, its help, and pellucid data."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import resources

import pytest

import pellucid as library
from cli.conftest import environment
from pellucid.formats import load

COMMANDS = [
    "", "train", "sweep", "find-lr", "evaluate", "predict", "summary", "profile", "warmup",
    "export", "import", "data", "data fetch", "data verify", "data cache", "book",
    "studio",
]  # fmt: skip


@pytest.fixture
def pellucid(here):
    """What a command writes and says is tested here, not that it is a process."""
    return here


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_eighty_columns_and_cuts_nothing_off(pellucid, command):
    result = pellucid(*command.split(), "--help")
    assert result.returncode == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "…" not in result.stdout


def test_help_names_every_option_that_is_promised(pellucid):
    text = pellucid("train", "--help").stdout
    promised = "data data-dir model epochs batch-size lr optimizer seed limit out augment normalize"
    assert all(f"--{option} " in text for option in promised.split())


def test_the_version_is_the_library_s(pellucid):
    assert pellucid("--version").stdout == f"pellucid {library.__version__}\n"


def test_a_mistyped_command_is_guessed(pellucid):
    result = pellucid("trian")
    assert result.returncode == 2
    assert "Did you mean 'train'?" in result.stderr


@pytest.mark.parametrize("arguments", ["--help", "summary simple", "train --help"])
def test_what_needs_no_pictures_loads_no_drawing_or_download_library(pellucid, arguments):
    code = (
        "import sys\n"
        "from pellucid.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print('LOADED', *({'matplotlib', 'PIL', 'pooch', 'numba'} & set(sys.modules)))"
    )
    result = pellucid(*arguments.split(), program=("-c", code))
    assert result.stdout.splitlines()[-1] == "LOADED"


def test_data_list_shows_size_and_place_of_every_set(pellucid):
    lines = pellucid("data", "list").stdout.splitlines()
    table = {line.split()[0]: line.split(maxsplit=5)[1:] for line in lines[2:9]}
    names = ["mnist", "fashion-mnist", "digits", "cifar10", "cifar100", "stl10", "svhn"]
    assert list(table) == names
    assert table["digits"][:4] == ["1x8x8", "10", "1,438", "359"]
    assert table["stl10"][:4] == ["3x96x96", "10", "5,000", "8,000"]
    if "not here" in table["stl10"][4]:
        assert table["stl10"][4] == "not here: pellucid data fetch stl10 (2.6 GB)"
    assert "any folder or zip archive" in lines[-1]


def test_data_fetch_without_a_network_says_where_to_get_the_files(pellucid, tmp_path):
    code = (
        "import sys\n"
        "from dataclasses import replace\n"
        "from pellucid.cli import main\n"
        "from pellucid.data.catalogue import CATALOGUE\n"
        "CATALOGUE['svhn'] = replace(CATALOGUE['svhn'], mirrors=('http://127.0.0.1:9/',))\n"
        "main(sys.argv[1:])"
    )
    options = {"program": ("-c", code), "NO_PROXY": "127.0.0.1", "XDG_CACHE_HOME": str(tmp_path)}
    result = pellucid("data", "fetch", "svhn", **options)
    assert result.returncode == 1
    assert "http://127.0.0.1:9/train_32x32.mat: no connection" in result.stderr
    assert "Get train_32x32.mat and test_32x32.mat from http://ufldl.stanford" in result.stderr
    assert "pass the folder as --data-dir" in result.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_data_verify_finds_a_changed_file(pellucid, tmp_path):
    good = pellucid("data", "verify", "digits")
    assert good.returncode == 0
    assert [line.split()[0] for line in good.stdout.splitlines()] == ["ok"] * 4
    shutil.copytree(str(resources.files("pellucid") / "assets" / "digits"), tmp_path / "copy")
    labels = tmp_path / "copy" / "t10k-labels-idx1-ubyte.gz"
    shutil.copy(tmp_path / "copy" / "train-labels-idx1-ubyte.gz", labels)
    bad = pellucid("data", "verify", "digits", "--data-dir", "copy")
    assert bad.returncode == 1
    kinds = [line.split()[0] for line in bad.stdout.splitlines() if "/" in line and "ubyte" in line]
    assert kinds.count("WRONG") == 1
    assert re.search(r"WRONG .*t10k-labels", bad.stdout)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("data verify digist", r"there is no data set 'digist'\. Did you mean 'digits'\?"),
        ("data fetch digist", r"there is no data set 'digist'\. Did you mean 'digits'\?"),
        (
            "data verify mnist --data-dir gone",
            r"(?s)gone: no such folder.*as --data-dir is the only",
        ),
    ],
)
def test_data_refuses_with_what_is_known(pellucid, arguments, words):
    result = pellucid(*arguments.split())
    assert result.returncode == 1
    assert re.search(words, result.stderr)


def test_fetch_of_what_is_embedded_says_where_it_is(pellucid):
    assert pellucid("data", "fetch", "digits").stdout.rstrip().endswith("digits")


def test_an_operating_system_error_is_one_line(pellucid):
    code = (
        "import sys, pellucid.data as data\n"
        "def broken(): raise PermissionError(13, 'Permission denied', '/disk/x')\n"
        "data.available = broken\n"
        "from pellucid.cli import main; main(sys.argv[1:])"
    )
    result = pellucid("data", "list", program=("-c", code))
    assert (result.returncode, result.stderr) == (1, "error: '/disk/x': Permission denied.\n")


@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2), (0, 1, 2)], ids=str)
def test_a_training_without_standard_streams_is_a_training(trained, tmp_path, closed):
    code = (
        "import os, sys\n"
        f"for number in {closed}: os.close(number)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'pellucid', *sys.argv[1:]])"
    )
    asked = ["train", "--epochs", "2", "--limit", "100", "--out", "run"]
    process = subprocess.run(
        [sys.executable, "-c", code, *asked], cwd=tmp_path, env=environment(), capture_output=True
    )
    assert (process.returncode, process.stderr) == (0, b"")
    assert {entry.name for entry in (tmp_path / "run").iterdir()} == {
        entry.name for entry in trained[0].iterdir()
    }
    load(tmp_path / "run" / "model.safetensors")
    if 1 not in closed:
        assert b"epoch 2/2" in process.stdout


def test_an_error_without_standard_streams_still_has_its_exit_code(tmp_path):
    code = (
        "import os, sys\n"
        "for number in (0, 1, 2): os.close(number)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'pellucid', *sys.argv[1:]])"
    )
    for asked, expected in ((["evaluate", "nothing"], 1), (["trian"], 2), (["--help"], 0)):
        process = subprocess.run(
            [sys.executable, "-c", code, *asked], cwd=tmp_path, env=environment()
        )
        assert process.returncode == expected
