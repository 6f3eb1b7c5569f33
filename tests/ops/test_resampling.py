"""Resizing, adaptive pooling, pixel shuffle and reductions, against loops over single numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_images
from ops.strategies import seeds
from ops.witness import assert_agrees, drawn
from pellucid import nn
from pellucid.errors import ArgumentError, ShapeError
from pellucid.ops import (
    Resizing,
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    adaptive_max_pool2d,
    adaptive_max_pool2d_backward,
    pixel_shuffle,
    pixel_unshuffle,
    reduce_max,
    reduce_max_backward,
    reduce_mean,
    resample2d,
    resample2d_backward,
    resizing_matrix,
)

sizes = st.integers(1, 6)
COORDINATES = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
    "tf_half_pixel_for_nn",
)  # fmt: skip
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@given(
    h=sizes, w=sizes, out=st.tuples(sizes, sizes), seed=seeds, a=st.sampled_from([-0.75, -0.5]),
    coordinates=st.sampled_from(COORDINATES), outside=st.booleans(), antialias=st.booleans(),
)  # fmt: skip
def test_resizing_equals_the_loops(mode, h, w, out, seed, a, coordinates, outside, antialias):
    how = Resizing(mode, coordinates, "floor", a, outside, antialias)
    if mode == "nearest":  # halves of a last bit: powers of two have none
        h, w = 4, 2
        out = 2 ** (out[0] // 2), 2 ** (out[1] // 2)
    x = drawn(np.random.default_rng(seed), (1, 2, h, w))
    scales = out[0] / h, out[1] / w
    matrices = [resizing_matrix(n, o, s, how) for n, o, s in zip((h, w), out, scales, strict=True)]
    if coordinates == "align_corners" and mode == "nearest":
        return
    expected = naive_images.resize(
        x, out, scales, mode, coordinates=coordinates, nearest="floor", a=a,
        exclude_outside=outside, antialias=antialias,
    )  # fmt: skip
    assert_agrees(resample2d(x, *matrices), expected, magnitude=1 + abs(expected).max())


@pytest.mark.parametrize("nearest", NEAREST)
@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize(("size", "output"), [(4, 8), (8, 4), (8, 2), (2, 8), (6, 6)])
def test_the_nearest_cell_is_that_of_the_loops(nearest, coordinates, size, output):
    if coordinates == "align_corners":
        size, output = 5, {8: 9, 4: 3, 2: 2, 6: 5}[output]  # (I-1) / (O-1) in halves
    x = drawn(np.random.default_rng(0), (1, 1, size, size))
    matrix = resizing_matrix(size, output, output / size, Resizing("nearest", coordinates, nearest))
    expected = naive_images.resize(
        x, (output, output), (output / size,) * 2, "nearest", coordinates=coordinates,
        nearest=nearest,
    )  # fmt: skip
    np.testing.assert_array_equal(resample2d(x, matrix, matrix), expected)


@given(
    rows=st.tuples(sizes, sizes), columns=st.tuples(sizes, sizes), seed=seeds, holes=st.booleans()
)
def test_the_gradient_of_resampling_is_the_transpose(rows, columns, seed, holes):
    rng = np.random.default_rng(seed)
    r, q = drawn(rng, rows), drawn(rng, columns)
    if holes:
        r, q = np.where(r > 0, r, 0), np.where(q > 0, q, 0)
    x = drawn(rng, (2, 3, rows[1], columns[1]))
    y = resample2d(x, r, q)
    np.testing.assert_allclose(y, r @ x @ q.T, atol=1e-12)
    dy = drawn(rng, y.shape)
    np.testing.assert_allclose(resample2d_backward(dy, r, q), r.T @ dy @ q, atol=1e-12)


def test_an_infinite_pixel_reaches_only_the_cells_that_read_it():
    x = np.zeros((1, 1, 1, 4))
    x[..., 0] = np.inf
    assert nn.Resize((1, 2))(x)[0, 0, 0].tolist() == [np.inf] * 2 + [0] * 6
    y = nn.Resize((1, 2), mode="linear")(x)[0, 0, 0]
    assert np.isinf(y).sum() == 3
    assert np.isfinite(y).sum() == 5


def test_a_size_or_a_scale_is_needed_and_not_both():
    for build in (nn.Resize, nn.Upsample):
        with pytest.raises(ArgumentError, match=r"^sizes?: takes either scale\w+ or sizes?, rec"):
            build()
    with pytest.raises(
        ArgumentError, match=r"^sizes: takes either scales or sizes, received 2 and"
    ):
        nn.Resize(2, 4)
    for scales in (0, -1, "2", (1, 2, 3), float("nan"), float("inf"), True, (2, None)):
        with pytest.raises(ArgumentError, match=r"^scales: must be"):
            nn.Resize(scales)


@pytest.mark.parametrize(
    "names",
    [
        {"mode": "bilinear"},
        {"coordinate_transformation_mode": "tf_crop_and_resize"},
        {"nearest_mode": "round"},
        {"keep_aspect_ratio_policy": "keep"},
        {"cubic_coeff_a": float("nan")},
    ],
)
def test_an_unknown_name_is_refused_with_those_that_are_known(names):
    (name,) = names
    with pytest.raises(ArgumentError, match=f"^{name}: must be .*received"):
        nn.Resize(2, **names)


def test_an_image_of_which_a_scale_leaves_nothing_is_refused():
    with pytest.raises(ShapeError, match=r"^Resize: leaves nothing of an image of 3x3\. Use a la"):
        nn.Resize(0.2)(np.zeros((1, 1, 3, 3)))
    with pytest.raises(ShapeError, match=r"Resize: needs images of at least one row"):
        nn.Resize(2)(np.zeros((1, 1, 0, 3)))


def test_corners_are_for_modes_that_interpolate():
    with pytest.raises(ArgumentError, match=r"^align_corners: is for the modes 'bilinear' and"):
        nn.Upsample(scale_factor=2, align_corners=True)
    with pytest.raises(ArgumentError, match=r"^mode: must be 'nearest', .*received 'linear'"):
        nn.Upsample(scale_factor=2, mode="linear")


# Adaptive pooling.


@given(h=sizes, w=sizes, out=st.tuples(sizes, sizes), seed=seeds)
def test_adaptive_pooling_equals_the_loops(h, w, out, seed):
    rng = np.random.default_rng(seed)
    x, dy = drawn(rng, (2, 1, h, w)), drawn(rng, (2, 1, *out))
    assert_agrees(adaptive_avg_pool2d(x, out), naive_images.adaptive_pooling(x, out, "mean"))
    y, arg_max = adaptive_max_pool2d(x, out)
    assert_agrees(y, naive_images.adaptive_pooling(x, out, "max"))
    dx = adaptive_avg_pool2d_backward(dy, x.shape)
    np.testing.assert_allclose((dx * x).sum(), (dy * adaptive_avg_pool2d(x, out)).sum())
    dx = adaptive_max_pool2d_backward(dy, arg_max, x.shape)
    np.testing.assert_allclose((dx * x).sum(), (dy * y).sum())  # linear where the winners stay


# Pixel shuffle.


@pytest.mark.parametrize("mode", ["CRD", "DCR"])
@given(c=st.integers(1, 3), r=st.integers(1, 3), h=st.integers(1, 3), w=st.integers(1, 3))
def test_a_pixel_shuffle_moves_each_number_to_its_cell_and_back(c, r, h, w, mode):
    x = np.arange(2.0 * c * r * r * h * w).reshape(2, c * r * r, h, w)
    y = pixel_shuffle(x, r, mode)
    for k, u, v, i, j in np.ndindex(c, r, r, h, w):
        channel = r * r * k + r * u + v if mode == "CRD" else c * (r * u + v) + k
        np.testing.assert_array_equal(y[:, k, r * i + u, r * j + v], x[:, channel, i, j])
    np.testing.assert_array_equal(pixel_unshuffle(y, r, mode), x)


def test_what_does_not_make_whole_blocks_is_refused():
    with pytest.raises(ShapeError, match=r"expects a multiple of 2² = 4 channels.* 8 outputs"):
        pixel_shuffle(np.zeros((1, 6, 2, 2)), 2)
    with pytest.raises(ShapeError, match=r"whole blocks of 2x2, received shape \(6, 3, 2\)\. Pad"):
        pixel_unshuffle(np.zeros((1, 6, 3, 2)), 2)
    with pytest.raises(ArgumentError, match=r"^mode: must be 'CRD' or 'DCR', received 'crd'"):
        pixel_shuffle(np.zeros((1, 4, 2, 2)), 2, "crd")


# Reductions.


def test_the_first_of_equals_gets_the_gradient_and_nan_is_the_largest():
    x = np.array([[[3.0, 1.0], [3.0, 3.0]]])
    y, arg_max = reduce_max(x, (1, 2))
    dx = reduce_max_backward(np.ones_like(y), arg_max, x.shape, (1, 2))
    assert dx.tolist() == [[[1, 0], [0, 0]]]
    assert np.isnan(reduce_max(np.array([[1.0, np.nan]]), (1,))[0]).all()


def test_a_mean_of_many_float32_keeps_its_digits():
    x = np.full((1, 4096, 4096), np.float32(0.1))
    assert reduce_mean(x, (1,))[0, 0, 0] == np.float32(0.1)


@pytest.mark.parametrize("dims", [(), 0, (0, 1), 1.5, True, "1", None])
def test_axes_that_are_not_allowed_are_refused(dims):
    with pytest.raises(ArgumentError, match=r"^dims: must be one or several axes other than 0"):
        nn.Mean(dims)


def test_axes_that_the_input_does_not_have_are_refused():
    with pytest.raises(ShapeError, match=r"^Mean: reduces the axes \(4,\), but its input has on"):
        nn.Mean(4)(np.zeros((1, 2, 3, 4)))
    with pytest.raises(ArgumentError, match=r"names an axis twice, received \(1, -3\)"):
        nn.Mean((1, -3))(np.zeros((1, 2, 3, 4)))
    with pytest.raises(ArgumentError, match=r"must not name the batch"):
        nn.Mean(-4)(np.zeros((1, 2, 3, 4)))
    with pytest.raises(ShapeError, match=r"Mean: needs at least one number along the axes \(2,\)"):
        nn.Mean(2)(np.zeros((1, 2, 0, 4)))
