"""pellucid convert: the book's parameters as models, with the scores they had; and back."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid as library
from formats.pickles import python2
from pellucid.cli import main
from pellucid.data.catalogue import CATALOGUE
from pellucid.errors import ArgumentError
from pellucid.formats import from_book, read_pickle, read_tensors, to_book, write_tensors
from pellucid.formats.npz import read_npz, write_npz
from pellucid.models import DeepConvNet, SimpleConvNet
from pellucid.nn import (
    BatchNorm2d,
    Branches,
    Card,
    Conv2d,
    Flatten,
    Linear,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
)

# The book's networks, computed in its own layout, by nothing of ours.


def convolve(x, w, b, stride=1, pad=0):
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    return np.einsum("ncijuv,ocuv->noij", windows, w, optimize=True) + b.reshape(1, -1, 1, 1)


def halved(x):
    n, c, h, w = x.shape
    x = x[:, :, : h // 2 * 2, : w // 2 * 2]
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))


def affine(x, w, b):
    return x.reshape(len(x), -1) @ w + b


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple_scores(x, p, stride=1, pad=0):
    x = halved(relu(convolve(x, p["W1"], p["b1"], stride, pad)))
    return affine(relu(affine(x, p["W2"], p["b2"])), p["W3"], p["b3"])


def deep_scores(x, p):
    for k, pad in enumerate((1, 1, 1, 2, 1, 1), 1):
        x = relu(convolve(x, p[f"W{k}"], p[f"b{k}"], pad=pad))
        x = x if k % 2 else halved(x)
    x = 0.5 * relu(affine(x, p["W7"], p["b7"]))
    return 0.5 * affine(x, p["W8"], p["b8"])


def connected_scores(x, p, activation):
    for k in range(1, len(p) // 2 + 1):
        x = affine(x if k == 1 else activation(x), p[f"W{k}"], p[f"b{k}"])
    return x


RNG = np.random.default_rng(5)


def drawn(*shape):
    return RNG.normal(size=shape) * (2 / np.prod(shape[1:] if len(shape) > 2 else shape[:1])) ** 0.5


def simple_params(image=(1, 28, 28), filters=30, size=5, inputs=4320, hidden=100, classes=10):
    return {
        "W1": drawn(filters, image[0], size, size), "b1": drawn(filters),
        "W2": np.asfortranarray(drawn(inputs, hidden)), "b2": drawn(hidden),
        "W3": drawn(hidden, classes), "b3": drawn(classes),
    }  # fmt: skip


def deep_params(channels=1, inputs=1024, hidden=50, classes=10):
    params = {}
    for k, filters in enumerate((16, 16, 32, 32, 64, 64), 1):
        params |= {f"W{k}": drawn(filters, channels, 3, 3), f"b{k}": 0.1 * drawn(filters)}
        channels = filters
    params |= {"W7": drawn(inputs, hidden), "b7": drawn(hidden)}
    return params | {"W8": drawn(hidden, classes), "b8": drawn(classes)}


def connected_params(*sizes):
    pairs = itertools.pairwise(sizes)
    return {
        f"{letter}{k}": drawn(*shape)
        for k, (i, o) in enumerate(pairs, 1)
        for letter, shape in (("W", (i, o)), ("b", (o,)))
    }


def images(*shape, n=4):
    return RNG.random((n, *shape))


def assert_scores(model, x, expected):
    scores = model(x.astype(np.float32))
    np.testing.assert_allclose(scores, expected, rtol=2e-4, atol=2e-5 * np.abs(expected).max())


def assert_probabilities(model, x, expected):
    """Check what the engine's kernels give, behind a softmax."""
    exp = np.exp(expected - expected.max(axis=1, keepdims=True))
    guessed = library.predict(model, x.astype(np.float32))
    np.testing.assert_allclose(guessed, exp / exp.sum(axis=1, keepdims=True), atol=1e-4)


