"""The receptive field on the image: where it lies is measured, not taken from the same formula."""

from __future__ import annotations

import re

import numpy as np
import pytest

from drawn import require_legible, texts
from pellucid import models, viz
from pellucid.errors import ArgumentError
from pellucid.nn import (
    AvgPool2d,
    Branches,
    Conv2d,
    Flatten,
    Linear,
    ReLU,
    Residual,
    Sequential,
    layer_at,
    trunk,
)

rng = np.random.default_rng(5)


def measured(model, layer, at, shape):
    """Return the cells that change the unit: first and last row and column with a gradient."""
    part = trunk(model, layer).astype(np.float64)
    for _, inner in part.layers():
        for p in inner.parameters().values():
            p.data = np.abs(p.data) + 0.1  # nothing cancels, and no ReLU is shut
    y = part(np.ones((1, *shape)))
    dy = np.zeros(y.shape)
    dy[:, :, at[0], at[1]] = 1
    rows, columns = np.nonzero(part.backward(dy)[0].any(axis=0))
    return rows.min(), rows.max(), columns.min(), columns.max()


def drawn(figure):
    """Return (first row, last row, first column, last column) as written of the last field."""
    (line,) = [text for text in texts(figure) if "rows" in text and "to" in text][-1:]
    found = re.search(r"rows (\S+) to (\S+), columns (\S+) to ([^\s;]+)", line)
    return [int(n.replace("−", "-")) for n in found.groups()]


