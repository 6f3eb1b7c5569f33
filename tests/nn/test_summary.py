"""The summary: what a model makes of an image and what it costs, without running it."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import nn, summary
from pellucid.errors import ArgumentError, ShapeError
from pellucid.models import SimpleConvNet


def test_the_books_network():
    table = summary(SimpleConvNet())
    assert (table.parameters, table.multiply_adds) == (433_890, 865_000)
    rows = {row.name: row for row in table.rows}
    assert list(rows) == ["conv1", "relu1", "pool1", "flatten", "affine1", "relu2", "affine2"]
    assert {name: str(row.field) for name, row in rows.items()} == {
        "conv1": "5x5", "relu1": "5x5", "pool1": "6x6", "flatten": "6x6", "affine1": "all",
        "relu2": "all", "affine2": "all",
    }  # fmt: skip
    assert {name: row.output_shape for name, row in rows.items()} == {
        "conv1": (30, 24, 24), "relu1": (30, 24, 24), "pool1": (30, 12, 12), "flatten": (4320,),
        "affine1": (100,), "relu2": (100,), "affine2": (10,),
    }  # fmt: skip
    assert {name: row.parameters for name, row in rows.items() if row.parameters} == {
        "conv1": 780, "affine1": 432_100, "affine2": 1_010,
    }  # fmt: skip
    assert {name: row.multiply_adds for name, row in rows.items() if row.multiply_adds} == {
        "conv1": 432_000, "affine1": 432_000, "affine2": 1_000,
    }  # fmt: skip
    assert table.activation_bytes == 4 * (17280 + 17280 + 4320 + 4320 + 100 + 100 + 10)


def test_the_printed_table():
    text = str(summary(SimpleConvNet()))
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert lines["input"].split() == ["input", "1x28x28"]
    conv = "conv1 Conv2d(1, 30, 5, weight_init=0.01) 30x24x24 780 432,000 67.5 KiB 5x5 -"
    assert lines["conv1"].split() == conv.split()
    assert lines["total"].split() == ["total", "433,890", "865,000", "169.6", "KiB"]
    assert text.endswith("The weights take 1.7 MiB.")


def test_neurons_and_parameters_without_sharing_are_those_of_the_lecture():
    conv1 = nn.Conv2d(3, 96, 11, stride=4)  # CS231n, "Spatial arrangement" and what follows it
    (row,) = summary(conv1, (3, 227, 227)).rows
    assert row.output_shape == (96, 55, 55)
    assert (row.neurons, row.without_sharing, row.parameters) == (290_400, 105_705_600, 34_944)


def test_only_layers_that_weigh_and_add_have_neurons():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(2, 5),
    )  # fmt: skip
    table = summary(model, (1, 4, 4))
    assert [row.neurons for row in table.rows] == [8, 0, 0, 0, 0, 5]
    assert [row.without_sharing for row in table.rows] == [72, 4, 0, 0, 0, 15]
    assert (table.neurons, table.parameters_without_sharing) == (13, 91)


def test_sharing_is_shown_on_request():
    plain, shown = (str(summary(SimpleConvNet(), sharing=on)) for on in (False, True))
    assert "unshared" not in plain
    header, _, _, conv, *_ = shown.splitlines()
    assert header.split()[:5] == ["layer", "output", "neurons", "unshared", "parameters"]
    assert "30x24x24   17,280   449,280         780" in conv
    assert "total" in shown
    assert "unshared: parameters if no neurons shared weights." in shown


def test_rows_and_columns_that_nothing_reads_are_reported():
    pool = summary(nn.MaxPool2d(2), (1, 5, 5))
    assert pool.rows[0].unread == (1, 1)
    assert "1 rows, 1 columns" in str(pool)
    assert summary(nn.MaxPool2d(2), (1, 4, 4)).rows[0].unread == (0, 0)
    assert summary(nn.MaxPool2d(2, misfit="pad"), (1, 5, 5)).rows[0].unread == (0, 0)
    conv = summary(nn.Conv2d(1, 1, 3, stride=3), (1, 10, 11))
    assert conv.rows[0].unread == (1, 2)
    assert "2 columns" in str(summary(nn.Conv2d(1, 1, 3, stride=3), (1, 9, 11)))


def _seen(model, shape) -> tuple[int, int]:
    """Return how large a region of the input really reaches one cell in the middle, by running."""
    x = np.random.default_rng(0).uniform(0.5, 1, size=(1, *shape))
    y = model(x)
    dy = np.zeros_like(y)
    dy[0, 0, y.shape[2] // 2, y.shape[3] // 2] = 1
    rows, columns = np.nonzero(np.abs(model.backward(dy)).sum(axis=(0, 1)))
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def _positive(layer):
    """Let every weight count, so that no gradient is zero by chance."""
    layer.weight.data = np.abs(layer.weight.data).astype(np.float64) + 0.1
    return layer


def test_a_stack_like_vgg_sees_what_its_gradient_reaches():
    stack = nn.Sequential(
        _positive(nn.Conv2d(1, 2, 3, padding=1)), nn.ReLU(),
        _positive(nn.Conv2d(2, 2, 3, padding=1)), nn.ReLU(), nn.AvgPool2d(2),
        _positive(nn.Conv2d(2, 2, 3, padding=1)), nn.ReLU(),
        _positive(nn.Conv2d(2, 2, 3, padding=1)), nn.ReLU(), nn.AvgPool2d(2),
        _positive(nn.Conv2d(2, 2, 3, padding=1)),
    )  # fmt: skip
    shape = (1, 48, 48)
    fields = [row.field.size for row in summary(stack, shape).rows]
    assert fields == [
        (3, 3), (3, 3), (5, 5), (5, 5), (6, 6), (10, 10), (10, 10), (14, 14), (14, 14), (16, 16),
        (24, 24),
    ]  # fmt: skip
    assert _seen(stack, shape) == (24, 24)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(1, 1, (3, 2), stride=(2, 1), dilation=(1, 3)),
        nn.AvgPool2d((2, 5), (1, 2)),
        nn.LpPool2d(2, 3, 2),
        nn.GlobalAvgPool2d(),
    ],
    ids=repr,
)
def test_one_layer_behind_another_sees_what_its_gradient_reaches(layer):
    chain = nn.Sequential(_positive(nn.Conv2d(1, 1, 3, stride=2)), layer)
    if hasattr(layer, "weight"):
        _positive(layer)
    shape = (1, 31, 33)
    assert summary(chain, shape).rows[-1].field.size == _seen(chain, shape)


def test_global_pooling_sees_the_region_of_all_cells():
    (row,) = summary(nn.GlobalMaxPool2d(), (3, 7, 9)).rows
    assert row.field.size == (7, 9)


def test_a_shape_that_does_not_fit_names_the_layer():
    model = nn.Sequential(conv=nn.Conv2d(1, 2, 5), pool=nn.MaxPool2d(9))
    with pytest.raises(ShapeError, match=r"^MaxPool2d 'pool': a window of 9 is larger than"):
        summary(model, (1, 10, 10))
    with pytest.raises(ShapeError, match=r"^Linear 'affine1': expects 4320 input features"):
        summary(SimpleConvNet(), (1, 32, 32))


def test_a_model_that_does_not_know_its_images_asks_for_them():
    with pytest.raises(
        ArgumentError, match=r"^input_shape: this model does not say .*give \(C, H, W"
    ):
        summary(nn.ReLU())


def test_nothing_is_run():
    class Explodes(nn.ReLU):
        def forward(self, x):
            raise AssertionError("was run")

    assert summary(nn.Sequential(a=Explodes()), (1, 2, 2)).parameters == 0


@pytest.mark.parametrize(
    ("channels", "memory"),
    [(1, "4 B"), (300, "1.2 KiB"), (300_000, "1.1 MiB"), (3 * 10**8, "1.1 GiB")],
)
def test_memory_is_said_with_a_unit(channels, memory):
    assert f" {memory} " in str(summary(nn.ReLU(), (channels, 1, 1)))
