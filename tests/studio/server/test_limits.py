"""Bodies that are too large and clients that are too slow, with limits that a test can await."""

import socket

import pytest

from pellucid.studio.envelope import pack
from studio.server.conftest import received

MOST = 4 << 20


@pytest.fixture(scope="module")
def setting():
    return (
        "from pellucid.studio.server import bodies, patience, serving\n"
        "serving.KEEP_ALIVE = 2\n"
        "patience.HEADER_SECONDS = patience.WRITE_SECONDS = 1\n"
        "bodies.SECONDS = 3\n"  # in which the largest body comes on a busy machine too
    )


@pytest.fixture
def head(studio, client):
    """Return the header of a request that asks for ``path``."""

    def head(path: str, *lines: str) -> bytes:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        host = f"127.0.0.1:{studio.port}"
        first = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Origin: http://{host}"]
        return "\r\n".join([*first, f"Cookie: {cookie}", *lines, "", ""]).encode()

    return head


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("more", [(), ("Expect: 100-continue",)], ids=["plain", "expecting"])
@pytest.mark.parametrize("length", [MOST + 1, 10**12, 10**18])
def test_a_body_that_is_too_large_is_refused_by_its_header(connect, head, length, more):
    connection = connect(head("/ask/see", f"Content-Length: {length}", *more))
    answer = received(connection)
    assert status(answer) == 413
    assert b"At most 4,194,304 bytes can be sent at once." in answer


def test_a_body_that_does_not_say_its_size_is_counted(connect, head):
    connection = connect(head("/ask/see", "Transfer-Encoding: chunked"))
    piece = b"40000\r\n" + bytes(0x40000) + b"\r\n"
    for _ in range(17):
        connection.sendall(piece)
    assert status(received(connection)) == 413


def test_the_largest_body_is_read(ask, client):
    reply = client.post("/ask/see", content=bytes(MOST))
    assert (reply.status_code, reply.json()["kind"]) == (400, "refused")
    assert "is not a message of the studio's page" in reply.json()["error"]


@pytest.mark.parametrize(
    "length", ["abc", "-1", "1, 2", "+5", "", "0x10", "5\r\nContent-Length: 6"]
)
def test_a_length_that_is_no_number_is_refused(connect, head, length):
    assert status(received(connect(head("/ask/see", f"Content-Length: {length}")))) == 400


def test_what_comes_after_the_announced_body_is_no_part_of_it(connect, head, answer):
    connection = connect(head("/ask/networks", f"Content-Length: {len(pack({}))}") + pack({}))
    connection.sendall(b"and more" * 100 + b"\r\n\r\n")
    replies = received(connection)
    assert status(replies) == 200
    assert b"HTTP/1.1 400" in replies
    assert answer("networks")


def test_a_body_that_does_not_come_is_not_waited_for(connect, head):
    connection = connect(head("/ask/networks", "Content-Length: 1000") + b"a")
    answer = received(connection)
    assert status(answer) == 408
    assert b'"kind":"slow"' in answer


def test_a_stranger_s_body_is_not_read_at_all(studio, connect):
    host = f"Host: 127.0.0.1:{studio.port}\r\nOrigin: {studio.origin}\r\n"
    sent = f"POST /ask/see HTTP/1.1\r\n{host}Content-Length: {MOST}\r\n\r\n".encode()
    assert status(received(connect(sent))) == 401


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=str)
def test_a_header_that_does_not_come_is_not_waited_for(connect, sent):
    assert received(connect(sent)) == b""


def test_the_next_header_on_a_connection_is_not_waited_for_either(connect, studio):
    first = f"GET /door HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\n\r\n".encode()
    connection = connect(first)
    assert connection.recv(100)
    connection.sendall(b"GET /door HTTP/1.1\r\n")
    assert received(connection).count(b"HTTP/1.1") == 0


def test_a_header_of_any_length_is_not_read(connect):
    connection = connect(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
    try:
        for _ in range(100):
            connection.sendall(b"a" * 10_000)
    except ConnectionError:
        return
    assert b"HTTP/1.1 400" in received(connection) or not received(connection)


def test_an_answer_that_nobody_reads_is_broken_off(studio, head, answer):
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", studio.port))
        deaf.sendall(head("/ask/large", f"Content-Length: {len(pack({}))}") + pack({}))
        while not answer("unread"):
            pass
        while answer("unread"):
            pass
        assert len(received(deaf)) < 1 << 24


@pytest.mark.parametrize(
    "sent",
    [b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"PRI * HTTP/2.0\r\n\r\n", b"\xff" * 2000],
)
def test_what_is_not_http_ends_its_own_connection_only(connect, answer, sent):
    received(connect(sent))
    assert answer("networks")
