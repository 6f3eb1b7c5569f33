"""``pellucid export --studio``: a page with the studio's views."""

import json
import re


def _page(path):
    found = re.search(r'<script type="application/json" id="page">(.*?)</script>', path.read_text())
    return json.loads(found[1])


def test_a_run_becomes_one_file_with_its_images(pellucid, trained, tmp_path):
    result = pellucid("export", trained[0], "--studio", "digits.html", "--lang", "ko")
    assert "MB; open it in a browser" in result.stderr
    page = _page(tmp_path / "digits.html")
    assert page["language"] == "ko"
    assert len(page["gallery"]["labels"]) == 20
    assert "gallery" in page["network"]["can"]


def test_a_network_by_name_has_no_images(pellucid, tmp_path):
    pellucid("export", "lenet", "--studio", "lenet.html", "--float16")
    page = _page(tmp_path / "lenet.html")
    assert page["gallery"] is None
    assert "gallery" not in page["network"]["can"]
    assert (tmp_path / "lenet.html").stat().st_size < 700_000
