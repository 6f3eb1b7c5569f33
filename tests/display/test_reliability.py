"""The reliability diagram and the results by class, as HTML."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pellucid.display.confusion import class_table
from pellucid.display.reliability import reliability_chart
from pellucid.training import Calibration
from report.html_page import Page


@pytest.mark.parametrize("sure", [0.5, 0.9, 1.0])
def test_a_diagram_keeps_everything_inside(sure):
    p = np.array([[sure, 1 - sure], [1.0, 0.0], [0.3, 0.7]])
    found = Calibration.of(p, np.array([0, 1, 1]))
    svg = reliability_chart(
        found.edges, found.counts, found.confidences, found.accuracies, 'a < "b"'
    )
    page = Page(f"<div>{svg}</div>")
    assert page.all("svg")[0]["aria-label"] == 'a < "b"'
    _, _, width, height = map(int, page.all("svg")[0]["viewbox"].split())
    bars = page.all("rect")
    assert len(bars) == 2 * (found.counts > 0).sum()
    for bar in bars:
        x, y, w, h = (float(bar[key]) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
    assert "nan" not in svg


def test_a_network_that_diverged_has_an_empty_diagram():
    p = np.array([[np.nan, np.nan], [0.5, 0.5]])
    found = Calibration.of(p, np.array([0, 0]))
    svg = reliability_chart(found.edges, found.counts, found.confidences, found.accuracies, "d")
    assert "nan" not in svg
    assert len(Page(f"<div>{svg}</div>").all("rect")) == 2


def test_a_bar_is_as_high_as_its_share_is_right():
    p = np.repeat([[0.8, 0.2]], 4, axis=0)
    found = Calibration.of(p, np.array([0, 0, 0, 1]), bins=5)
    svg = reliability_chart(found.edges, found.counts, found.confidences, found.accuracies, "d")
    ticks = {
        float(value): float(y) - 4
        for y, value in re.findall(r'y="([\d.]+)" text-anchor="end">([\d.]+)</text>', svg)
    }
    (bar,) = re.findall(r'class="fill" x="\S+" y="([\d.]+)"', svg)
    assert float(bar) == pytest.approx(0.25 * ticks[0.0] + 0.75 * ticks[1.0], abs=0.1)
    top, bottom = re.findall(r'class="gap" \S+ \S+ y1="([\d.]+)" y2="([\d.]+)"', svg)[0]
    assert (float(top), float(bottom)) == (float(bar), ticks[0.8])


def test_the_class_with_the_lowest_f1_comes_first():
    matrix = np.array([[9, 1, 0, 0], [0, 10, 0, 0], [0, 5, 5, 0], [0, 0, 0, 0]])
    page = str(class_table(matrix, ["cat", "dog", "eel", "fox"]))
    assert re.findall(r'<th scope="row"><span>(\w+)', page) == ["eel", "dog", "cat", "fox", "all"]
    assert "66.7 %" in page  # F1 of eel, 2 · 5 / (10 + 5)
