"""What excites a unit: found, cut out, made, and drawn."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import viz
from pellucid.data import Dataset
from pellucid.errors import ArgumentError
from pellucid.models import ResNet20, SimpleConvNet
from pellucid.nn import (
    BatchNorm2d,
    Branches,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    Normalize,
    ReLU,
    Sequential,
    trunk,
)
from pellucid.viz.analysis import unit_access
from pellucid.viz.analysis.unit_access import crop, seen, with_activation


def images(n: int, shape=(3, 9, 12), seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    x = rng.random((n, *shape), dtype=np.float32)
    return Dataset.from_arrays(x, rng.integers(0, 4, n), list("abcd"))


def branched(shape=(3, 9, 12)) -> Sequential:
    """Normalize in front, two branches of different fields, padding and stride; not square."""
    rng = np.random.default_rng(1)
    model = Sequential(
        normalize=Normalize([0.5] * shape[0], [0.25] * shape[0]),
        both=Branches(
            small=Conv2d(shape[0], 3, 3, 2, 1, rng=rng), wide=Conv2d(shape[0], 2, 5, 2, 2, rng=rng)
        ),
        relu=ReLU(),
        conv2=Conv2d(5, 6, 3, padding=1, rng=rng),
        bn=BatchNorm2d(6),
        relu2=ReLU(),
        flatten=Flatten(),
        fc=Linear(6 * 5 * 6, 4, rng=rng),
    )
    model.input_shape = shape
    return model


@pytest.mark.parametrize("layer", ["both", "conv2", "both.wide", "fc", None])
def test_top_cells_are_those_of_a_search_with_the_plain_layers(layer):
    model, dataset = branched(), images(37)
    top = viz.top_cells(model, dataset, layer, count=5, batch_size=8)
    x, _ = dataset.batch(slice(None))
    model.eval()
    part = trunk(model, top.layer) if top.layer else model
    maps = part(x)
    for k in range(maps.shape[1]):
        best = maps[:, k].reshape(len(maps), -1).max(axis=1)
        order = np.argsort(-best, kind="stable")[:5]
        np.testing.assert_array_equal(top.images[k], order)
        np.testing.assert_allclose(top.values[k], best[order], rtol=1e-4, atol=1e-5)
        if maps.ndim == 4:
            for n, (i, j), value in zip(top.images[k], top.cells[k], top.values[k], strict=True):
                np.testing.assert_allclose(maps[n, k, i, j], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", ["both", "conv2"])
def test_a_unit_sees_its_patch_and_nothing_else(layer):
    model, dataset = branched(), images(30)
    model.eval()
    top = viz.top_cells(model, dataset, layer, count=4)
    part = trunk(model, top.layer)
    rng = np.random.default_rng(3)
    field = unit_access.field_of(model, top.layer, dataset.image_shape)
    cut = 0
    for k in (0, 4):
        (unit,) = viz.patches(model, dataset, top, [k])
        for n, picture, (i, j), value in zip(
            top.images[k], unit.pictures, top.cells[k], top.values[k], strict=True
        ):
            (t, b), (l, r) = seen(field, (i, j), dataset.image_shape)
            x, _ = dataset.batch([n])
            inside = np.zeros(x.shape[2:], dtype=bool)
            inside[max(t, 0) : max(b, 0), max(l, 0) : max(r, 0)] = True
            cut += int(np.isnan(picture).any())
            np.testing.assert_array_equal(np.sort(picture[~np.isnan(picture)]),
                                          np.sort(x[0][:, inside].ravel()))  # fmt: skip
            other = np.where(inside, x, rng.random(x.shape, dtype=np.float32))
            np.testing.assert_allclose(part(other)[0, k, i, j], value, rtol=1e-4, atol=1e-5)
            # Each side of the field counts: its cells' gradient is not zero.
            dy = np.zeros_like(part(x))
            dy[0, k, i, j] = 1
            moved = np.abs(part.backward(dy)[0]).sum(axis=0)
            assert not moved[~inside].any()
            if value > 0:
                assert moved[inside].any()
    assert cut, "no patch at the border was seen"


def test_what_lies_outside_the_image_is_blank():
    x = np.arange(12.0).reshape(1, 4, 3)
    part = crop(x, (-1, 2), (1, 4))
    np.testing.assert_array_equal(np.isnan(part[0]), [[1, 1, 1], [0, 0, 1], [0, 0, 1]])
    np.testing.assert_array_equal(part[0, 1:, :2], x[0, :2, 1:])


def test_a_field_larger_than_the_image_is_shown_in_the_place_of_the_image():
    x = np.arange(12.0).reshape(1, 4, 3)
    part = crop(x, (-5, 2), (1, 8))
    np.testing.assert_array_equal(part[0, :2, 1:], x[0, :2, 1:])
    np.testing.assert_array_equal(np.isnan(part[0]), [[1, 0, 0], [1, 0, 0], [1, 1, 1], [1, 1, 1]])


def test_units_are_looked_at_behind_their_relu():
    assert with_activation(branched(), "conv2") == "relu2"
    assert with_activation(branched(), "both.wide") == "both.wide"
    assert with_activation(ResNet20(), "conv1") == "relu"


def test_looking_leaves_the_model_as_it_was():
    model, dataset = branched(), images(6)
    for p in model.parameters().values():
        p.grad = np.full_like(p.data, 7)
    before = model.state_dict()
    viz.depth(viz.units_by_depth(model, dataset, steps=2, most=2))
    assert all((p.grad == 7).all() for p in model.parameters().values())
    assert {p.rate for p in model.parameters().values()} == {1.0}
    assert all(layer.training for _, layer in model.layers())
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


@pytest.mark.parametrize("layer", ["both", "conv2", None])
def test_an_optimal_input_excites_its_unit_more_than_noise_does(layer):
    model = branched()
    model.eval()
    (found,) = viz.optimal_inputs(model, layer, [2], steps=60, blur=0, jitter=0)
    assert 0 <= np.nanmin(found) <= np.nanmax(found) <= 1
    part = trunk(model, layer) if layer else model
    cells = tuple(n // 2 for n in part.output_shape((3, 9, 12))[1:])
    rows, columns = (0, 9), (0, 12)
    if layer:
        rows, columns = seen(unit_access.field_of(model, layer, (3, 9, 12)), cells, (3, 9, 12))
    x = np.full((1, 3, 9, 12), 0.5, dtype=np.float32)
    y, z = (slice(max(a, 0), b) for a, b in (rows, columns))
    x[0, :, y, z] = found[~np.isnan(found)].reshape(x[0, :, y, z].shape)
    noise = np.random.default_rng(0).random((200, 3, 9, 12), dtype=np.float32)
    unit = (slice(None), 2, *cells)
    assert part(x)[unit][0] > part(noise)[unit].max()


def test_the_optimal_input_of_one_filter_is_white_where_its_weight_is_positive():
    model = SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    found = viz.optimal_inputs(model, "conv1", range(4))
    for x, w in zip(found, model["conv1"].weight.data[:4], strict=True):
        np.testing.assert_array_equal(x > 0.5, w > 0)


def test_the_same_seed_makes_the_same_input():
    model = branched()
    one, two, three = (
        viz.optimal_inputs(model, None, [1], steps=5, jitter=1, seed=s)[0] for s in (4, 4, 5)
    )
    np.testing.assert_array_equal(one, two)
    assert (one != three).any()


def test_depth_draws_layers_in_order_with_the_sizes_they_see():
    units = viz.units_by_depth(branched(), images(20), most=3, steps=2)
    assert list(dict.fromkeys(u.layer for u in units)) == ["both.small", "both.wide", "conv2", None]
    figure = viz.depth(units)
    written = [text.get_text() for text in figure.texts]
    assert "both.small\nsees 3x3" in written
    assert "classes\nsees all" in written
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [t for t in titles if t in "abcd" and t] == list("abcd")


def test_residual_networks_and_grey_images_can_be_looked_at():
    model = ResNet20((1, 16, 8), classes=4, rng=np.random.default_rng(0))
    units = viz.units_by_depth(model, images(9, (1, 16, 8)), most=1, steps=2)
    assert len(viz.depth(units).axes) == 2 * len(units)


def test_requests_that_make_no_sense_are_refused():
    model, dataset = branched(), images(3)
    with pytest.raises(ArgumentError, match=r"there is no layer 'conv9'. Did you mean 'conv2'"):
        viz.top_cells(model, dataset, "conv9")
    with pytest.raises(ArgumentError, match="'conv2' has channels 0 to 5, received 6"):
        viz.optimal_inputs(model, "conv2", [6])
    with pytest.raises(ArgumentError, match="'relu2' has channels 0 to 5, received 6"):
        viz.units_by_depth(model, dataset, layers=["conv2"], channels=[6])
    with pytest.raises(ArgumentError, match="belong to one layer; there are 2"):
        viz.units_by_depth(model, dataset, layers=["conv2", None], channels=[0])
    with pytest.raises(ArgumentError, match="does not say which images"):
        viz.optimal_inputs(Sequential(Conv2d(1, 1, 3)), "0")
    with pytest.raises(ArgumentError, match="needs at least one unit"):
        viz.depth([])


def test_max_pooled_units_are_found_too():
    model = Sequential(conv=Conv2d(1, 2, 3, rng=np.random.default_rng(0)), pool=MaxPool2d(2))
    top = viz.top_cells(model, images(5, (1, 8, 6)), "pool", count=9)
    assert top.values.shape == (2, 5)
