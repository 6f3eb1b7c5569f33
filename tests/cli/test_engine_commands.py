"""pellucid warmup and profile, --engine, and what is said while kernels are compiled."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pellucid as library
from cli.terminal import on_terminal
from pellucid.kernels.jit import LANES, REGISTERS
from pellucid.nn import Conv2d, ReLU, Sequential
from permissions import obeying

NOTICE = "compiling kernels (first run on this machine)"
FEW = "INPUT -> FC16 -> RELU -> FC"  # has few kernels to compile


def without_codes(sent: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)


@pytest.fixture(scope="module")
def cold(finish, tmp_path_factory):
    """A folder for kernels that was empty, and what was printed when it was filled."""
    folder = tmp_path_factory.mktemp("kernels")
    asked = ("warmup", FEW, "--input", "1x8x8", "--out", str(folder / "for others"))
    result = finish(*asked, cwd=folder, NUMBA_CACHE_DIR=str(folder))
    assert result.returncode == 0
    return folder, result


def test_warming_up_compiles_and_says_where_and_how_long(cold):
    folder, result = cold
    assert result.stderr == f"{NOTICE}\n"
    ready, compiled, written, kept = result.stdout.splitlines()
    assert ready == f"{FEW} (1x8x8) is ready"
    assert re.fullmatch(r"\d+ kernels for this processor in .*for others", written)
    number = int(re.fullmatch(r"compiled (\d+) kernels in \d+\.\d s", compiled)[1])
    place = Path(re.fullmatch(r"they are cached in (.*)", kept)[1])
    assert place.parent == folder
    kept = {path.name for path in folder.glob("*_*/*.nbc")}
    assert len(kept) >= number > 5
    assert {path.name for path in folder.glob("for others/*.nbc")} == kept


def test_warming_up_again_compiles_nothing(pellucid, cold):
    result = pellucid("warmup", FEW, "--input", "1x8x8", NUMBA_CACHE_DIR=str(cold[0]))
    assert result.stderr == ""
    assert "compiled 0 kernels in" in result.stdout


def test_what_was_warmed_up_trains_evaluates_and_predicts_without_a_word(pellucid, cold, tmp_path):
    env = {"NUMBA_CACHE_DIR": str(cold[0])}
    options = ("--model", FEW, "--epochs", "1", "--out", "run")
    assert pellucid("train", *options, **env).stderr == ""
    assert pellucid("evaluate", "run", **env).stderr == ""
    library.viz.save_figure(library.viz.filters(np.ones((4, 1, 3, 3))), tmp_path / "a.png")
    result = pellucid("predict", "run", "a.png", **env)
    assert (result.returncode, "compiling" in result.stderr) == (0, False)


@pytest.fixture
def others(cold, tmp_path):
    """Where the kernels were written to, as on another machine whose own folder is empty."""
    shutil.copytree(cold[0] / "for others", tmp_path / "others")
    env = {"PELLUCID_KERNELS": str(tmp_path / "others")}
    return tmp_path / "others", env | {"NUMBA_CACHE_DIR": str(tmp_path / "own")}


def test_a_machine_with_kernels_from_elsewhere_compiles_nothing(pellucid, others):
    place, env = others
    for path in place.iterdir():
        path.chmod(0o444)
    result = pellucid("warmup", FEW, "--input", "1x8x8", **env)
    assert (result.stderr, "compiled 0 kernels in" in result.stdout) == ("", True)
    assert not list(place.parent.rglob("own/*/*.nbc"))


def test_a_damaged_kernel_from_elsewhere_is_compiled_and_said(pellucid, others):
    place, env = others
    damaged = next(place.glob("updates.sgd*.nbc"), None) or next(place.glob("updates.*.nbc"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    result = pellucid("warmup", FEW, "--input", "1x8x8", **env)
    assert result.returncode == 0
    assert f"note: {place} has kernels of another version of Pellucid, or" in result.stderr
    assert "compiled 1 kernel in" in result.stdout
    assert len(list(place.parent.rglob("own/*/*.nbc"))) == 1


def test_kernels_for_a_level_of_processors_serve_this_one(pellucid, tmp_path):
    model = Sequential(relu=ReLU())
    model.input_shape = (2, 3, 3)
    library.save(model, tmp_path / "m.safetensors")
    level = {(16, 32): "x86-64-v4", (8, 16): "x86-64-v3"}.get((LANES, REGISTERS))
    if level is None:
        pytest.skip("not such a processor")
    result = pellucid("warmup", "m.safetensors", "--cpu", level, "--out", "kernels")
    assert (result.returncode, f"for {level} in kernels" in result.stdout) == (0, True)
    env = {"PELLUCID_KERNELS": "kernels", "NUMBA_CACHE_DIR": str(tmp_path / "own")}
    result = pellucid("warmup", "m.safetensors", **env)
    assert (result.stderr, "compiled 0 kernels in" in result.stdout) == ("", True)


def test_an_unknown_level_and_a_folder_with_something_else_are_refused(pellucid, tmp_path):
    result = pellucid("warmup", FEW, "--cpu", "x86-64-v5")
    assert result.returncode == 1
    assert "--cpu: 'x86-64-v5' is unknown. Did you mean 'x86-64-v4'? Known:" in result.stderr
    (tmp_path / "a").touch()
    result = pellucid("warmup", FEW, "--input", "1x8x8", "--out", ".")
    assert (result.returncode, "--out: must be a new or empty folder" in result.stderr) == (1, True)


def test_without_a_name_the_built_in_network_is_warmed_up_for_digits_and_mnist(pellucid):
    lines = pellucid("warmup").stdout.splitlines()
    assert lines[:2] == ["simple (1x8x8) is ready", "simple (1x28x28) is ready"]


def test_a_model_is_warmed_up_for_its_own_images(pellucid, short):
    assert f"{short} (1x8x8) is ready" in pellucid("warmup", short).stdout
    assert f"{short / 'model.safetensors'} (1x8x8) is ready" in (
        pellucid("warmup", short / "model.safetensors").stdout
    )


@pytest.fixture
def installed(tmp_path):
    """A copy of the package that may only be read."""
    copy = tmp_path / "lib" / "pellucid"
    source = Path(library.__file__).parent
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    folders = [folder for folder in copy.rglob("*") if folder.is_dir()] + [copy, copy.parent]
    for folder in folders:
        folder.chmod(0o555)
    yield copy
    for folder in folders:
        folder.chmod(0o755)


def test_kernels_that_cannot_be_kept_are_no_error(installed, tmp_path):
    model = Sequential(relu=ReLU())
    model.input_shape = (2, 3, 3)
    library.save(model, tmp_path / "m.safetensors")
    env = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    env |= {"PYTHONPATH": str(installed.parent), "HOME": "/dev/null"}
    env |= {"XDG_CACHE_HOME": "/dev/null/cache"}
    for named in ({}, {"NUMBA_CACHE_DIR": "/dev/null/kernels"}):
        result = subprocess.run(
            [*obeying(), sys.executable, "-m", "pellucid", "warmup", "m.safetensors"],
            env=env | named, cwd=tmp_path, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert (result.returncode, result.stderr) == (0, f"{NOTICE}\n")
        ready, compiled, kept = result.stdout.splitlines()
        assert ready == "m.safetensors (2x3x3) is ready"
        assert re.match(r"compiled [1-9]\d* kernels? in", compiled)
        assert kept.startswith("they cannot be cached: no folder is writable")
    assert not list(installed.rglob("*.nbc"))


@pytest.mark.parametrize("command", ["warmup", "profile"])
def test_a_model_that_is_not_there_or_says_no_size_is_refused(pellucid, tmp_path, command):
    result = pellucid(command, "simpel")
    assert result.returncode == 1
    assert re.search(r"MODEL: there is no file or folder 'simpel'.*'simple'", result.stderr)
    library.save(Sequential(conv=Conv2d(1, 2, 3)), tmp_path / "m.safetensors")
    result = pellucid(command, "m.safetensors")
    assert result.returncode == 1
    assert "does not say which images it was built for" in result.stderr
    result = pellucid(command, "simple", "--input", "28x28")
    assert "--input: must be channels x height x width" in result.stderr


COMPILES = """
import sys
import numba
from pellucid import engine
from pellucid.cli import main
original = engine.Plan.__call__
def slow(self, x):
    for _ in range(2):
        numba.njit(lambda x: x + 1)(1)
    return original(self, x)
