"""Many clients that hang on, and one that asks."""

import http.client

import numpy as np
import pytest

from studio.server.conftest import received


@pytest.fixture(scope="module")
def setting():
    """No connection is ended for being slow: only for room."""
    return "from pellucid.studio.server import patience\npatience.HEADER_SECONDS = 3600\n"


def is_open(connection):
    connection.setblocking(False)
    try:
        return bool(connection.recv(1 << 16))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def listening(studio, client):
    """Return the answer to a request for events, of which the head has been read."""
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=60)
    connection.request("GET", "/events", headers={"Cookie": cookie})
    return connection, connection.getresponse()


def test_the_page_answers_while_a_hundred_slow_ones_and_a_hundred_streams_hang_on(
    studio, client, answer, connect
):
    half = [connect(b"POST /ask/see HTTP/1.1\r\nHost: ") for _ in range(100)]
    streams = [listening(studio, client) for _ in range(100)]
    try:
        assert client.get("/main.js").status_code == 200
        assert answer("networks")["networks"]
        assert answer("see", numbers=np.zeros((1, 28, 28), np.float32))["probabilities"].shape == (
            10,
        )
        assert all(is_open(each) for each in half)
        # All but four have given way to newer ones, and know it.
        for _, stream in streams[:-4]:
            assert b"event: elsewhere" in stream.read()
        answer("tells", name="told", count=1, data={"word": "heard"})
        for _, stream in streams[-4:]:
            text = b""
            while b"heard" not in text:
                text += stream.readline()
            assert b"elsewhere" not in text
    finally:
        for connection, stream in streams:
            stream.close()
            connection.close()


def test_the_newest_connection_finds_room_and_the_oldest_idle_one_gives_way(answer, connect):
    many = [connect(b"GET / HTTP/1.1\r\n") for _ in range(250)]
    assert answer("networks")
    assert received(many[0]) == b""
    assert is_open(many[-1])
