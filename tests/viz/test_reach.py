"""What a unit sees and what it reaches, against changes of single numbers."""

from __future__ import annotations

import numpy as np
import pytest

from nn.cases import CASES
from pellucid import nn
from pellucid.errors import ArgumentError
from pellucid.models import GoogLeNet, LeNet5, ResNet20, SimpleConvNet
from pellucid.nn import walk
from pellucid.viz.analysis.dependence import readings
from pellucid.viz.analysis.reach import around, reached, seen_by, value_shapes
from pellucid.viz.analysis.unit_access import field_of, seen

LAYERS = [case for case in CASES if case.build().nodes() is None]
NETWORKS = [case for case in CASES if case.build().nodes() is not None]


def outputs(nodes, x):
    values = [x]
    for node in nodes:
        values.append(node.layer(*(values[k] for k in node.reads)))
    return values


def changed_by(nodes, case, unit):
    """Return which units of each value change with one number of the image, by several steps."""
    found = None
    for seed in (0, 1):
        x = case.arrays(seed=seed)[0][:1]
        before = outputs(nodes, x)
        for step in (7.3, -6.1, 0.37, -0.43):
            if case.positive and x[(0, *unit)] + step <= 0:
                continue
            y = x.copy()
            y[(0, *unit)] += step
            changed = [(a != b)[0] for a, b in zip(before, outputs(nodes, y), strict=True)]
            found = changed if found is None else [
                a | b for a, b in zip(found, changed, strict=True)
            ]  # fmt: skip
    return found


def units_of(shape, seed=3):
    rng = np.random.default_rng(seed)
    corners = (0,) * len(shape), tuple(n - 1 for n in shape)
    return [*corners, *(tuple(int(rng.integers(n)) for n in shape) for _ in range(2))]


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_a_number_reaches_exactly_the_outputs_that_change_with_it(case):
    layer = case.build().astype(np.float64).eval()
    nodes = walk.flattened(layer)
    for unit in units_of(case.shape):
        marks = reached(layer, case.shape, 0, unit)
        changed = changed_by(nodes, case, unit)[1]
        assert (marks.get(1, np.zeros_like(changed)) == changed).all()


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.id)
def test_whatever_changes_in_a_network_is_reached(case):
    model = case.build().astype(np.float64).eval()
    nodes = walk.flattened(model)
    for unit in units_of(case.shape):
        marks = reached(model, case.shape, 0, unit)
        for value, changed in enumerate(changed_by(nodes, case, unit)[1:], 1):
            assert not (changed & ~marks.get(value, np.zeros_like(changed))).any()


@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.id)
def test_the_window_of_an_output_holds_the_numbers_that_reach_it(case):
    layer = case.build().eval()
    output = layer.output_shape(case.shape)
    (reading,) = readings(layer, (case.shape,))
    inputs = list(np.ndindex(case.shape))
    marks = []
    for unit in inputs:
        one = np.zeros(case.shape, bool)
        one[unit] = True
        marks.append(reading.ahead(one))
    for unit in units_of(output):
        read = [place for place, mark in zip(inputs, marks, strict=True) if mark[unit]]
        box = reading.back(tuple((k, k) for k in unit))
        if not read:
            assert box is None or any(
                b < 0 or a >= n for (a, b), n in zip(box, case.shape, strict=True)
            )
            continue
        for axis, (first, last) in enumerate(box):
            cells = {place[axis] for place in read}
            step, size = reading.steps()[axis], case.shape[axis]
            walked = [k for k in range(first, last + 1, step) if 0 <= k < size]
            assert (walked[0], walked[-1]) == (min(cells), max(cells))


