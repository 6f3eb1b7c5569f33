"""Who is let in, who is refused, and what every answer carries: a real server, from outside."""

from __future__ import annotations

import http.client
import re
from contextlib import closing

import httpx
import pytest

from pellucid.studio.envelope import pack
from studio.serving import serving

STRANGER = {"trust_env": False, "timeout": 60}


def refused(reply: httpx.Response, status: int, kind: str) -> None:
    assert reply.status_code == status
    assert reply.json()["kind"] == kind
    assert reply.json()["error"].endswith(".")


def test_the_key_works_once_and_then_says_what_to_do(studio, client):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/door#[\w-]{43}", studio.address)
    headers = {"Origin": studio.origin}
    again = httpx.post(f"{studio.origin}/trade", content=studio.key, headers=headers, **STRANGER)
    refused(again, 403, "key")
    assert "set-cookie" not in again.headers
    page = httpx.get(f"{studio.origin}/door", **STRANGER).text
    assert "start it again, and open the address that it prints" in page


def test_a_browser_that_is_signed_in_may_open_the_address_again(studio, client):
    assert client.post("/trade", content=studio.key).json() == {"to": "/"}


def test_the_cookie_is_for_this_server_alone(studio, tmp_path):
    with serving("simple", "--lang", "ko", cwd=tmp_path) as other:
        headers = {"Origin": other.origin}
        wrong = httpx.post(f"{other.origin}/trade", content="a", headers=headers, **STRANGER)
        refused(wrong, 403, "key")
        reply = httpx.post(f"{other.origin}/trade", content=other.key, headers=headers, **STRANGER)
    assert reply.json() == {"to": "/#lang=ko"}
    name, value, *rules = re.split("[=;] ?", reply.headers["set-cookie"], maxsplit=2)
    assert name == f"pellucid-studio-{other.port}"
    assert set(rules[0].split("; ")) == {"HttpOnly", "Path=/", "SameSite=strict"}
    with studio.client(cookies={f"pellucid-studio-{studio.port}": value}) as stranger:
        refused(stranger.post("/ask/networks", content=pack({})), 401, "stranger")


@pytest.mark.parametrize("path", ["/index.html", "/main.js", "/texts/en.json", "/events", "/x"])
def test_a_stranger_gets_nothing_but_the_door(studio, path):
    refused(httpx.get(studio.origin + path, **STRANGER), 401, "stranger")


def test_a_stranger_at_the_front_is_told_what_to_open(studio):
    reply = httpx.get(studio.origin, **STRANGER)
    assert reply.status_code == 401
    assert "open the address that it prints" in reply.text


@pytest.mark.parametrize("cookie", ["", "x", "é", "a" * 5000])
def test_a_made_up_cookie_is_a_stranger_s(studio, client, cookie):
    headers = {
        "Origin": studio.origin,
        "Cookie": f"pellucid-studio-{studio.port}={cookie}".encode(),
    }
    reply = httpx.post(f"{studio.origin}/ask/networks", content=b"", headers=headers, **STRANGER)
    refused(reply, 401, "stranger")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "127.0.0.1:{port}.x", ""],
)
@pytest.mark.parametrize("path", ["/", "/door", "/door.js"])
def test_a_name_that_resolves_to_this_machine_is_not_this_server(studio, client, host, path):
    host = host.format(port=studio.port)
    reply = client.get(path, headers={"Host": host})
    if host:
        refused(reply, 421, "host")
    else:
        assert reply.status_code in (400, 421)


def test_the_names_of_this_machine_are_this_server(studio, client):
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        assert client.get("/", headers={"Host": f"{name}:{studio.port}"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://localhost:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
def test_no_other_site_s_page_asks_or_listens(studio, client, headers):
    headers = {key: value.format(port=studio.port) for key, value in headers.items()}
    for path in ("/ask/networks", "/cancel", "/trade"):
        refused(client.post(path, content=pack({}), headers=headers), 403, "origin")
    refused(client.get("/events", headers=headers), 403, "origin")


def test_a_header_that_comes_twice_does_not_hide_another_site(client):
    site = b"Sec-Fetch-Site"
    twice = [*client.headers.raw, (site, b"same-origin"), (site, b"cross-site")]
    with httpx.Client(base_url=client.base_url, cookies=client.cookies, **STRANGER) as other:
        refused(other.post("/ask/networks", content=pack({}), headers=twice), 403, "origin")


def test_what_does_not_say_where_it_comes_from_asks_nothing(studio, client):
    with httpx.Client(base_url=studio.origin, cookies=client.cookies, **STRANGER) as silent:
        refused(silent.post("/ask/networks", content=pack({})), 403, "origin")


@pytest.mark.parametrize("path", ["/", "/door", "/main.js", "/style.css", "/nothing", "/ask/x"])
def test_every_answer_carries_the_same_policy(client, path):
    for reply in (client.get(path), client.head(path), client.post(path), client.put(path)):
        directives = dict(
            part.split(" ", 1) for part in reply.headers["Content-Security-Policy"].split("; ")
        )
        assert directives == {
            "default-src": "'none'", "script-src": "'self'", "style-src": "'self'",
            "img-src": "'self' blob: data:", "connect-src": "'self'", "worker-src": "'self'",
            "frame-ancestors": "'none'", "base-uri": "'none'", "form-action": "'none'",
        }  # fmt: skip
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["Cache-Control"] == "no-store"
        assert "server" not in reply.headers


def test_files_have_the_type_that_a_browser_insists_on(client):
    types = {
        "/": "text/html", "/main.js": "text/javascript", "/views/index.js": "text/javascript",
        "/style.css": "text/css", "/texts/ko.json": "application/json",
    }  # fmt: skip
    for path, expected in types.items():
        reply = client.get(path)
        assert reply.status_code == 200
        assert reply.headers["Content-Type"].split(";")[0] == expected


@pytest.mark.parametrize(
    "path",
    ["/../opened.py", "/..%2fopened.py", "/%2e%2e/opened.py", "//etc/passwd", "/views", "/views/",
     "/views/..%2f..%2f__init__.py", "/texts\\en.json", "/jsconfig.json", "/main.js%00.html",
     "/C:/Windows/win.ini"],
)  # fmt: skip
def test_a_path_names_a_file_of_the_page_or_nothing(studio, client, path):
    with closing(http.client.HTTPConnection("127.0.0.1", studio.port, timeout=60)) as connection:
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        connection.request("GET", path, headers={"Cookie": cookie})
        assert connection.getresponse().status == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client, method):
    reply = client.request(method, "/ask/networks")
    refused(reply, 405, "method")
    assert reply.headers["Allow"] == "GET, HEAD, POST"


def test_questions_are_asked_by_post_only(client):
    for path in ("/ask/networks", "/cancel", "/trade"):
        assert client.get(path).status_code == 404
        assert client.head(path).status_code == 404


def test_head_is_get_without_the_body(client):
    for path in ("/", "/main.js", "/events"):
        reply = client.head(path)
        assert (reply.status_code, reply.content) == (200, b"")
