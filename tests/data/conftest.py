"""A machine with no data set on it, and miniature sets and mirrors to put there."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from pellucid.data.catalogue import CATALOGUE
from pellucid.data.data_source import PublishedFile
from pellucid.data.idx import checksum, write_idx

FILE_NAMES = CATALOGUE["mnist"].forms[0].files


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test from this machine's data sets; return the folder that is the cache."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(folder / name))
    monkeypatch.delenv("PELLUCID_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name, source in CATALOGUE.items():
        monkeypatch.setitem(CATALOGUE, name, replace(source, mirrors=(), system_folders=()))
    return folder / "pellucid" / "datasets"


@dataclass
class Miniature:
    """Twelve training and four test images in the form of a data set."""

    name: str
    arrays: dict[str, np.ndarray]

    def put(self, folder: Path, ending: str = ".gz", dotted: bool = False) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in self.arrays.items():
            write_idx(folder / ((name.replace("-idx", ".idx") if dotted else name) + ending), array)
        return folder


@pytest.fixture
def miniature(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Miniature]:
    """Return a function that replaces a set in the table by a small one with its own hashes."""

    def make(name: str = "mnist") -> Miniature:
        rng = np.random.default_rng(len(name))
        arrays = {
            file: rng.integers(0, 10, (12 if "train" in file else 4,), dtype=np.uint8)
            if "labels" in file
            else rng.integers(0, 256, (12 if "train" in file else 4, 28, 28), dtype=np.uint8)
            for file in FILE_NAMES
        }
        singles = tuple(
            PublishedFile(f"{file}.gz", 1000, checksum(array)) for file, array in arrays.items()
        )
        source = CATALOGUE[name]
        forms = (replace(source.forms[0], singles=singles),)
        monkeypatch.setitem(CATALOGUE, name, replace(source, train=12, test=4, forms=forms))
        return Miniature(name, arrays)

    return make


@dataclass
class Mirror:
    """A server on this machine: what it has, what it claims, and what it was asked for.

    Where it ``stalls``, it sends half of a file and no more until it is told to go on.
    """

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    claims: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    stalls: bool = False
    half_sent: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def offer(self, miniature: Miniature) -> None:
        for name, array in miniature.arrays.items():
            header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
            self.files[f"{name}.gz"] = gzip.compress(header + array.tobytes())


@pytest.fixture
def mirror() -> Iterator[Callable[[], Mirror]]:
    """Return a function that starts a mirror."""
    servers = []

    def start() -> Mirror:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.lstrip("/")
                state.asked.append(name)
                if name not in state.files:
                    self.send_error(404)
                    return
                body = state.files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(state.claims.get(name, len(body))))
                self.end_headers()
                if state.stalls:
                    self.wfile.write(body[: len(body) // 2])
                    state.half_sent.set()
                    state.go_on.wait(60)
                    return
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        state = Mirror(f"http://127.0.0.1:{server.server_address[1]}/")
        return state

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()
