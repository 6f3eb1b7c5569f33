"""The table of receptive fields: sizes, strides and centres that can be traced in the image."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import nn
from pellucid.errors import ArgumentError
from pellucid.models import SimpleConvNet, from_pattern
from pellucid.nn import receptive_field


def test_the_fields_of_the_books_network():
    rows = {row.name: row.field for row in receptive_field(SimpleConvNet()).rows}
    assert (rows["conv1"].size, rows["conv1"].stride, rows["conv1"].centre(0)) == (
        (5, 5),
        (1, 1),
        2,
    )
    pool = rows["pool1"]
    assert (pool.size, pool.stride, float(pool.centre(1))) == ((6, 6), (2, 2), 2.5)
    assert rows["affine1"].everything


def test_the_printed_table():
    lines = str(pellucid.receptive_field(SimpleConvNet())).splitlines()
    by_name = {line.split()[0]: line.split() for line in lines}
    assert by_name["layer"] == ["layer", "output", "size", "stride", "centre", "parameters"]
    assert by_name["pool1"][-6:] == ["30x12x12", "6x6", "2x2", "2.5,", "2.5", "0"]
    assert by_name["affine2"][-5:] == ["10", "all", "-", "-", "1,010"]
    assert "from the middle" in lines[-2]


@pytest.mark.parametrize(
    "text", ["[CONV3 -> RELU]*2 -> AVGPOOL -> CONV3/2 -> FC", "CONV5p0 -> AVGPOOL3/2 -> FC"]
)
def test_the_centre_is_the_middle_of_what_the_gradient_reaches(text):
    model = from_pattern(text, (1, 40, 40), 2, rng=np.random.default_rng(0)).astype(np.float64)
    for layer in model:
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = abs(layer.weight.data) + 0.1
    body = nn.Sequential(*list(model)[:-2])
    (row,) = receptive_field(body, (1, 40, 40)).rows[-1:]
    y = body(np.random.default_rng(1).uniform(1, 2, size=(1, 1, 40, 40)))
    dy = np.zeros_like(y)
    place = y.shape[2] // 2
    dy[0, 0, place, place] = 1
    rows = np.nonzero(body.backward(dy).sum(axis=(0, 1, 3)))[0]
    assert np.ptp(rows) + 1 == row.field.size[0]
    middle = (rows.min() + rows.max()) / 2
    assert float(row.field.centre(0) + place * row.field.stride[0]) == middle


def test_behind_a_transposed_convolution_fields_move_by_parts_of_a_cell():
    model = nn.Sequential(up=nn.ConvTranspose2d(1, 1, 4, 2, 1), conv=nn.Conv2d(1, 1, 3, padding=1))
    text = str(receptive_field(model, (1, 8, 8)))
    up = next(line for line in text.splitlines() if line.startswith("up"))
    assert up.split()[-6:] == ["1x16x16", "2x2", "1/2x1/2", "-0.25,", "-0.25", "17"]


def test_three_windows_of_3x3_see_what_one_of_7x7_sees_for_fewer_weights():
    for c in (16, 64):
        with nn.init.without_values():
            three = from_pattern(f"CONV3-{c}*3 -> FC", (c, 32, 32), 2)
            one = from_pattern(f"CONV7-{c} -> FC", (c, 32, 32), 2)
        fields = [receptive_field(model).rows for model in (three, one)]
        assert fields[0][2].field == fields[1][0].field
        weights = [
            sum(layer.weight.data.size for layer in model if isinstance(layer, nn.Conv2d))
            for model in (three, one)
        ]
        assert weights == [27 * c * c, 49 * c * c]


def test_a_model_that_does_not_know_its_images_asks_for_them():
    with pytest.raises(ArgumentError, match=r"^input_shape: this model does not say"):
        receptive_field(nn.ReLU())
