"""Which kernel serves which convolution, and how its work is shared out."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks import by_the_layers, draw_images, everything
from ops.witness import assert_agrees
from pellucid import engine, nn
from pellucid.distributed import CHUNKS, Share
from pellucid.engine.cpu.convolution import algorithms, filter_gradients, grouped, products
from pellucid.engine.cpu.convolution.algorithms import (
    Col2im,
    Direct,
    FewChannels,
    PooledCol2im,
    Winograd,
)
from pellucid.engine.cpu.convolution.choice import filter_gradient, input_gradient, output
from pellucid.engine.cpu.convolution.filter_gradients import (
    DirectGradient,
    PooledGradient,
    WinogradGradient,
)
from pellucid.engine.cpu.convolution.grouped import Grouped, GroupedGradient
from pellucid.engine.cpu.convolution.products import (
    LEAST,
    Product,
    ProductGradient,
    tile_height,
)
from pellucid.engine.cpu.convolution.wide_winograd import WideWinograd, WideWinogradGradient
from pellucid.engine.cpu.launch import launch
from pellucid.engine.cpu.steps.layout import LayoutStep
from pellucid.kernels import tree
from pellucid.kernels.convolution.layout import GatedGradient
from pellucid.kernels.gemm.product import HEIGHTS
from pellucid.kernels.jit import LANES
from pellucid.shapes import slide


def chosen(
    image=(8, 8), window=3, stride=1, padding=1, dilation=1, depths=(16, 16), groups=1, pool=1,
    batch=48,
):  # fmt: skip
    windows = slide(image, window, stride, padding, dilation)
    return tuple(
        type(choose(windows, *depths, groups, pool, batch))
        for choose in (output, input_gradient, filter_gradient)
    )


PLAIN = (Direct, Col2im, DirectGradient)  # of few channels


WINOGRAD = (Winograd, Winograd, WinogradGradient)


def test_winograd_serves_square_windows_with_stride_one_of_many_channels():
    assert chosen() == chosen(padding=2) == chosen(depths=(12, 40)) == WINOGRAD
    assert chosen(window=5, padding=2) == chosen(window=4) == chosen(window=2) == WINOGRAD
    assert chosen(depths=(11, 40)) == PLAIN
    assert Winograd not in chosen(depths=(40, 11))
    for other in ({"window": (3, 2)}, {"window": (5, 3)}, {"stride": 2}, {"stride": (1, 2)}):
        assert Winograd not in chosen(**other)
    assert Winograd not in chosen((20, 20), window=6) + chosen((20, 20), window=1, padding=0)


def test_winograd_serves_windows_whose_cells_lie_apart_and_groups():
    assert chosen(dilation=2) == chosen((20, 20), window=5, dilation=(2, 3)) == WINOGRAD
    assert chosen(depths=(24, 36), groups=2) == WINOGRAD
    assert Winograd not in chosen(depths=(22, 36), groups=2)  # 11 channels each


def test_winograd_serves_a_pooling_whose_cells_are_in_one_patch():
    winograd = (Winograd, Winograd, PooledGradient)
    assert chosen(pool=2) == chosen(pool=2, window=5, padding=2) == winograd
    others = ({"pool": 3}, {"window": 4}, {"window": 2}, {"dilation": 2})
    for how in others:
        assert chosen(**{"pool": 2, **how}) == (Direct, PooledCol2im, PooledGradient)


def test_windows_of_one_cell_are_matrix_products():
    product = (Product, Product, ProductGradient)
    one = {"window": 1, "padding": 0}
    assert chosen(**one) == chosen(**one, stride=2) == chosen(**one, depths=(1, 3)) == product
    assert chosen(**one, image=(1, 1), batch=LEAST) == product
    assert Product not in chosen(**one, image=(1, 1), batch=LEAST - 1)
    assert Product not in chosen(**one, groups=2) + chosen(**one, pool=2) + chosen(window=1)


def test_tiles_of_a_product_are_low_where_its_rows_would_leave_high_ones_empty():
    tall, low = HEIGHTS
    assert low < tall
    assert tile_height(1) == tile_height(5 * low) == low
    assert tile_height(tall) == tile_height(99 * low) == tall

    def height(batch):
        return output(slide((5, low), 1), 8, 8, 1, 1, batch).height

    assert (height(1), height(20)) == (low, tall)


def test_winograd_does_not_serve_images_that_leave_its_patches_empty():
    assert Winograd in chosen((6, 6), padding=1)
    assert Winograd not in chosen((5, 5), padding=1)
    assert Winograd not in chosen((1, 9), padding=1)
    # 2x2 outputs a patch: of 6x6 windows none is in vain, of 5x5 every third one.
    assert Winograd in chosen((6, 6), window=5, padding=2)
    assert Winograd not in chosen((5, 5), window=5, padding=2)
    # Of each of 4x4 images that interleave, a patch has 2x2.
    assert Winograd not in chosen((8, 8), padding=4, dilation=4)


def test_winograd_does_not_transform_filters_for_too_few_patches():
    assert Winograd in chosen((6, 6), batch=48)
    assert Winograd not in chosen((6, 6), batch=8)


def test_a_frozen_convolution_has_the_algorithm_that_pays_once_its_filters_are_packed():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, rng=rng), nn.ReLU())
    x = draw_images(model, (64, 8, 8), 1, rng)
    plan = engine.compile(model, x.shape[1:], 1)
    step = plan.steps[1]
    assert type(step._output) is Direct
    agree(model, x, rng)
    plan(x)
    model.eval()
    plan.freeze()
    assert type(step._output) is Winograd
    assert step.kernel.startswith(Winograd.name)
    for _ in range(3):
        assert_agrees(plan(x), model(x))


def test_in_training_the_fewer_of_transformed_patches_and_filters_are_written():
    wide = (WideWinograd, WideWinograd)
    assert chosen((16, 16), depths=(64, 64), batch=1)[:2] == wide
    assert chosen((16, 16), depths=(64, 64), batch=4)[:2] == (Winograd, Winograd)
    frozen = output(slide((16, 16), 3, padding=1), 64, 64, 1, 1, 1, frozen=True)
    assert type(frozen) is Winograd


def test_many_channels_have_kernels_that_never_write_transformed_filters():
    wide = (WideWinograd, WideWinograd, WideWinogradGradient)
    for batch in (2, 8):
        assert chosen((7, 7), depths=(512, 512), batch=batch) == wide
    assert chosen((7, 7), depths=(512, 512), batch=1) == (Direct, Direct, WideWinogradGradient)
    assert chosen((28, 28), depths=(256, 256), batch=256) == wide
    assert chosen((28, 28), depths=(96, 96)) == (Winograd, Winograd, WinogradGradient)
    # The patches of few images are fewer numbers than filters, and than sums over chunks.
    assert chosen((28, 28), depths=(96, 96), batch=1) == wide


def test_behind_a_pooling_only_the_windows_that_won_have_gradients():
    winners = (Direct, PooledCol2im, PooledGradient)
    groups = {"window": (5, 3), "depths": (36, 36), "groups": 2}
    for how in ({"window": (5, 3)}, {"stride": 2}, {"dilation": (1, 3)}, groups):
        assert chosen(**how)[2] is DirectGradient
        assert chosen(**how, pool=2) == chosen(**how, pool=3) == winners


def test_few_channels_a_group_have_kernels_of_their_own():
    depthwise = (Grouped, Grouped, GroupedGradient)
    assert chosen(depths=(2, 2), groups=2) == depthwise
    assert chosen(window=5, stride=2, dilation=2, depths=(40, 40), groups=40) == depthwise
    half = LANES // 2
    assert chosen(depths=(3 * half, 6), groups=3) == depthwise
    assert chosen(depths=(3, 3 * half), groups=3) == depthwise
    for depths in ((2 * half + 2, 2), (2, 2 * half + 2)):
        assert Grouped not in chosen(depths=depths, groups=2)
    assert Grouped not in chosen(depths=(1, 1))
    model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.ReLU(), nn.MaxPool2d(2))
    assert "max" not in engine.compile(model, (4, 8, 8), 2).steps[1].kernel


@pytest.mark.parametrize(
    ("image", "how"),
    [
        ((9, 8), {"kernel_size": 3, "padding": 1}),
        ((9, 16), {"kernel_size": (5, 3), "stride": (2, 1), "padding": (2, 0)}),
        ((23, 31), {"kernel_size": 7, "stride": 2, "padding": 3}),
        ((12, 11), {"kernel_size": 3, "stride": 3, "dilation": 2, "padding": (0, 1, 2, 3)}),
    ],
)
@pytest.mark.parametrize("channels", [2, LANES + 1])
@pytest.mark.parametrize("relu", [False, True])
def test_depthwise_gives_what_the_layers_give(image, how, channels, relu):
    rng = np.random.default_rng(0)
    layer = nn.Conv2d(channels, channels, groups=channels, rng=rng, **how)
    model = nn.Sequential(layer, *[nn.ReLU()] * relu)
    layer.bias.data[:] = rng.normal(size=channels)
    agree(model, draw_images(model, (channels, *image), 3, rng), rng)


def strips(window, channels, groups=1):
    sizes = channels, 2 * groups, groups, 2
    return PooledGradient(slide((12, 12), window), *sizes, Share(), 1).strips.run > 0


def test_strips_are_made_where_vectors_along_the_runs_would_stay_empty():
    assert strips((3, LANES // 4 + 1), 1)
    assert not strips((1, 5), 3)
    assert not strips((3, 3), LANES)
    assert not strips((3, 3), 2 * LANES, 2)
    assert strips((3, 3), 2, 2)


def test_the_filters_that_give_back_begin_with_a_cache_line():
    for filters in (1, 3, 64):
        back = PooledCol2im(slide((9, 9), 5), 3, filters, 1, 2)
        assert back.filters.ctypes.data % 64 == 0
        assert not back.filters.any()


def test_windows_give_back_where_the_channels_would_leave_vectors_empty():
    deep = (2 * LANES, 5)
    assert chosen(window=5, depths=deep)[1] is Direct
    assert chosen(window=5, depths=deep, stride=2)[1] is Direct
    assert chosen(window=5, depths=(LANES - 1, 5))[1] is Col2im
    assert chosen(window=5, depths=deep, groups=1, dilation=2, image=(12, 12))[1] is Direct


def test_vectors_lie_along_the_windows_where_the_channels_are_few():
    def dx(**how):
        return chosen(**{"image": (16, 16), **how})[1]

    assert dx(depths=(1, 5)) is dx(depths=(1, 5), stride=2) is FewChannels
    assert dx(depths=(3, 5)) is dx(depths=(2, 5), dilation=2) is FewChannels
    assert dx(depths=(3, 5), stride=4, window=11) is FewChannels
    assert dx(depths=(3, 5), stride=2) is dx(depths=(4, 5)) is Col2im
    assert dx(depths=(3, 6), groups=3) is Grouped
    assert dx(depths=(1, 5), pool=2) is PooledCol2im


@pytest.mark.parametrize(
    ("window", "padding", "filters"), [(2, 1, 5), (3, 2, 5), ((1, 2), (0, 1), 3)]
)
def test_a_gradient_that_lies_as_its_room_would_passes_the_relu_all_the_same(
    window, padding, filters
):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Conv2d(LANES, filters, window, padding=padding, rng=rng), nn.ReLU())
    step = engine.compile(model, (LANES, 5, 6), 3).steps[1]
    back = step._make_input_gradient()
    assert type(back) is Direct
    assert back.s.in_place
    x = draw_images(model, (LANES, 5, 6), 3, rng)
    agree(model, x, rng)


@pytest.mark.parametrize("stride", [1, 2, (3, 2)])
@pytest.mark.parametrize("training", [False, True])
def test_matrix_products_agree_with_the_layers_after_a_relu_and_with_a_stride(stride, training):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2d(2, LANES + 3, 1, rng=rng), nn.ReLU(),
        nn.Conv2d(LANES + 3, 5, 1, stride=stride, bias=False, rng=rng), nn.Sigmoid(),
    )  # fmt: skip
    model["0"].bias.data[:] = rng.normal(size=LANES + 3)
    step = engine.compile(model, (2, 7, 6), 3).steps[1]
    assert isinstance(step._make_input_gradient(), Product)
    model.train(training)
    agree(model, draw_images(model, (2, 7, 6), 3, rng), rng)


@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("filters", "training"), [(LANES // 3, True), (LANES + 1, False)])
def test_a_convolution_turns_its_output_itself(pool, relu, filters, training):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        nn.Conv2d(2, filters, 3, rng=rng), *[nn.ReLU()] * relu,
        *[nn.MaxPool2d(pool)] * (pool > 1), nn.Flatten(),
    )  # fmt: skip
    model["0"].bias.data[:] = rng.normal(size=filters)
    model.train(training)
    kinds = agree(model, draw_images(model, (2, 8, 9), 3, rng), rng)
    # Without a pooling, the way back through the ReLU needs the output as the kernels have it.
    assert kinds.count(LayoutStep) == 1 + (relu and pool == 1)


def test_few_filters_share_a_vector_with_those_of_the_windows_beside_them():
    def per_vector(**how):
        return output(slide((8, 9), 3, how.get("stride", 1)), 2, *how["sizes"]).per_vector

    assert per_vector(sizes=(1, 1, 1)) == min(LANES, 7)
    assert per_vector(sizes=(LANES // 2, 1, 1)) == per_vector(sizes=(LANES // 2, 1, 2)) == 2
    assert per_vector(sizes=(LANES // 2 + 1, 1, 1)) == 1
    assert per_vector(sizes=(1, 1, 3)) == per_vector(sizes=(1, 1, 1), stride=3) == 1


def agree(model, x, rng):
    dy = rng.normal(size=model(x).shape).astype(np.float32)
    expected = by_the_layers(model, x, dy, np.float64)
    plan = engine.compile(model, x.shape[1:], len(x))
    y = plan(x)
    got = everything(model, y, plan.backward(dy, need_dx=True))
    for name, value in expected.items():
        magnitude = abs(dy).sum() / dy.shape[1] if name.endswith("bias.grad") else None
        assert_agrees(got[name], value, magnitude=magnitude, what=name)
    return [type(step) for step in plan.steps]


# Tiles of several vectors, of which the last may be empty but for some filters.
@pytest.mark.parametrize(("window", "groups"), [((2, 2), 1), ((3, 3), 1), ((1, 2), 2)])
@pytest.mark.parametrize("over", [1, LANES + 3])
def test_a_last_tile_that_is_wider_than_the_filters_left(window, groups, over, monkeypatch):
    vectors = 2
    rng, filters = np.random.default_rng(0), groups * (vectors * LANES + over)
    model = nn.Sequential(
        nn.Conv2d(12 * groups, filters, window, groups=groups, rng=rng), nn.Tanh()
    )
    model["0"].bias.data[:] = rng.normal(size=filters)
    for module in (algorithms, filter_gradients):
        for choose in ("pixel_tile", "tile_shape"):
            monkeypatch.setattr(module, choose, lambda *sizes: (3, vectors))
    agree(model, rng.normal(size=(3, 12 * groups, 5, 6)).astype(np.float32), rng)


def test_there_are_fewer_partial_sums_where_they_would_take_too_much_memory():
    def chunks(filters):
        return len(filter_gradient(slide((12, 12), 5), 16, filters, 1, 1).sums.weights)

    assert chunks(16) == 16
    assert 4 * 16 * 25 * 16 * filters_that_fill() > tree.BYTES
    assert chunks(filters_that_fill()) == chunks(100 * filters_that_fill()) == CHUNKS == 8


@pytest.mark.parametrize(
    ("sizes", "pool", "kind"),
    [
        ((64, 64, 2), 1, WinogradGradient), ((96, 96, 1), 1, WideWinogradGradient),
        ((4, 4, 1), 1, DirectGradient), ((4, 4, 1), 2, PooledGradient),
        ((4, 4, 4), 1, GroupedGradient),
    ],
)  # fmt: skip
def test_few_images_have_no_sums_of_chunks_without_an_image(sizes, pool, kind):
    for batch, chunks in ((1, 1), (2, 2), (3, 4), (8, 8)):
        gradient = filter_gradient(slide((12, 12), 3), *sizes, pool, batch)
        assert type(gradient) is kind
        assert len(gradient.sums.bias) == gradient.chunks == chunks


def filters_that_fill():
    """Return how many filters of 5x5x16 are too many for 16 partial sums."""
    return tree.BYTES // (4 * 16 * 25 * 16) + LANES


def test_a_direct_gradient_has_the_same_bits_in_parts_for_many_threads(monkeypatch):
    rng, windows = np.random.default_rng(0), slide((20, 20), 2, stride=2)
    x, dy = (rng.normal(size=(8, k, k, c)).astype(np.float32) for k, c in ((20, 96), (10, 80)))
    found = []
    for threads in (1, 64):
        monkeypatch.setattr(filter_gradients, "get_num_threads", lambda many=threads: many)
        share = Share()
        share.begin(len(x))
        accumulate = filter_gradient(windows, 96, 80, 1, 1, len(x), share)
        assert type(accumulate) is DirectGradient
        assert accumulate.most_parts > 1
        dw, db = np.zeros((80, 96, 2, 2), np.float32), np.zeros(80, np.float32)
        accumulate(x, GatedGradient.of(dy), dw, db)
        found.append((dw.tobytes(), db.tobytes()))
    expected = np.einsum("niujvc,nijf->fcuv", x.reshape(8, 10, 2, 10, 2, 96), dy)
    assert np.abs(dw - expected).max() < 1e-4 * np.abs(expected).max()
    assert found[0] == found[1]


@pytest.mark.parametrize("n", [1, 3, 8])
def test_a_product_gradient_has_the_same_bits_in_blocks_for_many_threads(n, monkeypatch):
    rng, windows = np.random.default_rng(0), slide((5, 6), 1)
    x, dy = (rng.normal(size=(n, 5, 6, c)).astype(np.float32) for c in (70, 130))
    found, tasks = [], []

    def launched(kernel, count, work, *args):
        tasks.append(count)
        launch(kernel, count, work, *args)

    monkeypatch.setattr(products, "launch", launched)
    for threads in (1, 64):
        monkeypatch.setattr(products, "get_num_threads", lambda many=threads: many)
        share = Share()
        share.begin(n)
        accumulate = filter_gradient(windows, 70, 130, 1, 1, n, share)
        dw, db = np.zeros((130, 70, 1, 1), np.float32), np.zeros(130, np.float32)
        tasks.clear()
        accumulate(x, GatedGradient.of(dy), dw, db)
        found.append((dw.tobytes(), db.tobytes(), tasks[0]))
    expected = np.einsum("nijc,nijf->fc", x, dy)
    assert np.abs(dw[..., 0, 0] - expected).max() < 1e-4 * np.abs(expected).max()
    assert found[0][:2] == found[1][:2]
    assert found[0][2] == 1
    assert found[1][2] >= products.SHARED


def test_few_images_read_the_filters_of_a_product_as_they_lie_until_the_plan_is_frozen():
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Conv2d(35, 70, 1, rng=rng), nn.Tanh(), nn.Conv2d(70, 20, 1, rng=rng))
    x = rng.normal(size=(30, 35, 7, 7)).astype(np.float32)
    agree(model, x[:1], rng)
    plan = engine.compile(model, x.shape[1:], len(x))
    step = [step for step in plan.steps if hasattr(step, "_output")][-1]
    passes = step._output, step._make_input_gradient()
    found = []
    for images in (1, len(x), 1):
        y = plan(x[:images])
        dx = plan.backward(np.ones_like(y), need_dx=True)
        found.append((y[:1].tobytes(), dx[:1].tobytes()))
        assert all((one.borrowed is None) == (images > 1) for one in passes)
    assert found[0] == found[1] == found[2]
    plan.freeze()
    assert plan(x[:1]).tobytes() == found[0][0]
    assert step._output.borrowed is None


def test_one_thread_does_an_image_that_stays_near_in_one_task(monkeypatch):
    found = []
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 64, 8, 8)).astype(np.float32)
    for threads in (1, 2):
        monkeypatch.setattr(algorithms, "get_num_threads", lambda many=threads: many)
        plan = engine.compile(nn.Conv2d(64, 64, 3, rng=np.random.default_rng(1)), x.shape[1:], 1)
        step = plan.steps[1]
        assert type(step._output) is Direct
        assert (step._output._shares(1) == (1, 1)) == (threads == 1)
        found.append(plan(x).tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize(("module", "size", "groups"), [(grouped, 3, 64), (products, 1, 1)])
def test_channels_are_shared_out_only_where_there_are_threads_to_share_with(
    module, size, groups, monkeypatch
):
    counts, found = [], []

    def counting(kernel, count, *rest):
        counts.append(count)
        launch(kernel, count, *rest)

    monkeypatch.setattr(module, "launch", counting)
    x = np.random.default_rng(0).normal(size=(1, 64, 8, 8)).astype(np.float32)
    for threads in (1, 2):
        monkeypatch.setattr(module, "get_num_threads", lambda many=threads: many)
        layer = nn.Conv2d(64, 64, size, groups=groups, rng=np.random.default_rng(1))
        found.append(engine.compile(layer, x.shape[1:], 1)(x).tobytes())
    assert counts[len(counts) // 2 - 1] < counts[-1]
    assert found[0] == found[1]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 30])
def test_few_images_are_shared_out_in_bands(n):
    # The exact values of whole numbers say that every band is written, and none twice.
    rng = np.random.default_rng(n)
    x = rng.integers(-3, 4, (n, 2, 9, 7)).astype(np.float32)
    layer = nn.Conv2d(2, 3, 4, padding=1)
    layer.weight.data = rng.integers(-3, 4, layer.weight.data.shape).astype(np.float32)
    plan = engine.compile(nn.Sequential(layer), (2, 9, 7), n)
    np.testing.assert_array_equal(plan(x), layer(x))


@pytest.mark.parametrize("bad", [np.inf, np.nan])
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(1, 1, 3), nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(3, 8, 3, padding=1),
        nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, groups=4),
    ],
    ids=repr,
)  # fmt: skip
def test_a_cell_that_is_not_finite_is_missed_nowhere(layer, bad):
    x = np.random.default_rng(0).normal(size=(2, layer.in_channels, 12, 13)).astype(np.float32)
    plan = engine.compile(nn.Sequential(layer), x.shape[1:], 2)
    x[0, 0, 5, 6] = bad
    with np.errstate(invalid="ignore"):
        y = layer(x)
    assert 0 < (~np.isfinite(y)).sum() < y.size
    assert not np.isfinite(plan(x)[~np.isfinite(y)]).any()
    assert np.isfinite(plan(x)[1]).all()  # and reaches no other image
    dy = np.ones_like(y)
    dy[0, 0, 2, 3] = bad
    with np.errstate(invalid="ignore"):
        dx = layer.backward(dy)
    assert not np.isfinite(plan.backward(dy, need_dx=True)[~np.isfinite(dx)]).any()


@pytest.mark.parametrize("image", [(1, 1), (2, 1), (2, 3)])
@pytest.mark.parametrize(("stride", "dilation"), [(4, 1), (3, 2), ((2, 4), 1)])
def test_images_smaller_than_the_stride_leave_phases_without_pixels(image, stride, dilation):
    layer = nn.Conv2d(17, 5, 2, stride, 1, dilation, rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 17, *image)).astype(np.float32)
    plan = engine.compile(layer, (17, *image), 2)
    y = plan(x).copy()
    dy = rng.normal(size=y.shape).astype(np.float32)
    found = [y, plan.backward(dy, need_dx=True).copy(), layer.weight.grad.copy()]
    expected = [layer(x), layer.backward(dy), layer.weight.grad]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5 * max(1, np.abs(theirs).max()))
