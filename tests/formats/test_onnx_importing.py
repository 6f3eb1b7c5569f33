"""Networks out of ONNX files: the same numbers as onnxruntime's, for any number of images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from formats.onnx_files import model, node, run, written
from pellucid import nn
from pellucid.errors import ArgumentError
from pellucid.formats.onnx.importing import from_onnx, reads
from pellucid.formats.onnx.importing.registry import CONVERTERS

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def _draw(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _layers(network: nn.Graph) -> list[str]:
    return [type(each.layer).__name__ for each in network.nodes() or []]


def _same(path: Path, network: nn.Graph, counts: Sequence[int] = (1, 3), **options: Any) -> None:
    """Compare with onnxruntime, for several numbers of images."""
    assert network.input_shape is not None
    for count in counts:
        x = _draw(count, *network.input_shape, seed=count)
        wanted = run(path, x)
        scale = float(np.abs(wanted).max())
        np.testing.assert_allclose(network(x), wanted, rtol=0, atol=2e-6 * max(scale, 1))


def _imported(
    nodes: list[Any],
    shape: Sequence[int | str],
    weights: dict[str, Any] | None = None,
    *,
    folder: Path,
    opset: int = 17,
    counts: Sequence[int] = (1, 3),
    **options: Any,
) -> nn.Graph:
    """Write a file, import it, compare it with onnxruntime, and return the network."""
    path = written(model(nodes, shape, weights, opset=opset), folder)
    network = from_onnx(path, **options)
    _same(path, network, counts)
    return network


# Round trips --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lenet", "resnet20", "squeezenet", "mobilenet-v3-small"])
def test_what_was_exported_comes_back_with_the_same_scores(tmp_path: Path, name: str) -> None:
    from pellucid.runs.networks import network as built

    shape = {"lenet": (1, 32, 32), "resnet20": (3, 16, 16)}.get(name, (3, 48, 48))
    network = built(name, shape, 4).eval()
    path = tmp_path / "model.onnx"
    pellucid.to_onnx(network, path)
    back = from_onnx(path)
    x = _draw(3, *shape)
    wanted = network(x)
    np.testing.assert_allclose(back(x), wanted, atol=1e-5 * float(np.abs(wanted).max()))
    assert back.input_shape == shape
    assert back.parameter_count() == network.parameter_count()
    assert not back.training


def test_a_model_file_of_an_imported_network_gives_the_same_network(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    pellucid.to_onnx(pellucid.models.ResNet20((3, 16, 16)), path)
    network = from_onnx(path)
    pellucid.save(network, tmp_path / "model.safetensors")
    x = _draw(2, 3, 16, 16)
    loaded = pellucid.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded(x), network(x))


# Shapes, and the number of images -----------------------------------------------------------


def _of_a_shape(x: str, *ends: Any) -> list[Any]:
    """Return nodes as PyTorch's exporter writes a view: (N, ...) from the shape of ``x``."""
    return [
        node(f"Shape {x} -> sizes"),
        node("Gather sizes zero -> first", axis=0),
        node("Unsqueeze first axis0 -> first_", ),
        node("Concat first_ rest -> target", axis=0),
        node(f"Reshape {x} target -> row"),
        *ends,
    ]  # fmt: skip


SHAPES = {
    "zero": np.array(0), "axis0": np.array([0]), "rest": np.array([-1]),
    "w": _draw(48, 5), "one": np.array([1, -1]), "copied": np.array([0, -1]),
    "open": np.array([-1, 48]),
}  # fmt: skip


def test_reshapes_that_exporters_compute_from_shapes_flatten_each_image(tmp_path: Path) -> None:
    matmul = node("MatMul row w -> y")
    network = _imported(_of_a_shape("x", matmul), ["N", 3, 4, 4], SHAPES, folder=tmp_path)
    assert _layers(network) == ["Flatten", "Linear"]
    for target in ("copied", "open"):
        nodes = [node(f"Reshape x {target} -> row"), matmul]
        network = _imported(nodes, ["N", 3, 4, 4], SHAPES, folder=tmp_path)
        assert _layers(network) == ["Flatten", "Linear"]


def test_a_file_for_one_image_takes_any_number(tmp_path: Path) -> None:
    nodes = [node("Reshape x one -> row"), node("MatMul row w -> y")]
    path = written(model(nodes, [1, 3, 4, 4], SHAPES), tmp_path)
    network = from_onnx(path)
    x = _draw(3, 3, 4, 4)
    wanted = np.concatenate([run(path, each[None]) for each in x])
    np.testing.assert_allclose(network(x), wanted, rtol=1e-5, atol=1e-5)


