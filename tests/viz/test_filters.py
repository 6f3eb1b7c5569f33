"""Filters as pictures: scale, colour, channels, order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pellucid import viz
from pellucid.errors import ArgumentError, ShapeError
from pellucid.viz.analysis.ordering import ordered


def drawn(axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array().filled(np.nan))


def outlines(axes) -> list[tuple[int, int]]:
    """Return row and column of the first cell of each outlined picture."""
    (collection,) = axes.collections
    corners = [path.vertices.min(axis=0) for path in collection.get_paths()]
    return [(round(y + 0.5), round(x + 0.5)) for x, y in corners]


def numbers(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_before_and_after_share_one_scale_and_stand_side_by_side():
    before, after = np.full((30, 1, 5, 5), -0.5), np.full((30, 1, 5, 5), 0.25)
    figure = viz.filters(after, before)
    figure.canvas.draw()
    left, right, scale = figure.axes
    assert (left.get_title(), right.get_title()) == ("before training", "after training")
    assert left.get_position().x1 <= right.get_position().x0
    assert left.images[0].get_clim() == right.images[0].get_clim() == (-0.5, 0.5)
    assert np.nanmax(drawn(left)) == -0.5
    assert np.nanmin(drawn(right)) == 0.25
    assert scale.get_ylabel() == "weight"
    assert scale.get_ylim() == (-0.5, 0.5)


@pytest.mark.parametrize("fn", [1, 6, 30])
@pytest.mark.parametrize("size", [(3, 3), (2, 7), (7, 1)])
def test_every_filter_is_shown_once_in_an_outline_with_its_number(fn, size):
    w = np.arange(float(fn * size[0] * size[1])).reshape(fn, 1, *size)
    axes = viz.filters(w).axes[0]
    picture = drawn(axes)
    assert sorted(picture[~np.isnan(picture)]) == sorted(w.ravel())
    places = outlines(axes)
    assert len(places) == fn
    for filter_, (y, x) in zip(w, places, strict=True):
        np.testing.assert_array_equal(picture[y : y + size[0], x : x + size[1]], filter_[0])
    assert numbers(axes) == ([str(k) for k in range(fn)] if fn > 1 else [])


def test_a_mosaic_has_a_gap_of_one_cell():
    picture = viz.mosaic(np.ones((6, 1, 3, 3)))
    assert picture.shape == (7, 11)
    assert np.isnan(picture[3::4]).all()
    assert np.isnan(picture[:, 3::4]).all()


def test_filters_of_colour_images_are_drawn_in_colour_around_middle_grey():
    w = np.zeros((4, 3, 5, 5))
    w[1, 0], w[1, 1], w[2, 2, 0, 0] = 0.2, -0.2, 0.4
    axes, scale = viz.filters(w).axes
    picture = np.asarray(axes.images[0].get_array())
    (y0, x0), (y1, x1), (y2, x2), _ = outlines(axes)
    np.testing.assert_allclose(picture[y0, x0], [0.5, 0.5, 0.5, 1])
    np.testing.assert_allclose(picture[y1 + 2, x1 + 2], [0.75, 0.25, 0.5, 1])
    np.testing.assert_allclose(picture[y2, x2], [0.5, 0.5, 1, 1])
    assert picture[y0, x0 + 5, 3] == 0, "what is between two filters lets the page through"
    assert scale.get_ylabel() == "weight for red, for green, for blue"


def test_one_channel_says_which_is_shown():
    w = np.random.default_rng(0).normal(size=(4, 8, 5, 5))
    for channel, figure in ((0, viz.filters(w)), (2, viz.filters(w, channels=2))):
        axes, scale = figure.axes
        assert scale.get_ylabel() == f"weight, channel {channel} of 8 (from 0)"
        np.testing.assert_array_equal(drawn(axes)[:5, :5], w[0, channel])


@pytest.mark.parametrize("shape", [(7, 3, 2, 4), (5, 16, 3, 3), (40, 2, 3, 3), (3, 2, 1, 1)])
def test_all_channels_make_a_row_for_each_filter(shape):
    w = np.random.default_rng(0).normal(size=shape)
    figure = viz.filters(w, channels="all", order="norm")
    *blocks, _ = figure.axes
    norms = [np.linalg.norm(f) for f in w]
    expected = sorted(range(len(w)), key=lambda k: -norms[k])
    found = []
    for axes in blocks:
        picture = drawn(axes)
        places = outlines(axes)
        for row in range(len(places) // shape[1]):
            number = expected[len(found)]
            for channel in range(shape[1]):
                y, x = places[row * shape[1] + channel]
                cell = picture[y : y + shape[2], x : x + shape[3]]
                np.testing.assert_array_equal(cell, w[number, channel])
            found.append(number)
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert set(labels) <= set(map(str, found))
    assert found == expected


def test_filters_that_are_all_zero_can_be_drawn():
    assert viz.filters(np.zeros((2, 1, 3, 3))).axes[0].images[0].get_clim() == (-1, 1)
    viz.filters(np.zeros((4, 3, 3, 3)), order="similar").canvas.draw()


def test_sorted_filters_carry_their_numbers_and_both_panels_stand_in_one_order():
    w = np.random.default_rng(0).normal(size=(9, 1, 3, 3))
    left, right, _ = viz.filters(w, before=w[::-1], order="norm").axes
    order = [str(k) for k in ordered(w, "norm")]
    assert numbers(left) == numbers(right) == order
    np.testing.assert_array_equal(drawn(right)[:3, :3], w[int(order[0]), 0])
    np.testing.assert_array_equal(drawn(left)[:3, :3], w[::-1][int(order[0]), 0])


def test_like_filters_lie_together():
    rng = np.random.default_rng(1)
    kinds = rng.normal(size=(5, 1, 4, 4))
    belongs = rng.permutation(np.repeat(np.arange(5), 8))
    w = kinds[belongs] * rng.uniform(0.5, 2, size=(40, 1, 1, 1)) + 0.05 * rng.normal(
        size=(40, 1, 4, 4)
    )
    order = ordered(w, "similar")
    assert sorted(order) == list(range(40))
    assert (np.diff(belongs[order]) != 0).sum() == 4, "five kinds, each in one piece"


def test_the_tour_is_no_longer_than_going_to_the_nearest_each_time():
    rng = np.random.default_rng(2)
    for n in (2, 3, 12, 60):
        w = rng.normal(size=(n, 1, 2, 2))
        unit = w.reshape(n, -1) / np.linalg.norm(w.reshape(n, -1), axis=1, keepdims=True)
        far = 1 - unit @ unit.T
        order = ordered(w, "similar")
        greedy = [int(order[0])]
        while len(greedy) < n:
            left = [k for k in range(n) if k not in greedy]
            greedy.append(min(left, key=lambda k: far[greedy[-1], k]))

        def length(path, far=far):
            return sum(far[a, b] for a, b in itertools.pairwise(path))

        assert length(list(order)) <= length(greedy) + 1e-9


def test_filters_refuse_what_they_cannot_draw():
    w = np.zeros((4, 2, 3, 3))
    with pytest.raises(ShapeError, match=r"filters: expects both of one shape, received .*5, 5"):
        viz.filters(w, np.zeros((4, 2, 5, 5)))
    with pytest.raises(ShapeError, match=r"there is no channel 2: these filters have 2"):
        viz.filters(w, channels=2)
    with pytest.raises(ShapeError, match=r"only filters of three channels .* these have 2"):
        viz.filters(w, channels="rgb")
    with pytest.raises(ArgumentError, match=r"channels: must be .* received 'red'"):
        viz.filters(w, channels="red")
    with pytest.raises(ArgumentError, match=r"order: must be 'none', 'norm' or 'similar'"):
        viz.filters(w, order="size")
    with pytest.raises(ShapeError, match=r"received \(4, 9\)"):
        viz.mosaic(np.zeros((4, 9)))
