"""Networks as convolutions: equal scores, crops in one pass, and what padding changes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ops.witness import DTYPES, assert_agrees, drawn
from pellucid import engine, load, nn, save
from pellucid.errors import ArgumentError, ShapeError
from pellucid.models import SimpleConvNet, from_pattern
from pellucid.nn import sliding_scores, to_convolutional
from pellucid.nn.init import without_values

CROP = (2, 20, 18)


def network(padding=0, seed=0) -> nn.Sequential:
    """Return a small VGG-like network for crops, of stride 4, in float64."""
    rng = np.random.default_rng(seed)
    features = nn.Sequential(
        conv1=nn.Conv2d(2, 4, 3, padding=padding, rng=rng), relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(4, 6, 3, padding=padding, rng=rng), norm=nn.BatchNorm2d(6),
        relu2=nn.ReLU(), pool2=nn.AvgPool2d(2),
    )  # fmt: skip
    c, h, w = features.output_shape(CROP)
    head = nn.Sequential(
        flatten=nn.Flatten(), fc1=nn.Linear(c * h * w, 8, rng=rng), norm=nn.BatchNorm2d(8),
        relu=nn.ReLU(), drop=nn.Dropout(0.5), fc2=nn.Linear(8, 5, bias=False, rng=rng),
    )  # fmt: skip
    model = nn.Sequential(features=features, head=head)
    for norm in (features["norm"], head["norm"]):
        norm.running_mean.data[...] = rng.normal(size=norm.num_features)
        norm.running_var.data[...] = rng.uniform(0.5, 2, size=norm.num_features)
    model.input_shape = CROP
    return model.astype(np.float64)


def by_crops(model, images, stride, crop=CROP):
    """Cut every crop out and run the network on it."""
    model = model.eval()
    rows = range(0, images.shape[2] - crop[1] + 1, stride)
    columns = range(0, images.shape[3] - crop[2] + 1, stride)
    scores = [
        [model(images[:, :, i : i + crop[1], j : j + crop[2]]) for j in columns] for i in rows
    ]
    return np.moveaxis(np.array(scores), (0, 1), (2, 3))


# The conversion.


@pytest.mark.parametrize("dtype", DTYPES)
def test_on_its_own_images_the_converted_network_gives_the_same_scores(dtype):
    model = network().astype(dtype).eval()
    x = drawn(np.random.default_rng(1), (3, *CROP), dtype)
    twin = to_convolutional(model)
    y = twin(x)
    assert (y.shape, y.dtype) == ((3, 5, 1, 1), dtype)
    assert_agrees(y[:, :, 0, 0], model(x), what="to_convolutional")
    assert not twin["head"]["drop"].training
    assert twin.input_shape == CROP


def test_the_first_linear_takes_the_whole_map_and_the_next_one_pixel():
    twin = to_convolutional(network())
    assert [name for name, _ in twin["head"].children()] == ["fc1", "norm", "relu", "drop", "fc2"]
    assert repr(twin["head"]["fc1"]) == "Conv2d(6, 8, 3)"
    assert repr(twin["head"]["fc2"]) == "Conv2d(8, 5, 1, bias=False)"
    assert twin.output_shape((2, 40, 42)) == (5, 6, 7)


def test_training_goes_on_as_before():
    model, rng = network(), np.random.default_rng(2)
    model["head"]["drop"].p = 0.0
    twin = to_convolutional(model)
    x, dy = drawn(rng, (4, *CROP)), drawn(rng, (4, 5))
    assert_agrees(twin(x)[:, :, 0, 0], model(x))
    assert_agrees(twin.backward(dy.reshape(4, 5, 1, 1)), model.backward(dy))
    ours, theirs = (m.parameters() for m in (twin, model))
    for key, parameter in theirs.items():
        assert_agrees(ours[key].grad.reshape(parameter.grad.shape), parameter.grad)


def test_the_weights_are_copies_and_the_model_is_left_as_it_is():
    model = network()
    before, shown = model.state_dict(), repr(model)
    twin = to_convolutional(model)
    for buffer in twin.buffers().values():
        buffer.data += 1
    twin.eval()
    assert all(np.array_equal(before[key], array) for key, array in model.state_dict().items())
    assert repr(model) == shown
    assert all(layer.training for _, layer in model.layers())


def test_the_converted_network_is_saved_and_runs_in_a_plan(tmp_path):
    model = SimpleConvNet((1, 12, 12), weight_init="he", rng=np.random.default_rng(0))
    twin = to_convolutional(model)
    save(twin, tmp_path / "twin.safetensors")
    x = drawn(np.random.default_rng(1), (2, 1, 17, 16), "float32")
    expected = twin.eval()(x)
    assert expected.shape == (2, 10, 3, 3)
    assert_agrees(load(tmp_path / "twin.safetensors").eval()(x), expected)
    assert_agrees(engine.compile(twin, (1, 17, 16), 2)(x), expected)


def test_global_pooling_becomes_pooling_over_the_map_of_a_crop():
    rng = np.random.default_rng(0)
    for pooling in (nn.GlobalAvgPool2d, nn.GlobalMaxPool2d):
        model = nn.Sequential(
            nn.Conv2d(2, 4, 3, 2, rng=rng), pooling(), nn.Flatten(), nn.Linear(4, 3, rng=rng)
        ).astype(np.float64)
        images = drawn(rng, (1, 2, 13, 15))
        y = sliding_scores(model, images, input_shape=(2, 7, 9))
        assert_agrees(y, by_crops(model, images, 2, (2, 7, 9)))


def test_a_gate_of_the_whole_image_stays_one_inside_a_block_too():
    rng = np.random.default_rng(0)
    block = nn.Residual(nn.Conv2d(2, 2, 3, padding=1, rng=rng), nn.SqueezeExcitation(2, 2, rng=rng))
    model = nn.Sequential(block=block, pool=nn.GlobalAvgPool2d(), flat=nn.Flatten())
    twin = to_convolutional(model, CROP)
    x = drawn(rng, (2, *CROP), np.float32)
    assert_agrees(twin(x)[:, :, 0, 0], model(x))
    assert twin.output_shape((2, 24, 20)) == (2, 5, 3)
    with pytest.raises(ArgumentError, match=r"fits one size of image only \('0' inside it does\)"):
        to_convolutional(nn.Sequential(nn.Residual(nn.LocallyConnected2d(2, 2, CROP[1:], 1))), CROP)


def test_a_network_of_the_lectures_sizes_is_converted_without_its_weights():
    pattern = (
        "INPUT -> [CONV3-64 -> RELU]*2 -> POOL -> [CONV3-128 -> RELU]*2 -> POOL -> "
        "[CONV3-256 -> RELU]*3 -> POOL -> [[CONV3-512 -> RELU]*3 -> POOL]*2 -> "
        "[FC4096 -> RELU -> DROP]*2 -> FC"
    )
    tracemalloc.start()
    try:
        with without_values():
            twin = to_convolutional(from_pattern(pattern, (3, 224, 224), 1000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**21
    assert repr(twin["fc1"]) == "Conv2d(512, 4096, 7)"
    assert repr(twin["fc2"]) == "Conv2d(4096, 4096, 1)"
    assert repr(twin["fc3"]) == "Conv2d(4096, 1000, 1)"
    assert twin.parameter_count() == 138_357_544
    assert twin.output_shape((3, 224, 224)) == (1000, 1, 1)
    assert twin.output_shape((3, 384, 384)) == (1000, 6, 6)  # (384 - 224) / 32 + 1
    once = twin.multiply_adds((3, 384, 384))
    assert 36 * twin.multiply_adds((3, 224, 224)) / once > 11  # so much is shared by 36 crops


class Own(nn.Layer):
    def forward(self, x):
        return x


class OwnChain(nn.Sequential):
    def forward(self, x):
        return x


class Block(nn.Layer):
    def __init__(self):
        self.body = nn.Sequential(squeeze=nn.GlobalAvgPool2d())

    def output_shape(self, input_shape):
        return input_shape


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([nn.Flatten(), nn.BatchNorm2d(32)], r"BatchNorm2d '1': cannot become a convolution: "
         r"it takes the 32 numbers after Flatten as channels, but the map has 2"),
        ([nn.Flatten(), nn.Softmax()], r"takes the 32 numbers after Flatten as channels"),
        ([nn.Flatten(), Own()], r"Own '1': .*may give other results .*per_number = True"),
        ([Block()], r"Block '0': .*fits one size of image only \('body.squeeze' inside it does\)"),
        ([nn.LocallyConnected2d(2, 3, 4, 3)], r"LocallyConnected2d '0': .*size of image only\."),
        ([nn.Softmax(-1)], r"Softmax '0': .*works along rows or columns, whose number will change"),
        ([OwnChain()], r"OwnChain '0': .*overrides forward"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_refused_with_its_name_and_the_reason(layers, said):
    with pytest.raises(ArgumentError, match=said):
        to_convolutional(nn.Sequential(*layers), (2, 4, 4))


def test_a_layer_alone_and_a_model_of_no_known_images_are_refused():
    with pytest.raises(ArgumentError, match=r"is not a chain of layers\. Put it into a Sequential"):
        to_convolutional(nn.Linear(3, 2), (3,))
    with pytest.raises(ArgumentError, match="input_shape: this model does not say"):
        to_convolutional(nn.Sequential(nn.ReLU()))
    with pytest.raises(ShapeError, match="Linear 'fc': expects 5 input features, received 4"):
        to_convolutional(nn.Sequential(flatten=nn.Flatten(), fc=nn.Linear(5, 2)), (1, 2, 2))


# Crops in one pass.


@pytest.mark.parametrize("size", [(20, 18), (24, 22), (33, 30), (36, 41)])
@pytest.mark.parametrize("stride", [4, 2, 1])
def test_without_padding_one_pass_equals_every_crop_on_its_own(size, stride):
    model, images = network(), drawn(np.random.default_rng(3), (2, 2, *size))
    y = sliding_scores(model, images, stride)
    expected = by_crops(model, images, stride)
    assert y.shape == expected.shape
    assert_agrees(y, expected, what="sliding_scores")


def test_two_strides_one_image_and_the_mean():
    model, image = network(), drawn(np.random.default_rng(4), (2, 27, 29))
    every = sliding_scores(model, image, 1)
    assert every.shape == (5, 8, 12)
    assert_agrees(sliding_scores(model, image, (2, 4)), every[:, ::2, ::4])
    assert_agrees(sliding_scores(model, image), every[:, ::4, ::4])
    assert_agrees(sliding_scores(model, image, 2, average=True), every[:, ::2, ::2].mean((1, 2)))


@pytest.mark.parametrize("misfit", ["floor", "pad"])
def test_rows_that_a_crop_leaves_unread_change_nothing(misfit):
    rng = np.random.default_rng(5)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, 2, misfit=misfit, rng=rng), nn.ReLU(), nn.MaxPool2d(2, misfit=misfit),
        nn.Flatten(), nn.Linear(12 if misfit == "floor" else 27, 4, rng=rng),
    ).astype(np.float64)  # fmt: skip
    crop = (1, 10, 10)
    for size in range(10, 19):
        images = drawn(rng, (1, 1, size, size))
        y = sliding_scores(model, images, 2, input_shape=crop)
        expected = by_crops(model, images, 2, crop)
        assert y.shape == expected.shape
        if misfit == "floor":
            assert_agrees(y, expected)


def test_its_mode_and_its_gradients_are_as_before():
    model = network()
    x = drawn(np.random.default_rng(6), (3, *CROP))
    model(x)
    model.backward(np.ones((3, 5)))
    gradients = {key: p.grad.copy() for key, p in model.parameters().items()}
    before = model.state_dict()
    sliding_scores(model, drawn(np.random.default_rng(7), (2, 30, 30)))
    assert all(layer.training for _, layer in model.layers())
    assert all(np.array_equal(gradients[k], p.grad) for k, p in model.parameters().items())
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())
    assert_agrees(model.backward(np.ones((3, 5))), model.backward(np.ones((3, 5))))


def test_a_plan_may_run_it():
    model = SimpleConvNet((1, 12, 12), weight_init="he", rng=np.random.default_rng(0))
    images = drawn(np.random.default_rng(1), (2, 1, 16, 17), "float32")
    y = sliding_scores(
        model, images, 1, run=lambda net, x: engine.compile(net, x.shape[1:], len(x))(x)
    )
    assert_agrees(y, sliding_scores(model, images, 1))


def test_where_layers_pad_only_what_sees_the_border_of_a_crop_differs():
    model, rng = network(padding=1), np.random.default_rng(8)
    features = model.eval()["features"]
    images = drawn(rng, (1, 2, 36, 34))
    (field,) = (row.field for row in nn.summary(features, CROP).rows[-1:])
    whole = features(images)
    worst = {True: 0.0, False: 0.0}
    for i, j in np.ndindex(5, 5):
        crop = features(images[:, :, 4 * i : 4 * i + 20, 4 * j : 4 * j + 18])[0]
        part = whole[0, :, i : i + crop.shape[1], j : j + crop.shape[2]]
        apart = abs(crop - part).max(axis=0) / abs(whole).max()
        for row, column in np.ndindex(*apart.shape):
            inside = all(
                field.start[a] + place * field.stride[a] >= 0
                and field.start[a] + place * field.stride[a] + field.size[a] <= CROP[1 + a]
                for a, place in ((0, row), (1, column))
            )
            worst[inside] = max(worst[inside], float(apart[row, column]))
    assert worst[True] < 1e-12  # the middle: the same to rounding
    assert worst[False] > 0.01  # the border: zeros in place of the image
    # The scores, which see all of a crop, differ.
    scores, crops = sliding_scores(model, images), by_crops(model, images, 4)
    assert scores.shape == crops.shape
    assert 1e-3 < abs(scores - crops).max() / abs(crops).max() < 1


@pytest.mark.parametrize(
    ("shape", "stride", "said"),
    [
        ((2, 19, 30), None, r"sliding_scores: expects images of 2 channels and at least 20x18"),
        ((3, 30, 30), None, r"of 2 channels and at least 20x18 .* received shape \(3, 30, 30\)"),
        ((2, 30, 30), 3, r"stride: must divide the stride of the network, 4 down and 4 across"),
        ((2, 30, 30), 8, r"stride: must divide .* received 8\."),
        ((2, 30, 30), 0, r"stride: must be an integer of at least 1"),
        ((30, 30), 4, r"expects images \(N, C, H, W\)"),
    ],
)  # fmt: skip
def test_images_and_strides_that_do_not_fit_are_refused(shape, stride, said):
    with pytest.raises(ArgumentError, match=said):
        sliding_scores(network(), np.zeros(shape), stride)


def test_a_network_that_gives_a_map_for_one_crop_or_enlarges_is_refused():
    with pytest.raises(ShapeError, match="gives 3x2x2 numbers for one crop of 1x4x4"):
        sliding_scores(
            nn.Sequential(nn.Conv2d(1, 3, 3)), np.zeros((1, 8, 8)), input_shape=(1, 4, 4)
        )
    up = nn.Sequential(nn.ConvTranspose2d(1, 2, 2, 2), nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(ArgumentError, match="stride of the network, 1/2 down and 1/2 across"):
        sliding_scores(up, np.zeros((1, 8, 8)), input_shape=(1, 2, 4))