NETWORKS = {
    "chain": Sequential(
        conv1=Conv2d(1, 2, 3, padding=1),
        relu=ReLU(),
        pool=AvgPool2d(2),
        conv2=Conv2d(2, 2, (3, 1), 2),
    ),
    "residual": Sequential(
        stem=Conv2d(1, 2, 3, padding=1),
        block=Residual(c1=Conv2d(2, 2, 3, padding=1), c2=Conv2d(2, 2, 3, padding=1)),
    ),
    "branches": Sequential(
        split=Branches(ones=Conv2d(1, 2, 1), wide=Conv2d(1, 2, (1, 5), padding=(0, 2))),
        conv=Conv2d(4, 1, 3, dilation=2, padding=2),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_field_is_where_a_gradient_arrives(name):
    model, shape = NETWORKS[name], (1, 14, 18)
    for layer in dict(model.layers()):
        if not layer:
            continue
        out = trunk(model, layer).output_shape(shape)
        for at in ((0, 0), (out[1] // 2, out[2] // 2), (out[1] - 1, out[2] - 1)):
            top, bottom, left, right = drawn(viz.field(model, layer, at, input_shape=shape))
            inside = max(top, 0), min(bottom, 13), max(left, 0), min(right, 17)
            assert inside == measured(model, layer, at, shape), (layer, at)


def rectangles(figure, colour):
    found = []
    for p in figure.axes[0].patches:
        if not p.get_fill() and p.get_edgecolor()[:3] == colour:
            found.append((p.get_x(), p.get_y(), p.get_width(), p.get_height()))
    return found


def test_fields_are_drawn_layer_by_layer_and_grow():
    model = models.by_name("deep", (1, 28, 28), 10)
    figure = viz.field(model, "conv6", (3, 3))
    whites = rectangles(figure, (1, 1, 1))
    assert len(whites) == viz.field_steps(model, "conv6") - 1
    widths = [w for _, _, w, _ in whites]
    assert widths == sorted(set(widths))
    orange = rectangles(figure, (230 / 255, 159 / 255, 0))
    assert len(orange) == 1
    assert orange[0][2] > widths[-1]
    require_legible(figure, least=8)


def test_what_lies_beyond_the_border_is_hatched_and_counted():
    model = Sequential(a=Conv2d(1, 1, 5, padding=2), b=Conv2d(1, 1, 5, padding=2))
    figure = viz.field(model, "b", (0, 7), input_shape=(1, 8, 8))
    words = texts(figure)
    assert words[-3] == "b, 9x9: rows −4 to 4, columns 3 to 11; 4 rows, 4 columns outside"
    parts = [p for p in figure.axes[0].patches if p.get_hatch()]
    assert sum(p.get_width() * p.get_height() for p in parts) == 9 * 9 - 5 * 5
    middle = viz.field(model, "b", (4, 4), input_shape=(1, 9, 9))
    assert not any(p.get_hatch() for p in middle.axes[0].patches)
    assert not any("outside" in text or "hatched" in text for text in texts(middle))


def test_a_moving_picture_grows_at_one_size():
    model = models.SimpleConvNet()
    assert viz.field_steps(model, "pool1") == 2
    one, two = (viz.field(model, "pool1", (0, 0), steps=k) for k in (1, 2))
    assert tuple(one.get_size_inches()) == tuple(two.get_size_inches())
    assert len(one.axes[0].patches) < len(two.axes[0].patches)
    with pytest.raises(ArgumentError, match="steps: must be from 1 to 2, received 3"):
        viz.field(model, "pool1", steps=3)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 20, 44), (5, 9, 9)])
def test_the_image_is_drawn_below_in_grey_or_colour(shape):
    image = rng.random(shape)
    model = Sequential(conv=Conv2d(shape[0], 2, 3))
    figure = viz.field(model, "conv", (1, 2), image)
    pixels = np.asarray(figure.axes[0].images[0].get_array())
    expected = image.transpose(1, 2, 0) if shape[0] == 3 else image.mean(axis=0)
    np.testing.assert_allclose(pixels, expected)
    box = figure.axes[0].get_position()
    size = figure.get_size_inches()
    x, y = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    across = box.width * size[0] / (x[1] - x[0])
    assert across == pytest.approx(box.height * size[1] / (y[0] - y[1]))  # cells are square
    require_legible(figure, least=8)


def test_by_default_the_last_layer_that_does_not_see_everything_is_drawn():
    assert "one unit of pool1 at row 6, column 6" in texts(viz.field(models.SimpleConvNet()))
    whole = texts(viz.field(models.SimpleConvNet(), "affine2"))
    assert "affine2, the whole image" in whole or "affine1, the whole image" in whole


def test_many_fields_are_named_as_far_as_there_is_room():
    model = Sequential(*(Conv2d(1, 1, 3, padding=1) for _ in range(30)))
    figure = viz.field(model, "29", input_shape=(1, 64, 64))
    words = texts(figure)
    assert "30 fields; the last 23:" in words
    assert sum("rows" in text for text in words) == 24
    require_legible(figure, least=8)


def test_the_model_is_left_as_it_is():
    model = models.SimpleConvNet()
    names = [(name, layer.name) for name, layer in model.layers()]
    viz.field(model, "pool1")
    assert [(name, layer.name) for name, layer in model.layers()] == names
    assert layer_at(model, "pool1") is model["pool1"]


def test_what_makes_no_sense_is_refused_with_advice():
    model = models.SimpleConvNet()
    with pytest.raises(ArgumentError, match=r"no layer 'pol1'\. Did you mean 'pool1'"):
        viz.field(model, "pol1")
    with pytest.raises(ArgumentError, match=r"at: must be a row from 0 to 11 .* received 12,0"):
        viz.field(model, "pool1", (12, 0))
    with pytest.raises(ArgumentError, match=r"at: 'affine1' has no rows and columns"):
        viz.field(model, "affine1", (0, 0))
    with pytest.raises(ArgumentError, match=r"'flatten' only lays out .* the layer before"):
        viz.field(model, "flatten")
    with pytest.raises(ArgumentError, match=r"image: must have the shape \(1, 28, 28\)"):
        viz.field(model, "pool1", image=np.ones((1, 8, 8)), input_shape=(1, 28, 28))
    with pytest.raises(ArgumentError, match="does not say which images"):
        viz.field(Sequential(f=Flatten(), fc=Linear(4, 2)), "fc")
