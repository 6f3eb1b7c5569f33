"""Receptive fields: known stacks, and fields traced by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pellucid.receptive import ReceptiveField
from pellucid.shapes import slide


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


def test_behind_a_layer_that_sees_everything_everything_is_seen():
    everything = ReceptiveField(everything=True)
    assert everything.through(slide((9, 9), 3)).everything
    assert str(everything) == "all"
    assert str(ReceptiveField(size=(3, 5))) == "3x5"
