"""pellucid export --html: a run becomes a page in which it runs."""

from __future__ import annotations


def test_a_run_becomes_one_file(pellucid, trained, tmp_path):
    result = pellucid("export", trained[0], "--html", "digits.html", "--lang", "ko")
    assert (result.returncode, result.stdout) == (0, "digits.html\n"), result.stderr
    assert result.stderr.endswith("MB; open it in a browser\n")
    text = (tmp_path / "digits.html").read_text("utf-8")
    assert '<html lang="ko">' in text
    assert "<title>digits: 이 페이지 안에서 실행되는 신경망</title>" in text


def test_options_of_a_page_are_refused_without_one(pellucid, tmp_path):
    result = pellucid("export", "lenet", "--numpy", "net.py", "--float16")
    assert result.returncode == 1
    assert "--float16: is for --html or --studio. Leave it out." in result.stderr
    result = pellucid("export", "alexnet-torchvision", "--html", "net.html")
    assert result.returncode == 1
    assert "browsers open at most 200 MB. With --float16 it is half of that" in result.stderr
    assert list(tmp_path.iterdir()) == []