@pytest.fixture
def convert(tmp_path, monkeypatch, capsys):
    """Run the command in ``tmp_path``, in this very process."""
    monkeypatch.chdir(tmp_path)

    def convert(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["convert", *map(str, arguments)])
        return subprocess.CompletedProcess(arguments, end.value.code, *capsys.readouterr())

    return convert


def converted(convert, params, *options, protocol=3):
    Path("params.pkl").write_bytes(pickle.dumps(params, protocol))
    result = convert("params.pkl", "model.safetensors", *options)
    assert (result.returncode, "error" in result.stderr) == (0, False)
    *said, written = result.stdout.splitlines()
    assert written == "model.safetensors"
    return library.load("model.safetensors"), "\n".join([*said, result.stderr])


# The same scores.


def test_a_simple_network_gives_the_scores_it_gave_in_the_book(convert, tmp_path):
    params, x = simple_params(), images(1, 28, 28)
    model, said = converted(convert, params)
    assert_scores(model, x, simple_scores(x, params))
    assert_probabilities(model, x, simple_scores(x, params))
    assert isinstance(model, SimpleConvNet)
    assert model.card == Card("mnist", tuple("0123456789"), CATALOGUE["mnist"].preparation)
    assert said.splitlines()[:2] == [
        "SimpleConvNet: images 1x28x28, 433,890 parameters",
        "assumed to be trained on MNIST: classes 0 to 9, white on black",
    ]


def test_a_deep_network_gives_the_scores_it_gave_in_the_book(convert, tmp_path):
    params, x = deep_params(), images(1, 28, 28)
    model, said = converted(convert, params, protocol=5)
    assert_scores(model, x, deep_scores(x, params))
    assert isinstance(model, DeepConvNet)
    assert said.startswith("DeepConvNet: images 1x28x28, 123,552 parameters\n")


@pytest.mark.parametrize(("name", "function"), [("relu", relu), ("sigmoid", sigmoid)])
def test_a_fully_connected_network_gives_the_scores_it_gave(convert, tmp_path, name, function):
    params, x = connected_params(784, 50, 100, 10), images(1, 28, 28)
    options = () if name == "relu" else ("--activation", "sigmoid")
    model, said = converted(convert, params, *options)
    assert_scores(model, x, connected_scores(x, params, function))
    assert said.startswith(f"fully connected, {name}: images 1x28x28, 45,360 parameters\n")
    assert ("--activation sigmoid" in said) is (name == "relu")


def test_one_layer_alone_is_a_network_too():
    params, x = connected_params(12, 3), images(3, 2, 2)
    assert_scores(from_book(params), x, connected_scores(x, params, relu))


