"""Questions over HTTP: in turn, cancelled, superseded, failed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from pellucid.studio.envelope import pack, unpack
from studio.serving import PATIENCE

IMAGE = np.zeros((1, 28, 28), np.float32)
SOON = httpx.Timeout(PATIENCE, read=0.3)  # for an answer; what is sent takes the time that it takes


@pytest.fixture
def aside(studio, client):
    """Ask in threads of their own; returns futures of the replies."""
    with ThreadPoolExecutor(40) as pool:
        yield lambda name, /, **given: pool.submit(_asked, studio, client.cookies, name, given)


def _asked(studio, cookies, name, given):
    with studio.client(cookies) as own:
        return own.post(f"/ask/{name}", content=pack(given))


def test_an_answer_has_the_numbers_of_the_engine(answer):
    seen = answer("see", numbers=IMAGE)
    assert seen["scores"].dtype == np.float32
    maps = answer("maps", image=seen["image"], value=1)
    assert maps["maps"].shape == (30, 24, 24)


def test_a_picture_that_is_drawn_is_taken_as_it_is(answer):
    drawn = np.full((280, 280, 4), 255, np.uint8)
    drawn[60:220, 130:150, :3] = 0
    assert answer("see", picture=drawn)["numbers"].shape == (1, 28, 28)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("tell", {}, "there is no question 'tell'"),
        ("see", {"nothing": 1}, "nothing: is not an argument of 'see'"),
        ("see", {}, "needs picture, file, numbers"),
        ("maps", {"image": "x", "value": "1"}, "value: must be int"),
        ("network", {"network": "n9"}, "no open network has the id 'n9'"),
        ("network", {"network": [1]}, "no open network has the id"),
        ("see", {"file": np.frombuffer(b"not a picture", np.uint8)}, "the picture"),
        ("see", {"part": "test", "index": 0}, "has no test images"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_with_a_sentence(ask, name, given, words):
    reply = ask(name, **given)
    assert reply.status_code == 400
    assert words in reply.json()["error"]
    assert reply.json()["kind"] == "refused"


def test_what_a_refusal_quotes_is_cut_and_is_text(ask, client):
    reply = ask("see", part="x" * 100_000, index=0)
    assert reply.status_code == 400
    assert len(reply.json()["error"]) < 3000
    message = pack({"part": "######", "index": 0}).replace(b"######", rb"\ud800")
    reply = client.post("/ask/see", content=message)
    assert "has no ? images" in reply.json()["error"]
    assert "Content-Security-Policy" in reply.headers


@pytest.mark.parametrize("body", [b"", b"abcdefgh", pack([1]), pack("x"), pack(None), bytes(1000)])
def test_a_body_that_is_no_message_is_refused(client, body):
    for path in ("/ask/networks", "/cancel"):
        reply = client.post(path, content=body)
        if path == "/ask/networks" or reply.status_code != 204:
            assert (reply.status_code, reply.json()["kind"]) == (400, "refused")


def test_an_image_that_is_no_longer_kept_is_asked_for_by_its_kind(ask):
    reply = ask("maps", image="0" * 16, value=1)
    assert (reply.status_code, reply.json()["kind"]) == (404, "forgotten")


def test_what_fails_is_told_to_the_terminal_and_not_to_the_page(studio, ask, answer):
    reply = ask("fails")
    assert reply.status_code == 500
    assert reply.json() == {
        "error": "The server failed; its terminal says where.",
        "kind": "internal",
    }
    assert answer("networks")
    while not any("a secret of the server" in line for line in studio.errors):
        pass
    assert any("Traceback" in line for line in studio.errors)


def test_a_long_question_reports_and_does_not_hold_up_the_others(client, aside, answer):
    with client.stream("GET", "/events") as events:
        lines = events.iter_lines()
        next(lines)
        counting = aside("counts", seconds=300.0, job="j1")
        while next(lines) != "event: progress":
            pass
        assert next(lines) == 'data: {"job": "j1", "done": 1, "of": 2}'
        assert answer("networks")
        assert answer("see", numbers=IMAGE)
        assert client.post("/cancel", content=pack({"job": "j1"})).status_code == 204
        assert counting.result().json()["kind"] == "cancelled"
    assert answer("counts", seconds=0.0) == {"counted": 0.0}


def test_a_long_question_of_a_page_that_leaves_is_given_up(studio, client, answer):
    with studio.client(client.cookies) as page, pytest.raises(httpx.ReadTimeout):
        page.post("/ask/counts", content=pack({"seconds": 1e9}), timeout=SOON)
    assert answer("counts", seconds=0.0) == {"counted": 0.0}


def test_a_question_that_waits_is_not_begun_once_its_page_left(studio, client, answer, aside):
    with client.stream("GET", "/events") as events:
        lines = events.iter_lines()
        next(lines)
        counting = aside("counts", seconds=1e9, job="first")
        while next(lines) != "event: progress":  # so the first has begun
            pass
    with studio.client(client.cookies) as page, pytest.raises(httpx.ReadTimeout):
        page.post("/ask/counts", content=pack({"seconds": 1e9}), timeout=SOON)
    client.post("/cancel", content=pack({"job": "first"}))
    assert counting.result().status_code == 409
    assert answer("counts", seconds=0.0) == {"counted": 0.0}


def test_cancelling_what_is_not_asked_is_not_an_error(client):
    assert client.post("/cancel", content=pack({"job": "none"})).status_code == 204


def test_while_a_line_is_drawn_only_its_newest_picture_is_looked_at(aside, answer):
    holding = aside("holds")
    answer("is_held")
    drawn, kinds = [], []
    for k in range(8):
        picture = np.full((1, 28, 28), k, np.float32)
        drawn.append(aside("see", numbers=picture, page="one"))
    other = aside("see", numbers=IMAGE, page="another")
    nameless = [aside("see", numbers=IMAGE) for _ in range(3)]
    # All but the last to arrive are refused at once, while the thread is still held.
    waiting = threading.Event()
    for each in drawn:
        each.add_done_callback(lambda done: (kinds.append(done), len(kinds) == 7 and waiting.set()))
    assert waiting.wait(300)
    answer("frees")
    assert holding.result().status_code == 200
    replies = [each.result() for each in drawn]
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 7
    for reply in replies:
        if reply.status_code == 409:
            assert reply.json()["kind"] == "superseded"
        else:
            assert unpack(reply.content)["numbers"].shape == (1, 28, 28)
    assert [each.result().status_code for each in (other, *nameless)] == [200] * 4


def test_more_questions_than_can_wait_are_told_to_come_later(aside, answer):
    holding = aside("holds")
    answer("is_held")
    many = [aside("see", numbers=IMAGE) for _ in range(39)]
    refused = threading.Semaphore(0)
    for each in many:
        each.add_done_callback(lambda _: refused.release())
    assert refused.acquire(timeout=60)
    answer("frees")
    holding.result()
    replies = [each.result() for each in many]
    busy = [reply for reply in replies if reply.status_code != 200]
    assert busy
    assert {(r.status_code, r.json()["kind"]) for r in busy} == {(503, "busy")}
