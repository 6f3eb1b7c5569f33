"""``pellucid data cache``, and training from images that stay on disk."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from data.pictures import pets

QUICK = ("--model", "simple", "--epochs", "1", "--size", "16", "--seed", "1")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A cache of the test's own."""
    return {"XDG_CACHE_HOME": str(tmp_path / "caches")}


def test_the_kept_folders_are_listed_and_removed(pellucid, tmp_path, home):
    assert pellucid("data", "cache", **home).stdout == "no decoded images are kept\n"
    pets(tmp_path / "our pets", n=10)
    assert pellucid("train", "--data=our pets", *QUICK, "--out", "run", **home).returncode == 0
    listed = pellucid("data", "cache", **home).stdout
    assert re.search(r"^our_pets +0 MB +20\d\d-\d\d-\d\d \d\d:\d\d$", listed, re.M), listed
    assert str(tmp_path / "caches" / "pellucid" / "images") in listed
    assert pellucid("data", "cache", "--clear", **home).stdout == "removed 0 MB\n"
    assert pellucid("data", "cache", **home).stdout == "no decoded images are kept\n"
    assert pellucid("evaluate", "run", **home).returncode == 0


def test_a_training_without_a_cache_writes_none_and_is_the_same(pellucid, tmp_path, home):
    pets(tmp_path / "our pets", n=10)
    weights = set()
    for name, options in (("a", ()), ("b", ("--cache", "none")), ("c", ("--cache", "disk"))):
        out = pellucid("train", "--data=our pets", *QUICK, "--out", name, *options, **home)
        assert out.returncode == 0, out.stderr
        content = (tmp_path / name / "model.safetensors").read_bytes()
        weights.add(hashlib.sha256(content[int.from_bytes(content[:8], "little") :]).hexdigest())
        if name == "b":
            kept = tomllib.loads((tmp_path / "b" / "config.toml").read_text())
            assert kept["cache"] == "none"
            assert len(list((tmp_path / "caches" / "pellucid" / "images").iterdir())) == 1
    assert len(weights) == 1
    result = pellucid("train", "--data=our pets", *QUICK, "--cache", "ram", **home)
    assert result.returncode != 0
    assert "disk" in result.stderr
