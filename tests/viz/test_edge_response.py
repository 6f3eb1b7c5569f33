"""Which edges a filter answers to, and what it answers to a picture."""

from __future__ import annotations

import numpy as np
import pytest

import naive
from pellucid import nn, viz
from pellucid.errors import ArgumentError, ShapeError
from pellucid.models import GoogLeNet, ResNet20, SimpleConvNet

SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=float)
SPOT = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], dtype=float)
FALLING = np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]], dtype=float)  # an edge like \


def groups(*filters) -> tuple[str, ...]:
    return viz.edge_answers(np.stack(filters)[:, np.newaxis]).groups


def test_edges_spots_and_areas_are_told_apart():
    found = groups(SOBEL, SOBEL.T, -SOBEL, SPOT, FALLING, np.full((3, 3), -1.0))
    assert found == (
        "vertical", "horizontal", "vertical", "no direction", "slanted", "areas",
    )  # fmt: skip


def test_a_slanted_filter_says_which_way_its_edge_runs():
    answers = viz.edge_answers(np.stack([FALLING, FALLING[::-1]])[:, np.newaxis])
    assert [answers.label(k) for k in (0, 1)] == ["slanted \\", "slanted /"]


def test_labels_say_the_share_of_the_named_edge():
    mixed = SOBEL + 0.4 * SOBEL.T
    answers = viz.edge_answers(np.stack([mixed, mixed.T])[:, np.newaxis])
    share = answers.vertical[0]
    assert 0.7 < share < 0.95
    assert answers.label(0) == f"vertical {100 * share:.0f} %"
    assert answers.label(1) == f"horizontal {100 * share:.0f} %"


