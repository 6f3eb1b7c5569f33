"""Reshape, permute and slice: what they refuse, and the fields of all that moves cells."""

from __future__ import annotations

import numpy as np
import pytest

from nn.cases import CASES
from pellucid import nn
from pellucid.errors import ArgumentError, ShapeError
from pellucid.receptive import ReceptiveField


@pytest.mark.parametrize("shape", [(0,), (-1, -1), (2.0,), (-2, 3), ("3",), (True, 2), ([2, "a"],)])
def test_a_shape_that_is_not_allowed_is_refused(shape):
    with pytest.raises(ArgumentError, match=r"^shape: must be lengths of at least 1, without that"):
        nn.Reshape(*shape)


def test_numbers_that_do_not_fill_the_shape_are_refused():
    with pytest.raises(
        ShapeError, match=r"cannot give the 6 numbers of shape \(6,\) the shape \(4"
    ):
        nn.Reshape(4, -1)(np.zeros((1, 6)))
    with pytest.raises(ShapeError, match=r"the shape \(2, 2\), which takes 4\."):
        nn.Reshape(2, 2)(np.zeros((1, 6)))


@pytest.mark.parametrize("dims", [(1, 0, 2), (0, 1, 1), (0, 1, 3), (0.0, 1), ((0, 2),), ()])
def test_an_order_that_is_not_one_of_all_axes_is_refused(dims):
    with pytest.raises((ArgumentError, TypeError), match=r"dims"):
        nn.Permute(*dims)


def test_an_order_of_more_axes_than_there_are_is_refused():
    with pytest.raises(
        ShapeError, match=r"^Permute: orders 4 axes, N included, received shape \(3"
    ):
        nn.Permute(0, 2, 3, 1)(np.zeros((1, 3, 4)))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((0,), "dim"), ((1.5,), "dim"), ((1, "a"), "start"), ((1, 0, 3, 0), "step")],
)
def test_a_slice_that_is_not_allowed_is_refused(arguments, name):
    with pytest.raises(ArgumentError, match=f"^{name}: must "):
        nn.Slice(*arguments)


def test_a_slice_of_nothing_or_of_no_axis_is_refused():
    with pytest.raises(ShapeError, match=r"^Slice: leaves nothing of axis 1 of shape \(N, 3, 4\)"):
        nn.Slice(1, 3)(np.zeros((2, 3, 4)))
    for dim in (3, -3):
        with pytest.raises(ShapeError, match=r"Slice: takes a part of axis .* has only 3 axes"):
            nn.Slice(dim)(np.zeros((2, 3, 4)))


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if len(c.shape) == 3 and c.id.split()[0] in
     ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "Mean", "Max", "Permute", "PixelShuffle",
      "PixelUnshuffle", "Reshape", "Resize", "Slice", "Sum", "Upsample")],
    ids=lambda case: case.id,
)  # fmt: skip
def test_no_cell_depends_on_what_lies_outside_its_receptive_field(case):
    layer = case.layer()
    x = np.random.default_rng(0).normal(size=(1, *case.shape))
    y = layer(x)
    field = layer.receptive_field(ReceptiveField(), case.shape)
    if y.ndim != 4 or field.everything:
        return
    for i, j in np.ndindex(*y.shape[2:]):
        dy = np.zeros_like(y)
        dy[:, :, i, j] = 1
        rows, columns = np.nonzero(np.abs(layer.backward(dy)).sum(axis=(0, 1)))
        for cells, axis, place in ((rows, 0, i), (columns, 1, j)):
            first = field.start[axis] + field.stride[axis] * place
            assert first <= cells.min(), (i, j)
            assert cells.max() <= first + field.size[axis] - 1, (i, j)
