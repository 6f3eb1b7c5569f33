"""Charts and sheets of filters."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pellucid.display.charts import MANY, Line, chart, many_styles
from pellucid.display.pictures import sheet
from report.html_page import Page


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ([0.5], True),
        ([0.9, 0.91, 0.9], False),
        ([3.0, 1e-6], True),
        ([0.0, 0.0], True),
        ([float("nan"), 2.0, None], True),
        ([None], False),
        ([1.0] * 500, False),
        ([1e9, 5e9], False),
    ],
)
def test_a_chart_keeps_every_point_inside(values, log):
    svg = chart([Line("a < b", values), Line("둘", values)], "loss", "epoch", 'a "b"', log=log)
    found = Page(f"<div>{svg}</div>")
    assert found.all("svg")[0]["aria-label"] == 'a "b"'
    _, _, width, height = map(int, found.all("svg")[0]["viewbox"].split())
    for dot in found.all("circle"):
        assert 0 <= float(dot["cx"]) <= width
        assert 0 <= float(dot["cy"]) <= height
    for path in found.all("path"):
        for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", path["d"]):
            assert 0 <= float(x) <= width
            assert 0 <= float(y) <= height
    labels = [float(t) for t in re.findall(r'text-anchor="end">([\d.e+-]+)</text>', svg)]
    assert labels == sorted(labels)
    assert 2 <= len(labels) <= 9


def test_a_share_is_drawn_between_0_and_1():
    for values in ([1.0, 1.0], [0.97, 0.99], [0.0, 1.0]):
        svg = chart([Line("a", values)], "t", "epoch", "d", log=False)
        labels = [float(t) for t in re.findall(r'text-anchor="end">([\d.]+)</text>', svg)]
        assert 0 <= labels[0] <= min(values)
        assert max(values) <= labels[-1] <= 1


def test_lines_and_dots_of_a_chart_go_where_the_values_say():
    svg = chart([Line("a", [0.2, 0.4])], "t", "epoch", "d", log=False)
    ticks = {
        float(value): float(y)
        for y, value in re.findall(r'y="([\d.]+)" text-anchor="end">([\d.]+)</text>', svg)
    }
    (x1, y1), (x2, y2) = re.findall(r'cx="([\d.]+)" cy="([\d.]+)" r="3.4"/>', svg)[:2]
    assert (float(y1), float(y2)) == (ticks[0.2] - 4, ticks[0.4] - 4)
    assert float(x2) - 62 == pytest.approx(2 * (float(x1) - 62), abs=0.2)


def test_a_band_goes_from_less_to_more_than_the_values_by_their_spread():
    values, spread = [0.2, 0.4], [0.1, 0.2]
    drawn = chart([Line("a", values, spread)], "t", "epoch", "d", log=False, styles=["line c0 d0"])
    band = next(path for path in Page(f"<div>{drawn}</div>").all("path") if "band" in path["class"])
    ticks = {
        float(value): float(y) - 4
        for y, value in re.findall(r'y="([\d.]+)" text-anchor="end">([\d.]+)</text>', drawn)
    }
    low, high = min(ticks), max(ticks)
    edges = [float(y) for _, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", band["d"])]
    shares = [low + (high - low) * (ticks[low] - y) / (ticks[low] - ticks[high]) for y in edges]
    assert shares == pytest.approx([0.3, 0.6, 0.2, 0.1], abs=0.005)


def test_a_band_that_reaches_below_0_makes_the_axis_linear():
    drawn = chart([Line("a", [0.2, 0.4], [0.3, 0.1])], "t", "e", "d", log=True, styles=["line c0"])
    labels = [float(t) for t in re.findall(r'text-anchor="end">([\d.-]+)</text>', drawn)]
    assert labels[0] <= -0.1


def test_no_two_of_many_curves_look_alike():
    assert len(set(many_styles(MANY))) == MANY


def test_a_sheet_of_filters_is_grey_at_zero_and_empty_between():
    w = np.array([-1.0, 0, 1, 0.5]).reshape(4, 1, 1, 1).repeat(2, axis=2).repeat(2, axis=3)
    pixels = sheet(w, 1.0)
    assert pixels.shape == (5, 5, 4)
    assert pixels[0, 0].tolist() == [0, 0, 0, 255]
    assert pixels[0, 3].tolist() == [128, 128, 128, 255]
    assert pixels[3, 0].tolist() == [255, 255, 255, 255]
    assert (pixels[2, :, 3] == 0).all()
    colours = np.stack([np.full((1, 1), v) for v in (-1.0, 0.0, 1.0)])[None]
    assert sheet(colours, 1.0)[0, 0].tolist() == [0, 128, 255, 255]