@pytest.mark.parametrize(
    ("image", "size", "stride", "pad", "given"),
    [
        ((1, 28, 28), 5, 1, 2, {}),
        ((1, 28, 28), 3, 1, 1, {}),
        ((1, 8, 8), 3, 1, 0, {}),
        ((3, 32, 32), 5, 1, 0, {}),
        ((3, 32, 32), 5, 1, 2, {"input_shape": (3, 32, 32)}),
        ((1, 28, 28), 4, 2, 1, {"stride": 2}),
        ((1, 28, 28), 4, 2, 1, {"stride": 2, "pad": 1}),
        ((2, 12, 20), 5, 1, 0, {"input_shape": (2, 12, 20)}),
        ((1, 20, 20), 5, 1, 2, {"pad": 2}),
        ((1, 24, 24), 5, 1, 2, {"pad": 2}),
    ],
)
def test_images_and_border_follow_from_the_shapes(image, size, stride, pad, given):
    sides = [((n + 2 * pad - size) // stride + 1) // 2 for n in image[1:]]
    params = simple_params(image, 4, size, 4 * sides[0] * sides[1], 11, 7)
    model = from_book(params, **given)
    assert model.input_shape == image
    assert model.card is None
    x = images(*image)
    assert_scores(model, x, simple_scores(x, params, stride, pad))


@pytest.mark.parametrize(
    ("shape", "given"), [((3, 32, 32), {}), ((1, 30, 32), {"input_shape": (1, 30, 32)})]
)
def test_a_deep_network_for_other_images(shape, given):
    params, x = deep_params(shape[0], hidden=20, classes=4), images(*shape)
    model = from_book(params, **given)
    assert_scores(model, x, deep_scores(x, params))
    assert (model.input_shape, model.card) == (shape, None)


def test_what_python_2_pickled_and_halves_are_converted(convert, tmp_path):
    params = {name: a.astype(np.float16) for name, a in simple_params().items()}
    (tmp_path / "params.pkl").write_bytes(python2(params))
    assert convert("params.pkl", "model.safetensors").returncode == 0
    x = images(1, 28, 28)
    wide = {name: a.astype(float) for name, a in params.items()}
    assert_scores(library.load(tmp_path / "model.safetensors"), x, simple_scores(x, wide))


def test_a_number_for_all_biases_stands_for_each():
    params = simple_params() | {"b1": np.array(0.25), "b2": np.zeros((1, 100))}
    x = images(1, 28, 28)
    full = params | {"b1": np.full(30, 0.25), "b2": np.zeros(100)}
    assert_scores(from_book(params), x, simple_scores(x, full))


# The commands on the result.


def test_the_other_commands_take_the_result(pellucid, convert, tmp_path):
    _, test = library.data.digits()
    params = simple_params((1, 8, 8), 8, 3, 72, 20)
    converted(convert, params, "--input", "1x8x8")
    pixels = np.pad((test.images[0, 0] * (255 / 16)).astype(np.uint8), 2)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert pellucid("warmup", "model.safetensors").returncode == 0  # then nothing is compiled
    result = pellucid("predict", "model.safetensors", "a.png", "--top", "1")
    assert (result.returncode, result.stderr) == (0, "")
    assert "SimpleConvNet" not in pellucid("summary", "model.safetensors").stderr
    result = pellucid("evaluate", "model.safetensors", "--data", "digits")
    x = test.batch(np.arange(len(test)))[0]
    right = np.mean(simple_scores(x.astype(float), params).argmax(axis=1) == test.labels)
    assert f"test accuracy {right:.4f}" in result.stdout


def test_the_names_of_its_classes_let_a_converted_network_predict(pellucid, convert, tmp_path):
    params = simple_params()
    converted(convert, params)
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 12:16] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    x = pixels[None, None] / 255
    best = simple_scores(x, params).argmax()
    result = pellucid("predict", "model.safetensors", "a.png", "--top", "1")
    assert result.stdout.splitlines()[-1].split()[1] == str(best)


# And back.


@pytest.mark.parametrize("name", ["params.pkl", "params.pickle", "params.npz"])
def test_what_the_book_reads_is_what_it_wrote_to_float32(convert, tmp_path, name):
    params = simple_params()
    converted(convert, params)
    back = f"back{Path(name).suffix}"
    result = convert("model.safetensors", back)
    assert (result.returncode, result.stderr) == (0, "")
    first, _, last = result.stdout.splitlines()
    assert first == "6 arrays: W1 30x1x5x5, b1 30, W2 4320x100, b2 100, W3 100x10, b3 10"
    assert last == back
    path = tmp_path / back
    read = dict(np.load(path)) if path.suffix == ".npz" else pickle.loads(path.read_bytes())
    assert list(read) == list(params)
    for key, values in params.items():
        assert read[key].dtype == np.float64
        np.testing.assert_array_equal(read[key], values.astype(np.float32))


@pytest.mark.parametrize("kind", [SimpleConvNet, DeepConvNet])
def test_a_network_trained_here_is_the_same_after_a_journey_to_the_book(kind):
    model = kind()
    again = from_book(to_book(model))
    assert type(again) is kind
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[key], value)


