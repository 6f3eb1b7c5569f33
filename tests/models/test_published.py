"""The networks' published numbers: parameters, sizes, products."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import summary
from pellucid.errors import ArgumentError
from pellucid.models import (
    VGG11,
    VGG16,
    AlexNet,
    AllConvolutionalNet,
    ConvNeXt,
    DeepConvNet,
    EfficientNet,
    GoogLeNet,
    MobileNetV2,
    MobileNetV3Small,
    ResNet18,
    ResNet20,
    SqueezeNet,
    by_name,
)
from pellucid.nn import BatchNorm2d, StochasticDepth
from pellucid.nn.init import without_values


def _table(make, shape=None):
    with without_values():
        model = make()
    table = summary(model, shape)
    return table, {row.name: row for row in table.rows}


# AlexNet.


def test_alexnets_first_layer_is_that_of_the_lecture():
    _, rows = _table(AlexNet)  # CS231n, "Spatial arrangement", "Parameter Sharing"
    conv1 = rows["conv1"]
    assert conv1.output_shape == (96, 55, 55)
    assert (conv1.neurons, conv1.parameters) == (290_400, 96 * (11 * 11 * 3 + 1))
    assert conv1.without_sharing == 290_400 * (363 + 1) == 105_705_600


def test_alexnet_has_the_papers_neurons_and_sizes():
    table, rows = _table(AlexNet)
    # The caption of figure 2, but for its first number, which does not follow from its sizes.
    assert [row.neurons for row in table.rows if row.neurons] == [
        290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000,
    ]  # fmt: skip
    assert rows["pool1"].output_shape == (96, 27, 27)
    assert rows["pool2"].output_shape == (256, 13, 13)
    assert rows["pool5"].output_shape == (256, 6, 6)
    assert rows["norm1"].layer == "LocalResponseNorm(5, alpha=0.0005, k=2.0)"
    # Figure 2: what one GPU's filters see, with both GPUs' filters.
    assert rows["conv2"].parameters == 256 * (5 * 5 * 48 + 1)
    assert rows["conv3"].parameters == 384 * (3 * 3 * 256 + 1)
    assert rows["conv4"].parameters == 384 * (3 * 3 * 192 + 1)
    assert rows["conv5"].parameters == 256 * (3 * 3 * 192 + 1)


@pytest.mark.parametrize(
    ("variant", "parameters"),
    [("original", 60_965_224), ("one-tower", 62_378_344), ("torchvision", 61_100_840)],
)
def test_alexnets_parameters(variant, parameters):
    table, rows = _table(lambda: AlexNet(variant=variant))
    assert table.parameters == parameters
    assert sum(name in rows for name in ("norm1", "norm2")) == (0 if variant[0] == "t" else 2)
    assert table.input_shape == ((3, 224, 224) if variant == "torchvision" else (3, 227, 227))


def test_an_unknown_variant_is_refused():
    with pytest.raises(
        ArgumentError, match=r"^variant: must be one of 'original', 'one-tower', 'torchvision', rec"
    ):
        AlexNet(variant="two-gpu")


# VGG.


def test_vgg16_is_the_lectures_account():
    table, _ = _table(VGG16)  # CS231n, "Case studies": VGGNet in detail
    assert table.parameters == 138_357_544
    assert table.multiply_adds == 15_470_264_320
    convolutions = [row for row in table.rows if row.layer.startswith("Conv2d")]
    assert [row.parameters - row.output_shape[0] for row in convolutions] == [
        1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 589_824, 1_179_648, 2_359_296, 2_359_296,
        2_359_296, 2_359_296, 2_359_296,
    ]  # fmt: skip
    sizes = [row.output_shape for row in table.rows if row.layer.startswith("MaxPool2d")]
    assert sizes == [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]
    linear = [row.parameters for row in table.rows if row.layer.startswith("Linear")]
    assert linear == [102_764_544, 16_781_312, 4_097_000]


def test_vgg11_has_the_papers_133_million():
    table, rows = _table(VGG11)  # table 2
    assert table.parameters == 132_863_336
    assert sum(row.layer.startswith(("Conv2d", "Linear")) for row in table.rows) == 11
    assert str(rows["features.0"].field) == "3x3"


# DeepConvNet.


def test_the_books_deep_network_has_the_books_shapes():
    model = DeepConvNet()
    assert [p.data.shape for key, p in model.parameters().items() if "weight" in key] == [
        (16, 1, 3, 3), (16, 16, 3, 3), (32, 16, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3),
        (64, 64, 3, 3), (50, 64 * 4 * 4), (10, 50),
    ]  # fmt: skip
    assert [name for name, _ in model.children()][-6:] == [
        "flatten", "affine1", "relu7", "dropout1", "affine2", "dropout2",
    ]  # fmt: skip
    sizes = [row.output_shape for row in summary(model).rows if row.name.startswith("pool")]
    assert sizes == [(16, 14, 14), (32, 8, 8), (64, 4, 4)]
    assert model["dropout2"].variant == "book"
    assert model.parameter_count() == 123_552


# The all-convolutional net.


def test_the_all_convolutional_net_has_the_papers_1_4_million():
    table, rows = _table(AllConvolutionalNet)  # table 4: "All-CNN-C, 1.4 M"
    assert table.parameters == 1_369_738
    assert rows["conv3"].output_shape == (96, 16, 16)
    assert rows["conv6"].output_shape == (192, 8, 8)
    assert rows["conv9"].output_shape == (10, 6, 6)  # "global averaging over 6x6"
    kinds = {row.layer.split("(")[0] for row in table.rows}
    assert kinds == {"Conv2d", "ReLU", "Dropout", "GlobalAvgPool2d", "Flatten"}


def test_the_all_convolutional_net_takes_larger_images_with_the_same_weights():
    table, _ = _table(AllConvolutionalNet, (3, 64, 48))
    assert table.parameters == 1_369_738


# GoogLeNet.

# Table 1: output, then thousands of weights (of 1024) and millions of products. Some of its counts
# differ by a few per cent from those that follow from its own filters.
TABLE_1 = {
    "inception3a": ((256, 28, 28), 159, 128),
    "inception3b": ((480, 28, 28), 380, 304),
    "inception4a": ((512, 14, 14), 364, 73),
    "inception4b": ((512, 14, 14), 437, 88),
    "inception4c": ((512, 14, 14), 463, 100),
    "inception4d": ((528, 14, 14), 580, 119),
    "inception4e": ((832, 14, 14), 840, 170),
    "inception5a": ((832, 7, 7), 1072, 54),
    "inception5b": ((1024, 7, 7), 1388, 71),
}


@pytest.mark.parametrize("name", TABLE_1)
def test_an_inception_module_has_the_papers_size_and_about_its_counts(name):
    _, rows = _table(GoogLeNet)
    shape, thousands, millions = TABLE_1[name]
    inside = [row for key, row in rows.items() if key.startswith(f"{name}.")]
    biases = sum(row.output_shape[0] for row in inside if row.parameters)
    assert rows[name].output_shape == shape
    assert sum(row.parameters for row in inside) - biases == pytest.approx(
        1024 * thousands, rel=0.08
    )
    assert sum(row.multiply_adds for row in inside) == pytest.approx(1e6 * millions, rel=0.08)


def test_googlenet_outside_its_modules_is_the_papers():
    table, rows = _table(GoogLeNet)
    assert table.parameters == 6_998_552
    assert table.multiply_adds == pytest.approx(1.5e9, rel=0.07)  # section 1: 1.5 billion
    assert [rows[name].output_shape for name in ("conv1", "pool1", "conv2", "pool2")] == [
        (64, 112, 112), (64, 56, 56), (192, 56, 56), (192, 28, 28),
    ]  # fmt: skip
    weights = rows["reduce2"].parameters - 64 + rows["conv2"].parameters - 192
    assert weights == 112 * 1024
    assert rows["pool3"].output_shape == (480, 14, 14)
    assert rows["pool4"].output_shape == (832, 7, 7)
    assert rows["average"].output_shape == (1024, 1, 1)
    assert rows["dropout"].layer == "Dropout(p=0.4)"
    assert rows["fc"].parameters == 1000 * 1025


# ResNet.


def test_resnet18_has_the_published_parameters_and_products():
    table, rows = _table(ResNet18)
    assert table.parameters == 11_689_512
    assert table.multiply_adds == pytest.approx(1.8e9, rel=0.02)  # table 1
    assert [rows[f"layer{k}.1"].output_shape for k in (1, 2, 3, 4)] == [
        (64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7),
    ]  # fmt: skip
    shortcuts = ("layer2.0.downsample.0", "layer3.0.downsample.0", "layer4.0.downsample.0")
    main = [k for k, row in rows.items() if row.neurons and k not in shortcuts]
    assert len(main) == 18


@pytest.mark.parametrize(("option", "parameters"), [("A", 269_722), ("B", 272_474)])
def test_resnet20_has_the_published_parameters(option, parameters):
    table, rows = _table(lambda: ResNet20(option=option))
    assert table.parameters == parameters
    assert [rows[f"layer{k}.2"].output_shape for k in (1, 2, 3)] == [
        (16, 32, 32), (32, 16, 16), (64, 8, 8),
    ]  # fmt: skip
    main = [k for k, row in rows.items() if row.neurons and "downsample" not in k]
    assert len(main) == 20


def test_an_unknown_option_is_refused():
    with pytest.raises(ArgumentError, match=r"^option: must be 'A' or 'B', received 'C'\.$"):
        ResNet20(option="C")


# SqueezeNet.


def test_squeezenet_has_the_published_parameters_and_products():
    table, rows = _table(SqueezeNet)  # torchvision's table: 1,235,496 and 0.35 G
    assert table.parameters == 1_235_496
    assert table.multiply_adds == 349_151_936
    assert [rows[f"features.{k}.concat"].output_shape for k in (3, 4, 6, 7, 9, 10, 11, 12)] == [
        (128, 55, 55), (128, 55, 55), (256, 27, 27), (256, 27, 27),
        (384, 13, 13), (384, 13, 13), (512, 13, 13), (512, 13, 13),
    ]  # fmt: skip


def test_squeezenets_last_convolution_begins_with_a_deviation_of_its_own():
    model = SqueezeNet((3, 18, 18), rng=np.random.default_rng(0))
    assert model["classifier"]["1"].weight.data.std() == pytest.approx(0.01, rel=0.02)
    assert model["features"]["0"].weight_init == "he"


# MobileNet, EfficientNet, ConvNeXt: the products are those of torchvision's table, 0.30, 0.06, 0.39
# and 4.46 G, to the last one.


@pytest.mark.parametrize(
    ("make", "parameters", "products"),
    [
        (MobileNetV2, 3_504_872, 300_774_272),
        (MobileNetV3Small, 2_542_856, 56_510_400),
        (EfficientNet, 5_288_548, 385_814_752),
        (ConvNeXt, 28_589_128, 4_455_531_264),
    ],
)
def test_a_network_of_depthwise_filters_has_the_published_parameters_and_products(
    make, parameters, products
):
    table, _ = _table(make)
    assert (table.parameters, table.multiply_adds) == (parameters, products)


def test_mobilenet_v2_has_the_sizes_of_its_table_and_the_parameters_of_its_widths():
    _, rows = _table(MobileNetV2)  # table 2: the inputs of the stages
    assert [rows[f"features.{k}.conv.{2 if k > 1 else 1}"].output_shape
            for k in (1, 3, 6, 10, 13, 16, 17)] == [
        (16, 112, 112), (24, 56, 56), (32, 28, 28), (64, 14, 14), (96, 14, 14), (160, 7, 7),
        (320, 7, 7),
    ]  # fmt: skip
    assert rows["features.18.2"].output_shape == (1280, 7, 7)
    for width, millions, mega in ((1.4, 6.06, 582), (0.75, 2.61, 209), (0.5, 1.95, 97)):
        table, _ = _table(lambda width=width: MobileNetV2(width=width))  # its authors' own table
        assert table.parameters / 1e6 == pytest.approx(millions, rel=0.02)
        assert table.multiply_adds / 1e6 == pytest.approx(mega, rel=0.01)


def test_mobilenet_v3_small_has_the_sizes_of_its_table():
    _, rows = _table(MobileNetV3Small)
    outputs = [row.output_shape for name, row in rows.items() if name.endswith("scale")]
    assert outputs == [
        (16, 56, 56), (96, 14, 14), (240, 14, 14), (240, 14, 14), (120, 14, 14), (144, 14, 14),
        (288, 7, 7), (576, 7, 7), (576, 7, 7),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("width", "depth", "millions", "giga"),
    [(1.0, 1.0, 5.3, 0.39), (1.0, 1.1, 7.8, 0.70), (1.1, 1.2, 9.2, 1.0), (1.4, 1.8, 19, 4.2)],
    ids=["B0", "B1", "B2", "B4"],
)
def test_an_efficientnet_grows_as_published(width, depth, millions, giga):
    table, _ = _table(lambda: EfficientNet(width=width, depth=depth))  # table 2, at 224x224
    assert table.parameters == pytest.approx(1e6 * millions, rel=0.03)
    if depth <= 1:
        assert table.multiply_adds == pytest.approx(1e9 * giga, rel=0.02)


def test_later_blocks_are_left_out_more_often():
    with without_values():
        networks = EfficientNet(), ConvNeXt()
    shares = [[layer.p for _, layer in net.layers() if isinstance(layer, StochasticDepth)]
              for net in networks]  # fmt: skip
    assert shares[0] == pytest.approx([0.2 * k / 16 for k in (2, 4, 6, 7, 9, 10, 12, 13, 14)])
    assert shares[1] == pytest.approx([0.1 * k / 17 for k in range(18)])


def test_batch_norms_are_those_of_the_published_weights():
    with without_values():
        norms = [
            {(layer.eps, layer.momentum) for _, layer in make().layers()
             if isinstance(layer, BatchNorm2d)}
            for make in (MobileNetV2, MobileNetV3Small, EfficientNet)
        ]  # fmt: skip
    assert norms == [{(1e-5, 0.1)}, {(0.001, 0.01)}, {(1e-5, 0.1)}]


@pytest.mark.parametrize(
    ("make", "argument"),
    [(MobileNetV2, "width"), (MobileNetV3Small, "width"), (EfficientNet, "depth")],
)
def test_a_multiplier_that_is_none_is_refused(make, argument):
    for value in (0, -1.0, float("nan"), float("inf"), "wide", True):
        with pytest.raises(ArgumentError, match=rf"^{argument}: must be a number above 0, receiv"):
            make(**{argument: value})


def test_a_convnext_needs_a_width_for_each_stage():
    with pytest.raises(ArgumentError, match=r"^depths: must be the blocks .* as many as there are"):
        ConvNeXt(depths=(3, 3))


def test_networks_by_name_begin_with_the_weights_they_were_published_with():
    def begin(name, init=None):
        rng = np.random.default_rng(0)
        return by_name(name, (3, 32, 32), 50, weight_init=init, rng=rng)

    assert begin("mobilenet-v2")["classifier"]["1"].weight.data.std() == pytest.approx(
        0.01, rel=0.02
    )
    last = begin("efficientnet-b0")["classifier"]["1"].weight.data
    assert abs(last).max() == pytest.approx(1000**-0.5, rel=0.01)
    assert last.std() == pytest.approx((3 * 1000) ** -0.5, rel=0.02)
    assert begin("mobilenet-v3-small", 0.5)["classifier"]["3"].weight_init == 0.5
    assert begin("resnet20")["fc"].weight_init == "he"
