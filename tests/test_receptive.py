"""Receptive fields: known stacks, and fields traced by hand."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from pellucid.receptive import ReceptiveField
from pellucid.shapes import slide, slide_transposed


def test_three_3x3_see_as_much_as_one_7x7():
    field = ReceptiveField()
    for _ in range(3):
        field = field.through(slide((20, 20), 3, padding=1))
    assert field == ReceptiveField(size=(7, 7), stride=(1, 1), start=(-3, -3))


def test_strides_multiply_what_later_layers_see():
    field = ReceptiveField().through(slide((227, 227), 11, 4)).through(slide((55, 55), 3, 2))
    assert field == ReceptiveField(size=(19, 19), stride=(8, 8), start=(0, 0))


_layers = st.lists(
    st.tuples(*(st.integers(1, most) for most in (4, 3, 3)), st.integers(0, 3)),
    min_size=1,
    max_size=4,
)


@given(rows=_layers, columns=_layers, cell=st.integers(0, 3))
def test_a_stack_sees_what_can_be_traced_by_hand(rows, columns, cell):
    depth = min(len(rows), len(columns))
    field = ReceptiveField()
    for down, across in zip(rows[:depth], columns[:depth], strict=True):
        window, stride, dilation, padding = zip(down, across, strict=True)
        field = field.through(slide((99, 99), window, stride, padding, dilation))
    for axis, layers in enumerate((rows[:depth], columns[:depth])):
        seen = {cell}
        for window, stride, dilation, padding in reversed(layers):
            seen = {stride * c + dilation * u - padding for c in seen for u in range(window)}
        start = field.start[axis] + cell * field.stride[axis]
        assert start == min(seen)
        assert start + field.size[axis] - 1 == max(seen)


@given(rows=_layers, more=st.integers(0, 2), up=st.integers(2, 4), window=st.integers(1, 5))
def test_behind_a_transposed_convolution_no_cell_sees_more_than_is_said(rows, more, up, window):
    field, spread = ReceptiveField(), []
    for width, stride, dilation, padding in rows:
        field = field.through(slide((99, 99), width, stride, padding, dilation))
        spread.append((width, stride, dilation, padding))
    field = field.through_transposed(slide_transposed((20, 20), window, up))
    field = field.through(slide((99, 99), 1 + more))
    widths = []
    for cell in range(20, 20 + up):
        shifted = {c - u for c in range(cell, cell + more + 1) for u in range(window)}
        seen = {c // up for c in shifted if c % up == 0}
        for width, stride, dilation, padding in reversed(spread):
            seen = {stride * c + dilation * u - padding for c in seen for u in range(width)}
        if seen:
            widths.append(max(seen) - min(seen) + 1)
            start = field.start[0] + cell * field.stride[0]
            assert start <= min(seen)
            assert max(seen) <= start + field.size[0] - 1
    assert max(widths, default=0) <= floor(field.size[0])


def test_fields_move_by_fractions_behind_a_transposed_convolution_and_whole_again_behind_a_stride():
    field = ReceptiveField().through_transposed(slide_transposed((4, 4), 2, 2))
    assert field.stride == (Fraction(1, 2), Fraction(1, 2))
    assert str(field) == "1x1"
    again = field.through(slide((8, 8), 2, 2))
    assert again.stride == (1, 1)
    assert type(again.stride[0]) is int
    assert again.centre(0) == 0


def test_behind_a_layer_that_sees_everything_everything_is_seen():
    everything = ReceptiveField(everything=True)
    assert everything.through(slide((9, 9), 3)).everything
    assert str(everything) == "all"
    assert str(ReceptiveField(size=(3, 5))) == "3x5"