def test_a_run_folder_is_converted_and_the_script_is_told_what_to_build(convert):
    Path("run").mkdir()
    model = SimpleConvNet((1, 8, 8), hidden_size=20, kernel_size=3, padding=1)
    library.save(model, "run/model.safetensors")
    said = convert("run", "params.pkl").stdout.splitlines()[1]
    assert said == (
        "for SimpleConvNet(input_dim=(1, 8, 8), conv_param={'filter_num': 30, 'filter_size': 3, "
        "'pad': 1, 'stride': 1}, hidden_size=20, output_size=10)"
    )
    x = images(1, 8, 8)
    assert_scores(model, x, simple_scores(x, read_pickle("params.pkl"), pad=1))


def test_a_chain_of_the_books_layers_is_numbered_in_its_order():
    model = Sequential(
        Sequential(Conv2d(1, 2, 3, bias=False), ReLU()), Flatten(), Linear(72, 5), Sigmoid()
    )
    params = to_book(model, np.float32)
    assert {name: a.shape for name, a in params.items()} == {
        "W1": (2, 1, 3, 3), "b1": (2,), "W2": (72, 5), "b2": (5,),
    }  # fmt: skip
    assert not params["b1"].any()


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        (Sequential(conv=Conv2d(2, 4, 3, groups=2)), "'conv', a Conv2d"),
        (Sequential(conv=Conv2d(2, 4, 3, dilation=2)), "'conv', a Conv2d"),
        (Sequential(conv=Conv2d(2, 4, 3), norm=BatchNorm2d(4)), "'norm', a BatchNorm2d"),
    ],
    ids=["groups", "dilation", "norm"],
)
def test_a_layer_that_the_book_lacks_is_named(model, layer):
    with pytest.raises(
        ArgumentError, match=f"^Sequential: has {layer}.*which the book's files cannot"
    ):
        to_book(model)


@pytest.mark.parametrize("kind", [Residual, Branches])
def test_a_network_of_several_paths_is_not_taken_for_a_chain(kind):
    model = Sequential(block=kind(conv=Conv2d(2, 2, 1)))
    with pytest.raises(ArgumentError, match=f"^Sequential: has 'block', a {kind.__name__}"):
        to_book(model)


def test_a_network_that_the_book_lacks_is_written_raw(convert, tmp_path):
    model = Sequential(conv=Conv2d(1, 2, 3), norm=BatchNorm2d(2))
    library.save(model, tmp_path / "model.safetensors")
    result = convert("model.safetensors", "params.pkl")
    assert result.returncode == 1
    assert "which the book's files cannot hold" in result.stderr
    assert result.stderr.endswith("Add --raw for that.\n")
    assert convert("model.safetensors", "params.pkl", "--raw").returncode == 0
    read = pickle.loads((tmp_path / "params.pkl").read_bytes())
    assert list(read) == list(read_tensors(tmp_path / "model.safetensors")[0])
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(read[key], value)


# Arrays as they are.


@pytest.mark.parametrize("between", [".safetensors", ".npz", ".pkl"])
def test_raw_arrays_are_the_same_wherever_they_go(convert, tmp_path, between):
    arrays = {"x": np.arange(6.0).reshape(2, 3).T, "W1": np.ones(3, ">i4"), "b": np.float16([1.5])}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(arrays))
    assert convert("a.pkl", f"b{between}", "--raw").returncode == 0
    assert convert(f"b{between}", "c.npz", "--raw").returncode == 0
    read = read_npz(tmp_path / "c.npz")
    assert set(read) == set(arrays)
    for key, values in arrays.items():
        np.testing.assert_array_equal(read[key], values)
        assert read[key].dtype == values.dtype.newbyteorder("=")


def test_tensors_in_the_books_names_become_a_network(convert, tmp_path):
    params = simple_params()
    write_tensors(tmp_path / "params.safetensors", params)
    assert convert("params.safetensors", "model.safetensors").returncode == 0
    x = images(1, 28, 28)
    assert_scores(library.load(tmp_path / "model.safetensors"), x, simple_scores(x, params))


# What is refused.


