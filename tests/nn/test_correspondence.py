"""Weights of another library's names go where they belong, or nowhere."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pellucid import models
from pellucid.errors import StateDictError
from pellucid.models.registry import published_for
from pellucid.networks import NETWORKS
from pellucid.nn import Linear, Sequential
from pellucid.nn.adapt import adapted
from pellucid.nn.correspondence import corresponding
from pellucid.nn.init import without_values


def _own(name, classes=1000):
    shape, _ = published_for(name)
    with without_values():
        return models.by_name(name, shape, classes)


def _inverted(block: str, depthwise_first: bool, gated: bool) -> dict[str, str]:
    """Return timm's names of the layers in a block, by torchvision's."""
    convs = ["conv_dw", "conv_pw"] if depthwise_first else ["conv_pw", "conv_dw", "conv_pwl"]
    at = 0 if depthwise_first else 1
    names, step = {}, 0
    for k, conv in enumerate(convs):
        last = k == len(convs) - 1
        if block == "conv" and last:  # MobileNetV2 leaves the last convolution unwrapped
            names |= {f"conv.{step}": conv, f"conv.{step + 1}": f"bn{k + 1}"}
        else:
            names |= {f"{block}.{step}.0": conv, f"{block}.{step}.1": f"bn{k + 1}"}
        step += 1
        if gated and k == at:
            names |= {
                f"{block}.{step}.fc1": "se.conv_reduce",
                f"{block}.{step}.fc2": "se.conv_expand",
            }
            step += 1
    return names


STAGES = {
    "mobilenet-v2": [1, 2, 3, 4, 3, 3, 1],
    "mobilenet-v3-small": [1, 2, 3, 2, 3],
}


def _timm_mobile(key: str, name: str, keys) -> str:
    layer, _, leaf = key.rpartition(".")
    head = {"mobilenet-v3-small": {"classifier.0": "conv_head", "classifier.3": "classifier"}}
    last = {"mobilenet-v2": 18, "mobilenet-v3-small": 12, "efficientnet-b0": 8}[name]
    ends = {
        "features.0.0": "conv_stem",
        "features.0.1": "bn1",
        "classifier.1": "classifier",
        f"features.{last}.0": "conv_head",
        f"features.{last}.1": "bn2",
    } | head.get(name, {})
    if name == "mobilenet-v3-small":
        ends |= {"features.12.0": "blocks.5.0.conv", "features.12.1": "blocks.5.0.bn1"}
    if layer in ends:
        return f"{ends[layer]}.{leaf}"
    if name == "efficientnet-b0":
        stage, number, rest = re.fullmatch(r"features\.(\d+)\.(\d+)\.(.*)", layer).groups()
        stage, number = int(stage) - 1, int(number)
        home = f"features.{stage + 1}.{number}"
    else:
        flat, rest = re.fullmatch(r"features\.(\d+)\.(.*)", layer).groups()
        number, stage = int(flat) - 1, 0
        home = f"features.{flat}"
        while number >= STAGES[name][stage]:
            number, stage = number - STAGES[name][stage], stage + 1
    block = "conv" if name == "mobilenet-v2" else "block"
    gated = any(other.startswith(home) and ".fc1." in other for other in keys)
    inside = _inverted(block, stage == 0, gated)
    return f"blocks.{stage}.{number}.{inside[rest]}.{leaf}"


def _timm_convnext(key: str) -> str:
    key = re.sub(r"^features\.0\.", "stem.", key)
    key = re.sub(r"^classifier\.0\.", "head.norm.", key)
    key = re.sub(r"^classifier\.2\.", "head.fc.", key)
    odd = re.match(r"features\.(\d+)\.(\d+)\.(.*)", key)
    if odd is None:
        return key
    number, k, rest = int(odd[1]), odd[2], odd[3]
    if number % 2 == 0:
        return f"stages.{number // 2}.downsample.{k}.{rest}"
    inner = {"0": "conv_dw", "2": "norm", "3": "mlp.fc1", "5": "mlp.fc2"}
    rest = re.sub(r"^block\.(\d)", lambda m: inner[m[1]], rest.replace("layer_scale", "gamma"))
    return f"stages.{number // 2}.blocks.{k}.{rest}"


def _timm_vgg(key: str) -> str:
    for ours, theirs in (("0", "pre_logits.fc1"), ("3", "pre_logits.fc2"), ("6", "head.fc")):
        key = key.replace(f"classifier.{ours}.", f"{theirs}.")
    return key


def _timm(name: str, keys) -> dict[str, str]:
    """Return timm's name of each key of a network."""
    if name.startswith("vgg"):
        return {key: _timm_vgg(key) for key in keys}
    if name.startswith("convnext"):
        return {key: _timm_convnext(key) for key in keys}
    return {key: _timm_mobile(key, name, keys) for key in keys}


def _timm_shape(name: str, key: str, shape):
    if name == "vgg11" and "pre_logits" in key and key.endswith("weight"):
        return (4096, 512, 7, 7) if "fc1" in key else (4096, 4096, 1, 1)
    if "conv_head" in key and len(shape) == 2:
        return (*shape, 1, 1)
    return shape[:1] if key.endswith("gamma") else shape


