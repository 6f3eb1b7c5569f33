"""``pellucid show depth`` and ``show why`` as a person has them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


def test_depth_and_why_are_drawn_from_a_run(pellucid, short, tmp_path):
    for arguments in (
        ("depth", short, "--limit", "60", "--steps", "3", "--units", "2"),
        ("why", short, "--index", "2", "--class", "3"),
    ):
        result = pellucid("show", *arguments)
        assert result.returncode == 0, result.stderr
        assert result.stdout.split() == [f"{arguments[0]}.png"]
        with Image.open(tmp_path / f"{arguments[0]}.png") as picture:
            assert min(picture.size) > 200
            assert np.asarray(picture.convert("L")).std() > 10


def test_a_picture_of_ones_own_is_explained_by_one_method(pellucid, short, tmp_path):
    Image.fromarray(np.tile(np.arange(0, 240, 8, dtype=np.uint8), (20, 1))).save(tmp_path / "a.png")
    result = pellucid("show", "why", short, "a.png", "--method", "gradcam", "--out", "b.svg")
    assert result.returncode == 0, result.stderr
    assert "Grad-CAM" in (tmp_path / "b.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["why", "features", "applied"])
@pytest.mark.parametrize("option", ["--index=0", "--data=digits", "--data-dir=."])
def test_what_belongs_to_a_data_set_is_refused_beside_a_picture(
    pellucid, short, tmp_path, kind, option
):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    result = pellucid("show", kind, short, "a.png", option)
    assert result.returncode == 1
    name = option.partition("=")[0]
    assert f"{name}: belongs to a data set; leave the IMAGE out." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("depth", "--layers", "conv7"), "--layers: there is no layer 'conv7'"),
        (("depth", "--channels", "1,x", "--layers", "conv1"), "--channels: must be numbers"),
        (("depth", "--channels", "1"), "--channels: belong to one layer"),
        (("why", "--class", "seven"), "--class: there is no 'seven'"),
        (("why", "--index", "9999"), "--index: there is no image 9999"),
        (("why", "--layer", "affine1", "--method", "gradcam"), "numbers, not maps"),
        (("why", "--out", "a.bmp"), "--out: must end in"),
    ],
)
def test_what_makes_no_sense_is_refused(pellucid, short, arguments, said):
    kind, *options = arguments
    result = pellucid("show", kind, short, *options)
    assert result.returncode == 1
    assert said in result.stderr
