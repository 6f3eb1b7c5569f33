"""pellucid studio, from its command to its address and its end."""

import os
import re
import shutil
import signal
import socket
from contextlib import closing

import httpx
import pytest

from pellucid.studio.envelope import pack, unpack
from studio.serving import serving


def networks(studio):
    with studio.client() as client:
        return unpack(client.post("/ask/networks", content=pack({})).content)["networks"]


def test_without_a_source_it_shows_a_new_network_on_the_embedded_digits(tmp_path):
    with serving(cwd=tmp_path) as studio, studio.client() as client:
        network = unpack(client.post("/ask/network", content=pack({})).content)
        assert network["input"] == [1, 8, 8]
        seen = client.post("/ask/see", content=pack({"part": "test", "index": 0}))
        assert unpack(seen.content)["label"] in range(10)
    assert studio.errors[0].startswith("opened the network 'simple' with fresh weights")
    assert "there is no run in runs" in studio.errors[0]


def test_without_a_source_it_shows_the_newest_run(tmp_path, short):
    for name, age in (("older", 100), ("newest", 0), ("oldest", 200)):
        shutil.copytree(short, tmp_path / "runs" / name)
        model = tmp_path / "runs" / name / "model.safetensors"
        os.utime(model, (1_700_000_000 - age,) * 2)
    (tmp_path / "runs" / "unfinished").mkdir()
    with serving(cwd=tmp_path) as studio:
        assert [each["name"] for each in networks(studio)] == ["newest"]
    assert studio.errors[0].startswith("opened runs/newest, the newest run")


def test_several_sources_are_open_at_once(tmp_path, short):
    with serving(short, "resnet20", "INPUT -> CONV3-4 -> RELU -> FC", cwd=tmp_path) as studio:
        names = [each["name"] for each in networks(studio)]
    assert names[:2] == ["short", "resnet20"]


def test_a_data_set_without_a_network_has_one_of_its_size(tmp_path):
    with serving("--data", "digits", "--lang", "ko", cwd=tmp_path) as studio:
        assert [each["name"] for each in networks(studio)] == ["simple"]


def test_the_address_alone_is_printed_where_results_are(start, tmp_path):
    with start("studio", "simple", "--no-open", "--quiet", cwd=tmp_path) as process:
        address = process.stdout.readline()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/door#[\w-]+\n", address)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (143, "", "the studio has ended\n")


@pytest.mark.skipif(os.name != "posix", reason="names a program of the shell as the browser")
def test_the_browser_is_opened_at_the_address(start, tmp_path):
    os.mkfifo(tmp_path / "opened")
    (tmp_path / "browser").write_text(f'#!/bin/sh\necho "$1" > "{tmp_path}/opened"\n')
    (tmp_path / "browser").chmod(0o755)
    with start("studio", "simple", cwd=tmp_path, BROWSER=f"{tmp_path}/browser %s") as process:
        address = process.stdout.readline()
        assert (tmp_path / "opened").read_text() == address  # waits until it is written
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode == 130


def test_a_port_that_is_taken_is_named(pellucid):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        result = pellucid("studio", "simple", "--no-open", "--port", port)
    assert result.returncode == 1
    assert f"--port: {port} is taken by another program." in result.stderr
    assert result.stdout == ""


def test_other_machines_are_let_in_only_if_that_is_asked_for(pellucid):
    result = pellucid("studio", "simple", "--no-open", "--host", "0.0.0.0")
    assert result.returncode == 1
    assert "--host: '0.0.0.0' can be reached by other machines" in result.stderr
    assert "--allow-remote" in result.stderr


def test_an_address_of_another_machine_cannot_be_listened_on(pellucid):
    asked = ("--host", "192.0.2.1", "--allow-remote")
    result = pellucid("studio", "simple", "--no-open", *asked)
    assert result.returncode == 1
    assert result.stderr.startswith("error: --host: ")


def test_other_machines_reach_it_by_its_names_only_and_the_command_says_what_that_means(tmp_path):
    with serving("simple", "--host", "0.0.0.0", "--allow-remote", cwd=tmp_path) as studio:
        for name, status in ((socket.gethostname(), 200), ("evil.example", 421)):
            headers = {"Host": f"{name}:{studio.port}"}
            local = f"http://127.0.0.1:{studio.port}/door"
            assert httpx.get(local, headers=headers, trust_env=False).status_code == status
    assert studio.errors[0].startswith("note: other machines can reach this studio")


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_it_listens_on_the_loopback_address_of_ipv6(tmp_path):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving("simple", "--host", "::1", cwd=tmp_path) as studio:
        assert studio.origin == f"http://[::1]:{studio.port}"
        assert networks(studio)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("nothing", "there is no file or folder 'nothing'"),
        ("simple --image 8", "--image: must be channels x height x width"),
        ("simple --data nothing", "--data: there is no data set 'nothing'"),
        ("simple --lang fr", "'fr' is not one of"),
    ],
)
def test_what_cannot_be_opened_is_refused_before_an_address_is_printed(pellucid, arguments, words):
    result = pellucid("studio", "--no-open", *arguments.split())
    assert result.returncode in (1, 2)
    assert words in result.stderr
    assert result.stdout == ""


def test_without_its_extra_it_says_how_to_install_it(pellucid):
    code = (
        "import sys\n"
        "sys.modules['uvicorn'] = None\n"
        "from pellucid.cli import main; main(sys.argv[1:])"
    )
    result = pellucid("studio", "simple", "--no-open", program=("-c", code))
    assert result.returncode == 1
    assert 'pip install "pellucid[studio]"' in result.stderr