def test_a_shape_computed_by_arithmetic_is_followed(tmp_path: Path) -> None:
    nodes = [
        node("Shape x -> sizes"),
        node("Slice sizes two four -> image"),
        node("Cast image -> real", to=1),
        node("Mul real twice -> larger"),
        node("Floor larger -> floor"),
        node("Cast floor -> whole", to=7),
        node("Slice sizes zero_ two -> front"),
        node("Concat front whole -> target", axis=0),
        node("Resize x _ _ target -> y", mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric"),
    ]  # fmt: skip
    weights = {
        "two": np.array([2]), "four": np.array([4]), "zero_": np.array([0]),
        "twice": np.array([2.0, 3.0], dtype=np.float32),
    }  # fmt: skip
    network = _imported(nodes, ["N", 2, "h", "w"], weights, folder=tmp_path, input_shape=(2, 4, 5))
    assert network.output_shape((2, 4, 5)) == (2, 8, 15)


def test_groups_of_channels_are_shuffled_as_their_file_says(tmp_path: Path) -> None:
    nodes = [
        node("Shape x -> sizes"),
        *(node(f"Gather sizes k{k} -> s{k}", axis=0) for k in (0, 2, 3)),
        *(node(f"Unsqueeze s{k} axis -> u{k}") for k in (0, 2, 3)),
        node("Concat u0 two three u2 u3 -> apart", axis=0),
        node("Reshape x apart -> groups"),
        node("Transpose groups -> swapped", perm=[0, 2, 1, 3, 4]),
        node("Concat u0 minus u2 u3 -> together", axis=0),
        node("Reshape swapped together -> y"),
    ]
    weights = {f"k{k}": np.array(k) for k in (0, 2, 3)}
    weights |= {"axis": np.array([0]), "two": np.array([2]), "three": np.array([3])}
    weights["minus"] = np.array([-1])
    network = _imported(nodes, ["N", 6, 4, 5], weights, folder=tmp_path)
    assert _layers(network) == ["Reshape", "Permute", "Reshape"]


def test_what_mixes_images_is_refused(tmp_path: Path) -> None:
    cases = {
        "Reshape x swap -> y": "it has the images and another axis as one",
        "ReduceMean x -> y": "along axis 0, that of the images",
        "Transpose x -> y": "they must be the first axis",
        "Add x rows -> y": "differs from image to image",
    }
    weights = {"swap": np.array([-1, 24]), "rows": _draw(2, 3, 4, 4)}
    for text, said in cases.items():
        path = written(model([node(text)], ["N", 3, 4, 4], weights), tmp_path)
        with pytest.raises(ArgumentError, match=said):
            from_onnx(path)


def test_an_open_size_is_asked_for_with_an_example_that_fits(tmp_path: Path) -> None:
    path = written(model([node("Relu x -> y")], ["batch", 1, 64, "width"]), tmp_path)
    said = r"the shape \(batch, 1, 64, width\), of which axis 3 is open\..*=\(1, 64, 224\), for"
    with pytest.raises(ArgumentError, match=said):
        from_onnx(path)
    with pytest.raises(ArgumentError, match=r"with N first; received \(1, 8, 8\)"):
        from_onnx(path, input_shape=(1, 8, 8))
    assert from_onnx(path, input_shape=(1, 64, 9)).input_shape == (1, 64, 9)
    path = written(model([node("Relu x -> y")], ["?", 3, "?", "?"]), tmp_path)
    with pytest.raises(ArgumentError, match=r"of which axes 2 and 3 are open.*=\(3, 224, 224\)"):
        from_onnx(path)


# Whole functions ----------------------------------------------------------------------------

GELU = [node("Div x root -> a"), node("Erf a -> b"), node("Add b one -> c")]
CONSTANTS = {
    "root": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5),
    "three": np.float32(3), "six": np.float32(6), "zero": np.float32(0),
    "sixth": np.float32(1 / 6), "two": np.float32(2), "k": np.float32(0.044715),
    "c": np.float32(np.sqrt(2 / np.pi)), "eps": np.float32(1e-5),
    "gamma": _draw(5), "beta": _draw(5, seed=1), "w": _draw(5, 7), "bias": _draw(7, seed=2),
    "gamma1": _draw(4, 1, 1), "beta1": _draw(4, 1, 1, seed=3), "near": np.float32(1.4),
}  # fmt: skip
HARD = [node("Add x three -> a"), node("Clip a zero six -> b")]
MEANS = [
    node("ReduceMean x -> mean", axes=[-1]), node("Sub x mean -> d"), node("Pow d two -> q"),
    node("ReduceMean q -> v", axes=[-1]), node("Add v eps -> v_"), node("Sqrt v_ -> s"),
    node("Div d s -> n"),
]  # fmt: skip
OF_CHANNELS = [
    node("ReduceMean x -> mean", axes=[1]), node("Sub x mean -> d"), node("Sub x mean -> e"),
    node("Mul e e -> q"), node("ReduceMean q -> v", axes=[1]), node("Add eps v -> v_"),
    node("Sqrt v_ -> s"), node("Div d s -> n"), node("Mul gamma1 n -> g"),
    node("Add g beta1 -> y"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "shape", "layers"),
    [
        ([*GELU, node("Mul x c -> d"), node("Mul d half -> y")], (5,), ["GELU"]),
        ([*GELU, node("Mul x half -> h"), node("Mul h c -> y")], (5,), ["GELU"]),
        ([*GELU, node("Mul c half -> h"), node("Mul x h -> y")], (5,), ["GELU"]),
        ([node("Pow x three -> p"), node("Mul p k -> q"), node("Add x q -> r"),
          node("Mul r c -> s"), node("Tanh s -> t"), node("Add t one -> u"),
          node("Mul x half -> h"), node("Mul h u -> y")], (5,), ["GELU"]),
        ([node("Sigmoid x -> s"), node("Mul x s -> y")], (5,), ["SiLU"]),
        ([node("Softplus x -> s"), node("Tanh s -> t"), node("Mul x t -> y")], (5,), ["Mish"]),
        ([*HARD, node("Mul x b -> d"), node("Div d six -> y")], (5,), ["Hardswish"]),
        ([*HARD, node("Div b six -> d"), node("Mul d x -> y")], (5,), ["Hardswish"]),
        ([*HARD, node("Mul b sixth -> d"), node("Mul d x -> y")], (5,), ["Hardswish"]),
        ([*HARD, node("Div b six -> y")], (5,), ["Hardsigmoid"]),
        ([*MEANS, node("Mul n gamma -> g"), node("Add g beta -> y")], (3, 5), ["LayerNorm"]),
        (OF_CHANNELS, (4, 3, 3), ["LayerNorm2d"]),
        ([node("MatMul x w -> m"), node("Add bias m -> y")], (3, 5), ["Linear"]),
        ([node("MatMul x w -> y")], (2, 3, 5), ["Linear"]),
        ([node("Clip x zero six -> y")], (5,), ["ReLU6"]),
    ],
)  # fmt: skip
def test_what_exporters_take_apart_becomes_one_layer(
    tmp_path: Path, nodes: list[Any], shape: tuple[int, ...], layers: list[str]
) -> None:
    if nodes[0].output[0] == "p":  # the tanh form: its c is a number, not a value
        weights = CONSTANTS
    else:
        weights = {name: a for name, a in CONSTANTS.items() if name != "c"}
    network = _imported(nodes, ["N", *shape], weights, folder=tmp_path)
    assert _layers(network) == layers


