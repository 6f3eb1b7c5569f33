"""Processes that may not write where it is forbidden, whoever runs the tests."""

from __future__ import annotations

import os
import shutil

import pytest


def obeying() -> list[str]:
    """Return what to put before a command, so that even root keeps to a file's permissions."""
    if os.name != "posix":
        pytest.skip("other systems have other permissions")
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may write anywhere, and there is no setpriv")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
