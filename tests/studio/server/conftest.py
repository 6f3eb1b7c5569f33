"""A studio with a few questions more, that tests need: some that hang, fail, or tell events."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import httpx
import pytest

from pellucid.studio.envelope import pack, unpack
from studio.serving import PATIENCE, Serving, serving

QUESTIONS = """
import gc, sys, threading, time
from pathlib import Path
import numpy as np
from pellucid.studio.registry import question

@question("fails")
def fails(opened):
    raise RuntimeError("a secret of the server")

@question("sleeps")
def sleeps(opened, *, seconds: float):
    time.sleep(seconds)
    return {"slept": seconds}

@question("counts")
def counts(opened, *, seconds: float, report):
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        report(1, 2)
        time.sleep(0.01)
    report(2, 2)
    return {"counted": seconds}

@question("large")
def large(opened):
    return np.zeros(1 << 22, np.float32)

@question("unread", studio=True)
def unread(studio):
    from pellucid.studio.server.patience import PatientProtocol
    found = [each for each in gc.get_objects() if isinstance(each, PatientProtocol)]
    return sum(each.flow.write_paused and not each.transport.is_closing() for each in found)

holding, freed = threading.Event(), threading.Event()

@question("holds")
def holds(opened):
    holding.set()
    freed.wait()
    freed.clear()
    return {}

@question("is_held", studio=True)
def is_held(studio, *, report):
    holding.wait()
    holding.clear()
    return {}

@question("frees", studio=True)
def frees(studio, *, report):
    freed.set()
    return {}

@question("saves", studio=True)
def saves(studio):
    studio.closing.append(lambda: Path("saved").write_text("all of it"))
    return {}

@question("tells", studio=True)
def tells(studio, *, name: str, count: int, data: dict):
    for k in range(count):
        studio.events.tell(name, {**data, "k": k})
    return {}
"""
RUN = "\nfrom pellucid.cli import main\nmain(sys.argv[1:])\n"


def program(setting: str = "") -> tuple[str, str]:
    """Return how a process is started in which ``setting`` is run before the command."""
    return "-c", QUESTIONS + setting + RUN


@pytest.fixture(scope="module")
def setting() -> str:
    """Code that a module's studio runs before it starts, as to set a limit."""
    return ""


@pytest.fixture(scope="module")
def studio(setting, tmp_path_factory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("studio")
    with serving("simple", cwd=folder, program=program(setting)) as started:
        yield started


@pytest.fixture(scope="module")
def client(studio) -> Iterator[httpx.Client]:
    with studio.client() as client:
        yield client


@pytest.fixture(scope="module")
def ask(client) -> Callable[..., httpx.Response]:
    return lambda name, /, **given: client.post(f"/ask/{name}", content=pack(given))


@pytest.fixture(scope="module")
def answer(ask) -> Callable[..., object]:
    def answer(name: str, /, **given: object) -> object:
        reply = ask(name, **given)
        assert reply.status_code == 200, reply.text
        return unpack(reply.content)

    return answer


@pytest.fixture
def connect(studio) -> Iterator[Callable[..., socket.socket]]:
    """Open a bare connection, and send bytes."""
    opened = []

    def connect(sent: bytes = b"") -> socket.socket:
        one = socket.create_connection(("127.0.0.1", studio.port), PATIENCE)
        opened.append(one)
        one.sendall(sent)
        return one

    yield connect
    for one in opened:
        one.close()


def received(connection: socket.socket) -> bytes:
    """Return all that comes until the server ends the connection."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)
