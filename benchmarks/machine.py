"""What was measured on: the machine, and the versions of the libraries."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["facts"]

PACKAGES = ("pellucid", "numpy", "numba", "torch", "onnxruntime", "jax", "openvino")


def facts() -> dict[str, str]:
    """Return date, processor, cores, system and versions."""
    versions = {}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "measured": time.strftime("%Y-%m-%d %H:%M"),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    """Return the processor's name, where the system tells."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