NAMES = [n for n in ("vgg11", "mobilenet-v2", "mobilenet-v3-small", "efficientnet-b0",
                     "convnext-tiny") if n in NETWORKS]  # fmt: skip


@pytest.mark.parametrize("order", ["of the file", "sorted"])
@pytest.mark.parametrize("name", NAMES)
def test_timms_names_of_a_network_are_torchvisions(name, order):
    own = {key: value.shape for key, value in _own(name).state_dict().items()}
    theirs = _timm(name, own)
    state = {new: _timm_shape(name, new, own[key]) for key, new in theirs.items()}
    if order == "sorted":
        state = dict(sorted(state.items()))
    assert corresponding(own, state) == {new: key for key, new in theirs.items()}


def test_a_shortcut_of_another_name_is_matched_with_the_shortcut():
    model = models.by_name("resnet18", (3, 32, 32), 10, rng=np.random.default_rng(0))
    own = model.state_dict()
    state = {
        k.replace("downsample", "shortcut").replace("fc.", "linear."): v for k, v in own.items()
    }
    assert set(state) != set(own)
    found = adapted(models.by_name("resnet18", (3, 32, 32), 10), state)
    assert not found.new_head
    for key, value in own.items():
        np.testing.assert_array_equal(found.state[key], value)
    (note,) = found.notes
    assert re.fullmatch(
        r"\d+ keys are named otherwise, and matched by the order and shapes of the layers: "
        r"layer\S+shortcut\S+ is layer\S+downsample\S+, linear\.bias is fc\.bias",
        note,
    )  # fmt: skip


def test_another_number_of_classes_leaves_the_last_layer_new():
    rng = np.random.default_rng(0)
    own = models.by_name("resnet18", (3, 32, 32), 10, rng=rng).state_dict()
    state = {
        k.replace("downsample", "shortcut").replace("fc.", "linear."): v for k, v in own.items()
    }
    found = adapted(models.by_name("resnet18", (3, 32, 32), 4), state)
    assert found.new_head
    assert found.state["fc.weight"].shape == (4, 512)
    np.testing.assert_array_equal(
        found.state["layer2.0.downsample.1.bias"], own["layer2.0.downsample.1.bias"]
    )


AMBIGUOUS = {
    "two alike in a block, by words": {"b.0.one.weight": (4, 4), "b.0.two.weight": (4, 4)},
    "the shortcut first": {"b.0.shortcut.weight": (4, 4), "b.0.conv1.weight": (4, 4)},
    "two alike, sorted by words": {"in.weight": (4, 4), "out.weight": (4, 4)},
    "one more": {"b.0.conv1.weight": (4, 4), "b.0.conv2.weight": (4, 4), "c.weight": (4, 4)},
    "one less": {"b.0.conv1.weight": (4, 4)},
    "other shapes": {"b.0.conv1.weight": (4, 4), "b.0.conv2.weight": (4, 5)},
    "transposed": {"b.0.conv1.weight": (4, 4), "b.0.conv2.weight": (2, 8)},
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_could_correspond_in_two_ways_or_not_at_all_is_not_matched(name):
    own = {"a.0.conv1.weight": (4, 4), "a.0.conv2.weight": (4, 4)}
    assert corresponding(own, AMBIGUOUS[name]) == {}
    numbered = {"b.0.conv1.weight": (4, 4), "b.0.conv2.weight": (4, 4)}
    assert list(corresponding(own, numbered).values()) == list(own)


def test_layers_of_one_block_that_lie_in_two_of_the_other_network_are_not_matched():
    own = {
        "a.0.x.weight": (4, 4),
        "a.0.y.weight": (8, 4),
        "a.1.x.weight": (4, 4),
        "a.1.y.weight": (8, 4),
    }
    state = {
        "b.0.x.weight": (4, 4),
        "b.1.x.weight": (4, 4),
        "b.1.y.weight": (8, 4),
        "b.0.y.weight": (8, 4),
    }
    assert corresponding(own, state) == {}
    assert corresponding(own, {k: state[k] for k in sorted(state)})


def test_converted_numbers_are_said():
    model = Sequential(fc=Linear(2, 2), out=Linear(2, 3))
    state = {k: v.astype(np.float16) for k, v in model.state_dict().items()}
    state["out.bias"] = state["out.bias"].astype(np.int64)
    assert adapted(model, state).notes == [
        "converted from float16 to float32: 3 arrays",
        "converted from int64 to float32: 1 array",
    ]


@pytest.mark.parametrize(("rest", "said"), [(1, "1 other array is"), (2, "2 other arrays are")])
def test_arrays_outside_of_the_network_are_left_out_and_counted(rest, said):
    model = Sequential(fc=Linear(2, 2), out=Linear(2, 3))
    state = {f"model.{k}": v for k, v in model.state_dict().items()}
    state |= {f"loss.{k}": np.ones(2, np.float32) for k in range(rest)}
    assert adapted(model, state).notes == [f"taken from under 'model.'; {said} left out"]


def test_weights_that_correspond_to_nothing_are_told_as_they_are():
    model = models.by_name("resnet20", (3, 32, 32), 10)
    state, _, _ = adapted(model, {"x.weight": np.ones((2, 2))})
    with pytest.raises(StateDictError, match="keys do not fit this model"):
        model.load_state_dict(state)
