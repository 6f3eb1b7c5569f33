"""The dots of a sweep's page stay inside of the picture, whatever the accuracies are."""

from __future__ import annotations

import re

import pytest

from pellucid.sweeps.charts import HEIGHT, WIDTH, Dot, scatter


@pytest.mark.parametrize(
    "accuracies",
    [[0.5], [1.0], [0.0], [0.5, 0.5], [1.0, 1.0, 1.0], [0.0, 1.0], [0.1, 0.98, 0.981, 0.9812], []],
    ids=str,
)
@pytest.mark.parametrize("log", [False, True])
def test_dots_and_ticks_lie_inside(accuracies, log):
    dots = [Dot(10.0**-k, value, k == 1, "trial <1>") for k, value in enumerate(accuracies)]
    svg = scatter(dots, "lr", log=log, best=True)
    places = re.findall(r'c?x="([-.\d]+)" c?y="([-.\d]+)"', svg)
    assert len(places) >= len(dots)
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in places)
    assert svg.count('class="grid"') >= 2
    assert "<1>" not in svg


def test_choices_stand_beside_each_other_and_the_line_shows_the_best_so_far():
    dots = [Dot(0, 0.9, False, "a"), Dot(1, 0.8, False, "b"), Dot(1, 0.95, False, "c")]
    svg = scatter(dots, "optimizer", names=["adam", "sgd"])
    across = [float(x) for x in re.findall(r'cx="([.\d]+)"', svg)]
    assert across[0] < across[1] == across[2]
    assert ">adam<" in svg
    line = re.search(r'class="one" d="([^"]*)"', scatter(dots, "all", best=True)).group(1)
    assert line.count("H") == 2
    assert line.count("V") == 1