def test_the_answer_is_the_one_to_a_real_edge_in_an_image():
    """Convolve an image of an edge: the energies must be those that were measured."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(6, 1, 5, 3))
    w -= w.mean(axis=(2, 3), keepdims=True)
    answers = viz.edge_answers(w)
    vertical = np.where(np.arange(40) < 20, -1.0, 1.0) * np.ones((1, 1, 40, 1))
    for place, image in ((0, vertical), (6, vertical.transpose(0, 1, 3, 2))):
        y = naive.convolution(image, w)
        across = y[0, :, 17] if place == 0 else y[0, :, :, 17]
        np.testing.assert_allclose((across**2).sum(axis=1), answers.energies[:, place])


def test_a_turned_filter_answers_to_the_turned_edge():
    w = np.random.default_rng(3).normal(size=(4, 3, 5, 5))
    a, b = viz.edge_answers(w), viz.edge_answers(np.rot90(w, axes=(2, 3)))
    np.testing.assert_allclose(a.energies, np.roll(b.energies, 6, axis=1), rtol=1e-9)
    np.testing.assert_allclose(a.vertical, 1 - b.vertical, rtol=1e-9)


def test_edges_of_colour_count_as_those_of_brightness_do():
    red_on_green = np.zeros((1, 3, 3, 3))
    red_on_green[0, 0], red_on_green[0, 1] = SOBEL, -SOBEL
    assert np.allclose(red_on_green.sum(axis=1), 0), "a grey edge would not be seen at all"
    answers = viz.edge_answers(red_on_green)
    assert answers.groups == ("vertical",)


def test_what_answers_more_to_white_than_to_edges_is_for_areas():
    weak = SOBEL + 3.0
    answers = viz.edge_answers(np.stack([SOBEL, weak])[:, np.newaxis])
    np.testing.assert_allclose(answers.area, [0, 27])
    np.testing.assert_allclose(answers.edge, [4, 4])  # to an edge between 0 and 1
    assert answers.groups == ("vertical", "areas")


def test_filters_come_group_by_group_and_the_clearest_first():
    order = viz.edge_answers(
        np.stack([np.ones((3, 3)), SOBEL.T, SOBEL + 0.4 * SOBEL.T, SPOT, SOBEL])[:, np.newaxis]
    ).order()
    assert order.tolist() == [4, 2, 1, 3, 0]


def test_a_filter_of_one_cell_has_no_edges():
    with pytest.raises(ArgumentError, match="filters of 1x1 see one pixel"):
        viz.edge_answers(np.zeros((3, 2, 1, 1)))
    with pytest.raises(ShapeError, match=r"expects filters \(FN, C, FH, FW\), received \(3, 3\)"):
        viz.edge_answers(SOBEL)


def test_responses_are_the_convolution_of_the_whole_picture_without_bias():
    model = SimpleConvNet((1, 28, 28), rng=np.random.default_rng(0))
    conv = model["conv1"]
    conv.bias.data[:] = 7
    photo = np.random.default_rng(1).random((1, 9, 31), dtype=np.float32)
    y = viz.responses(model, photo, "conv1")
    expected = naive.convolution(photo[np.newaxis], conv.weight.data)[0]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-6)
    assert model.training, "the model is left in its mode"


def test_responses_reach_into_residual_blocks_and_branches():
    photo = np.random.default_rng(1).random((3, 60, 48), dtype=np.float32)
    assert viz.responses(ResNet20(), photo, "layer2.0.conv1").shape == (32, 30, 24)
    with nn.init.without_values():
        model = GoogLeNet()
    assert viz.responses(model, photo, "inception3a.threes.conv").shape == (128, 7, 6)


def test_the_figure_has_each_filter_and_its_answer_to_each_picture():
    model = SimpleConvNet((3, 28, 28), rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    photos = [rng.random((3, 20, 50), dtype=np.float32), rng.random((3, 60, 30), dtype=np.float32)]
    figure = viz.applied(model, photos, chosen=[4, 0, 9], titles=["a.png", "b.png"])
    first, second, *cards = figure.axes
    np.testing.assert_allclose(first.images[0].get_array(), photos[0].transpose(1, 2, 0))
    assert len(cards) == 3 * 3
    for place, k in enumerate((4, 0, 9)):
        filter_, one, two = cards[3 * place : 3 * place + 3]
        assert np.asarray(filter_.images[0].get_array()).shape == (5, 5, 4)
        for axes, photo in ((one, photos[0]), (two, photos[1])):
            expected = viz.responses(model, photo, "conv1")[k]
            np.testing.assert_allclose(axes.images[0].get_array(), expected)
            low, high = axes.images[0].get_clim()
            assert low == -high, "0 is middle grey"
        assert one.images[0].get_clim() == two.images[0].get_clim()
    texts = [text.get_text() for text in figure.texts]
    assert "a.png, 20x50" in texts
    assert sum(text.startswith("4: ") for text in texts) == 1
    del second


def test_by_default_every_group_is_there():
    model = nn.Sequential(conv=nn.Conv2d(1, 12, 3))
    kinds = [SOBEL] * 8 + [SOBEL.T, SPOT, FALLING, np.ones((3, 3))]
    model["conv"].weight.data[:] = np.stack(kinds)[:, np.newaxis]
    figure = viz.applied(model, [np.zeros((1, 9, 9), dtype=np.float32)], most=6)
    texts = [text.get_text() for text in figure.texts]
    labels = [text for text in texts if text.partition(": ")[0].isdigit()]
    assert labels == [
        "0: vertical 100 %", "1: vertical 100 %", "8: horizontal 100 %", "10: slanted \\",
        "9: no direction", "11: areas",
    ]  # fmt: skip


def test_applied_refuses_what_makes_no_sense():
    photo = np.zeros((1, 20, 20), dtype=np.float32)
    with pytest.raises(ArgumentError, match="Sequential: has no convolution"):
        viz.applied(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), [photo])
    with pytest.raises(ArgumentError, match="must be a convolution: conv1; received 'affine1'"):
        viz.applied(SimpleConvNet(), [photo], layer="affine1")
    with pytest.raises(ArgumentError, match="there is no filter 30: this layer has 30"):
        viz.applied(SimpleConvNet(), [photo], chosen=[30])
    with pytest.raises(ArgumentError, match="needs at least one image"):
        viz.applied(SimpleConvNet(), [])
    with pytest.raises(ShapeError, match="conv1"):
        viz.applied(SimpleConvNet(), [np.zeros((3, 20, 20), dtype=np.float32)])
    with pytest.raises(ShapeError, match="conv1"):
        viz.applied(SimpleConvNet(), [np.zeros((1, 4, 20), dtype=np.float32)])