def refused(convert, *arguments) -> str:
    result = convert(*arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    return result.stderr


class Evil:
    def __reduce__(self):
        return os.system, ("touch owned",)


def test_a_malicious_pickle_runs_nothing_and_says_what_was_refused(pellucid, tmp_path):
    (tmp_path / "params.pkl").write_bytes(pickle.dumps({"W1": Evil()}))
    result = pellucid("convert", "params.pkl", "model.safetensors")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: 'params.pkl' names {os.system.__module__}.system, which a dict of arrays does not "
        "need. It may be an attempt to run a program on your machine; nothing was executed.\n"
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["params.pkl"]


def test_images_that_were_guessed_are_said_to_be(convert):
    params = simple_params((1, 8, 8), 8, 3, 72, 20)
    guess = "the image size is a guess; --input CxHxW sets it"
    assert guess in converted(convert, params)[1]
    assert guess not in converted(convert, params, "--input", "1x8x8", "--overwrite")[1]


def test_an_existing_file_stays_without_overwrite(convert, tmp_path):
    write_npz(tmp_path / "a.npz", {"x": np.ones(3)})
    (tmp_path / "b.pkl").write_text("precious")
    said = refused(convert, "a.npz", "b.pkl")
    assert said == "error: TARGET: 'b.pkl' exists. Choose another name, or add --overwrite.\n"
    assert (tmp_path / "b.pkl").read_text() == "precious"
    assert convert("a.npz", "b.pkl", "--overwrite").returncode == 0
    assert read_pickle(tmp_path / "b.pkl")["x"].tolist() == [1, 1, 1]


def test_an_old_model_stays_if_the_new_one_is_refused(convert, tmp_path):
    (tmp_path / "model.safetensors").write_text("precious")
    (tmp_path / "params.pkl").write_bytes(pickle.dumps({"x": np.ones(3)}))
    refused(convert, "params.pkl", "model.safetensors", "--overwrite")
    assert (tmp_path / "model.safetensors").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("a.npz", "b.txt"),
            "TARGET: must end in .safetensors, .pkl, .npz or .pth, received 'b.txt'.",
        ),
        (("gone.pkl", "b.npz"), "there is no file 'gone.pkl'."),
        ((".", "b.npz"), "the folder '.' holds no model.safetensors."),
        (("a.npz", "gone/b.pkl"), "TARGET: cannot write 'gone/b.pkl': the folder"),
        (("a.npz", "b.pkl", "--input", "1x2x3"), "--input: describes a network to build"),
        (("a.npz", "b.safetensors", "--raw", "--pad", "1"), "--pad: describes a network to build"),
        (("a.npz", "b.safetensors", "--input", "28"), "--input: must be channels x height x width"),
        (("a.npz", "b.safetensors"), "W1, b1, W2, b2, ... without a gap, received x. With --raw"),
        (
            ("m.safetensors", "b.safetensors"),
            "m.safetensors: is a model in a safetensors file already.",
        ),
    ],
)
def test_what_cannot_be_converted_is_refused_in_clear_words(convert, tmp_path, arguments, said):
    write_npz(tmp_path / "a.npz", {"x": np.ones(3)})
    library.save(Sequential(Linear(2, 2)), tmp_path / "m.safetensors")
    assert said in refused(convert, *arguments)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("change", "given", "said"),
    [
        ({"W2": np.ones((4321, 100))}, {}, "the 4321 rows of W2 are not a multiple of the 30"),
        ({"W2": np.ones((30, 100))}, {"pad": 0, "input_shape": (1, 28, 28)},
         r"^input_shape: W2 takes 1 numbers .* 1x28x28 .* stride 1 and a padding of 0\. Give"),
        ({}, {"input_shape": (3, 28, 28)}, r"^input_shape: received 3x28x28; the network has 1 ch"),
        ({}, {"input_shape": (1, 32, 32)}, r"^input_shape: W2 takes 144 .*a padding of 0 to 4"),
        ({}, {"input_shape": (28, 28)}, r"^input_shape: must be \(channels, height, width\)"),
        ({}, {"stride": 0}, r"^stride: must be 1 or more, received 0"),
        ({}, {"pad": -1}, r"^pad: must be 0 or more, received -1"),
        ({}, {"activation": "sigmoid"}, r"^activation: applies to fully connected networks"),
        ({"W3": np.ones((99, 10))}, {}, r"W3 \(99, 10\) cannot follow W2 \(4320, 100\)"),
        ({"W2": np.ones((99, 30, 3, 3)), "b2": np.ones(99), "W3": np.ones((7, 10))}, {},
         "neither SimpleConvNet .* nor DeepConvNet"),
        ({"W3": np.ones((10, 100, 1, 1))}, {}, "W3 .* cannot follow W2"),
        ({"W1": np.ones((30, 1, 5, 4))}, {}, "neither SimpleConvNet .* nor DeepConvNet"),
        ({"b2": np.ones(99)}, {}, r"b2 \(99,\) must have 100 numbers"),
        ({"W1": np.ones(3)}, {}, r"W1 \(3,\) belongs neither to a convolution"),
        ({"W1": np.ones((0, 1, 5, 5))}, {}, r"W1 \(0, 1, 5, 5\) belongs neither"),
        ({"W1": np.full((30, 1, 5, 5), 1e99)}, {}, "the weight of .* out of the range of float32"),
        ({"gamma1": np.ones(100), "beta1": np.ones(100)}, {}, "gamma1 and beta1 belong to a batch"),
        ({"b4": np.ones(3)}, {}, "W1, b1, W2, b2, ... without a gap, received W1, b1"),
    ],
)  # fmt: skip
def test_parameters_of_no_network_of_the_books_are_refused(change, given, said):
    with pytest.raises(ArgumentError, match=said):
        from_book(simple_params() | change, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"input_shape": (1, 64, 64)}, r"^input_shape: images 1x64x64 give 4096 numbers after"),
        ({"input_shape": (1, 2, 2)}, r"^input_shape: (the images do not fit|images 1x2x2 give)"),
        ({"input_shape": (3, 28, 28)}, r"^input_shape: received 3x28x28; the network has 1 chan"),
        ({"pad": 1}, "^pad: applies to the convolution of a SimpleConvNet; this is a DeepConvNet"),
        ({"stride": 1}, "^stride: applies to the convolution of a SimpleConvNet"),
    ],
)
def test_images_that_do_not_fit_a_deep_network_are_refused(given, said):
    with pytest.raises(ArgumentError, match=said):
        from_book(deep_params(), **given)


