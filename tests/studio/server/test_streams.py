"""Events as a page hears them."""

import base64
import json

import pytest

from pellucid.studio.envelope import unpack


@pytest.fixture(scope="module")
def setting():
    return "from pellucid.studio.server import streams\nstreams.BEAT = 0.2\n"


@pytest.fixture
def heard(client):
    """Yield the lines of a stream of events."""
    with client.stream("GET", "/events") as reply:
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        lines = reply.iter_lines()
        assert next(lines).startswith("retry: ")
        yield lines


def data_of(name, lines):
    while next(lines) != f"event: {name}":
        pass
    return next(lines).removeprefix("data: ")


def test_an_event_is_heard_as_json(answer, heard):
    answer("tells", name="changed", count=1, data={"network": "n1", "text": "한\n국"})
    told = data_of("changed", heard)
    assert json.loads(told) == {"network": "n1", "text": "한\n국", "k": 0}


def test_numbers_that_json_lacks_come_in_an_envelope(answer, heard):
    answer("tells", name="training", count=1, data={"loss": float("inf")})
    told = data_of("training", heard)
    assert unpack(base64.b64decode(told)) == {"loss": float("inf"), "k": 0}


def test_a_quiet_stream_is_kept_by_comments(heard):
    while next(heard) != ": ":
        pass


def test_a_page_that_reads_slowly_is_told_the_newest_and_holds_nobody_up(answer, heard):
    data = {"filling": "x" * 10_000}
    answer("tells", name="training", count=3000, data=data)  # more than all buffers hold
    answer("tells", name="rare", count=1, data={})
    answer("tells", name="training", count=300, data={"job": "another"})
    answer("tells", name="end", count=1, data={})
    told, name = [], ""
    for line in heard:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: ") and name == "training":
            data = json.loads(line.removeprefix("data: "))
            told.append((data.get("job"), data["k"]))
        elif line == "data: " + json.dumps({"k": 0}):
            told.append((name, 0))
            if name == "end":
                break
    first = [k for job, k in told if job is None]
    assert first == sorted(first)
    assert first[-1] == 2999
    assert len(first) < 3000
    # What came meanwhile is not lost among them: the newest of each, in the order they were told.
    newest = [each for each in told if each in {(None, 2999), ("rare", 0), ("another", 299)}]
    assert newest == [(None, 2999), ("rare", 0), ("another", 299)]
    assert told[-1] == ("end", 0)
