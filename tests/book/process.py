"""Scripts as a person runs them: real processes, in folders laid out like the book's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np

from pellucid import data
from pellucid.data.idx import write_idx

Result = subprocess.CompletedProcess[str]

LOUD = ("DISPLAY", "FORCE_COLOR", "MPLBACKEND", "NO_COLOR", "PELLUCID_DATA", "WAYLAND_DISPLAY")


def environment(**more: str) -> dict[str, str]:
    calm = {key: value for key, value in os.environ.items() if key not in LOUD}
    # Nothing is downloaded in tests: a proxy that refuses.
    offline = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    return {**calm, **offline, "OPENBLAS_NUM_THREADS": "1", "TERM": "xterm", **more}


def start(
    *arguments: str | Path, cwd: Path, program=("-m", "pellucid", "book"), **env: str
) -> subprocess.Popen[str]:
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


def run(*arguments: str | Path, cwd: Path, **options) -> Result:
    with start(*arguments, cwd=cwd, **options) as process:
        out, err = process.communicate(timeout=300)
    return Result(arguments, process.returncode, out, err)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text), encoding="utf-8")
    return path


def write_mnist(folder: Path) -> Path:
    """Write the bundled digits as if they were MNIST's: 28x28, and four gzipped files."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, part in zip(("train", "t10k"), data.digits(), strict=True):
        # But for one: whole, their labels would be known as the digits' own.
        large = part.images[1:, 0].repeat(3, axis=1).repeat(3, axis=2)
        images = np.pad(np.minimum(large * 16, 255), ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", part.labels[1:].astype(np.uint8))
    return folder