def test_images_of_another_size_than_a_fully_connected_network_takes_are_refused():
    with pytest.raises(ArgumentError, match=r"received 1x5x5; the network takes 784 numbers"):
        from_book(connected_params(784, 10), input_shape=(1, 5, 5))
    with pytest.raises(ArgumentError, match=r"^activation: must be 'relu' or 'sigmoid'"):
        from_book(connected_params(784, 10), activation="tanh")
    with pytest.raises(ArgumentError, match="received none"):
        from_book({})


def test_a_network_for_no_square_image_has_none(convert, tmp_path):
    model, said = converted(convert, connected_params(7, 5, 3))
    assert model.input_shape is None
    assert "a guess" not in said
    assert "predict and evaluate need the shape: --input CxHxW" in said


# NumPy's archives.


def test_archives_of_numpy_are_read_and_ours_by_numpy(tmp_path):
    arrays = {"x": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(np.eye(3, 2)),
              "b": np.ones(3, ">i2"), "0-d": np.array(3.5), "none": np.zeros((0, 3))}  # fmt: skip
    write_npz(tmp_path / "ours.npz", arrays)
    np.savez(tmp_path / "theirs.npz", **arrays)
    np.savez_compressed(tmp_path / "packed.npz", **arrays)
    read = [dict(np.load(tmp_path / "ours.npz"))]
    read += [read_npz(tmp_path / f"{name}.npz") for name in ("ours", "theirs", "packed")]
    for one in read:
        assert set(one) == set(arrays)
        for name, values in arrays.items():
            np.testing.assert_array_equal(one[name], values)


