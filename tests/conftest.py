"""What all tests share: how Hypothesis draws, and how an independent witness is called."""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable
from types import ModuleType

# Before NumPy is loaded: the test processes share out the cores, and BLAS threads would fight.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Hundreds of processes are started here, and each would compile all source that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
from hypothesis import HealthCheck, settings

# A shell lets what it starts in the background ignore Ctrl-C, and all that that starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "pellucid",
    deadline=None,  # the first call may compile or import; time is measured in benchmarks/
    derandomize=True,  # the same examples on every machine: a failure can be repeated
    max_examples=30,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a bug
)
settings.load_profile("pellucid")


@pytest.fixture(autouse=True, scope="session")
def no_helpers() -> None:
    """Where test processes share out the cores, have none of them start more to compile kernels.

    A helper takes 2.5 s of a core until it has compiled its first one.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        from pellucid.kernels.ahead import crew

        crew.MOST = 0


def _peer(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        message = f"{name} is not installed: pip install 'pellucid[peer]'"
        if os.environ.get("PELLUCID_REQUIRE_PEERS") == "1":
            pytest.fail(f"{message} (PELLUCID_REQUIRE_PEERS=1 asks for it)")
        pytest.skip(message)


@pytest.fixture(scope="session")
def peer() -> Callable[[str], ModuleType]:
    """Import a peer by name; skip without it, or fail where PELLUCID_REQUIRE_PEERS=1."""
    return _peer


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """PyTorch, on one thread: the arrays here are too small to share."""
    module = _peer("torch")
    module.set_num_threads(1)
    return module


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """With PELLUCID_SHOW_ERRORS=1, print the worst error that each comparison has seen."""
    if os.environ.get("PELLUCID_SHOW_ERRORS") != "1":
        return
    from ops.witness import worst_seen

    terminalreporter.section("worst relative errors")
    for (what, dtype), error in sorted(worst_seen.items()):
        terminalreporter.write_line(f"{what:45} {dtype:8} {error:.1e}")
