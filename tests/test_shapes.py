"""Sizes: the lectures' cases, every form of padding, and windows counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import ArgumentError, ShapeError
from pellucid.shapes import output_size, pair, slide, slide_transposed

# The lectures' cases.


@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "output"),
    [
        (7, 3, 1, 0, 5),  # CS231n, "Spatial arrangement"
        (7, 3, 2, 0, 3),
        (5, 3, 1, 1, 5),
        (227, 11, 4, 0, 55),  # AlexNet's first layer
        (4, 3, 1, 0, 2),  # "Deep Learning from Scratch", section 7.2.2
        (4, 3, 1, 1, 4),
        (28, 5, 3, 2, 10),
        (31, 5, 3, 2, 11),
        (28, 5, 1, 0, 24),
        (24, 2, 2, 0, 12),
    ],
)
@pytest.mark.parametrize("misfit", ["floor", "error", "pad"])
def test_the_lectures_sizes_fit_evenly_under_every_policy(
    size, window, stride, padding, output, misfit
):
    assert output_size(size, window, stride, padding, misfit=misfit) == output


def test_the_books_28x31_image_gives_10x11():
    moves = slide((28, 31), 5, stride=3, padding=2, misfit="error")
    assert moves.output == (10, 11)
    assert moves.unread == (0, 0)
    assert moves.count == 110


def test_a_10_wide_input_does_not_fit_a_window_of_3_with_stride_2():
    with pytest.raises(
        ShapeError,
        match=r"^a window of 3 with stride 2 does not fit a length of 10: \(10 \+ 0 - 3\) / 2 \+ 1 "
        r"= 4\.5 is not a whole number\. Change stride or padding, or choose misfit='floor' or "
        r"'pad'\.$",
    ):
        output_size(10, 3, 2, misfit="error")
    assert output_size(10, 3, 2) == 4
    assert output_size(10, 3, 2, misfit="pad") == 5


def test_the_refusal_names_the_axis():
    with pytest.raises(ShapeError, match="does not fit a width of 10"):
        slide((9, 10), 3, 2, misfit="error")
    with pytest.raises(ShapeError, match="does not fit a height of 10"):
        slide((10, 9), 3, 2, misfit="error")


# Padding.


@pytest.mark.parametrize(
    ("padding", "sides"),
    [
        (0, ((0, 0), (0, 0))),
        (2, ((2, 2), (2, 2))),
        ((1, 3), ((1, 1), (3, 3))),
        ([1, 3], ((1, 1), (3, 3))),
        ((1, 2, 3, 4), ((1, 2), (3, 4))),
        ([4, 3, 2, 1], ((4, 3), (2, 1))),
        ("valid", ((0, 0), (0, 0))),
        ("same", ((1, 1), (1, 2))),
        (np.int64(2), ((2, 2), (2, 2))),
        (np.array([1, 3]), ((1, 1), (3, 3))),
    ],
    ids=repr,
)
def test_every_form_of_padding_becomes_four_sides(padding, sides):
    assert slide((9, 9), (3, 4), padding=padding).padding == sides


def test_along_one_axis_a_pair_of_padding_is_before_and_after():
    assert output_size(5, 3, padding=(2, 0)) == 5
    assert output_size(5, 3, padding=(0, 0)) == output_size(5, 3, padding="valid") == 3
    assert output_size(5, 3, stride=2, padding="same") == 3


@given(
    size=st.integers(1, 30),
    window=st.integers(1, 7),
    stride=st.integers(1, 5),
    dilation=st.integers(1, 4),
    misfit=st.sampled_from(["floor", "error", "pad"]),
)
@settings(max_examples=300)
def test_same_gives_the_size_divided_by_the_stride_and_rounded_up(
    size, window, stride, dilation, misfit
):
    moves = slide((size, size), window, stride, "same", dilation, misfit)
    assert moves.output[0] == -(-size // stride)
    before, after = moves.padding[0]
    assert 0 <= after - before <= 1  # an odd remainder goes to the end
    if before + after:  # not one cell more than is needed
        assert (moves.output[0] - 1) * stride + moves.extent[0] == size + before + after


# Windows counted by hand.


@st.composite
def _axes(draw):
    window, stride, dilation = (draw(st.integers(1, most)) for most in (5, 5, 3))
    before, after = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    least = max(1, dilation * (window - 1) + 1 - before - after)
    return least + draw(st.integers(0, 12)), window, stride, (before, after), dilation


@settings(max_examples=500)
@given(axis=_axes())
def test_windows_are_as_many_as_can_be_counted_by_hand(axis):
    size, window, stride, (before, after), dilation = axis
    cells = range(-before, size + after)
    places = [
        first
        for first in cells[::stride]
        if all(first + dilation * u in cells for u in range(window))
    ]
    last_read = places[-1] + dilation * (window - 1)
    moves = slide((size, 9), (window, 1), (stride, 1), (before, after, 0, 0), (dilation, 1))
    assert moves.output == (len(places), 9)
    assert moves.unread == (sum(cell > last_read for cell in range(size)), 0)
    assert moves.padding == ((before, after), (0, 0))
    assert output_size(size, window, stride, (before, after), dilation) == len(places)
    assert moves.padded == (len(cells), 9)
    assert moves.extent == (dilation * (window - 1) + 1, 1)


@settings(max_examples=500)
@given(axis=_axes())
def test_under_pad_one_window_more_reads_the_rest_unless_it_would_see_only_padding(axis):
    size, window, stride, (before, after), dilation = axis
    sides = (0, 0, before, after)
    floor = slide((9, size), (1, window), (1, stride), sides, (1, dilation), "floor")
    padded = slide((9, size), (1, window), (1, stride), sides, (1, dilation), "pad")
    extent = dilation * (window - 1) + 1
    ends_early = (floor.output[1] - 1) * stride + extent < before + size + after
    next_first = floor.output[1] * stride - before
    more = ends_early and next_first < size
    assert padded.output[1] == floor.output[1] + more
    if more:
        last = next_first + extent
        assert padded.padding[1] == (before, last - size)
        assert padded.unread == (0, 0)
    else:
        assert padded == floor


def test_under_pad_the_first_window_too_may_hang_over_by_less_than_a_stride():
    moves = slide((2, 3), 4, 3, misfit="pad")
    assert (moves.output, moves.padding) == ((1, 1), ((0, 2), (0, 1)))
    assert (moves.overhang, moves.unread) == ((2, 1), (0, 0))
    for misfit in ("floor", "error"):
        with pytest.raises(
            ShapeError, match="a window of 4 is larger than the input's height of 2"
        ):
            slide((2, 3), 4, 3, misfit=misfit)
    with pytest.raises(ShapeError, match="a window of 4 is larger than the input's height of 2"):
        slide((2, 3), 4, 2, misfit="pad")


def test_only_what_pad_has_added_hangs_over():
    moves = slide((10, 9), 3, 2, (1, 0, 1, 1), misfit="pad")
    assert (moves.padding, moves.overhang) == (((1, 0), (1, 1)), (0, 0))
    moves = slide((9, 10), 3, 2, (1, 0, 1, 1), misfit="pad")
    assert (moves.padding, moves.overhang) == (((1, 1), (1, 2)), (1, 1))
    assert slide((9, 10), 3, 2, "same", misfit="pad").overhang == (0, 0)


@settings(max_examples=300)
@given(axis=_axes())
def test_error_refuses_exactly_what_does_not_divide(axis):
    size, window, stride, sides, dilation = axis
    free = size + sum(sides) - dilation * (window - 1) - 1
    if free % stride:
        with pytest.raises(ShapeError, match="is not a whole number"):
            output_size(size, window, stride, sides, dilation, "error")
    else:
        assert output_size(size, window, stride, sides, dilation, "error") == free // stride + 1


def test_unread_counts_real_rows_and_not_their_padding():
    assert slide((10, 10), 3, 2).unread == (1, 1)
    assert slide((10, 10), 3, 2, (0, 1, 0, 0)).unread == (0, 1)
    assert slide((12, 12), 3, 4, (0, 1, 0, 2)).unread == (1, 1)
    # A window may end before the image begins: then all of its rows are unread, and no more.
    assert slide((1, 1), 1, 3, (2, 0, 0, 0)).unread == (1, 0)
    assert slide((9, 6), 3, 4).unread == (2, 3)


# Pairs, and what is refused.


@pytest.mark.parametrize(
    ("value", "both"), [(3, (3, 3)), ((2, 5), (2, 5)), ([2, 5], (2, 5)), (np.int64(4), (4, 4))]
)
def test_an_integer_stands_for_two(value, both):
    assert pair(value) == both
    assert all(type(v) is int for v in pair(value))


@pytest.mark.parametrize(
    "value",
    [0, -1, (1, 0), (1, 2, 3), (), 1.5, (1.0, 2), "33", None, True, (True, 1), np.array([1, 2])],
    ids=repr,
)
def test_what_is_no_pair_is_refused(value):
    with pytest.raises(
        ArgumentError,
        match=r"^stride: must be an integer of at least 1, or two of them \(vertical, horizontal\)"
        r"; received ",
    ):
        pair(value, "stride")


def test_a_pair_may_start_at_another_least():
    assert pair(0, least=0) == (0, 0)
    with pytest.raises(ArgumentError, match=r"value: must be an integer of at least 0, .* -1"):
        pair(-1, least=0)


@pytest.mark.parametrize("name", ["window", "stride", "dilation"])
@pytest.mark.parametrize("value", [0, -2, 1.5, "3", None])
def test_each_argument_of_a_slide_is_named_when_it_is_refused(name, value):
    arguments = {"window": 3, name: value}
    with pytest.raises(ArgumentError, match=f"^{name}: must be an integer of at least 1"):
        slide((9, 9), **arguments)
    with pytest.raises(ArgumentError, match=f"^{name}: must be an integer, 1 or more; received"):
        output_size(9, **arguments)


@pytest.mark.parametrize(
    "padding",
    [-1, (1, -1), (1, 2, 3), (1, 2, 3, 4, 5), (), 1.5, (0.5, 1), None, True],
    ids=repr,
)
def test_padding_of_another_form_is_refused_with_all_forms(padding):
    with pytest.raises(
        ArgumentError,
        match=r"^padding: must be an integer of 0 or more, two, four \(top, bottom, left, right\), "
        r"'same' or 'valid'; received ",
    ):
        slide((9, 9), 3, padding=padding)
    with pytest.raises(
        ArgumentError, match=r"^padding: must be an integer of 0 or more, two, 'same' or 'valid'"
    ):
        output_size(9, 3, padding=padding)


def test_four_sides_are_too_many_for_one_axis():
    with pytest.raises(ArgumentError, match="0 or more, two, 'same' or 'valid'; received"):
        output_size(9, 3, padding=(1, 1, 1, 1))


def test_an_unknown_word_for_padding_is_refused():
    with pytest.raises(
        ArgumentError, match=r"^padding: must be 'same', 'same_lower', 'valid' or numbers, received"
    ):
        slide((9, 9), 3, padding="full")


def test_an_unknown_misfit_is_refused():
    with pytest.raises(
        ArgumentError, match=r"^misfit: must be 'floor', 'error' or 'pad', received 'ceil'"
    ):
        slide((9, 9), 3, misfit="ceil")


def test_a_window_larger_than_the_padded_input_is_refused_with_what_it_covers():
    with pytest.raises(
        ShapeError,
        match=r"^a window of 5 is larger than the input's width of 2 with padding 1 \+ 1\. Use a "
        r"smaller window, more padding or a larger input\.$",
    ):
        slide((9, 2), 5, padding=(1, 1))
    with pytest.raises(
        ShapeError, match=r"a window of 3 \(dilation 4: it covers 9\) is larger than .* length of 8"
    ):
        output_size(8, 3, dilation=4)


@pytest.mark.parametrize("padding", ["same", 3])
def test_an_image_without_rows_is_refused(padding):
    with pytest.raises(ShapeError, match="input's height of 0"):
        slide((0, 5), 3, padding=padding)


@given(
    size=st.integers(1, 30), window=st.integers(1, 7), stride=st.integers(1, 5),
    dilation=st.integers(1, 4),
)  # fmt: skip
def test_same_lower_is_same_with_the_odd_cell_at_the_beginning(size, window, stride, dilation):
    same = slide((size, size), window, stride, "same", dilation)
    lower = slide((size, size), window, stride, "same_lower", dilation)
    assert lower.output == same.output
    assert lower.padding[0] == same.padding[0][::-1]


@given(size=st.integers(1, 9), window=st.integers(1, 7), stride=st.integers(1, 5))
def test_same_crops_a_transposed_convolution_to_a_multiple_of_its_input(size, window, stride):
    moves = slide_transposed((size, size), window, stride, "same")
    assert moves.input[0] == min(size * stride, (size - 1) * stride + window)
    before, after = moves.padding[0]
    assert 0 <= after - before <= 1


def test_a_transposed_convolution_is_cropped_by_each_of_four_sides():
    moves = slide_transposed((4, 5), 3, 2, (0, 1, 2, 1), (1, 0))
    assert moves.input == (9, 8)
    assert moves.padding == ((0, 1), (2, 1))
    with pytest.raises(ShapeError, match=r"gives an output of 3 - 1 - 2 \+ 0 = 0 cells"):
        slide_transposed((1, 1), 3, 1, (1, 2, 0, 0))