def test_archives_that_are_none_or_ask_for_gigabytes_are_refused(tmp_path):
    import zipfile

    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros(2**25))
    with pytest.raises(
        library.PellucidError, match=r"unpacks to 268,.* bytes, more than 100 times"
    ):
        read_npz(path)
    np.savez(path, x=np.array([{}], dtype=object))
    with pytest.raises(library.PellucidError, match="holds Python objects, which are pickled"):
        read_npz(path)
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1073741824,), }\n"
    for content in (
        b"", b"no array", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header,
        b"\x93NUMPY\x03\x00\x01\0\0\0 ", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
    ):  # fmt: skip
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content)
        with pytest.raises(library.PellucidError, match=r"a\.npz' is a damaged \.npz file"):
            read_npz(path)
    whole = path.read_bytes()
    for length in range(len(whole) - 30, len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(library.PellucidError, match=r"is a damaged \.npz file"):
            read_npz(path)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "C:x", "a\\..\\x", "a\0b", "\n"])
def test_a_name_that_leads_out_of_an_archive_is_not_written(name, tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(ArgumentError, match=r"^write_npz: .* (leads out of|cannot be) .*Rename it"):
        write_npz(path, {"fine": np.ones(1), name: np.ones(2)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a/b", "weights/conv1.weight", "한글", "😀", "a.npy", "A", "..a"])
def test_other_names_come_back_from_every_kind_of_file(name, convert, tmp_path):
    arrays = {name: np.arange(3.0), name.lower() + "_": np.ones(2)}
    write_npz(tmp_path / "a.npz", arrays)
    assert set(np.load(tmp_path / "a.npz")) == set(arrays)
    for source, target in (
        ("a.npz", "b.safetensors"),
        ("b.safetensors", "c.pkl"),
        ("c.pkl", "d.npz"),
    ):
        assert convert(source, target, "--raw").returncode == 0
    read = read_npz(tmp_path / "d.npz")
    assert set(read) == set(arrays)
    assert all(np.array_equal(read[key], value) for key, value in arrays.items())


def test_an_archive_that_holds_something_else_says_what_and_what_to_do(tmp_path):
    path = tmp_path / "a.npz"
    for value, said in (
        (np.array(["x"]), "'w' in '.*' holds <U1; only real numbers .*convert it to float64"),
        (np.ones(2, complex), "'w' in '.*' holds complex128"),
        (np.ones(2, [("a", "f4")]), "'w' in '.*' holds "),
        (np.array([{}]), "'w' in '.*' holds Python objects, which are pickled, and"),
    ):
        np.savez(path, w=value)
        with pytest.raises(library.PellucidError, match=said):
            read_npz(path)
    np.savez(path, v=np.ones(2), w=np.ones(2))
    path.write_bytes(path.read_bytes().replace(b"v.npy", b"w.npy"))
    with pytest.raises(
        library.PellucidError, match=r"is a damaged \.npz file \(it holds 'w' twice"
    ):
        read_npz(path)


def test_the_file_that_is_read_is_not_written_over(convert, tmp_path):
    library.save(Sequential(Linear(2, 2)), tmp_path / "m.safetensors")
    os.link(tmp_path / "m.safetensors", tmp_path / "same.safetensors")
    for target in ("m.safetensors", "same.safetensors"):
        said = refused(convert, "m.safetensors", target, "--raw", "--overwrite")
        assert "TARGET: " in said
        assert "is the file that is read. Choose another name" in said
    library.load(tmp_path / "m.safetensors")


def test_a_file_of_another_kind_is_called_what_it_is(convert, tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b")
    np.save(tmp_path / "a.npy", np.ones(3))
    (tmp_path / "a.zip").write_bytes(b"PK\5\6" + bytes(18))
    for name, said in (
        ("a.png", "is a PNG picture, not a file that is read here. Give a safetensors file, a"),
        (
            "a.gz",
            "is a file compressed by gzip, not a file that is read here. Unpack it first",
        ),
        ("a.npy", "is one NumPy array (.npy), not a file that is read here. It holds one arr"),
        ("a.zip", "is a zip archive, not a file that is read here."),
    ):
        assert said in refused(convert, name, "b.pkl")


def test_a_folder_that_may_not_be_written_to_is_named_and_no_temporary_file(tmp_path):
    from permissions import obeying

    write_npz(tmp_path / "a.npz", {"x": np.ones(3)})
    (tmp_path / "closed").mkdir(mode=0o555)
    command = [*obeying(), sys.executable, "-m", "pellucid", "convert", "--raw", "a.npz"]
    result = subprocess.run(
        [*command, "closed/b.pkl"], capture_output=True, text=True, cwd=tmp_path, timeout=300,
        check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (1, "error: 'closed/b.pkl': Permission denied.\n")
    assert "part" not in result.stderr


def test_a_name_that_is_too_long_and_a_device_are_refused_by_their_names(convert, tmp_path):
    write_npz(tmp_path / "a.npz", {"x": np.ones(3)})
    long = "x" * 252 + ".pkl"
    assert refused(convert, "a.npz", long, "--raw") == f"error: '{long}': File name too long.\n"
    os.mkfifo(tmp_path / "pipe.pkl")
    assert "a device or a pipe" in refused(convert, "a.npz", "pipe.pkl", "--raw", "--overwrite")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.npz", "pipe.pkl"]


def test_a_request_to_terminate_leaves_the_old_file_and_nothing_else(tmp_path):
    write_npz(tmp_path / "a.npz", {"x": np.random.default_rng(0).random(2**25)})
    (tmp_path / "b.pkl").write_text("precious")
    command = [sys.executable, "-m", "pellucid", "convert", "--raw", "--overwrite"]
    process = subprocess.Popen([*command, "a.npz", "b.pkl"], cwd=tmp_path, stderr=subprocess.PIPE)
    while process.poll() is None and not list(tmp_path.glob(".part-*")):
        pass
    process.terminate()
    _, err = process.communicate(timeout=300)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.npz", "b.pkl"]
    if process.returncode == 143:  # else it was quicker
        assert err == b"stopped; nothing was written\n"
        assert (tmp_path / "b.pkl").read_text() == "precious"


def test_an_archive_that_a_hole_fills_takes_no_memory(tmp_path):
    header = np.lib.format.magic(1, 0) + b"v\0"
    header += b"{'descr': '|u1', 'fortran_order': False, 'shape': (4398046511104,)}".ljust(118)
    size = len(header) + 2**42
    name, zip64 = b"w.npy", b"\1\0\x10\0" + 2 * size.to_bytes(8, "little")
    local = b"PK\3\4" + bytes(14) + 8 * b"\xff" + b"\x05\0\x14\0" + name + zip64
    central = b"PK\1\2" + bytes(16) + 8 * b"\xff" + b"\x05\0\x14\0" + bytes(14) + name + zip64
    at = len(local) + size
    end64 = b"PK\6\6" + (44).to_bytes(8, "little") + b"\x2d\0\x2d\0" + bytes(8)
    end64 += (
        2 * (1).to_bytes(8, "little")
        + len(central).to_bytes(8, "little")
        + at.to_bytes(8, "little")
    )
    locator = b"PK\6\7" + bytes(4) + (at + len(central)).to_bytes(8, "little") + b"\1\0\0\0"
    path = tmp_path / "a.npz"
    with path.open("wb") as file:
        file.write(local + header)
        file.seek(at)
        file.write(central + end64 + locator + b"PK\5\6" + bytes(4) + b"\xff" * 12 + b"\0\0")
    with pytest.raises(
        library.PellucidError, match=r"holds 4,398,.* bytes of arrays, and this mac"
    ):
        read_npz(path)
