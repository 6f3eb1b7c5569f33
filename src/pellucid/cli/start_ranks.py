"""Start a command on several ranks of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ..errors import ArgumentError

__all__ = ["start_ranks"]


def start_ranks(ranks: int, *words: str) -> int:
    """Run ``pellucid`` with these words on ``ranks`` ranks by mpiexec; return its exit code.

    The launcher beside this Python comes first: the package mpich puts it there, and mpi4py of the
    same environment uses its library.

    Raises
    ------
    ArgumentError
        If there is no mpiexec.
    """
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    launcher = shutil.which("mpiexec", path=places)
    if launcher is None:
        raise ArgumentError(
            "needs mpiexec, which was not found beside Python or on the PATH. Install it with "
            "pip install 'pellucid[mpi]', or load the MPI of your cluster.",
            where="--ranks",
        )
    command = [launcher, "-n", str(ranks), sys.executable, "-m", "pellucid", *words]
    return subprocess.run(command, check=False).returncode
