"""The window of a convolution: its numbers are the oracle's, and all of them can be read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from drawn import numbers_after, require_legible, texts, value, values_after
from pellucid import viz
from pellucid.errors import ArgumentError, ShapeError

X = np.array([[1, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1]])
W = np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2]])


@st.composite
def cases(draw):
    """An image, a filter, and how it moves, such that at least one window fits."""
    c = draw(st.integers(1, 3))
    window = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    dilation = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    pad = tuple(draw(st.integers(0, 2)) for _ in range(4))
    extent = [d * (f - 1) + 1 for d, f in zip(dilation, window, strict=True)]
    h = draw(st.integers(max(1, extent[0] - pad[0] - pad[1]), 7))
    w = draw(st.integers(max(1, extent[1] - pad[2] - pad[3]), 7))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x, k = rng.integers(-9, 10, size=(c, h, w)), rng.integers(-3, 4, size=(c, *window))
    return x, k, stride, pad, dilation, draw(st.integers(0, 10**6))


@settings(max_examples=12)
@given(cases())
def test_products_sums_and_output_are_those_of_the_oracle(case):
    x, w, stride, pad, dilation, which = case
    sides = (pad[:2], pad[2:])
    y = naive.convolution(x[None], w[None], np.array([5.0]), stride, sides, dilation)[0, 0]
    step = which % y.size + 1
    figure = viz.window(x, w, 5, step=step, stride=stride, padding=pad, dilation=dilation)
    row = naive.im2col(x[None], w.shape[1:], stride, sides, dilation)[step - 1].reshape(w.shape)
    padded = np.pad(x, ((0, 0), *sides))
    for c in range(len(x)):
        name = f", channel {c}" if len(x) > 1 else ""
        size = f"{x.shape[1]}x{x.shape[2]}{name}"
        drawn = values_after(figure, f"input {size}", padded[c].shape)
        np.testing.assert_array_equal(drawn, padded[c])
        size = f"{w.shape[1]}x{w.shape[2]}{name}"
        np.testing.assert_array_equal(values_after(figure, f"filter {size}", w[c].shape), w[c])
        products = values_after(figure, f"products{name}", w[c].shape, every=2)
        np.testing.assert_array_equal(products, row[c] * w[c])
    np.testing.assert_array_equal(values_after(figure, f"output {y.shape[0]}x", y.shape), y)
    i, j = divmod(step - 1, y.shape[1])
    (total,) = [text for text in texts(figure) if text.startswith(f"output[{i}, {j}]")]
    assert value(total.rpartition(" = ")[2]) == y[i, j]


def test_the_sum_is_written_out_term_by_term():
    words = texts(viz.window(X, W, 3, step=2))
    assert "sum: 2·2 + 3·0 + 0·1 + 1·0 + 2·1 + 3·2 + 0·1 + 1·0 + 2·2 = 16" in words
    assert "output[0, 1] = 16 + bias 3 = 19" in words


def test_negative_numbers_keep_their_signs_in_the_sum():
    words = texts(viz.window(np.array([[-1, 2]]), np.array([[-3, -4]]), -5))
    assert "sum: −1·(−3) + 2·(−4) = −5" in words
    assert "output[0, 0] = −5 + bias −5 = −10" in words


def test_the_channels_sums_are_added():
    x, w = np.stack([X, X + 1, 2 * X]), np.stack([W, W, -W])
    words = texts(viz.window(x, w, 1, step=4))
    parts = [naive.convolution(x[None, c : c + 1], w[None, c : c + 1])[0, 0] for c in range(3)]
    for c, part in enumerate(parts):
        (line,) = [text for text in words if text.startswith(f"channel {c}:")]
        assert value(line.rpartition("= ")[2]) == part[1, 1]
    assert parts[2][1, 1] < 0
    total = " ".join(f"{'−' if p[1, 1] < 0 else '+'} {abs(p[1, 1]):.0f}" for p in parts)
    end = f"{sum(p[1, 1] for p in parts) + 1:.0f}"
    assert f"output[1, 1] = {total[2:]} + bias 1 = {end}" in words


def test_a_moving_picture_shows_only_what_was_computed_so_far():
    for step in range(1, 5):
        figure = viz.window(X, W, step=step, so_far=True)
        shown = numbers_after(figure, "output 2x2", 4)
        assert shown == ["15", "16", "6", "15"][:step] + [""] * (4 - step)
    assert numbers_after(viz.window(X, W), "output 2x2", 4) == ["15", "16", "6", "15"]


def test_all_steps_are_of_one_size():
    x = np.arange(35).reshape(5, 7) ** 3
    sizes = {tuple(viz.window(x, W, step=k).get_size_inches()) for k in range(1, 16)}
    assert len(sizes) == 1


def cells(figure):
    """Return the small rectangles by their left upper corner."""
    return {
        (round(p.get_x(), 3), round(p.get_y(), 3)): p
        for p in figure.axes[0].patches
        if hasattr(p, "get_x") and p.get_fill() and p.get_width() == 1
    }


def test_padding_is_dashed_and_what_no_window_reads_is_hatched():
    figure = viz.window(X, W, padding=1, stride=2)
    (left, top) = min(cells(figure))
    marked = np.array(
        [
            [(c := cells(figure)[round(left + j, 3), round(top + i, 3)]).get_linestyle() != "-",
             c.get_hatch() is not None]
            for i in range(6)
            for j in range(6)
        ]
    ).reshape(6, 6, 2)  # fmt: skip
    border = np.pad(np.zeros((4, 4), dtype=bool), 1, constant_values=True)
    np.testing.assert_array_equal(marked[..., 0], border)
    last = np.zeros((6, 6), dtype=bool)
    last[5] = last[:, 5] = True
    np.testing.assert_array_equal(marked[..., 1], last)
    words = " ".join(texts(figure))
    assert "(4 + 2 − 3) / 2 + 1 = 2.5 is not a whole number" in words
    assert "dashed: padding with zeros hatched: read by no window" in words


def test_rows_between_windows_that_jump_over_them_are_hatched_too():
    figure = viz.window(np.ones((5, 1)), np.ones((1, 1)), stride=2)
    left, top = min(cells(figure))
    hatched = [bool(cells(figure)[left, round(top + k, 3)].get_hatch()) for k in range(5)]
    assert hatched == [False, True, False, True, False]


def test_a_window_that_fits_has_its_formula_and_no_complaint():
    words = " ".join(texts(viz.window(X, W)))
    assert "output size = (H + 2P − E) // S + 1" in words
    assert "rows: (4 + 0 + 0 − 3) // 1 + 1 = 2, columns: (4 + 0 + 0 − 3) // 1 + 1 = 2" in words
    assert "not a whole number" not in words
    assert "hatched" not in words
    assert "dashed" not in words


@pytest.mark.parametrize(
    ("x", "w", "options"),
    [
        ((1, 1, 1), (1, 1, 1), {}),
        ((1, 1, 12), (1, 1, 5), {}),
        ((3, 5, 3), (3, 2, 3), {"dilation": (2, 1), "stride": 2}),
        ((4, 3, 6), (4, 3, 3), {"padding": "same"}),
    ],
)
@pytest.mark.parametrize("kind", ["whole", "real", "large"])
def test_every_number_can_be_read(x, w, options, kind):
    rng = np.random.default_rng(1)
    draw = {
        "whole": lambda shape: rng.integers(-99, 100, size=shape),
        "real": lambda shape: rng.normal(size=shape),
        "large": lambda shape: rng.normal(size=shape) * 1e6,
    }[kind]
    figure = viz.window(draw(x), draw(w), 0.5, **options)
    require_legible(figure, least=5)


def test_the_largest_picture_can_be_read():
    x = np.random.default_rng(1).integers(-99, 100, size=(12, 12))
    require_legible(viz.window(x, np.arange(49).reshape(7, 7), padding=2, step=50), least=5)


def test_rounding_is_told():
    said = "numbers are rounded"
    assert said in texts(viz.window(X / 3, W))
    assert said not in texts(viz.window(X / 4, W, 0.5))


def test_what_makes_no_sense_is_refused_with_advice():
    with pytest.raises(ShapeError, match="a window of 5 is larger than the input's height of 4"):
        viz.window(X, np.ones((5, 5)))
    with pytest.raises(ArgumentError, match=r"step: must be from 1 to 4: .*2x2 places; received 5"):
        viz.window(X, W, step=5)
    with pytest.raises(ArgumentError, match=r"filter: must be as deep as its input: .* 2 channels"):
        viz.window(np.stack([X, X]), W)
    with pytest.raises(ArgumentError, match=r"can draw 16x16 cells .* received 17x17.*smaller"):
        viz.window(np.ones((15, 15)), W, padding=1)
    with pytest.raises(ArgumentError, match=r"can draw 4 channels, received 5"):
        viz.window(np.ones((5, 4, 4)), np.ones((5, 3, 3)))
    with pytest.raises(ArgumentError, match=r"filters of 7x7, received 8x8"):
        viz.window(np.ones((9, 9)), np.ones((8, 8)))
    with pytest.raises(ArgumentError, match="expects finite numbers"):
        viz.window(X * np.nan, W)
    with pytest.raises(
        ArgumentError, match=r"expects one image \(C, H, W\), received shape \(4,\)"
    ):
        viz.window(X[0], W)