@pytest.mark.parametrize(
    ("nodes", "kept"),
    [
        (
            [node("Div x near -> a"), *GELU[1:], node("Mul x c -> d"), node("Mul d half -> y")],
            "Erf",
        ),
        ([*GELU, node("Mul x c -> d"), node("Mul d half -> e"), node("Add e b -> y")], "Erf"),
        ([node("Sigmoid x -> s"), node("Neg x -> z"), node("Mul z s -> y")], "Sigmoid"),
        ([*HARD, node("Mul x b -> d"), node("Div d three -> y")], "ReLU6"),
        ([*MEANS, node("Add s x -> r"), node("Mul n r -> y")], "Mean"),
    ],
)
def test_what_only_resembles_a_function_stays_as_it_is_written(
    tmp_path: Path, nodes: list[Any], kept: str
) -> None:
    weights = {name: a for name, a in CONSTANTS.items() if name != "c"}
    assert kept in _layers(_imported(nodes, ["N", 5], weights, folder=tmp_path))


def test_a_block_with_its_channels_moved_to_the_end_and_back_stays_in_front(
    tmp_path: Path,
) -> None:
    nodes = [
        node("Transpose x -> t", perm=[0, 2, 3, 1]),
        node("LayerNormalization t gamma beta -> n", axis=-1, epsilon=1e-6),
        node("MatMul n w -> m"),
        node("Add m bias -> l"),
        node("Mul l factor -> f"),
        node("Transpose f -> y", perm=[0, 3, 1, 2]),
    ]
    weights = CONSTANTS | {"factor": _draw(7, seed=4)}
    network = _imported(nodes, ["N", 5, 3, 4], weights, folder=tmp_path)
    assert _layers(network) == ["LayerNorm2d", "ChannelLinear", "Scale"]


