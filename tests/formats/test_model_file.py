"""Model files: what comes back, and what a damaged or hostile file can do (nothing)."""

from __future__ import annotations

import json
import os
import re
import resource
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid
from formats.damage import unnoticed_changes
from nn.cases import CASES
from pellucid import load, nn, read_tensors, save, write_tensors
from pellucid.data import Drawing, HeldOut, Preparation
from pellucid.errors import FileFormatError
from pellucid.formats import build, describe
from pellucid.models import SimpleConvNet

CARD = nn.Card(
    "points",
    ("dark", "bright"),
    Preparation((3, 3), 1, Drawing(0.5, "box")),
    HeldOut(0.25, 7, "ab"),
)


def _small() -> nn.Sequential:
    model = nn.Sequential(
        conv=nn.Conv2d(1, 1, 2, rng=np.random.default_rng(0)), relu=nn.ReLU(), flat=nn.Flatten(),
        fc=nn.Linear(4, 2, rng=np.random.default_rng(1)),
    )  # fmt: skip
    model.input_shape = (1, 3, 3)
    model.card = CARD
    return model


# What comes back.


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_layer_is_loaded_as_it_was_saved_in_evaluation_mode(case, tmp_path):
    layer = case.build()
    x, _ = case.arrays(np.float32)
    layer.train()
    if case.training:
        layer(x)  # so that running statistics move
    save(layer, tmp_path / "m.safetensors")
    assert layer.training
    again = load(tmp_path / "m.safetensors")
    assert type(again) is type(layer)
    assert repr(again) == repr(layer)
    assert not any(inner.training for _, inner in again.layers())
    assert np.array_equal(again(x), layer.eval()(x))
    for key, buffer in layer.buffers().items():
        assert again.buffers()[key].data.dtype == buffer.data.dtype
        assert again.buffers()[key].data.flags.writeable


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_a_model_of_another_precision_comes_back_as_it_was(dtype, tmp_path):
    model = _small().astype(dtype)
    save(model, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors").state_dict()
    for key, array in model.state_dict().items():
        assert again[key].dtype == dtype
        assert np.array_equal(again[key], array)


def test_images_and_card_come_back(tmp_path):
    save(_small(), tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert again.input_shape == (1, 3, 3)
    assert again.card == CARD
    plain = nn.Sequential(nn.ReLU())
    save(plain, tmp_path / "p.safetensors")
    again = load(tmp_path / "p.safetensors")
    assert (again.input_shape, again.card) == (None, None)


def test_a_loaded_model_trains_on(tmp_path):
    model = SimpleConvNet((1, 8, 8), hidden_size=9)
    save(model, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    train, _ = pellucid.data.digits()
    before = again.state_dict()
    pellucid.Trainer(again, train.take(50), epochs=1).fit()
    assert all(not np.array_equal(before[key], v) for key, v in again.state_dict().items())


def test_nested_chains_keep_their_names_and_places(tmp_path):
    model = nn.Sequential(nn.Sequential(nn.ReLU(), a=nn.Tanh()), b=nn.Sequential())
    save(model, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert [path for path, _ in again.layers()] == [path for path, _ in model.layers()]


def test_saving_again_replaces_the_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "m.safetensors"
    for width in (3, 5):
        save(nn.Linear(width, 2), path)
    assert load(path).in_features == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.safetensors"]


def test_any_safetensors_tool_reads_the_weights(tmp_path):
    from safetensors.numpy import load_file

    model = _small()
    save(model, tmp_path / "m.safetensors")
    arrays = load_file(tmp_path / "m.safetensors")
    state = model.state_dict()
    assert arrays.keys() == state.keys()
    assert all(np.array_equal(arrays[key], state[key]) for key in state)


def test_weights_of_any_order_are_saved_right(tmp_path):
    model = nn.Linear(3, 4)
    model.weight.data = np.asfortranarray(model.weight.data)
    save(model, tmp_path / "m.safetensors")
    assert np.array_equal(load(tmp_path / "m.safetensors").weight.data, model.weight.data)


# What is no model.


def test_weights_alone_say_what_to_do(tmp_path):
    write_tensors(tmp_path / "w.safetensors", _small().state_dict())
    with pytest.raises(
        FileFormatError,
        match=r"w\.safetensors' holds weights but no architecture\. Build the model yourself, and "
        r"give it `pellucid\.read_tensors\(path\)\[0\]` with `load_state_dict`\.$",
    ):
        load(tmp_path / "w.safetensors")
    model = _small()
    model.load_state_dict(read_tensors(tmp_path / "w.safetensors")[0])


def test_a_file_of_a_later_version_is_refused(tmp_path):
    save(_small(), tmp_path / "m.safetensors")
    arrays, metadata = read_tensors(tmp_path / "m.safetensors")
    write_tensors(tmp_path / "m.safetensors", arrays, metadata | {"pellucid": "2"})
    with pytest.raises(FileFormatError, match=r"is of version '2'; this Pellucid reads '1'\.$"):
        load(tmp_path / "m.safetensors")


def test_a_missing_file_a_folder_and_a_text_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load(tmp_path / "m.safetensors")
    with pytest.raises(FileFormatError, match="is a folder"):
        load(tmp_path)
    (tmp_path / "t.safetensors").write_text("import os")
    with pytest.raises(FileFormatError, match=r"is a text file .*not a safetensors file"):
        load(tmp_path / "t.safetensors")


def _with(path, *, arrays=None, **metadata):
    """Return a file sealed as ours would be, with other contents."""
    save(_small(), path)
    own, said = read_tensors(path)
    write_tensors(path, own if arrays is None else arrays, said | metadata)
    return path


def _layer(name, **config):
    return {"layer": name, "config": config}


def _nested(depth: int):
    return '{"layer": "Sequential", "config": {"a": ' * depth + "{}" + "}}" * depth


TOO_MANY = "more than an array can have"
HOSTILE = {
    "unknown layer": (_layer("Convv2d"), "names the layer 'Convv2d', which is unknown.*Did you m"),
    "a builtin": (_layer("eval", x=1), "names the layer 'eval', which is unknown"),
    "the base class": (_layer("Layer"), "names the layer 'Layer', which is unknown"),
    "a loss": (_layer("SoftmaxCrossEntropy"), "which is unknown"),
    "a path": (_layer("os.system"), "which is unknown"),
    "a number": (3, "architecture is malformed: '3'"),
    "null": (None, "architecture is malformed"),
    "a list": ([1, 2], "architecture is malformed"),
    "too much": ({**_layer("ReLU"), "and": 1}, "architecture is malformed"),
    "no config": ({"layer": "ReLU"}, "architecture is malformed"),
    "a layer that is a number": ({"layer": 3, "config": {}}, "architecture is malformed"),
    "an unknown argument": (_layer("Linear", in_features=4, out=2), "unfit values for Linear"),
    "a missing argument": (_layer("Linear", in_features=4), "unfit values for Linear"),
    "too many filters": (
        _layer("Conv2d", in_channels=1, out_channels=10**18, kernel_size=3),
        f"Conv2d|mis-shaped|{TOO_MANY}",
    ),
    "a filter of a planet": (
        _layer("Conv2d", in_channels=10**9, out_channels=10**9, kernel_size=10**9),
        f"unfit|kernel|{TOO_MANY}",
    ),
    "a huge Linear": (_layer("Linear", in_features=10**6, out_features=10**6), "missing"),
    "a huge norm": (_layer("BatchNorm2d", num_features=10**12), "missing"),
    "more than any integer": (_layer("Linear", in_features=10**400, out_features=1), "unfit"),
    "an infinite size": (_layer("Linear", in_features=float("inf"), out_features=1), "in_features"),
    "a text for a size": (_layer("Linear", in_features="4", out_features=2), "in_features"),
    "a layer for a size": (_layer("Linear", in_features=_layer("ReLU"), out_features=2), "in_feat"),
    "a huge network": (
        _layer("SimpleConvNet", input_dim=[1, 10**9, 10**9]), f"unfit|mis-shaped|{TOO_MANY}",
    ),
    "a network of text": (_layer("SimpleConvNet", conv_param="x"), "unfit values for Simple"),
    "a huge VGG": (_layer("VGG16", hidden_size=10**9, classes=10**9), "missing"),
    "huge images": (_layer("LeNet5", input_shape=[1, 10**9, 10**9]), f"unfit|missing|{TOO_MANY}"),
    "a class for every grain of sand": (
        _layer("LeNet5", classes=10**12, variant="published"), "missing",
    ),
    "no shortcut": (_layer("Residual", shortcut=3), "'shortcut' must be a layer, received 3"),
    "no branch": (_layer("Branches"), "needs at least one branch"),
    "no layer in a chain": (_layer("Sequential", a=1), "'a' must be a layer, received 1"),
    "self": (_layer("Sequential", self=_layer("ReLU")), "unexpected: conv.bias"),
    "a p of text": (_layer("Dropout", p="half"), "p: must be a probability"),
    "a norm of text": (_layer("LpPool2d", norm_type=[], kernel_size=2), "norm_type: must be"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_architecture_is_refused_quickly_and_without_memory(name, tmp_path):
    architecture, said = HOSTILE[name]
    path = _with(tmp_path / "m.safetensors", architecture=json.dumps(architecture))
    tracemalloc.start()
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    try:
        with pytest.raises(FileFormatError, match=rf"m\.safetensors'.*(?s:.*)({said})"):
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 2**16  # KiB
    assert time.process_time() - started < 10  # of the processor's; it takes milliseconds


@pytest.mark.parametrize("depth", [300, 1000, 20_000])
def test_an_architecture_nested_deeply_is_refused(depth, tmp_path):
    path = _with(tmp_path / "m.safetensors", architecture=_nested(depth))
    with pytest.raises(FileFormatError, match=r"m\.safetensors'"):
        load(path)


@pytest.mark.parametrize("text", ["", "{", "nonsense", "[" * 10**5, "1" * 10**4, "\x00"])
def test_an_architecture_that_is_no_json_is_refused(text, tmp_path):
    with pytest.raises(FileFormatError, match=r"m\.safetensors' has malformed metadata"):
        load(_with(tmp_path / "m.safetensors", architecture=text))


@pytest.mark.parametrize(
    "shape",
    ["[1, 8]", "[0, 8, 8]", "[-1, -8, 8]", "[1, 100000, 100000]", "[1e400, 1, 1]", "[NaN, 1, 1]",
     "3",
     '"abc"', "{}", '[[1], 2, 3]', "[null, 1, 1]", "[1e30, 1e30, 1e30]", "x", "true"],
)  # fmt: skip
def test_an_image_shape_that_is_none_is_refused(shape, tmp_path):
    with pytest.raises(FileFormatError, match=r"m\.safetensors' has malformed metadata"):
        load(_with(tmp_path / "m.safetensors", input_shape=shape))


@pytest.mark.parametrize(
    "card",
    ["[]", "3", '"text"', "{}", '{"dataset": "a"}',
     '{"dataset": "a", "classes": 3, "background": ""}',
     '{"dataset": 3, "classes": [], "background": "dark"}',
     '{"dataset": "a", "classes": ["x"], "preparation": 3}',
     '{"dataset": "a", "classes": ["x"], "preparation": {"size": [1, 2]}}',
     '{"dataset": "a", "classes": ["x"], "preparation": '
     '{"size": [1e9, 1e9], "channels": 3, "drawing": null}}',
     '{"dataset": "a", "classes": ["x"], "preparation": '
     '{"size": [8, 8], "channels": 1, "drawing": {"box": "all", "centre": "box"}}}',
     '{"dataset": "a", "classes": ["x"], "held_out": {"share": 0.2}}',
     '{"dataset": "a", "classes": "xy", "background": "dark"}', "["],
)  # fmt: skip
def test_a_card_that_is_none_is_refused(card, tmp_path):
    with pytest.raises(FileFormatError, match=r"m\.safetensors' has malformed metadata"):
        load(_with(tmp_path / "m.safetensors", card=card))


@pytest.mark.parametrize(
    ("dataset", "drawing"),
    [("mnist", Drawing(20 / 28, "mass")), ("my photos", None)],
)
def test_a_file_of_the_version_that_kept_a_background_is_read(dataset, drawing, tmp_path):
    card = json.dumps({"dataset": dataset, "classes": ["x"], "background": "dark"})
    shape = "[1, 28, 28]" if drawing else "[1, 3, 3]"
    model = load(_with(tmp_path / "m.safetensors", card=card, input_shape=shape))
    size = (28, 28) if drawing else (3, 3)
    assert model.card == nn.Card(dataset, ("x",), Preparation(size, 1, drawing))


def test_weights_of_another_model_are_refused(tmp_path):
    arrays = _small().state_dict()
    arrays["fc.weight"] = np.zeros((2, 5), np.float32)
    del arrays["conv.bias"]
    with pytest.raises(
        FileFormatError, match=r"(?s)m\.safetensors'.*mis-shaped: fc\.w.*missing: conv"
    ):
        load(_with(tmp_path / "m.safetensors", arrays=arrays))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**30) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    | st.fixed_dictionaries(
        {"layer": st.sampled_from(["ReLU", "Linear"]), "config": st.dictionaries(st.text(max_size=2), inner, max_size=1)}  # noqa: E501
    ),
    max_leaves=5,
)  # fmt: skip


BUILDS = [*(case.build for case in CASES), lambda: SimpleConvNet((1, 8, 8), hidden_size=3)]


@settings(max_examples=200)
@given(builds=st.sampled_from(BUILDS), data=st.data())
def test_any_json_in_any_argument_is_built_or_refused(builds, data):
    description = json.loads(json.dumps(describe(builds())))
    with nn.init.without_values():
        argument = data.draw(st.sampled_from([*description["config"], "odd"]))
        description["config"][argument] = data.draw(JSON)
        try:
            model = build(description)
        except FileFormatError as error:
            assert "architecture" in str(error)  # noqa: PT017
        else:
            assert isinstance(model, nn.Layer)


# Each byte.


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "m.safetensors"
    save(_small(), path)
    return path.read_bytes()


@pytest.mark.parametrize("mask", [0x01, 0xFF])
def test_every_changed_byte_of_a_model_is_noticed(whole, mask, tmp_path):
    path = tmp_path / "m.safetensors"
    assert unnoticed_changes(path, whole, mask, load) == []


def test_every_shorter_file_is_refused(whole, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(whole)
    for length in reversed(range(len(whole))):
        os.truncate(path, length)
        with pytest.raises(FileFormatError, match=r"m\.safetensors'"):
            load(path)
    path.write_bytes(whole)
    assert re.match(r"Sequential\(", repr(load(path)))


def test_the_header_of_another_model_does_not_go_with_these_weights(whole, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(whole.replace(b'\\"ReLU\\"', b'\\"Tanh\\"'))
    assert path.read_bytes() != whole
    with pytest.raises(
        FileFormatError, match=r"the header of '.*' was changed after it was written"
    ):
        load(path)
