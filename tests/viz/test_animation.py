"""Moving pictures: their frames, their size, and that they are whole or absent."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image, ImageChops

from pellucid import models, viz
from pellucid.errors import ArgumentError

X = np.array([[1, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1]])
W = np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2]])


def steps():
    return (viz.window(X, W, step=k, so_far=True) for k in range(1, 5))


def frames(path):
    with Image.open(path) as gif:
        for k in range(gif.n_frames):
            gif.seek(k)
            yield gif.convert("RGB"), gif.info["duration"]


def test_every_step_is_a_frame_and_the_last_stays_longer(tmp_path):
    path = tmp_path / "w.gif"
    viz.save_animation(steps(), path, seconds=0.5)
    found = list(frames(path))
    assert [duration for _, duration in found] == [500, 500, 500, 1000]
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        assert max(gif.size) <= 1400
    assert path.stat().st_size < 200_000
    assert {frame.getpixel((3, 3)) for frame, _ in found} == {(255, 255, 255)}
    for (one, _), (two, _) in itertools.pairwise(found):
        assert ImageChops.difference(one, two).getbbox() is not None


def test_the_longest_frames_a_file_can_hold_are_kept(tmp_path):
    viz.save_animation(steps(), tmp_path / "w.gif", seconds=327)
    with Image.open(tmp_path / "w.gif") as gif:
        assert gif.info["duration"] == 327_000
        gif.seek(gif.n_frames - 1)
        assert gif.info["duration"] == 654_000


def test_a_frame_looks_as_its_figure_does(tmp_path):
    path, still = tmp_path / "w.gif", tmp_path / "w.png"
    viz.save_animation(steps(), path)
    *_, (last, _) = frames(path)
    figure = viz.window(X, W, step=4, so_far=True)
    figure.savefig(still, dpi=90)
    with Image.open(still) as picture:
        difference = ImageChops.difference(last, picture.convert("RGB"))
    assert np.asarray(difference).mean() < 1
    assert np.percentile(np.asarray(difference), 99.5) < 40


def test_the_paper_stays_white_and_what_comes_later_has_its_colours(tmp_path):
    image = np.random.default_rng(0).random((3, 28, 28))
    model = models.by_name("deep", (3, 28, 28), 10)
    steps = range(1, 1 + viz.field_steps(model, "conv4"))
    figures = (viz.field(model, "conv4", image=image, steps=k) for k in steps)
    viz.save_animation(figures, tmp_path / "f.gif")
    found = list(frames(tmp_path / "f.gif"))
    assert len(found) == 5
    for frame, _ in found:
        assert frame.getpixel((3, 3)) == (255, 255, 255)
        pixels = np.asarray(frame).reshape(-1, 3).astype(int)
        assert (np.abs(pixels - (230, 159, 0)).sum(axis=1) < 40).sum() > 300  # the chosen field


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "w.gif"
    path.write_bytes(b"old")

    def broken():
        yield viz.window(X, W)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        viz.save_animation(broken(), path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["w.gif"]


def test_what_cannot_be_animated_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"must end in \.gif, received '.*w\.png'"):
        viz.save_animation(steps(), tmp_path / "w.png")
    with pytest.raises(ArgumentError, match="at least one figure, all of one size; received none"):
        viz.save_animation([], tmp_path / "w.gif")
    two = [viz.window(X, W), viz.window(np.ones((9, 9)), W)]
    with pytest.raises(ArgumentError, match=r"all of one size; received \d+x\d+, \d+x\d+"):
        viz.save_animation(two, tmp_path / "w.gif")
    for seconds in (0, -1, float("nan"), float("inf"), 328, 1e9):
        with pytest.raises(ArgumentError, match=r"seconds: must be from 0\.02 to 327, received"):
            viz.save_animation(steps(), tmp_path / "w.gif", seconds=seconds)
    with pytest.raises(ArgumentError, match=r"the folder '.*nowhere' does not exist"):
        viz.save_animation(steps(), tmp_path / "nowhere" / "w.gif")
    assert not list(tmp_path.iterdir())
