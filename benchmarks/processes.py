"""Run measurements in separate processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["HERE", "Result", "call", "run"]

HERE = Path(__file__).parent

Result = dict[str, Any]


def call(script: str, *arguments: object, env: Mapping[str, str] | None = None) -> Result:
    """Run one of the scripts beside this one; return the JSON that it prints."""
    return json.loads(run(str(HERE / script), *map(str, arguments), env=env))


def run(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run Python with ``arguments``; return its output, or exit with its error."""
    command = [sys.executable, *arguments]
    process = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{process.stderr}")
    return process.stdout
