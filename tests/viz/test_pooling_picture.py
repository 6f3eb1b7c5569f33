"""Pooling as a picture: winners, outputs and gradients are the oracle's."""

from __future__ import annotations

import numpy as np
import pytest

import naive
from drawn import numbers_after, require_legible, texts, value
from pellucid import viz
from pellucid.errors import ArgumentError, ShapeError

CASES = [
    ((1, 4, 4), 2, 2, 0, 1),
    ((1, 1, 1), 1, 1, 0, 1),
    ((3, 5, 6), 3, 2, 1, 1),
    ((1, 5, 7), (2, 3), (2, 3), 0, 1),
    ((2, 6, 4), 2, 1, 0, (2, 1)),
]
INFINITY = "−∞"


def pair(v):
    return v if isinstance(v, tuple) else (v, v)


def oracle(x, size, stride, pad, dilation, dy):
    setting = (pair(size), pair(stride), ((pad, pad), (pad, pad)), pair(dilation))
    y, winner = naive.max_pooling(x[None], *setting)
    mean = naive.avg_pooling(x[None], *setting)
    return (
        (y[0], naive.max_pooling_gradient(dy[None], x[None], *setting)[0], winner[0]),
        (mean[0], naive.avg_pooling_gradient(dy[None], x[None], *setting)[0], None),
    )


def bands(figure):
    """Return the texts of each band: of one kind of pooling and one channel."""
    found: dict[str, list[str]] = {}
    name = ""
    for text in texts(figure):
        if text.startswith(("maximum", "average")) and ":" not in text:
            name = text
        elif ":" in text or text.startswith("output size"):
            name = "notes"
        found.setdefault(name, []).append(text)
    return found


def cells(drawn):
    """Return the numbers among texts, and for those that bear a mark, the mark."""
    numbers, marks = [], {}
    for text in drawn:
        if text.isalpha():
            marks[len(numbers) - 1] = text
        else:
            numbers.append(text)
    return numbers, marks


@pytest.mark.parametrize(("shape", "size", "stride", "pad", "dilation"), CASES)
def test_both_kinds_and_their_gradients_are_those_of_the_oracle(shape, size, stride, pad, dilation):
    x = np.random.default_rng(4).integers(-9, 10, size=shape).astype(float)
    figure = viz.pooling(x, size, stride, padding=pad, dilation=dilation)
    oh, ow = naive.output_shape(
        shape[1:], pair(size), pair(stride), ((pad, pad), (pad, pad)), pair(dilation)
    )
    dy = np.arange(1.0, 1 + shape[0] * oh * ow).reshape(shape[0], oh, ow)
    found = bands(figure)
    ph, pw = shape[1] + 2 * pad, shape[2] + 2 * pad
    for kind, (y, dx, _) in zip(
        ("maximum", "average"), oracle(x, size, stride, pad, dilation, dy), strict=True
    ):
        for c in range(shape[0]):
            drawn = found[kind + (f", channel {c}" if shape[0] > 1 else "")]
            numbers, _ = cells(drawn[4:])
            image, rest = numbers[: ph * pw], numbers[ph * pw :]
            fill = INFINITY if kind == "maximum" else "0"
            own = np.array([[f"{v:.0f}".replace("-", "−") for v in row] for row in x[c]])
            padded = np.pad(own, pad, constant_values=fill)
            assert image == list(padded.ravel())
            drawn_y, drawn_dy, drawn_dx = np.split(
                np.array([value(t) for t in rest]), [oh * ow, 2 * oh * ow]
            )
            np.testing.assert_allclose(drawn_y, y[c].ravel(), atol=6e-3)
            np.testing.assert_array_equal(drawn_dy, dy[c].ravel())
            np.testing.assert_allclose(drawn_dx, dx[c].ravel(), rtol=5e-3, atol=6e-4)
    require_legible(figure, least=5)


def test_a_cell_bears_the_letters_of_the_windows_that_it_won():
    x = np.array([[1.0, 9, 0], [2, 3, 4], [8, 0, 5]])
    drawn = bands(viz.pooling(x, 2, 1, kind="max"))["maximum"]
    _, marks = cells(drawn[4:])
    assert {k: mark for k, mark in marks.items() if k < 9} == {1: "ab", 6: "c", 8: "d"}
    assert [marks[k] for k in range(9, 17)] == list("abcdabcd")


def test_where_windows_overlap_gradients_add_up_and_the_picture_says_so():
    x = np.array([[1.0, 9, 0]])
    figure = viz.pooling(x, (1, 2), 1, dy=np.array([[3, 4]]), kind="max")
    assert numbers_after(figure, "gradient of the input", 3)  # a heading, and what is below
    numbers, _ = cells(bands(figure)["maximum"][4:])
    assert numbers[-3:] == ["0", "7", "0"]
    assert "gradients add up" in " ".join(texts(figure))
    assert "gradients add up" not in " ".join(texts(viz.pooling(np.ones((2, 2)))))


def test_the_first_of_equals_wins():
    numbers, marks = cells(bands(viz.pooling(np.full((2, 2), 7.0), kind="max"))["maximum"][4:])
    assert marks[0] == "a"
    assert numbers[-4:] == ["1", "0", "0", "0"]


def test_only_the_kind_that_was_asked_for_is_drawn():
    x = np.ones((2, 2))
    assert set(bands(viz.pooling(x, kind="max"))) == {"maximum", "notes"}
    assert set(bands(viz.pooling(x, kind="average"))) == {"average", "notes"}
    padded = " ".join(texts(viz.pooling(np.ones((4, 4)), 2, padding=1)))
    assert "dashed: padding with −∞, which never wins or zeros" in padded


def test_what_makes_no_sense_is_refused_with_advice():
    x = np.ones((4, 4))
    with pytest.raises(ShapeError, match="a window of 5 is larger than the input's height of 4"):
        viz.pooling(x, 5)
    with pytest.raises(ShapeError, match="contain only padding"):
        viz.pooling(x, 2, 1, padding=2)
    with pytest.raises(ArgumentError, match=r"dy: must have the output's shape \(1, 2, 2\)"):
        viz.pooling(x, 2, dy=np.ones((3, 3)))
    with pytest.raises(ArgumentError, match="52 windows apart by letters, received 64"):
        viz.pooling(np.ones((8, 8)), 1)
    with pytest.raises(ArgumentError, match="kind: must be 'max', 'average' or 'both'"):
        viz.pooling(x, kind="min")
