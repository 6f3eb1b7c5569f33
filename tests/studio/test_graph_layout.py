"""Where the boxes of a graph stand."""

import numpy as np
import pytest

from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.graph_layout import layout
from pellucid.studio.opening import Studio
from pellucid.studio.registry import answer

NAMES = ("simple", "lenet-1998", "resnet20", "googlenet", "mobilenet-v2", "efficientnet-b0")


def test_a_chain_is_one_lane_and_may_be_broken_anywhere():
    found = layout({0: [], 1: [0], 2: [1]})
    assert found.columns == {0: 0, 1: 1, 2: 2}
    assert set(found.lanes.values()) == {0}
    assert found.breaks == [0, 1]


def test_the_way_around_a_block_runs_above_it_and_no_row_ends_within():
    found = layout({0: [], 1: [0], 2: [1], 3: [2, 0], 4: [3]})
    assert set(found.lanes.values()) == {0}
    assert [edge for edge in found.edges if edge.lane] == [(0, 3, -1)]
    assert found.breaks == [0, 3]


def test_branches_run_side_by_side_with_the_longest_in_the_middle():
    found = layout({0: [], 1: [0], 2: [0], 3: [2], 4: [0], 5: [1, 3, 4], 6: [5]})
    assert found.lanes[2] == found.lanes[3] == found.lanes[5] == 0
    assert {found.lanes[1], found.lanes[4]} == {-1, 1}


def test_ways_around_ways_do_not_run_into_each_other():
    found = layout({0: [], 1: [0], 2: [1], 3: [2, 0], 4: [3, 0], 5: [4, 0]})
    around = [edge.lane for edge in found.edges if edge.tail == 0 and edge.head != 1]
    assert len(set(around)) == 3
    assert max(around) < 0


def test_an_output_that_nothing_reads_has_a_place():
    found = layout({0: [], 1: [0], 2: [1], 3: [1], 4: [3]})
    assert found.lanes[2] != found.lanes[3]
    assert found.columns[2] == 2


def test_a_single_box_has_a_place():
    assert layout({0: []}).as_dict() == {"boxes": [[0, 0, 0]], "edges": [], "breaks": []}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ["stages", "values"])
def test_every_edge_of_a_network_is_drawn_and_no_way_crosses_a_box(name, which):
    told = answer("network", Studio().open(name), {})
    of = [each["stage"] if which == "stages" else each["id"] for each in told["values"]]
    read = {(of[k], of[each["id"]]) for each in told["values"] for k in each["reads"]}
    found = told["layout"][which]
    assert {(tail, head) for tail, head, _ in found["edges"]} == {
        (tail, head) for tail, head in read if tail != head
    }
    column = {box: at for box, at, _ in found["boxes"]}
    places = {(at, lane) for _, at, lane in found["boxes"]}
    assert len(places) == len(column) == len(set(of))
    for tail, head, lane in found["edges"]:
        assert column[tail] < column[head]
        between = {(at, lane) for at in range(column[tail] + 1, column[head])}
        assert not between & places
    for at in found["breaks"]:
        assert len({t for t, h, _ in found["edges"] if column[t] <= at < column[h]}) == 1


def test_a_convolution_and_its_normalization_are_one_stage():
    values = answer("network", Studio().open("resnet20"), {})["values"]
    stages: dict[int, list[str]] = {}
    for each in values[1:]:
        stages.setdefault(each["stage"], []).append(each["kind"])
    kinds = {tuple(each) for each in stages.values()}
    assert ("Conv2d", "BatchNorm2d", "ReLU") in kinds
    assert ("Conv2d", "BatchNorm2d") in kinds
    assert ("ResidualSum", "ReLU") in kinds
    assert np.all([each["stage"] >= each["id"] for each in values])
