"""Networks from patterns: what words mean, where errors point, and the way back."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import gradcheck, load, nn, save, summary
from pellucid.errors import ArgumentError, ShapeError
from pellucid.models import SimpleConvNet, from_pattern, is_pattern, to_pattern
from pellucid.models.pattern_layers import layers_by_word
from pellucid.nn.init import without_values

VGG16 = (
    "INPUT -> [CONV3-64 -> RELU]*2 -> POOL -> [CONV3-128 -> RELU]*2 -> POOL -> "
    "[CONV3-256 -> RELU]*3 -> POOL -> [[CONV3-512 -> RELU]*3 -> POOL]*2 -> "
    "[FC4096 -> RELU]*2 -> FC"
)


def built(text, shape=(3, 32, 32), classes=10, **options):
    return from_pattern(text, shape, classes, **options)


def layers(text, shape=(3, 32, 32), classes=10):
    return [repr(layer) for layer in built(text, shape, classes)]


# What the words mean.


def test_the_lectures_grammar_with_everything_left_out():
    assert layers("INPUT -> [[CONV -> RELU]*2 -> POOL]*2 -> [FC -> RELU]*1 -> FC") == [
        "Conv2d(3, 32, 3, padding=1)", "ReLU()", "Conv2d(32, 32, 3, padding=1)", "ReLU()",
        "MaxPool2d(2, stride=2)",
        "Conv2d(32, 64, 3, padding=1)", "ReLU()", "Conv2d(64, 64, 3, padding=1)", "ReLU()",
        "MaxPool2d(2, stride=2)",
        "Flatten()", "Linear(4096, 128)", "ReLU()", "Linear(128, 10)",
    ]  # fmt: skip


def test_the_layers_are_called_what_they_are():
    model = built(
        "INPUT -> CONV -> BN -> RELU -> LRN -> AVGPOOL -> CONV -> TANH -> GAP -> DROP -> FC"
    )
    assert [name for name, _ in model.children()] == [
        "conv1", "norm1", "relu1", "lrn1", "pool1", "conv2", "tanh1", "gap", "drop1", "flatten",
        "fc1",
    ]  # fmt: skip
    assert model.input_shape == (3, 32, 32)


@pytest.mark.parametrize(
    ("word", "layer"),
    [
        ("CONV5-32/2", "Conv2d(3, 32, 5, stride=2, padding=2)"),
        ("CONV5-32/2p0", "Conv2d(3, 32, 5, stride=2)"),
        ("CONV-7", "Conv2d(3, 7, 3, padding=1)"),
        ("CONV/3", "Conv2d(3, 32, 3, stride=3, padding=1)"),
        ("CONVp0", "Conv2d(3, 32, 3)"),
        ("CONV1", "Conv2d(3, 32, 1)"),
        ("CONV4", "Conv2d(3, 32, 4, padding='same')"),
        ("conv5p3", "Conv2d(3, 32, 5, padding=3)"),
        ("POOL", "MaxPool2d(2, stride=2)"),
        ("POOL3/2", "MaxPool2d(3, stride=2)"),
        ("POOL3", "MaxPool2d(3, stride=3)"),
        ("POOL/1p1", "MaxPool2d(2, stride=1, padding=1)"),
        ("AVGPOOL4", "AvgPool2d(4, stride=4)"),
        ("GAP", "GlobalAvgPool2d()"),
        ("BN", "BatchNorm2d(3)"),
        ("LRN", "LocalResponseNorm(5, alpha=0.0005, k=2.0)"),
        ("DROP", "Dropout()"),
        ("DROP0.25", "Dropout(p=0.25)"),
        ("DROP.2", "Dropout(p=0.2)"),
        ("Relu", "ReLU()"),
        ("SIGMOID", "Sigmoid()"),
        ("TANH", "Tanh()"),
        ("RELU6", "ReLU6()"),
        ("GELU", "GELU()"),
        ("LN", "LayerNorm2d(3)"),
        ("ELU", "ELU()"),
        ("ELU0.5", "ELU(alpha=0.5)"),
        ("SELU", "SELU()"),
        ("MISH", "Mish()"),
        ("PRELU", "PReLU()"),
        ("HARDSWISH", "Hardswish()"),
        ("HARDSIGMOID", "Hardsigmoid()"),
    ],
)
def test_a_word_is_a_layer(word, layer):
    assert layers(f"INPUT -> {word} -> FC")[0] == layer


def test_filters_double_behind_a_pooling_and_not_beyond_512():
    model = built("[CONV -> POOL?]*7 -> CONV-600 -> POOL? -> CONV -> FC", (1, 64, 64))
    filters = [c.out_channels for c in model if isinstance(c, nn.Conv2d)]
    assert filters == [32, 64, 128, 256, 512, 512, 512, 600, 600]
    assert [c.out_channels for c in built("CONV-8 -> POOL -> POOL -> CONV -> CONV -> FC")
            if isinstance(c, nn.Conv2d)] == [8, 16, 16]  # fmt: skip


def test_a_question_mark_leaves_out_what_does_not_fit_any_more():
    pools = [type(x) for x in built("[CONV -> POOL?]*4 -> FC", (1, 6, 6))].count(nn.MaxPool2d)
    assert pools == 2  # 6, 3, 1
    with pytest.raises(ShapeError, match="a window of 2 is larger than the input's height of 1"):
        built("[CONV -> POOL]*4 -> FC", (1, 6, 6))
    whole = built("[CONV-4 -> POOL4]?*3 -> FC", (1, 6, 6))  # with its convolution
    assert [type(x).__name__ for x in whole] == ["Conv2d", "MaxPool2d", "Flatten", "Linear"]
    assert layers("POOL? -> FC?", (1, 4, 4)) == layers("POOL -> FC", (1, 4, 4))


def test_none_is_a_number_of_times_too():
    assert layers("INPUT -> [CONV -> RELU]*0 -> FC") == ["Flatten()", "Linear(3072, 10)"]
    assert layers("FC*3") == [
        "Flatten()",
        "Linear(3072, 128)",
        "Linear(128, 128)",
        "Linear(128, 10)",
    ]


def test_the_last_fc_that_is_really_there_gives_the_classes():
    assert layers("[FC64 -> RELU]*0 -> FC -> SIGMOID -> DROP")[1] == "Linear(3072, 10)"
    assert layers("FC -> RELU -> [FC]*2")[-2:] == ["Linear(128, 128)", "Linear(128, 10)"]
    assert layers("FC -> FC -> BN", classes=7)[-1] == "BatchNorm2d(7)"


def test_without_fc_the_last_convolution_gives_the_classes():
    text = "INPUT -> [CONV -> RELU -> CONV/2 -> RELU]*2 -> CONV1 -> GAP"
    model = built(text, classes=100)
    assert model.output_shape((3, 32, 32)) == (100,)
    assert [repr(layer) for layer in model][-3:] == [
        "Conv2d(32, 100, 1)", "GlobalAvgPool2d()", "Flatten()",
    ]  # fmt: skip


def test_spaces_newlines_and_drawn_arrows_are_read():
    assert layers("  INPUT→[CONV->RELU] *2\n  ->POOL ?->\tFC ") == layers(
        "INPUT -> [CONV -> RELU]*2 -> POOL? -> FC"
    )


def test_the_same_generator_gives_the_same_network_and_the_deviation_reaches_it():
    text = "CONV-4 -> RELU -> DROP -> FC"
    first, again, other = (
        built(text, (1, 8, 8), rng=np.random.default_rng(seed)).state_dict() for seed in (0, 0, 1)
    )
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["conv1.weight"], other["conv1.weight"])
    assert built(text, weight_init=0.5)["fc1"].weight_init == 0.5
    with pytest.raises(ArgumentError, match=r"^weight_init: 'hee' is not an initialisation"):
        built(text, weight_init="hee")


def test_it_runs_learns_and_is_saved_like_any_other(tmp_path):
    rng = np.random.default_rng(0)
    model = built("CONV-3 -> BN -> RELU -> POOL -> FC5 -> TANH -> FC", (2, 6, 6), 4, rng=rng)
    x = rng.normal(size=(3, 2, 6, 6))
    report = gradcheck(model, x, np.array([0, 3, 1]), nn.SoftmaxCrossEntropy())
    assert report.worst < 1e-6
    save(model.astype(np.float32), tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    x = x.astype(np.float32)
    assert np.array_equal(again.eval()(x), model.eval()(x))
    assert to_pattern(again) == to_pattern(model)


# What it costs: the lecture's account of VGG-16 (CS231n, "Case studies").


@pytest.fixture(scope="module")
def vgg16():
    with without_values():
        return from_pattern(VGG16, (3, 224, 224), 1000)


def test_vgg_16_has_the_lectures_parameters_and_products(vgg16):
    table = summary(vgg16)
    by_hand = 0
    for c, fn in zip(
        [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512],
        [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512],
        strict=True,
    ):
        by_hand += 3 * 3 * c * fn + fn
    by_hand += 7 * 7 * 512 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000
    assert table.parameters == by_hand == 138_357_544  # "138M parameters"  # fmt: skip
    assert table.multiply_adds == 15_470_264_320  # 15.5 G
    assert {row.name: row.parameters for row in table.rows}["fc1"] == 102_764_544  # most of them
    shapes = [row.output_shape for row in table.rows if row.name.startswith(("pool", "fc"))]
    assert shapes == [
        (64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7),
        (4096,), (4096,), (1000,),
    ]  # fmt: skip


def test_the_activations_of_vgg_16_are_the_sum_of_the_lectures_lines(vgg16):
    # The lecture's lines are the image, every convolution, pooling and fully connected layer (ReLU
    # in place). They add up to 15.2 million numbers; the total that it prints below them is 24 M,
    # and with a ReLU's output of its own behind every layer it would be 28.8 M.
    lines = [224 * 224 * 3]
    for size, depth, convolutions in [
        (224, 64, 2),
        (112, 128, 2),
        (56, 256, 3),
        (28, 512, 3),
        (14, 512, 3),
    ]:
        lines += [size * size * depth] * convolutions + [(size // 2) ** 2 * depth]
    lines += [4096, 4096, 1000]
    rows = summary(vgg16).rows
    counted = [r.activation for r in rows if not r.name.startswith(("relu", "flatten"))]
    assert [224 * 224 * 3, *counted] == lines
    assert sum(lines) == 15_237_608
    relus = sum(r.activation for r in rows if r.name.startswith("relu"))
    assert sum(lines) + relus == 28_793_320


# Errors point into the text.


def refused(text, shape=(3, 32, 32), classes=10):
    """Return the message, and what of the text is marked."""
    with pytest.raises(ArgumentError) as caught:
        from_pattern(text, shape, classes)
    message, shown, marks = str(caught.value).rsplit("\n", 2)
    start = marks.index("^")
    return message, shown[start : start + len(marks.strip())], caught.value


@pytest.mark.parametrize(
    ("text", "marked", "said"),
    [
        ("INPUT -> CNOV -> FC", "CNOV", r"'CNOV' is not a layer\. Did you mean 'CONV'\? Known: A"),
        ("INPUT -> MAXPOOL -> FC", "MAXPOOL", r"Did you mean 'POOL'\?"),
        ("INPUT -> Linear -> FC", "Linear", r"Did you mean 'FC'\?"),
        ("INPUT -> 3 -> FC", "3", r"'3' is not a layer\. Known: AVGPOOL, BN"),
        ("INPUT -> CONV5-32/x -> FC", "/x", r"cannot be read from here on\. Write CONV5-32/2p1"),
        ("INPUT -> CONV3x5 -> FC", "x5", r"cannot be read from here on"),
        ("INPUT -> TANH6 -> FC", "6", r"cannot be read from here on\. TANH is not f"),
        ("INPUT -> CONV0 -> FC", "0", r"must be from 1 to 100,000"),
        ("INPUT -> CONV-9999999 -> FC", "9999999", r"must be from 1 to 100,000"),
        ("INPUT -> CONV3-" + "9" * 5000 + " -> FC", None, r"must be from 1 to 100,000"),
        ("INPUT CONV -> FC", "CONV", r"expects '->' between two layers, but found 'CONV'"),
        ("INPUT -> CONV RELU -> FC", "RELU", r"expects '->' between two layers, but found 'RELU'"),
        ("INPUT -> [CONV -> RELU -> FC", " ", r"a '\]' is missing here"),
        ("INPUT -> [CONV RELU] -> FC", "RELU", r"expects '->' between two"),
        ("INPUT -> CONV] -> FC", "]", r"this bracket closes nothing"),
        ("INPUT -> CONV ->", " ", r"expects a layer, but the pattern ends\. Known: AVG"),
        ("INPUT -> -> FC", "->", r"expects a layer, but found '->'"),
        ("INPUT -> [] -> FC", "]", r"expects a layer, but found '\]'"),
        ("INPUT", " ", r"is an input, not a layer; add one: INPUT -> FC"),
        ("", " ", r"expects a layer, but the pattern ends"),
        ("CONV -> INPUT -> FC", "INPUT", r"INPUT stands at the beginning, once"),
        ("INPUT3 -> FC", "INPUT3", r"INPUT stands at the beginning, once and without a size"),
        ("INPUT -> FC -> SOFTMAX", "SOFTMAX", r"the loss contains the softmax; let the pat"),
        ("INPUT -> [CONV -> RELU]*N -> FC", "N", r"expects how many times, a number, as in"),
        ("INPUT -> [CONV -> RELU]* -> FC", "->", r"expects how many times, a number, as in"),
        ("INPUT -> CONV*1001 -> FC", "1001", r"must be from 0 to 1,000"),
        ("INPUT -> [[CONV]*100 -> RELU]*100 -> FC", "[[CONV]*100 -> RELU]", r"10,101 layers, most"),
        ("[" * 21 + "CONV" + "]" * 21 + " -> FC", "[", r"brackets may be nested 20 deep"),
        ("INPUT -> FC -> CONV -> FC", "CONV", r"CONV needs images; FC comes after all that do"),
        ("INPUT -> FC64", "FC64", r"the last FC gives one number for each of 10 classes; le"),
        ("INPUT -> CONV", "CONV", r"ends with 10x32x32 numbers for .* or with CONV1-10 -> GAP"),
        ("INPUT -> CONV-64 -> GAP", "GAP", r"ends with 64 numbers for an image, not with one"),
        ("INPUT -> RELU -> POOL", "POOL", r"nothing here has weights; end with FC"),
        ("INPUT -> CONV40p0 -> FC", "CONV40p0", r"a window of 40 is larger than the input's h"),
        ("INPUT -> POOLp2 -> FC", "POOLp2", r"the padding may be at most half of the window"),
        ("INPUT -> DROP1 -> FC", "DROP1", r"must be a probability"),
        ("INPUT -> FC100000 -> FC100000 -> FC", "FC100000", r"has 10,307,\d+,\d+ parameters; "),
    ],
)  # fmt: skip
def test_an_error_marks_the_place_and_says_what_is_expected(text, marked, said):
    message, shown, error = refused(text)
    assert re.match(rf"pattern: .*{said}", message), message
    if marked is not None:
        assert shown.strip() == marked.strip()
        assert text.upper().find(shown.upper().strip()) >= 0
    assert error.where == "pattern"


def test_a_mark_stands_below_its_place_in_a_long_pattern():
    text = "INPUT -> " + "[CONV -> RELU]*2 -> " * 10 + "CNOV -> " + "RELU -> " * 20 + "FC"
    _, shown, error = refused(text)
    assert shown == "CNOV"
    assert all(len(line) < 90 for line in str(error).splitlines()[1:])


def test_a_shape_that_does_not_fit_is_a_shape_error():
    assert isinstance(refused("POOL64 -> FC")[2], ShapeError)
    assert not isinstance(refused("POOL64? -> FC?? -> RELU7")[2], ShapeError)


def test_a_pattern_of_many_letters_is_refused_before_it_is_read():
    with pytest.raises(ArgumentError, match="has 60,002 letters; at most 10,000"):
        from_pattern("RELU->" * 10_000 + "FC", (1, 4, 4), 10)


@pytest.mark.parametrize("shape", [(3, 32), (3, 0, 32), (3, 32.0, 32)])
def test_images_that_are_none_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"^input_shape: must be"):
        from_pattern("FC", shape, 10)


@pytest.mark.parametrize(
    ("text", "yes"),
    [("INPUT -> FC", True), ("input", True), ("conv->fc", True), ("CONV → FC", True),
     ("simple", False), ("runs/digits-1", False), ("", False)],
)  # fmt: skip
def test_a_pattern_is_told_from_a_name(text, yes):
    assert is_pattern(text) is yes


@given(text=st.text(alphabet="[]*?->COVNFUT 123/.p", max_size=40))
def test_any_text_is_a_network_or_a_refusal(text):
    try:
        model = from_pattern(text, (1, 6, 6), 3)
    except ArgumentError as error:
        where = error.where
    else:
        where = "pattern"
        assert model.output_shape((1, 6, 6)) == (3,)
    assert where == "pattern"


# The way back.


@pytest.mark.parametrize(
    "text",
    [
        VGG16,
        "INPUT -> CONV5-30p0 -> RELU -> POOL -> FC100 -> RELU -> FC",
        "INPUT -> CONV11-96/4p0 -> RELU -> LRN -> POOL3/2 -> DROP0.5 -> FC",
        "INPUT -> CONV4-8 -> AVGPOOL3/1p1 -> BN -> SIGMOID -> CONV1 -> GAP",
        "INPUT -> [[CONV3-16 -> RELU]*2 -> POOL]*2 -> [FC64 -> TANH]*2 -> FC",
    ],
)
def test_a_pattern_comes_back_as_it_was_written(text):
    with without_values():
        assert to_pattern(from_pattern(text, (3, 64, 64), 10)) == text


@pytest.mark.parametrize("word", sorted(layers_by_word()))
def test_every_word_of_a_layer_is_read_and_written(word):
    text = f"INPUT -> CONV3-64 -> {word} -> FC" if word != "FC" else "INPUT -> FC"
    with without_values():
        model = from_pattern(text, (3, 16, 16), 10)
        written = to_pattern(model)
        assert repr(from_pattern(written, (3, 16, 16), 10)) == repr(model)
    assert layers_by_word()[word].kind in {type(layer) for layer in model}
    assert word in written


_numbers = st.none() | st.integers(1, 5)


@st.composite
def _words(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(["CONV", "POOL", "AVGPOOL", "BN", "RELU", "TANH", "SIGMOID", "LRN",
                                 "DROP", "DROP0.3"]))  # fmt: skip
    if name not in ("CONV", "POOL", "AVGPOOL"):
        return name
    window, filters, stride = draw(_numbers), draw(_numbers), draw(_numbers)
    word = name + (str(window) if window else "")
    if name == "CONV" and filters:
        word += f"-{filters}"
    word += f"/{stride}" if stride else ""
    return word + draw(st.sampled_from(["", "p0", "p1"])) + draw(st.sampled_from(["", "?"]))


_chains = st.recursive(
    _words(),
    lambda inner: st.builds(
        lambda items, sign: f"[{' -> '.join(items)}]{sign}",
        st.lists(inner, min_size=1, max_size=3),
        st.sampled_from(["", "*2", "*3", "?", "*2?", "*0"]),
    ),
    max_leaves=6,
)


@given(
    body=st.lists(_chains, max_size=4),
    head=st.sampled_from(["FC", "[FC7 -> RELU]*2 -> FC", "CONV1 -> GAP", "FC -> DROP -> FC -> BN"]),
)
def test_every_network_built_from_a_pattern_can_be_written_and_built_again(body, head):
    text = " -> ".join(["INPUT", *body, head])
    try:
        model = from_pattern(text, (2, 12, 11), 3)
    except ArgumentError:  # a window that is too large, or a padding
        return
    written = to_pattern(model)
    again = from_pattern(written, (2, 12, 11), 3)
    assert repr(again) == repr(model)
    assert to_pattern(again) == written


def test_chains_inside_the_chain_and_networks_of_other_origin_are_written():
    model = nn.Sequential(
        features=nn.Sequential(nn.Conv2d(1, 4, 3, padding=(1, 1)), nn.ReLU(), nn.MaxPool2d(2)),
        head=nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 5)),
    )
    assert to_pattern(model) == "INPUT -> CONV3-4 -> RELU -> POOL -> DROP0.5 -> FC"
    assert to_pattern(SimpleConvNet()).startswith("INPUT -> CONV5-30p0 -> RELU -> POOL ->")
    same = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, padding="valid"),
        nn.Conv2d(4, 4, 2, 2, padding="same"),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    assert to_pattern(same) == "INPUT -> CONV3-4 -> CONV3-4p0 -> CONV2-4/2 -> FC"


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (
            nn.Conv2d(2, 4, 3, groups=2),
            r"'1', Conv2d\(2, 4, 3, groups=2\), has groups=2, for which",
        ),
        (nn.Conv2d(2, 4, 3, bias=False), r"has bias=False, for which there is no sign"),
        (nn.Conv2d(2, 4, 3, dilation=2), r"has dilation=\(2, 2\), for which"),
        (nn.Conv2d(2, 4, 3, misfit="pad"), r"has misfit='pad', for which"),
        (nn.Conv2d(2, 4, (3, 2)), r"has the sizes \(3, 2\), and a word has one number"),
        (nn.Conv2d(2, 4, 3, padding=(1, 0)), r"has padding=\(1, 0\), and a word has one number"),
        (nn.Conv2d(2, 4, 3, stride=2, padding="same"), r"has padding='same'"),
        (nn.MaxPool2d(3, dilation=2), r"has dilation=\(2, 2\)"),
        (nn.AvgPool2d(3, padding=1, count_include_pad=False), r"has count_include_pad=False"),
        (nn.Linear(2, 3, bias=False), r"has bias=False"),
        (nn.Dropout(0.5, "book"), r"has variant='book'"),
        (nn.BatchNorm2d(2, eps=0.1), r"has eps=0\.1"),
        (nn.LocalResponseNorm(3), r"has size=3"),
        (nn.LeakyReLU(), r"'1', LeakyReLU\(\), has no word in a pattern"),
        (nn.Softmax(), r"has no word in a pattern"),
    ],
    ids=repr,
)
def test_what_a_pattern_cannot_say_is_refused_with_the_layers_name(layer, said):
    model = nn.Sequential(nn.ReLU(), layer)
    with pytest.raises(ArgumentError, match=f"^to_pattern: .*{said}"):
        to_pattern(model)


def test_a_norm_between_flatten_and_linear_is_not_the_one_of_images():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm2d(12), nn.Linear(12, 2))
    with pytest.raises(ArgumentError, match="comes between Flatten and Linear"):
        to_pattern(model)


def test_a_padding_with_its_odd_cell_at_the_beginning_is_not_written_as_the_usual_one():
    odd = nn.Sequential(conv=nn.Conv2d(1, 2, 3, padding="same_lower"))
    assert to_pattern(odd) == to_pattern(nn.Sequential(conv=nn.Conv2d(1, 2, 3, padding=1)))
    with pytest.raises(ArgumentError, match="has padding='same_lower', and a word has one number"):
        to_pattern(nn.Sequential(conv=nn.Conv2d(1, 2, 4, padding="same_lower")))
