"""The command line as a person has it: real processes, real files, an empty folder to work in."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from pellucid.cli import main
from pellucid.runs import RunFolder, new_folder

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
SHORT = ("--epochs", "3", "--limit", "100", "--batch-size", "50")

Result = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    loud = ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "PELLUCID_DATA", "TTY_COMPATIBLE")
    calm = {key: value for key, value in os.environ.items() if key not in loud}
    return {**calm, **ONE_THREAD, "TERM": "xterm", **more}


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    def start(*arguments: str | Path, cwd: Path, program=("-m", "pellucid"), **env: str):
        return subprocess.Popen(
            [sys.executable, *program, *map(str, arguments)],
            cwd=cwd,
            env=environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    return start


@pytest.fixture(scope="session")
def finish(start) -> Callable[..., Result]:
    def finish(*arguments: str | Path, **options) -> Result:
        with start(*arguments, **options) as process:
            out, err = process.communicate(timeout=600)  # kernels may be compiled meanwhile
        assert "Traceback" not in err, err
        assert "Warning" not in err, err
        return Result(arguments, process.returncode, out, err)

    return finish


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels(finish, tmp_path_factory) -> None:
    """Have the kernels compiled before anybody looks at what is printed."""
    assert finish("warmup", cwd=tmp_path_factory.mktemp("warmup")).returncode == 0


def finished_here(*arguments: str | Path, cwd: Path) -> Result:
    """Run the command line to its end in this process, which saves the start of another one."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        pytest.MonkeyPatch.context() as changed,
        warnings.catch_warnings(),
        Path(os.devnull).open() as nothing,
    ):
        changed.chdir(cwd)
        for key in os.environ.keys() - environment().keys():
            changed.delenv(key)
        # A process without a terminal has 80 columns; this one may have a terminal.
        for key, value in {**environment(), "COLUMNS": "80"}.items():
            changed.setenv(key, value)
        for name, stream in (("stdin", nothing), ("stdout", out), ("stderr", err)):
            changed.setattr(sys, name, stream)
        warnings.simplefilter("always", UserWarning)  # all others are errors
        with pytest.raises(SystemExit) as end:
            main([*map(str, arguments)])
    for path in [*new_folder._LOCKS]:  # which the end of a process leaves to others
        new_folder.give_up(RunFolder(path))
    said = []
    for stream in (out, err):
        stream.flush()
        said.append(stream.buffer.getvalue().decode())
    assert "Warning" not in said[1], said[1]
    return Result(arguments, end.value.code or 0, *said)


@pytest.fixture
def pellucid(finish, tmp_path) -> Callable[..., Result]:
    """Run the command to its end, in ``tmp_path``."""
    return lambda *arguments, **options: finish(*arguments, cwd=tmp_path, **options)


@pytest.fixture
def here(finish, tmp_path) -> Callable[..., Result]:
    """Run the command to its end, in ``tmp_path``: in this process, unless ``options`` are given.

    With these, a program or an environment, it is a process of its own.
    """

    def here(*arguments: str | Path, **options) -> Result:
        if options:
            return finish(*arguments, cwd=tmp_path, **options)
        return finished_here(*arguments, cwd=tmp_path)

    return here


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="session")
def trained(finish, folder) -> tuple[Path, Result]:
    """A run on all digits, good enough to predict with, and what was printed."""
    result = finish("train", "--epochs", "5", "--lr", "0.003", "--out", "trained", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder / "trained", result


@pytest.fixture(scope="session")
def short(finish, folder) -> Path:
    """A run of three short epochs."""
    assert finish("train", *SHORT, "--out", "short", cwd=folder).returncode == 0
    return folder / "short"
