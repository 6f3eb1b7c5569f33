"""Run programs on several ranks, by the real mpiexec."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Of this environment first: mpi4py must find the MPI whose launcher this is.
MPIEXEC = shutil.which(
    "mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
)

needs_mpi = pytest.mark.skipif(MPIEXEC is None, reason="mpiexec is not installed")


def on_ranks(n, *command, timeout=120, check=True, **environment):
    """Run a Python program (source text), or a command's words, on ``n`` ranks of one thread."""
    words = [sys.executable, "-c", *command] if "\n" in command[0] else [*command]
    environment = os.environ | {"PELLUCID_NUM_THREADS": "1"} | environment
    done = subprocess.run(
        [MPIEXEC, "-n", str(n), *words],
        capture_output=True, text=True, timeout=timeout, env=environment, check=False,
    )  # fmt: skip
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done
