"""Commands on several ranks print what one process prints, byte for byte."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pellucid import data, runs

from .ranks import MPIEXEC, needs_mpi, on_ranks

pytestmark = needs_mpi

# Run commands one after the other; print what rank 0 printed, and with which code each rank ended.
COMMANDS = """
import json, os, sys, tempfile
from pathlib import Path
from pellucid.cli.entry import main
from pellucid.distributed import world

def run(words):
    code = 0
    streams = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    with tempfile.TemporaryDirectory() as folder:
        for name in streams:
            setattr(sys, name, open(Path(folder, name), "w+", encoding="utf-8"))
        try:
            main(words)
        except SystemExit as end:
            code = end.code
        for name, stream in streams.items():
            getattr(sys, name).flush()
            setattr(sys, name, stream)
        return code, *(Path(folder, name).read_text(encoding="utf-8") for name in streams)

found = []
for words in json.loads(Path(sys.argv[1]).read_text()):
    code, out, err = run(words)
    codes = world().gather(code or 0)
    found.append((codes, out, err.splitlines()))
if world().rank == 0:
    print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, and a folder with 230 pictures of digits, some of which cannot be read."""
    folder = tmp_path_factory.mktemp("commands")
    settings = runs.Settings(epochs=1, limit=200, validation=0.2)
    run = runs.begin(settings, folder / "run")
    run.fit()
    runs.finish(run)
    images = folder / "images"
    images.mkdir()
    _, test = data.digits()
    for k in range(230):
        pixels = np.kron(255 - test.images[k, 0], np.ones((5, 5), np.uint8))
        Image.fromarray(np.pad(pixels, 20, constant_values=255)).save(images / f"{k:03}.png")
    for k in (7, 101, 229):
        (images / f"{k:03}.png").write_bytes(b"not a picture")
    return folder


@pytest.fixture(scope="module")
def printed(trained):
    """What one process and three ranks print for the same commands."""
    run, images = str(trained / "run"), str(trained / "images")
    commands = [
        ["evaluate", run],
        ["evaluate", run, "--json", "--mirrored", "--engine", "numpy"],
        ["calibrate", run, "--dry-run", "--json"],
        ["predict", run, images, "--as-is"],
        ["predict", run, images, "--json"],
        ["predict", run, images, "missing.png", "--csv", "--engine", "numpy"],
        ["predict", run, f"{images}/01*.png"],
        ["evaluate", run, "--split", "validation"],
        ["predict", str(trained / "none.npz"), images],
    ]
    file = trained / "commands.json"
    file.write_text(json.dumps(commands), encoding="utf-8")
    alone = subprocess.run(
        [sys.executable, "-c", COMMANDS, str(file)],
        capture_output=True, text=True, check=True, timeout=120,
        env=os.environ | {"PELLUCID_NUM_THREADS": "1"},
    )  # fmt: skip
    together = on_ranks(3, COMMANDS, str(file))
    return commands, json.loads(alone.stdout), json.loads(together.stdout)


def test_commands_on_several_ranks_print_what_one_process_prints(printed):
    for words, one, several in zip(*printed, strict=True):
        assert several[1] == one[1], words
        assert several[2] == one[2], words


def test_all_ranks_end_with_the_code_of_one_process(printed):
    for words, one, several in zip(*printed, strict=True):
        assert several[0] == 3 * one[0], words
    assert [one[0] for one in printed[1]] == [[0]] * 3 + [[1]] * 3 + [[0], [0], [1]]


def test_names_come_through_a_pipe_to_the_first_rank(trained):
    names = sorted(map(str, (trained / "images").iterdir()))[10:20]
    words = ["pellucid", "predict", str(trained / "run"), "-", "--csv"]
    done = subprocess.run(
        [MPIEXEC, "-n", "2", sys.executable, "-m", *words],
        input="\n".join(names), capture_output=True, text=True, timeout=60, check=True,
        env=os.environ | {"PELLUCID_NUM_THREADS": "1"},
    )  # fmt: skip
    assert [line.partition(",")[0] for line in done.stdout.splitlines()] == ["file", *names]


def test_ranks_measure_what_they_have_trained_and_one_draws_it(tmp_path):
    words = ["train", "--epochs", "2", "--limit", "200", "--validation", "0.2", "--calibrate"]
    command = [sys.executable, "-m", "pellucid", *words]
    where = {"cwd": tmp_path, "check": True, "capture_output": True, "text": True, "timeout": 120}
    alone = subprocess.run(command, **where, env=os.environ | {"PELLUCID_NUM_THREADS": "1"})
    together = subprocess.run([MPIEXEC, "-n", "2", *command], **where)
    first, second = (tmp_path / "runs" / f"digits-{k}" for k in (1, 2))
    assert {file.name for file in first.iterdir()} == {file.name for file in second.iterdir()}
    for name in ("model.safetensors", "best.safetensors"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    said = [
        [
            line
            for line in text.splitlines()
            if "final test accuracy" in line or "calibrated" in line
        ]
        for text in (alone.stdout + alone.stderr, together.stdout + together.stderr)
    ]
    assert said[0] == said[1]
    assert len(said[0]) == 2
