"""Operators of ONNX files at the limits of their attributes: as onnxruntime, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formats.onnx_files import model, node, run, written
from pellucid.errors import ArgumentError, FileFormatError
from pellucid.formats.onnx.importing import from_onnx

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(0)
SHAPE = ("N", 2, 3, 4)


def _draw(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def _imported(
    folder: Path,
    nodes: list[Any],
    shape: tuple[int | str, ...],
    weights: dict[str, Any] | None = None,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 18,
    x: Any = None,
) -> Any:
    """Import a file, and compare it with onnxruntime."""
    path = written(model(nodes, shape, weights, outputs, opset), folder)
    network = from_onnx(path)
    batch = shape[0] if isinstance(shape[0], int) else 3
    x = _draw(batch, *shape[1:]) if x is None else x
    made, wanted = network(x), run(path, x)
    pairs = zip(made, wanted, strict=True) if len(outputs) > 1 else [(made, wanted)]
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    return network


def _refused(
    folder: Path, nodes: list[Any], shape: Any, weights: Any, said: str, opset: int = 18
) -> None:
    path = written(model(nodes, shape, weights, opset=opset), folder)
    with pytest.raises(ArgumentError, match=said):
        from_onnx(path)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("factor", [100, -300])
def test_the_logarithm_of_a_sum_of_exponentials_does_not_overflow(
    tmp_path: Path, keepdims: int, factor: int
) -> None:
    nodes = [node("ReduceLogSumExp x axes -> y", keepdims=keepdims)]
    x = np.abs(_draw(2, 3, 4, 5)) * factor
    _imported(tmp_path, nodes, ("N", 3, 4, 5), {"axes": np.array([2, 3])}, x=x)


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("limit", [1e9, -1e9, np.inf, -np.inf])
def test_a_far_limit_of_some_numbers_leaves_the_others_exact(
    tmp_path: Path, op: str, limit: float
) -> None:
    x = np.array([[0.1, 0.2], [np.inf, -np.inf], [-0.3, 0.3]], np.float32)
    weights = {"c": np.array([limit, 0], np.float32)}
    _imported(tmp_path, [node(f"{op} x c -> y")], ("N", 2), weights, x=x)


def test_a_limit_of_fewer_axes_is_broadcast(tmp_path: Path) -> None:
    _imported(tmp_path, [node("Max x c -> y")], ("N", 1, 4), {"c": _draw(3, 1)})


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize(
    ("axes", "sizes"), [([3], [9]), ([2], [2]), ([2, 3], [7, 9]), ([3, 2], [5, 2]), ([1, 3], None)]
)
def test_a_policy_keeps_the_proportions_of_the_axes_that_are_resized(
    tmp_path: Path, policy: str, axes: list[int], sizes: list[int] | None
) -> None:
    if sizes is None:  # with the channels, whose number stays: a scale of 1
        sizes = [2, 9] if policy == "not_larger" else [2, 3]
    options = {"axes": axes, "keep_aspect_ratio_policy": policy, "mode": "linear"}
    _imported(
        tmp_path, [node("Resize x _ _ sizes -> y", **options)], ("N", 2, 4, 4),
        {"sizes": np.array(sizes)},
    )  # fmt: skip


def test_a_policy_that_would_resize_channels_is_refused(tmp_path: Path) -> None:
    resize = node("Resize x _ _ sizes -> y", axes=[1, 3], keep_aspect_ratio_policy="not_larger")
    sizes = {"sizes": np.array([2, 2])}
    _refused(tmp_path, [resize], ("N", 2, 4, 4), sizes, r"axes=\[2, 3\]")


@pytest.mark.parametrize("front", ["Concat n c -> s", "Concat one n c -> s"])
def test_an_axis_repeated_once_for_each_image_is_refused(tmp_path: Path, front: str) -> None:
    nodes = [node("Shape x -> n", end=1), node(front, axis=0), node("Expand x s -> y")]
    weights = {"c": np.array([4]), "one": np.array([1])}
    _refused(tmp_path, nodes, ("N", 1, 4), weights, "mixes the numbers of several images")


@pytest.mark.parametrize(
    "nodes",
    [
        [node("MatMul t w -> y")],
        [node("MatMul w3 t -> y")],
        [node("Concat t t -> y", axis=1)],
        [node("Max t r -> y")],
        [node("Sum t c -> y")],
        [node("Mean t c -> y")],
    ],
    ids=lambda nodes: nodes[0].op_type,
)
def test_what_joins_images_along_another_axis_than_the_first_is_refused(
    tmp_path: Path, nodes: list[Any]
) -> None:
    nodes = [node("Transpose x -> t", perm=[1, 0, 2]), node("Relu x -> r"), *nodes]
    weights = {"w": _draw(4, 5), "w3": _draw(5, 3), "c": _draw(4)}
    _refused(tmp_path, nodes, ("N", 3, 4), weights, r"input . \('t'\) has the images along axis 1")


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_attention_may_have_images_and_heads_as_one_axis(tmp_path: Path, axis: int) -> None:
    nodes = [
        node("Reshape x apart -> h"),  # (N, 2, 3, 4) -> (2·N, 3, 4)
        node("Transpose h -> t", perm=[0, 2, 1]),
        node("MatMul h t -> products"),
        node("Mul products scale -> scores"),
        node("Softmax scores -> p", axis=axis),
        node("MatMul p h -> mixed"),
        node("Reshape mixed together -> y"),
    ]
    weights = {
        "apart": np.array([-1, 3, 4]),
        "together": np.array([-1, 2, 3, 4]),
        "scale": np.float32(3),
    }
    _imported(tmp_path, nodes, SHAPE, weights)


def test_a_product_of_images_and_heads_with_images_alone_is_refused(tmp_path: Path) -> None:
    nodes = [node("Reshape x apart -> h"), node("MatMul h x -> y")]
    weights = {"apart": np.array([-1, 4, 4])}
    _refused(tmp_path, nodes, ("N", 2, 4, 4), weights, "N and another axis are one axis")


def test_scales_of_a_layer_normalization_may_have_axes_of_length_1_before(tmp_path: Path) -> None:
    weights = {"s": _draw(1, 4), "b": _draw(1, 1, 4)}
    _imported(tmp_path, [node("LayerNormalization x s b -> y")], ("N", 3, 4), weights)


def test_one_value_may_be_several_outputs(tmp_path: Path) -> None:
    nodes = [node("Relu x -> a"), node("Identity a -> b"), node("Identity x -> c")]
    _imported(tmp_path, nodes, ("N", 3), outputs=("a", "b", "c", "x"))


@pytest.mark.parametrize("last", ["Flatten p -> y", "Reshape p s -> y", "Squeeze p axes -> y"])
def test_without_its_softmax_a_network_keeps_the_shape_of_its_output(
    tmp_path: Path, last: str
) -> None:
    nodes = [node("Softmax x -> p", axis=1), node(last)]
    weights = {"s": np.array([0, 5]), "axes": np.array([2, 3])}
    path = written(model(nodes, ("N", 5, 1, 1), weights), tmp_path)
    x = _draw(2, 5, 1, 1)
    np.testing.assert_array_equal(from_onnx(path, softmax="drop")(x), x[:, :, 0, 0])


def test_without_its_softmax_a_network_of_scores_and_probabilities_has_both(tmp_path: Path) -> None:
    nodes = [node("Relu x -> a"), node("Softmax a -> b", axis=1)]
    path = written(model(nodes, ("N", 3), outputs=("a", "b")), tmp_path)
    a, b = from_onnx(path, softmax="drop")(_draw(2, 3))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("made", "weights", "said"),
    [
        ("Slice x starts ends far -> y", {}, r"axes \[5\] of 4"),
        ("Slice x both ends axis -> y", {}, "2 starts, 1 ends, 1 axes and 2 steps"),
        ("Pad x pads _ far -> y", {}, "it has the axis 5 of 4 axes"),
        ("Gemm rows w c -> y", {}, "do not fit the operator"),
        ("Reshape x w -> y", {}, "it makes the shape"),
    ],
)
def test_inputs_and_attributes_that_do_not_fit_are_refused_with_the_node(
    tmp_path: Path, made: str, weights: Any, said: str
) -> None:
    weights = {
        "starts": np.array([1]), "ends": np.array([3]), "far": np.array([5]),
        "both": np.array([0, 1]), "axis": np.array([2]), "pads": np.array([1, 1]),
        "w": _draw(24, 4), "c": _draw(3),
    }  # fmt: skip
    nodes = [node("Flatten x -> rows"), node(made)]
    path = written(model(nodes, SHAPE, weights, opset=18), tmp_path)
    with pytest.raises(ArgumentError, match=rf"cannot be converted(.|\n)*'y': (.|\n)*{said}"):
        from_onnx(path)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("Mul x x x -> y", "Mul 'y' has 3 inputs, where the operator has 2 in version 18"),
        ("Conv x -> y", "has 1 inputs, where the operator has 2 to 3"),
        ("Relu x -> y z", "has 2 outputs, where the operator has 1"),
        ("Pow x _ -> y", "lacks its input 2"),
        ("Max x _ -> y", "lacks its input 2"),
        ("DepthToSpace x -> y", "lacks the attribute blocksize"),
        ("Transpose x -> y", "has an attribute perm that is not of the operator's type"),
    ],
)
def test_nodes_that_are_not_those_of_their_operator_are_damage(
    tmp_path: Path, made: str, said: str
) -> None:
    attributes = {"perm": 1.5} if "Transpose" in made else {}
    path = written(model([node(made, **attributes)], SHAPE, opset=18), tmp_path)
    with pytest.raises(FileFormatError, match=f"is damaged: .*{said}"):
        from_onnx(path)


def test_what_a_pattern_cannot_compute_is_refused_where_it_is_converted(tmp_path: Path) -> None:
    nodes = [node("Transpose w -> t", perm=[0, 2]), node("MatMul x t -> y")]
    _refused(tmp_path, nodes, ("N", 3), {"w": _draw(3, 3)}, "Transpose 't': its constant inputs")


@pytest.mark.parametrize("inside", ["m", "d", "q", "v", "e", "s"])
def test_a_pattern_stays_as_it_is_written_where_the_network_returns_a_part(
    tmp_path: Path, inside: str
) -> None:
    nodes = [
        node("ReduceMean x -> m", axes=[-1]),
        node("Sub x m -> d"),
        node("Pow d two -> q"),
        node("ReduceMean q -> v", axes=[-1]),
        node("Add v epsilon -> e"),
        node("Sqrt e -> s"),
        node("Div d s -> n"),
        node("Mul n gamma -> y"),
    ]
    weights = {"two": np.float32(2), "epsilon": np.float32(1e-5), "gamma": _draw(4)}
    _imported(tmp_path, nodes, ("N", 3, 4), weights, ("y", inside), 13)


def test_one_number_for_all_channels_is_not_the_scale_of_a_group_normalization(
    tmp_path: Path,
) -> None:
    nodes = [
        node("Reshape x groups -> a"),
        node("InstanceNormalization a ones zeros -> n"),
        node("Shape x -> shape"),
        node("Reshape n shape -> r"),
        node("Mul r gamma -> q"),
        node("Add q beta -> y"),
    ]
    weights = {
        "groups": np.array([0, 2, -1]), "ones": np.ones(2, np.float32),
        "zeros": np.zeros(2, np.float32), "gamma": _draw(1, 1, 1), "beta": _draw(4, 1, 1),
    }  # fmt: skip
    _imported(tmp_path, nodes, ("N", 4, 3, 3), weights, opset=13)


@pytest.mark.parametrize("fold", [False, True])
def test_averages_that_a_batch_norm_returns_are_refused(tmp_path: Path, fold: bool) -> None:
    nodes = [node("Conv x w -> c"), node("BatchNormalization c s b m v -> y mean var a d")]
    weights = {name: np.ones(4, np.float32) for name in "sbmv"} | {"w": _draw(4, 2, 1, 1)}
    path = written(model(nodes, SHAPE, weights, ("y", "mean"), opset=9), tmp_path)
    with pytest.raises(ArgumentError, match="its output 'mean' is used"):
        from_onnx(path, fold=fold)


def test_conversions_between_two_transpositions_do_not_keep_them(tmp_path: Path) -> None:
    nodes = [
        node("Transpose x -> last", perm=[0, 2, 3, 1]),
        node("Cast last -> floats", to=1),
        node("Mul floats two -> twice"),
        node("Transpose twice -> y", perm=[0, 3, 1, 2]),
    ]
    network = _imported(tmp_path, nodes, SHAPE, {"two": np.float32(2)})
    assert [type(each.layer).__name__ for each in network.nodes()] == ["Scale"]
