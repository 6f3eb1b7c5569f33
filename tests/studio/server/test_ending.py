"""How a studio ends, and what is left."""

import signal
import threading
import time

import pytest

from pellucid.studio.envelope import pack
from studio.server.conftest import program
from studio.serving import serving


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_ends_while_everything_hangs_and_saves_what_is_to_be_saved(tmp_path, number, code):
    with serving("simple", cwd=tmp_path, program=program()) as studio, studio.client() as client:
        client.post("/ask/saves", content=pack({}))
        threads = [threading.Thread(target=_hang, args=(studio, client, k)) for k in range(3)]
        for thread in threads:
            thread.start()
        with client.stream("GET", "/events") as events:
            lines = events.iter_lines()
            while next(lines) != "event: progress":  # so all three have begun
                pass
            begin = time.perf_counter()
            assert studio.stop(number) == code
            print(f"ended after {time.perf_counter() - begin:.1f} s")
        for thread in threads:
            thread.join()
    assert (tmp_path / "saved").read_text() == "all of it"
    assert studio.errors == ["the studio has ended\n"]


def _hang(studio, client, k):
    body = [("sleeps", {"seconds": 600.0}), ("see", {}), ("counts", {"seconds": 600.0, "job": "j"})]
    name, given = body[k]
    try:
        with studio.client(client.cookies) as page:
            page.post(f"/ask/{name}", content=pack(given))
    except Exception:  # however the connection ends
        pass


def test_a_restart_knows_nobody(tmp_path):
    with serving("simple", cwd=tmp_path) as first, first.client() as client:
        cookies = client.cookies
    port = str(first.port)
    with serving("simple", "--port", port, cwd=tmp_path) as second, second.client(cookies) as old:
        reply = old.post("/ask/networks", content=pack({}))
        assert (reply.status_code, reply.json()["kind"]) == (401, "stranger")