@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1, 1)])
def test_what_is_added_to_each_filter_is_the_bias_of_its_convolution(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    nodes = [
        node("Conv x w -> c", pads=[1, 1, 1, 1]),
        node("Add b c -> biased"),
        node("ConvTranspose biased t -> d", group=2),
        node("Add d b -> y"),
    ]
    weights = {"w": _draw(4, 2, 3, 3), "b": _draw(*shape), "t": _draw(4, 2, 2, 2)}
    network = _imported(nodes, ["N", 2, 5, 6], weights, folder=tmp_path)
    assert _layers(network) == ["Conv2d", "ConvTranspose2d"]
    assert [name for name in network.parameters() if "bias" in name] == ["c.bias", "d.bias"]


@pytest.mark.parametrize(
    ("nodes", "bias"),
    [
        ([node("Add c b -> y")], _draw(5, 6)),  # one number a cell
        ([node("Add c b -> d"), node("Mul d c -> y")], _draw(4, 1, 1)),  # c is read twice
        ([node("Add c b -> y")], _draw(1, 1, 1)),  # one number for all filters
        ([node("Add c b -> y")], _draw(6)),  # one number a column
    ],
)
def test_what_is_added_in_other_ways_is_not_a_bias(
    tmp_path: Path, nodes: list[Any], bias: Any
) -> None:
    nodes = [node("Conv x w -> c", pads=[1, 1, 1, 1]), *nodes]
    weights = {"w": _draw(4, 2, 3, 3), "b": bias}
    network = _imported(nodes, ["N", 2, 5, 6], weights, folder=tmp_path)
    assert "Shift" in _layers(network)


def test_a_network_with_the_channels_last_takes_them_first_on_demand(tmp_path: Path) -> None:
    nodes = [  # what Keras writes of a network that normalizes its pixels
        node("Div x large -> a"),
        node("Sub a mean -> b"),
        node("Mul factor b -> c"),
        node("Transpose c -> d", perm=[0, 3, 1, 2]),
        node("Conv d w -> y"),
    ]
    weights = {
        "large": np.float32(255), "mean": _draw(1, 1, 1, 3), "factor": _draw(3, seed=1),
        "w": _draw(4, 3, 3, 3),
    }  # fmt: skip
    network = _imported(nodes, ["N", 6, 7, 3], weights, folder=tmp_path)
    assert network.input_shape == (6, 7, 3)
    first = from_onnx(tmp_path / "model.onnx", channels="first")
    assert first.input_shape == (3, 6, 7)
    assert _layers(first) == ["Scale", "Shift", "Scale", "Conv2d"]
    x = _draw(2, 6, 7, 3)
    np.testing.assert_allclose(first(x.transpose(0, 3, 1, 2)), network(x), atol=1e-5)


def test_a_network_that_reads_channels_in_the_end_still_takes_them_first(tmp_path: Path) -> None:
    nodes = [node("Flatten x -> f"), node("MatMul f w -> y")]
    network = _imported(nodes, ["N", 4, 2, 3], {"w": _draw(24, 5)}, folder=tmp_path)
    first = from_onnx(tmp_path / "model.onnx", channels="first")
    x = _draw(2, 4, 2, 3)
    np.testing.assert_allclose(first(x.transpose(0, 3, 1, 2)), network(x), atol=1e-5)
    images = written(model([node("Relu x -> y")], ["N", 3, 8, 8]), tmp_path)
    assert from_onnx(images, channels="first").input_shape == (3, 8, 8)


def test_channels_may_be_turned_around(tmp_path: Path) -> None:
    nodes = [node("Slice x s e a b -> t"), node("Relu t -> y")]
    weights = {
        "s": np.array([-1]),
        "e": np.array([-(2**31)]),
        "a": np.array([1]),
        "b": np.array([-1]),
    }
    network = _imported(nodes, ["N", 3, 4, 4], weights, folder=tmp_path)
    assert _layers(network) == ["Slice", "Slice", "Slice", "Concat", "ReLU"]


@pytest.mark.parametrize("last", [False, True])
def test_a_network_of_blue_green_and_red_takes_red_green_and_blue_on_demand(
    tmp_path: Path, last: bool
) -> None:
    nodes = [node("Conv x w b -> a"), node("Relu a -> y")]
    if last:
        nodes = [node("Transpose x -> t", perm=[0, 3, 1, 2]), node("Conv t w b -> y")]
    shape = ["N", 6, 7, 3] if last else ["N", 3, 6, 7]
    weights = {"w": _draw(4, 3, 3, 3), "b": _draw(4)}
    network = _imported(nodes, shape, weights, folder=tmp_path)
    turned = from_onnx(tmp_path / "model.onnx", bgr=True, channels="first")
    assert _layers(turned) == (["Conv2d"] if last else ["Conv2d", "ReLU"])
    x = _draw(2, 3, 6, 7)
    theirs = x[:, ::-1].transpose(0, 2, 3, 1) if last else x[:, ::-1]
    np.testing.assert_allclose(turned(x), network(np.ascontiguousarray(theirs)), atol=1e-5)


def test_filters_read_channels_that_were_put_in_another_order_as_they_are(tmp_path: Path) -> None:
    nodes = [node("Gather x order -> t", axis=1), node("Conv t w -> y")]
    weights = {"order": np.array([1, 2, 0]), "w": _draw(4, 3, 3, 3)}
    assert _layers(_imported(nodes, ["N", 3, 6, 7], weights, folder=tmp_path)) == ["Conv2d"]


def test_channels_that_no_single_filters_read_are_turned_round_by_slices(tmp_path: Path) -> None:
    nodes = [node("Conv x w -> a", group=3), node("MaxPool x -> b", kernel_shape=[2, 2]),
             node("GlobalAveragePool b -> c"), node("Add a c -> y")]  # fmt: skip
    network = _imported(nodes, ["N", 3, 6, 7], {"w": _draw(3, 1, 2, 2)}, folder=tmp_path)
    turned = from_onnx(tmp_path / "model.onnx", bgr=True)
    x = _draw(2, 3, 6, 7)
    np.testing.assert_allclose(turned(x), network(x[:, ::-1].copy()), atol=1e-5)
    grey = written(model([node("Relu x -> y")], ["N", 1, 8, 8]), tmp_path)
    with pytest.raises(ArgumentError, match=r"bgr: is for .* three channels .*'x' has \(N, 1, 8"):
        from_onnx(grey, bgr=True)


@pytest.mark.parametrize(
    ("factor", "folds"), [((), True), ((1,), True), ((4, 1, 1), True), ((1, 4, 1, 1), True),
                          ((5,), False), ((1, 1, 5), False)]
)  # fmt: skip
def test_factors_and_summands_after_a_convolution_fold_with_its_batch_norm(
    tmp_path: Path, factor: tuple[int, ...], folds: bool
) -> None:
    nodes = [
        node("Conv x w -> c", pads=[1, 1, 1, 1]),
        node("BatchNormalization c g b m v -> n"),
        node("Mul f n -> p"),
        node("Add p f -> q"),
        node("Relu q -> y"),
    ]
    weights = {"w": _draw(4, 3, 3, 3), "g": _draw(4), "b": _draw(4), "m": _draw(4),
               "v": _draw(4) ** 2, "f": np.asarray(_draw(*factor))}  # fmt: skip
    network = _imported(nodes, ["N", 3, 5, 5], weights, folder=tmp_path, fold=True)
    assert _layers(network) == (["Conv2d"] + ["Scale", "Shift"] * (not folds) + ["ReLU"])


def test_a_convolution_that_is_read_twice_keeps_its_factor(tmp_path: Path) -> None:
    nodes = [node("Conv x w -> c"), node("Mul c f -> p"), node("Mul c c -> q"),
             node("Add p q -> y")]  # fmt: skip
    weights = {"w": _draw(4, 3, 3, 3), "f": _draw(4, 1, 1)}
    network = _imported(nodes, ["N", 3, 5, 5], weights, folder=tmp_path, fold=True)
    assert "Scale" in _layers(network)


def test_a_folded_network_keeps_the_names_of_its_weights(tmp_path: Path) -> None:
    nodes = [node("Conv x conv.weight -> c"), node("BatchNormalization c g b m v -> y")]
    weights = {"conv.weight": _draw(4, 3, 3, 3), "g": _draw(4), "b": _draw(4), "m": _draw(4),
               "v": _draw(4) ** 2}  # fmt: skip
    network = _imported(nodes, ["N", 3, 5, 5], weights, folder=tmp_path, fold=True)
    assert list(network.parameters()) == ["conv.weight", "conv.bias"]


def test_batch_norms_are_kept_for_training_and_folded_on_demand(tmp_path: Path) -> None:
    norm = "BatchNormalization {} g b m v -> {}"
    nodes = [
        node("Conv x w -> c", pads=[1, 1, 1, 1]),
        node(norm.format("c", "n")),
        node("ConvTranspose n t -> d"),
        node(norm.format("d", "y"), epsilon=1e-3, momentum=0.8),
    ]
    weights = {
        "w": _draw(4, 2, 3, 3), "t": _draw(4, 4, 2, 2), "g": _draw(4), "b": _draw(4, seed=5),
        "m": _draw(4, seed=6), "v": _draw(4, seed=7) ** 2,
    }  # fmt: skip
    kept = _imported(nodes, ["N", 2, 5, 5], weights, folder=tmp_path)
    assert _layers(kept) == ["Conv2d", "BatchNorm2d", "ConvTranspose2d", "BatchNorm2d"]
    (last,) = [each.layer for each in (kept.nodes() or [])[-1:]]
    assert isinstance(last, nn.BatchNorm2d)
    assert (last.eps, last.momentum) == (0.001, 0.2)
    folded = _imported(nodes, ["N", 2, 5, 5], weights, folder=tmp_path, fold=True)
    assert _layers(folded) == ["Conv2d", "ConvTranspose2d"]


# What is refused, and what one adds --------------------------------------------------------


def test_all_nodes_that_cannot_be_converted_are_told_at_once(tmp_path: Path) -> None:
    nodes = [
        *(node(f"Einsum x x -> e{k}", equation="nc,nc->nc") for k in range(3)),
        node("Add e0 e1 -> s"),
        node("TopK x one -> top places"),
        node("com.microsoft:FusedConv x -> f"),
        node("Gemm x w -> g", transA=1),
        node("Relu x -> r", strange=3),
        node("Sum e2 s top f g r -> y"),
    ]
    weights = {"one": np.array([1]), "w": _draw(3, 3)}
    path = written(model(nodes, ["N", 3], weights), tmp_path)
    with pytest.raises(ArgumentError) as caught:
        from_onnx(path)
    said = str(caught.value)
    assert said.startswith("7 nodes cannot be converted, and nothing was imported:\n")
    for line in (
        "3 nodes of Einsum ('e0', 'e1', 'e2'): the operator is unknown. Write the product as a m",
        "TopK 'top': the operator is unknown. Export the network up to its scores.",
        "FusedConv 'f': the operator is of the domain com.microsoft, not one of ONNX's own.",
        "reads('FusedConv', domain='com.microsoft')",
        "Gemm 'g': its attribute transA is 1, and turns the images into columns; 0 is read.",
        "Relu 'r': its attribute strange is unknown.",
    ):
        assert line in said


def test_each_operator_of_a_quantised_file_says_what_would_do(tmp_path: Path) -> None:
    nodes = [node("DynamicQuantizeLinear x -> q s z"), node("ConvInteger q w z -> i"),
             node("Cast i -> c", to=1), node("MatMulInteger q v -> y")]  # fmt: skip
    weights = {"w": np.ones((2, 3, 1, 1), np.uint8), "v": np.ones((4, 4), np.uint8)}
    path = written(model(nodes, ["N", 3, 4, 4], weights, outputs=["c", "y"]), tmp_path)
    with pytest.raises(ArgumentError) as caught:
        from_onnx(path)
    said = str(caught.value).splitlines()
    assert sum("Give the file before quantisation" in line for line in said) == 3


def test_an_operator_of_ones_own_is_converted_by_a_function(tmp_path: Path) -> None:
    @reads("Triple", domain="own")
    def triple(node: Any) -> Any:
        return node.add(nn.Scale((1,), init=float(node.attribute("factor"))), node.image(0))

    # `without_values` leaves a layer's own initial numbers out: a converter sets them.
    made = model([node("own:Triple x -> y", factor=3.0)], ["N", 2])
    try:
        network = from_onnx(written(made, tmp_path))
        np.testing.assert_array_equal(network(np.ones((1, 2), np.float32)), [[3, 3]])
    finally:
        del CONVERTERS["own", "Triple"]


def test_further_inputs_are_given_as_values(tmp_path: Path) -> None:
    made = model([node("Mul x scale -> y")], ["N", 3])
    made.graph.input.append(onnx.helper.make_tensor_value_info("scale", 1, [3]))
    path = written(made, tmp_path)
    with pytest.raises(ArgumentError, match="this one's inputs are 'x', 'scale'"):
        from_onnx(path)
    with pytest.raises(ArgumentError, match="values: names 'none'; the network has x, scale"):
        from_onnx(path, values={"none": np.ones(3)})
    network = from_onnx(path, values={"scale": np.array([1.0, 2.0, 3.0])})
    np.testing.assert_array_equal(network(np.ones((1, 3), np.float32)), [[1, 2, 3]])


def test_a_network_may_return_several_values(tmp_path: Path) -> None:
    nodes = [node("Relu x -> a"), node("Neg a -> b")]
    path = written(model(nodes, ["N", 3], outputs=["a", "b"]), tmp_path)
    network = from_onnx(path)
    x = _draw(2, 3)
    for made, wanted in zip(network(x), run(path, x), strict=True):
        np.testing.assert_array_equal(made, wanted)


def test_a_softmax_at_the_end_is_kept_or_dropped(tmp_path: Path) -> None:
    nodes = [node("MatMul x w -> s"), node("Softmax s -> p"), node("Identity p -> y")]
    path = written(model(nodes, ["N", 3], {"w": _draw(3, 4)}), tmp_path)
    assert _layers(from_onnx(path)) == ["Linear", "Softmax"]
    assert _layers(from_onnx(path, softmax="drop")) == ["Linear"]


def test_weights_train_and_single_numbers_do_not(tmp_path: Path) -> None:
    nodes = [node("Mul x scale -> a"), node("Add a shift -> b"), node("Div b two -> y")]
    weights = {"scale": _draw(3, 1, 1), "shift": _draw(3, 4, 4), "two": np.float32(2)}
    network = _imported(nodes, ["N", 3, 4, 4], weights, folder=tmp_path)
    assert sorted(network.parameters()) == ["b.bias", "scale.weight"] or sorted(
        network.parameters()
    ) == ["a.weight", "b.bias"]
    assert len(network.buffers()) == 3


def test_class_names_come_from_the_metadata(tmp_path: Path) -> None:
    made = model([node("MatMul x w -> y")], ["N", 3], {"w": _draw(3, 2)})
    for key, value, known in (
        ("classes", json.dumps(["cat", "dog"]), ("cat", "dog")),
        ("names", json.dumps({"1": "dog", "0": "cat"}), ("cat", "dog")),
        ("names", "{0: 'cat', 1: 'dog'}", ("cat", "dog")),
        ("classes", json.dumps(["one", "two", "three"]), None),
        ("classes", "[" * 10000, None),
    ):
        del made.metadata_props[:]
        onnx.helper.set_model_props(made, {key: value})
        card = from_onnx(written(made, tmp_path)).card
        assert (card and card.classes) == known


# All versions of the operators --------------------------------------------------------------


@pytest.mark.parametrize("opset", [*range(7, 23), 24, 28])
def test_each_version_of_the_operators_gives_the_same_network(tmp_path: Path, opset: int) -> None:
    from onnx import version_converter

    nodes = [
        node("Conv x w b -> c", pads=[1, 1, 1, 1]),
        node("BatchNormalization c g b2 m v -> n"),
        node("Clip n -> r", min=0.0, max=6.0),
        node("MaxPool r -> p", kernel_shape=[2, 2], strides=[2, 2]),
        node("AveragePool p -> q", kernel_shape=[2, 2], pads=[0, 0, 1, 1]),
        node("Pad q -> padded", pads=[0, 0, 1, 0, 0, 0, 0, 1], mode="reflect"),
        node("Slice padded -> cut", axes=[1], starts=[0], ends=[4]),
        node("Split cut -> left right", axis=1, split=[2, 2]),
        node("Sum left right -> s"),
        node("ReduceMean s -> mean", axes=[2], keepdims=1),
        node("Squeeze mean -> flat", axes=[2]),
        node("Unsqueeze flat -> up", axes=[2]),
        node("Flatten up -> row"),
        node("Dropout row -> kept", ratio=0.3),
        node("Gemm kept w2 b3 -> scores", transB=1, alpha=0.5, beta=2.0),
        node("Softmax flat -> shares", axis=1),  # before opset 13 of both axes together
    ]
    weights = {
        "w": _draw(6, 2, 3, 3), "b": _draw(6), "g": _draw(6, seed=1), "b2": _draw(6, seed=2),
        "m": _draw(6, seed=3), "v": _draw(6, seed=4) ** 2 + 0.1, "w2": _draw(3, 10, seed=5),
        "b3": _draw(3, seed=6),
    }  # fmt: skip
    made = model(nodes, ["N", 2, 8, 8], weights, opset=7)
    del made.graph.output[:]
    for name, shape in (("scores", ["N", 3]), ("shares", ["N", 2, 5])):
        made.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, shape))
    first = written(made, tmp_path, "first.onnx")
    onnx.checker.check_model(made)
    wanted = run(first, _draw(2, 2, 8, 8))
    converted = made if opset == 7 else version_converter.convert_version(made, opset)
    network = from_onnx(written(converted, tmp_path))
    for y, same in zip(network(_draw(2, 2, 8, 8)), wanted, strict=True):
        np.testing.assert_allclose(y, same, rtol=1e-4, atol=1e-5)