@pytest.mark.parametrize(
    ("model", "shape", "names"),
    [
        (ResNet20(), (3, 32, 32), ["conv1", "layer2.0.conv1", "layer3.relu2"]),
        (LeNet5(), (1, 28, 28), ["pool1", "conv2", "relu2"]),
    ],
)
def test_the_window_on_the_image_is_the_receptive_field(model, shape, names):
    nodes = walk.flattened(model)
    shapes = value_shapes(nodes, shape)
    known = [node.name for node in nodes]
    for name in names:
        value = known.index(name) + 1
        _, h, w = shapes[value]
        for cell in ((0, 0), (h // 2, w // 3), (h - 1, w - 1)):
            image = seen_by(model, shape, value, (0, *cell))[-1]
            rows, columns = seen(field_of(model, name, shape), cell, shape)
            assert image.value == 0
            assert image.box[1:] == ((rows[0], rows[1] - 1), (columns[0], columns[1] - 1))


def test_padding_lies_outside_the_map():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1))
    first, image = seen_by(model, (1, 6, 6), 2, (1, 0, 5))
    assert first.as_dict() == {"value": 1, "channels": [0, 2], "rows": [-1, 2], "columns": [4, 7]}
    assert image.as_dict() == {"value": 0, "channels": [0, 1], "rows": [-2, 3], "columns": [3, 8]}


def test_a_unit_of_branches_sees_its_own_branch_only():
    model = nn.Branches(nn.Conv2d(2, 3, 1), nn.Conv2d(2, 4, 5, padding=2))
    ends = walk.output_values(model)
    narrow = seen_by(model, (2, 9, 9), ends[0], (2, 4, 4))
    wide = seen_by(model, (2, 9, 9), ends[0], (3, 4, 4))
    assert [box.box for box in narrow] == [
        ((2, 2), (4, 4), (4, 4)),
        ((0, 1), (4, 4), (4, 4)),
    ]
    assert [box.box for box in wide] == [((0, 0), (4, 4), (4, 4)), ((0, 1), (2, 6), (2, 6))]


def test_a_fully_connected_layer_reaches_every_score():
    model = SimpleConvNet()
    marks = reached(model, (1, 28, 28), 2, (4, 10, 10))
    last = max(marks)
    assert marks[last].all()
    assert around(last, marks[last]).as_dict() == {
        "value": last, "channels": [0, 10], "rows": None, "columns": None
    }  # fmt: skip


def test_cells_that_no_window_reads_reach_nothing():
    model = nn.Sequential(nn.Conv2d(1, 1, 2, stride=3))
    assert reached(model, (1, 8, 8), 0, (0, 2, 0)) == {}


def test_large_networks_are_answered_for_whole():
    model = GoogLeNet()
    nodes = walk.flattened(model)
    shapes = value_shapes(nodes, (3, 224, 224))
    marks = reached(model, (3, 224, 224), 0, (0, 100, 100))
    assert len(marks) == len(nodes)
    assert {k: mark.shape for k, mark in marks.items()} == dict(enumerate(shapes[1:], 1))


@pytest.mark.parametrize(
    ("value", "unit", "match"),
    [
        (99, (0, 0, 0), "must be the number of a value, from 0, the image, to 7"),
        (1, (0, 0), "must be 3 integers from 0 to 29, 23, 23, since value 1 is of shape 30x24x24"),
        (1, (0, 24, 0), "received"),
        (1, (0, -1, 0), "received"),
        (1, (0, 1.5, 0), "received"),
    ],
)
def test_a_unit_that_does_not_exist_is_refused(value, unit, match):
    with pytest.raises(ArgumentError, match=match):
        seen_by(SimpleConvNet(), (1, 28, 28), value, unit)
    with pytest.raises(ArgumentError, match=match):
        reached(SimpleConvNet(), (1, 28, 28), value, unit)


def test_a_window_of_padding_alone_is_not_reached():
    marks = reached(nn.Sequential(nn.Conv2d(1, 1, 1, padding=1)), (1, 1, 1), 0, (0, 0, 0))
    assert np.argwhere(marks[1]).tolist() == [[0, 1, 1]]


def test_two_ways_to_a_value_are_seen_by_the_box_around_both():
    model = nn.Graph(
        {
            "wide": (nn.Conv2d(1, 1, (1, 5), padding=(0, 2)), "x"),
            "high": (nn.Conv2d(1, 1, (3, 1), padding=(1, 0)), "x"),
            "sum": (nn.Add(), "wide", "high"),
        }
    )
    image = seen_by(model, (1, 9, 9), 3, (0, 4, 4))[-1]
    assert image.box == ((0, 0), (3, 5), (2, 6))