engine.Plan.__call__ = slow
main(sys.argv[1:])
"""


@pytest.fixture
def compiling(tmp_path):
    """A program: pellucid, for which two kernels are compiled before each batch."""
    (tmp_path / "compiles.py").write_text(COMPILES)
    return ("compiles.py",)


def commands(run):
    return {
        "train": ("train", "--epochs", "1", "--limit", "30", "--out", "new"),
        "evaluate": ("evaluate", str(run)),
        "warmup": ("warmup", str(run)),
        "profile": ("profile", str(run), "--steps", "1"),
        "predict": ("predict", str(run), "a.png"),
    }


@pytest.fixture
def picture(tmp_path):
    library.viz.save_figure(library.viz.filters(np.ones((4, 1, 3, 3))), tmp_path / "a.png")


COMMANDS = ["train", "evaluate", "warmup", "profile", "predict"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_compilation_is_one_plain_line_where_there_is_no_terminal(
    pellucid, compiling, short, picture, command
):
    result = pellucid(*commands(short)[command], program=compiling)
    assert result.returncode == 0
    lines = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    assert lines in ([NOTICE], [NOTICE, NOTICE])  # train: it measures in the end
    assert "compiling" not in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_on_a_terminal_the_line_counts_and_is_gone_in_the_end(
    tmp_path, compiling, short, picture, command
):
    sent = on_terminal(80, tmp_path, *commands(short)[command], program=compiling)
    assert NOTICE in without_codes(sent)
    assert re.search(rf"{re.escape(NOTICE)} 1", without_codes(sent))
    assert NOTICE not in screen(sent)
    assert len(screen(sent).splitlines()) >= 3


def screen(sent: str) -> str:
    """Return what is left to see of what was sent to a terminal."""
    lines, row, column = [""], 0, 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", sent):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif re.fullmatch(r"\x1b\[\d*A", piece):
            row = max(0, row - int(piece[2:-1] or 1))
        elif re.fullmatch(r"\x1b\[2?K", piece):
            lines[row] = "" if "2" in piece else lines[row][:column]
        elif not piece.startswith("\x1b"):
            line = lines[row].ljust(column)
            lines[row] = line[:column] + piece + line[column + len(piece) :]
            column += len(piece)
    return "\n".join(lines)


def test_a_profile_shows_every_step_of_training_and_inference(pellucid, short):
    result = pellucid("profile", short, "--steps", "3", "--batch-size", "20")
    assert (result.returncode, result.stderr) == (0, "")
    assert "training, 20 images a step" in result.stdout
    assert "inference, 20 images a call" in result.stdout
    header = next(line for line in result.stdout.splitlines() if line.startswith("step"))
    assert re.split(r" {2,}", header)[-2:] == ["GFLOP/s", "of product"]
    steps = [line.split()[0] for line in result.stdout.splitlines() if line]
    for name in ("conv1", "affine1", "affine2", "all"):
        assert steps.count(name) == 2
    assert len(re.findall(r"; [\d,]+ images/s$", result.stdout, re.MULTILINE)) == 2
    assert re.search(r"1 threads; NumPy's matrix product: \d+ GFLOP/s", result.stdout)


def test_a_profile_takes_threads_data_and_images(pellucid, short):
    options = ("--steps", "1", "--batch-size", "10")
    assert "\n3 threads; " in pellucid("profile", "simple", "--threads", "3", *options).stdout
    digits = pellucid("profile", "simple", "--data", "digits", *options).stdout
    assert "30x4x4" in digits  # the filters on 8x8 images
    mnist = pellucid("profile", "simple", *options).stdout
    assert "30x12x12" in mnist
    assert "30x14x14" in pellucid("profile", "simple", "--input", "3x32x32", *options).stdout
    assert pellucid("profile", short, "--data", "digits", *options).returncode == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--data digist", r"--data: there is no data set 'digist'"),
        ("--data digits --input 1x8x8", r"--input: the images of --data have their own size"),
        ("--optimizer adma", r"--optimizer: 'adma' is unknown"),
        ("--threads 99999", r"--threads: must be a whole number from 1 to 1024"),
    ],
)
def test_a_profile_refuses_by_the_option_s_name(pellucid, options, words):
    result = pellucid("profile", "simple", *options.split())
    assert result.returncode == 1
    assert re.search(words, result.stderr)


def test_a_nonsensical_number_of_threads_in_the_environment_is_told(pellucid):
    result = pellucid("train", "--epochs", "1", PELLUCID_NUM_THREADS="many")
    assert result.returncode == 1
    assert result.stderr.startswith("error: PELLUCID_NUM_THREADS: must be a whole number from 1")


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
def test_the_engine_that_was_asked_for_computes(pellucid, short, picture, engine):
    code = (
        "import sys\n"
        "from pellucid.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print('numba' in sys.modules)"
    )
    for command in ("train", "evaluate", "predict"):
        arguments = (*commands(short)[command], "--engine", engine)
        result = pellucid(*arguments, program=("-c", code))
        assert result.stdout.splitlines()[-1] == str(engine == "compiled"), command


def test_a_run_is_evaluated_by_the_engine_that_made_it(pellucid, short, tmp_path):
    pellucid("train", "--epochs", "1", "--limit", "30", "--engine", "numpy", "--out", "plain")
    code = (
        "import sys\n"
        "from pellucid.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print('numba' in sys.modules)"
    )
    for run, loaded in ((tmp_path / "plain", "False"), (short, "True")):
        said = pellucid("evaluate", run, program=("-c", code)).stdout
        assert said.splitlines()[-1] == loaded


def test_both_engines_evaluate_and_predict_alike(pellucid, trained, picture):
    for command in (("evaluate", trained[0]), ("predict", trained[0], "a.png")):
        fast, plain = (pellucid(*command, "--engine", e).stdout for e in ("compiled", "numpy"))
        assert fast == plain != ""


def test_an_unknown_engine_is_wrong_usage(pellucid, short):
    result = pellucid("evaluate", short, "--engine", "gpu")
    assert result.returncode == 2
    assert "'--engine'" in result.stderr


def test_without_the_compiler_the_engine_is_refused_in_words_and_the_layers_work(pellucid, short):
    off = {"NUMBA_DISABLE_JIT": "1"}
    for command in (["evaluate", short], ["profile", "simple"], ["report", short]):
        result = pellucid(*command, **off)
        assert result.returncode == 1
        assert result.stderr.startswith("error: NUMBA_DISABLE_JIT: turns off Numba's compiler")
    by_layers = pellucid("evaluate", short, "--engine", "numpy", **off)
    assert by_layers.returncode == 0, by_layers.stderr
    assert by_layers.stdout == pellucid("evaluate", short, "--engine", "numpy").stdout


@pytest.mark.parametrize(("old", "new"), [("fast", "compiled"), ("reference", "numpy")])
def test_a_run_of_version_0_1_names_its_engine_otherwise(tmp_path, old, new):
    from pellucid.runs import read_config

    config = tmp_path / "config.toml"
    config.write_text(f'data = "digits"\nengine = "{old}"\n', encoding="utf-8")
    assert read_config(config)["engine"] == new