# Real networks ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet", "densenet121"])
def test_the_networks_that_onnx_ships_give_onnxruntimes_scores(tmp_path: Path, name: str) -> None:
    made = onnx.load(LIGHT / f"light_{name}.onnx")
    rng = np.random.default_rng(0)
    shapes = {t.name: tuple(onnx.numpy_helper.to_array(t)) for t in made.graph.initializer}
    kept = []
    for each in made.graph.node:  # instead of weights that are all 0.02
        if each.op_type != "ConstantOfShape":
            kept.append(each)
            continue
        shape = shapes[each.input[0]]
        drawn = rng.normal(size=shape) / max(1, np.sqrt(np.prod(shape[1:]) / 2))
        drawn = np.abs(drawn) + 0.5 if len(shape) == 1 else drawn
        tensor = onnx.numpy_helper.from_array(drawn.astype(np.float32), each.output[0])
        made.graph.initializer.append(tensor)
    del made.graph.node[:]
    made.graph.node.extend(kept)
    made.ir_version = 4  # whose weights are no inputs
    path = written(made, tmp_path)
    network = from_onnx(path)
    x = rng.normal(size=(1, *(network.input_shape or ()))).astype(np.float32)
    wanted = run(path, x)
    np.testing.assert_allclose(network(x), wanted, rtol=1e-3, atol=1e-5 * wanted.max())


