"""Networks as files of ONNX: onnx's checker accepts them, and onnxruntime gives the same scores."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

import pellucid as library
from nn.cases import CASES, every_case
from pellucid import nn
from pellucid.errors import ArgumentError, PellucidError, ShapeError
from pellucid.formats.onnx.writing import to_onnx, writes
from pellucid.formats.onnx.writing.file import checked
from pellucid.formats.onnx.writing.network import written
from pellucid.models import by_name
from pellucid.networks import NETWORKS
from pellucid.preparation import Preparation

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
runtime.set_default_logger_severity(3)  # a runtime older than the opset warns that it is

NEWEST = onnx.defs.onnx_opset_version()
# What operators express only from an opset on.
LACKING = {
    8: ("Add broadcasting", "Maximum of three", "Minimum"),
    9: ("GELU", "GELU far out", "Erf"),
    10: ("MaxPool2d dilation", "Slice of rows", "Slice backwards"),
    18: ("LpPool2d padding and dilation",),
    19: ("AvgPool2d dilation", "AvgPool2d misfit pad, padding not counted"),
}


def session(file):
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    source = file if isinstance(file, bytes) else str(file)
    return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def ran(file, x):
    opened = file if isinstance(file, runtime.InferenceSession) else session(file)
    outputs = opened.run(None, {opened.get_inputs()[0].name: x})
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def assert_same(found, expected, tolerance=1e-5):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    largest = max(float(abs(expected).max(initial=0)), 1e-9)
    assert abs(found - expected).max(initial=0) <= tolerance * largest


def images(*shape, n=7, seed=0):
    return np.random.default_rng(seed).random((n, *shape), dtype=np.float32)


def small(case):
    x, _ = replace(case, n=7).arrays(np.float32)
    return case.build().eval(), x


@every_case
def test_every_layer_gives_the_same_numbers_for_one_image_and_many(case, tmp_path):
    model, x = small(case)
    opset = 19 if case.id in LACKING[19] else 18
    to_onnx(model, tmp_path / "a.onnx", opset=opset, input_shape=case.shape)
    file = session(tmp_path / "a.onnx")
    for n in (1, 2, 7):
        assert_same(ran(file, x[:n]), model(x[:n]))


@pytest.mark.parametrize("opset", [k for k in range(7, NEWEST + 1) if k != 18])
def test_every_layer_is_written_in_every_opset_or_refused_with_the_one_it_needs(opset):
    refused = {}
    for case in CASES:
        model, x = small(case)
        try:
            data = checked(model, written(model, case.shape, opset))
        except ArgumentError as error:
            refused[case.id] = str(error)
            continue
        assert onnx.load_from_string(data).opset_import[0].version == opset
        assert_same(ran(data, x[:2]), model(x[:2]))
    due = {case: least for least, cases in LACKING.items() for case in cases if opset < least}
    assert refused.keys() == due.keys()
    for case, said in refused.items():
        assert f"cannot express in opset {opset}: " in said
        assert said.endswith(f". Use opset={due[case]}, or a newer one.")


@pytest.mark.parametrize("case", [c for c in CASES if len(c.shape) == 3], ids=lambda case: case.id)
def test_an_image_of_any_size_gives_the_same_numbers_or_the_layer_is_named(case):
    model, _ = small(case)
    try:
        graph = written(model, case.shape, NEWEST, dynamic=True)
    except ArgumentError as error:
        said = str(error)
    else:
        said = ""
    if said:
        assert "size=" in said
        assert "needs layers that take any size" in said or "depends on the size" in said
        return
    file = session(checked(model, graph))
    c, h, w = case.shape
    for more in ((0, 0), (3, 8), (13, 6), (64, 1)):
        x = images(c, h + more[0], w + more[1], n=2) - np.float32(0.0 if case.positive else 0.5)
        with suppress(ShapeError):  # whose size only the layer checks
            expected = model(x)
            assert_same(ran(file, x), expected)


PADDINGS = ([1, 1], (0, 1, 1, 0), "same", "same_lower")
WINDOWS = [
    *(nn.Conv2d(2, 2, 3, 2, p, dilation=d, rng=np.random.default_rng(0))
      for p in PADDINGS for d in (1, 2)),
    *(nn.Conv2d(2, 2, (2, 3), 1, p, dilation=2, rng=np.random.default_rng(0)) for p in PADDINGS),
    *(nn.ConvTranspose2d(2, 2, 3, 2, p, rng=np.random.default_rng(0)) for p in PADDINGS),
    *(nn.MaxPool2d(3, 2, p, d, misfit=m)
      for p in PADDINGS for d in (1, 2) for m in ("floor", "pad")),
    *(nn.AvgPool2d(3, 2, p, dilation=d, misfit=m, count_include_pad=c)
      for p in PADDINGS for d in (1, 2) for m in ("floor", "pad") for c in (True, False)),
    *(nn.AvgPool2d(2, 1, 2, dilation=3, count_include_pad=c) for c in (True, False)),
    *(nn.AvgPool2d(2, 2, 2, dilation=3, misfit="pad", count_include_pad=c) for c in (True, False)),
    *(nn.LpPool2d(n, 3, 2, padding=p, dilation=d, misfit=m)
      for n in (2, 2.5) for p in PADDINGS for d in (1, 2) for m in ("floor", "pad")),
    nn.LpPool2d(2, 2, 1, padding=2, dilation=3),
]  # fmt: skip


def test_windows_of_every_kind_for_images_of_one_size_and_of_any():
    refused = []
    for layer in WINDOWS:
        for dynamic in (False, True):
            try:
                file = session(checked(layer, written(layer, (2, 9, 8), 21, dynamic=dynamic)))
            except ArgumentError as error:
                refused.append((dynamic, str(error)))
                continue
            for h, w in ((9, 8), (14, 17))[: 1 + dynamic]:
                x = images(2, h, w, n=2) - np.float32(0.5)
                assert_same(ran(file, x), layer(x))
    assert all(dynamic and "depends on the size" in said for dynamic, said in refused)
    assert len(refused) < len(WINDOWS) / 2


def test_what_one_pixel_is_left_of_is_not_taken_for_a_fixed_size(tmp_path):
    model = nn.Sequential(nn.MaxPool2d(128, misfit="pad"), nn.Flatten(), nn.Linear(1, 2))
    said = refused(model, tmp_path / "a.onnx", size="dynamic")
    assert "Linear '2': expects 1 input features" in said


# Networks by name: a few classes, and images as small as they take.
SHAPES = {"alexnet": (3, 67, 67), "googlenet": (3, 64, 64), "vgg": (3, 32, 32)}
SHAPES |= dict.fromkeys(("resnet18", "squeezenet", "mobilenet", "efficientnet"), (3, 64, 64))
SHAPES |= {"convnext": (3, 32, 32)}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_by_name_gives_the_same_scores(name):
    network = NETWORKS[name]
    shape = next((s for start, s in SHAPES.items() if name.startswith(start)), network.images)
    model = by_name(name, shape, 5, rng=np.random.default_rng(0)).eval()
    graph = written(model, shape, 18)
    assert graph.outputs == {"scores": (5,)}
    file, x = session(checked(model, graph)), images(*shape)
    for n in (1, 2, 7):
        assert_same(ran(file, x[:n]), model(x[:n]))


def _trained():
    """Return a small network with a card, normalisation, batch statistics and a temperature."""
    rng = np.random.default_rng(0)
    inside = nn.Sequential(
        conv=nn.Conv2d(3, 6, 3, padding="same", stride=2, rng=rng),
        norm=nn.BatchNorm2d(6),
        relu=nn.ReLU(),
        drop=nn.Dropout(0.5),
        pool=nn.GlobalAvgPool2d(),
        flatten=nn.Flatten(),
        fc=nn.Linear(6, 3, rng=rng),
    )
    inside["norm"].running_mean.data[:] = rng.normal(size=6)
    inside["norm"].running_var.data[:] = rng.uniform(0.5, 2, size=6)
    model = nn.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.2)).before(inside)
    model = nn.Temperature(1.7).after(model)
    model.input_shape = (3, 9, 8)
    classes = ("cat", "고양이", 'a "b"')
    model.card = nn.Card("pets", classes, Preparation((9, 8), 3), value_range=(0.0, 1.0))
    return model


def test_batch_norms_and_dropout_are_those_of_evaluation_in_whichever_mode_the_model_is(tmp_path):
    model, x = _trained(), images(3, 9, 8)
    model.train()
    to_onnx(model, tmp_path / "a.onnx")
    assert model.training
    assert model["norm"].num_batches_tracked.data == 0
    assert_same(ran(tmp_path / "a.onnx", x), model.eval()(x))


@pytest.mark.parametrize("pixels", ["uint8", "float32"])
def test_pixels_are_divided_as_predict_does_and_become_probabilities(tmp_path, pixels):
    model = _trained().eval()
    bytes_ = np.random.default_rng(0).integers(0, 256, (7, 3, 9, 8)).astype(np.uint8)
    to_onnx(model, tmp_path / "a.onnx", pixels=pixels, softmax=True)
    expected = library.predict(model, np.divide(bytes_, 255, dtype=np.float32), engine="numpy")
    found = ran(tmp_path / "a.onnx", bytes_.astype(pixels))
    assert_same(found, expected)
    assert np.allclose(found.sum(axis=1), 1)


@pytest.mark.parametrize("opset", [7, 18])
def test_a_file_says_what_it_is(tmp_path, opset):
    to_onnx(_trained(), tmp_path / "a.onnx", opset=opset, size="dynamic")
    file = onnx.load(tmp_path / "a.onnx")
    said = {prop.key: prop.value for prop in file.metadata_props}
    assert json.loads(said["classes"]) == ["cat", "고양이", 'a "b"']
    assert (said["dataset"], said["input"]) == ("pets", "images (N, C, H, W), numbers from 0 to 1")
    assert json.loads(said["preparation"])["size"] == [9, 8]
    assert (file.producer_name, file.producer_version) == ("pellucid", library.__version__)
    assert file.doc_string.startswith("Sequential, trained on pets; written by Pellucid ")
    # Of opset 7 the format's version 3, in which weights are inputs as well; of 18 version 8.
    weights = len(file.graph.initializer)
    assert (file.ir_version, len(file.graph.input)) == {7: (3, 1 + weights), 18: (8, 1)}[opset]
    given, made = file.graph.input[0], file.graph.output[0]
    axes = [axis.dim_param or axis.dim_value for axis in given.type.tensor_type.shape.dim]
    assert (given.name, axes) == ("images", ["N", 3, "H", "W"])
    assert [axis.dim_param or axis.dim_value for axis in made.type.tensor_type.shape.dim] == [
        "N",
        3,
    ]
    assert [node.name for node in file.graph.node if node.op_type == "Conv"] == ["conv/Conv"]
    assert [node.output[0] for node in file.graph.node if node.op_type == "Conv"] == ["conv"]
    assert {"conv.weight", "norm.running_var", "fc.bias"} <= {
        w.name for w in file.graph.initializer
    }


def test_a_model_of_float64_or_half_the_size_keeps_its_numbers(tmp_path):
    from onnx.reference import ReferenceEvaluator  # onnxruntime has few operators of float64

    x = images(3, 9, 8)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float16, 1e-2)):
        model = _trained().astype(dtype).eval()
        to_onnx(model, tmp_path / "a.onnx")
        (found,) = ReferenceEvaluator(str(tmp_path / "a.onnx")).run(
            None, {"images": x.astype(dtype)}
        )
        assert_same(found, model(x.astype(dtype)), tolerance)


def test_a_mean_far_from_zero_costs_no_digits(tmp_path):
    model = nn.Normalize((12345.6789,), (0.01,))
    to_onnx(model, tmp_path / "a.onnx", input_shape=(1, 2, 2))
    x = np.float32(12345.68) + np.zeros((1, 1, 2, 2), np.float32)
    assert_same(ran(tmp_path / "a.onnx", x), model(x))


def test_cells_from_the_other_end_are_gathered_before_pad_has_a_word_for_it():
    model = nn.Pad2d(2, "wrap")
    for opset, ops in ((18, ["Gather", "Gather"]), (19, ["Pad"])):
        assert [op.op for op in written(model, (1, 4, 4), opset).operations.operations] == ops


def test_values_called_like_the_ends_of_the_graph_stay_apart(tmp_path):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        images=nn.Conv2d(1, 2, 3, rng=rng), scores=nn.Sequential(nn.Flatten(), nn.Dropout()),
        constant=nn.Temperature(2.0), last=nn.Sequential(),
    ).eval()  # fmt: skip
    to_onnx(model, tmp_path / "a.onnx", input_shape=(1, 5, 5))
    x = images(1, 5, 5)
    assert_same(ran(tmp_path / "a.onnx", x), model(x))


def test_a_model_that_returns_its_input_is_an_identity(tmp_path):
    to_onnx(nn.Sequential(nn.Dropout()), tmp_path / "a.onnx", input_shape=(3,))
    assert ran(tmp_path / "a.onnx", images(3)).shape == (7, 3)


def test_a_graph_of_several_outputs_returns_each_by_its_name(tmp_path):
    rng = np.random.default_rng(0)
    model = nn.Graph(
        {
            "a": (nn.Conv2d(1, 2, 3, rng=rng), "x"),
            "scores": (nn.Sequential(flat=nn.Flatten(), fc=nn.Linear(72, 3, rng=rng)), "a"),
            "same": (nn.Sequential(), "a"),
            "dropped": (nn.Dropout(), "x"),
            "b/c.d": (nn.ReLU(), "a"),
        },
        output=("b/c.d", "scores", "a", "same", "dropped"),
    ).eval()
    found = to_onnx(model, tmp_path / "a.onnx", input_shape=(1, 8, 8))
    assert [*found.outputs] == ["b/c.d", "scores", "a", "same", "dropped"]
    x = images(1, 8, 8)
    for made, expected in zip(ran(tmp_path / "a.onnx", x), model(x), strict=True):
        assert_same(made, expected)
    said = refused(model, tmp_path / "a.onnx", softmax=True)
    assert said.startswith("softmax: needs a model with one output, received one that returns")


def test_what_was_written_is_read_back_as_the_same_network(tmp_path):
    refused = []
    for case in CASES:
        model, x = small(case)
        to_onnx(model, tmp_path / "a.onnx", input_shape=case.shape, opset=21)
        try:
            again = library.from_onnx(tmp_path / "a.onnx").eval()
        except ArgumentError as error:
            refused.append((case.id, str(error)))
            continue
        assert_same(again(x[:2]), model(x[:2]))
    # What the operators that a layer is made of cannot be told from.
    assert {case.partition(" ")[0] for case, _ in refused} <= {"LocallyConnected2d", "Slice"}
    assert all("cannot be converted" in said for _, said in refused)


# Layers of one's own, and refusals ----------------------------------------------------------------


class Square(nn.Layer):
    """Square every number."""

    def forward(self, x):
        return x * x


class Cube(nn.Layer):
    """A layer that nothing writes."""

    def forward(self, x):
        return x**3


class Louder(nn.ReLU):
    """A subclass that computes something else."""

    def forward(self, x):
        return 2 * super().forward(x)


class Quiet(nn.ReLU):
    """A subclass that computes the same."""


@writes(Square)
def square(sheet, layer, x):
    return sheet.op("Mul", x, x)


def test_a_layer_of_ones_own_is_written_by_its_function(tmp_path):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), Square(), Quiet())
    to_onnx(model, tmp_path / "a.onnx", input_shape=(1, 5, 5))
    x = images(1, 5, 5)
    assert_same(ran(tmp_path / "a.onnx", x), model(x))


def refused(model, path, **options):
    path.write_text("precious")
    with pytest.raises(PellucidError) as caught:
        to_onnx(model, path, **{"input_shape": (1, 8, 8), **options})
    assert [entry.read_text() for entry in path.parent.iterdir()] == ["precious"]
    return str(caught.value)


def test_all_layers_that_nothing_writes_are_named_at_once(tmp_path):
    model = nn.Sequential(Cube(), nn.ReLU(), nn.Sequential(deep=Louder()), last=Cube())
    said = refused(model, tmp_path / "a.onnx")
    assert "has no ONNX operators for Cube '0', Louder '2.deep', Cube 'last'. Register a" in said


def test_all_layers_that_an_opset_lacks_are_named_with_the_opset_that_has_them(tmp_path):
    model = nn.Sequential(gelu=nn.GELU(), pool=nn.MaxPool2d(2, dilation=2), relu=nn.ReLU())
    assert refused(model, tmp_path / "a.onnx", opset=8) == (
        "to_onnx: cannot express in opset 8: GELU 'gelu': the error function needs opset 9; "
        "MaxPool2d 'pool': a dilation needs opset 10. Use opset=10, or a newer one."
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"opset": 6}, rf"opset: must be a version of ONNX's operators from 7 to {NEWEST}, "),
        ({"opset": NEWEST + 1}, "opset: must be a version"),
        ({"opset": 18.0}, "opset: must be a version"),
        (
            {"input_shape": None},
            "which images it takes. Add input_shape=(3, 224, 224), for example",
        ),
        (
            {"input_shape": 8},
            "input_shape: must be (C, H, W), each 1 or more, or the shape of a row",
        ),
        ({"input_shape": (1, 0, 8)}, "each 1 or more, or the shape of a row; received (1, 0, 8)."),
        ({"input_shape": (2, 8, 8)}, "expects 1 input channels"),
        ({"size": (4, 0)}, "size: must be (rows, columns), each 1 or more, or 'dynamic'; receiv"),
        ({"size": "dynamic"}, "size='dynamic' needs layers that take any size.) Give one size,"),
        ({"pixels": "uint16"}, "pixels: must be 'uint8' or 'float32', received 'uint16'."),
        ({"pixels": "uint8"}, "was trained on numbers from -3 to -1. Leave it out"),
    ],
)
def test_options_that_cannot_be_met_are_refused(tmp_path, options, said):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 2))
    model.card = nn.Card("x", ("a", "b"), value_range=(-3.0, -1.0))
    assert said in refused(model, tmp_path / "a.onnx", **options)


def test_a_bound_beyond_the_numbers_of_a_file_is_infinite(tmp_path):
    to_onnx(nn.Sequential(nn.Clip(-1e39, 1e39)), tmp_path / "a.onnx", input_shape=(2,))
    bounds = [
        onnx.numpy_helper.to_array(a) for a in onnx.load(tmp_path / "a.onnx").graph.initializer
    ]
    assert bounds == [-np.inf, np.inf]


def test_weights_beyond_two_gigabytes_are_refused_before_they_take_memory(tmp_path):
    with nn.init.without_values():
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2**23))
    said = refused(model, tmp_path / "a.onnx")
    assert "a file of ONNX holds less than 2 GB, and the weights have 2.18 GB. Convert" in said


def test_operators_that_the_checker_refuses_are_not_written(tmp_path):
    class Wrong(nn.Layer):
        def forward(self, x):
            return x

    @writes(Wrong)
    def wrong(sheet, layer, x):
        return sheet.op("Relu", x, x)

    said = refused(nn.Sequential(Wrong()), tmp_path / "a.onnx")
    assert "onnx's checker refuses, so nothing was written. If a layer of yours" in said
    assert refused(nn.ReLU, tmp_path / "a.onnx").startswith("to_onnx: expects a model, received")


def test_only_layer_classes_are_registered():
    with pytest.raises(ArgumentError, match=r"^writes: takes layer classes, received 'Conv2d'\."):
        writes("Conv2d")