def test_images_may_share_their_axis_with_another_for_a_while(tmp_path: Path) -> None:
    nodes = [
        node("Reshape x matrices -> m"),  # (N, 3, 4, 5) -> (3·N, 4, 5)
        node("Transpose m -> t", perm=[0, 2, 1]),
        node("Shape x -> sizes"),
        node("Slice sizes zero two -> front"),
        node("Concat front swapped -> target", axis=0),
        node("Reshape t target -> y"),
    ]
    weights = {
        "matrices": np.array([-1, 4, 5]), "zero": np.array([0]), "two": np.array([2]),
        "swapped": np.array([5, 4]),
    }  # fmt: skip
    network = _imported(nodes, ["N", 3, 4, 5], weights, folder=tmp_path)
    assert _layers(network) == ["Permute"]
    nodes[-1] = node("Relu t -> y")
    path = written(model(nodes[:2] + nodes[-1:], ["N", 3, 4, 5], weights), tmp_path)
    with pytest.raises(ArgumentError, match=r"input 1 \('t'\) has N and an axis of 3 as one"):
        from_onnx(path)


def test_a_view_of_all_numbers_in_their_order_is_no_gather(tmp_path: Path) -> None:
    nodes = [
        node("Shape x -> sizes"),
        node("Gather sizes zero -> n", axis=0),
        node("Range zero n one -> images"),
        node("Mul images size -> starts"),
        node("Reshape starts column -> starts_"),
        node("Add starts_ within -> places"),
        node("Reshape x row -> all"),
        node("Gather all places -> y", axis=0),
    ]
    weights = {
        "zero": np.array(0), "one": np.array(1), "size": np.array(6), "row": np.array([-1]),
        "column": np.array([-1, 1]), "within": np.arange(6),
    }  # fmt: skip
    network = _imported(nodes, ["N", 6, 1, 1], weights, folder=tmp_path)
    assert network.output_shape((6, 1, 1)) == (6,)
    path = written(model(nodes, ["N", 6, 1, 1], weights | {"size": np.array(5)}), tmp_path)
    with pytest.raises(ArgumentError, match="numbers of all images in another order"):
        from_onnx(path)
