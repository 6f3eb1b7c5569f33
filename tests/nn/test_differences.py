"""Weights that do not fit: the pattern of what differs, and its mend, in a few lines."""

from __future__ import annotations

import functools
import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import models, nn
from pellucid.errors import StateDictError
from pellucid.nn.adapt import adapted
from pellucid.nn.differences import told
from pellucid.nn.init import without_values


def _resnet(classes=10):
    return models.by_name("resnet18", (3, 32, 32), classes, rng=np.random.default_rng(classes))


@pytest.fixture(scope="module")
def resnet():
    return _resnet().state_dict()


def refused(model, state, *, strict=True):
    """Return what is said, and check that nothing was loaded."""
    before = model.state_dict()
    with pytest.raises(StateDictError) as caught:
        model.load_state_dict(state, strict=strict)
    after = model.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)
    said = str(caught.value)
    assert len(said.split("\n")) <= 11
    return said.removeprefix("load_state_dict: ")


def follow(said: str, state):
    """Do what a refusal says: evaluate the comprehension in it."""
    return eval(re.search(r"\{k.*state\.items\(\).*?\}", said)[0], {"state": state})


@pytest.mark.parametrize(
    ("prefix", "who"),
    [
        ("module.", ", as DataParallel saves them,"),
        ("_orig_mod.", ", as torch.compile saves them,"),
        ("_orig_mod.module.", ", as DataParallel saves them,"),
        ("model.", ","),
        ("net.backbone.", ","),
        ("weights/", ","),
    ],
)
def test_a_prefix_before_every_key_is_one_line_whose_mend_works(prefix, who, resnet):
    state = {prefix + key: value for key, value in resnet.items()}
    model = _resnet()
    said = refused(model, state)
    assert said == (
        f"every key begins with {prefix!r}{who} and no key of this model does; nothing was loaded. "
        f"Load {{k.removeprefix({prefix!r}): v for k, v in state.items()}}."
    )
    assert refused(model, state, strict=False) == said
    model.load_state_dict(follow(said, state))
    assert np.array_equal(model.state_dict()["fc.weight"], resnet["fc.weight"])


def test_a_prefix_besides_other_keys_says_which_to_take(resnet):
    state = {f"model.{key}": value for key, value in resnet.items()}
    state |= {"criterion.weight": np.ones(10), "step": np.array(3)}
    said = refused(_resnet(), state)
    assert said.startswith(
        "the weights of this model are under 'model.' besides 2 other keys; nothing was load"
    )
    _resnet().load_state_dict(follow(said, state))


def test_weights_that_are_there_twice_are_not_chosen_from(resnet):
    state = {f"{name}.{key}": v for name in ("ema", "model") for key, v in resnet.items()}
    said = refused(_resnet(), state)
    assert said.startswith("the weights occur 2 times, under 'ema.' and 'model.'; nothing was")
    _resnet().load_state_dict(follow(said, state))
    with pytest.raises(StateDictError, match=r"2 times, under 'ema\.' and 'model\.'\. Save the"):
        adapted(_resnet(), state)


def test_a_wrapper_within_the_keys_is_one_line(resnet):
    state = {k.replace("layer1.", "layer1.module."): v for k, v in resnet.items()}
    said = refused(_resnet(), state)
    assert said.startswith("keys hold 'module', as DataParallel saves them, which this model's do")
    _resnet().load_state_dict(follow(said, state))
    assert adapted(_resnet(), state).notes == ["taken without 'module.' in the keys"]


def test_keys_of_a_part_of_the_model_are_told_where_they_belong():
    part = nn.Sequential(a=nn.Linear(2, 3), b=nn.Linear(3, 2))
    whole = nn.Sequential(net=part, head=nn.Linear(2, 1))
    state = {key.removeprefix("net."): v for key, v in whole.state_dict().items() if "net." in key}
    said = refused(whole, state)
    assert said == (
        "the keys are those of this model's 'net', without its name; nothing was loaded. Load them "
        "into it: nn.layer_at(model, 'net').load_state_dict(state)."
    )
    nn.layer_at(whole, "net").load_state_dict(state)


def test_a_prefix_and_other_differences_are_both_told(resnet):
    state = {f"module.{key}": v for key, v in resnet.items() if not key.startswith("fc.")}
    state["module.classifier.weight"] = np.zeros((10, 512), np.float32)
    said = refused(_resnet(), state)
    assert said.startswith(
        "keys begin with 'module.', as DataParallel saves them, and without it 3 keys do not fit "
        "this model, and nothing was loaded:\n  missing: fc.bias (10,)\n  missing: fc.weight"
    )


def test_a_small_model_is_not_found_in_each_layer_of_a_large_one(resnet):
    said = refused(nn.Linear(7, 3), resnet)
    assert "missing: weight (3, 7)" in said
    assert "times" not in said


# Batch norms of old files.


def test_old_files_that_count_no_batches_are_loaded_and_the_count_begins_at_0(resnet):
    old = {key: v for key, v in resnet.items() if not key.endswith("num_batches_tracked")}
    model = _resnet()
    model.layers()
    for key, buffer in model.buffers().items():
        if key.endswith("num_batches_tracked"):
            buffer.data[...] = 7
    model.load_state_dict({}, strict=False)
    assert model.state_dict()["bn1.num_batches_tracked"] == 7
    model.load_state_dict(old)
    assert model.state_dict()["bn1.num_batches_tracked"] == 0
    assert np.array_equal(model.state_dict()["bn1.running_var"], resnet["bn1.running_var"])
    assert adapted(model, old).notes == ["num_batches_tracked, missing in the file, starts at 0"]
    del old["bn1.running_var"]
    assert "1 key does not fit" in refused(model, old)


# Other names, other orders.


def renamed(state, **endings):
    for old, new in endings.items():
        state = {re.sub(rf"(bn\d)\.{old}$", rf"\1.{new}", key): v for key, v in state.items()}
    return state


def test_names_of_keras_are_told_by_their_endings(resnet):
    said = refused(_resnet(), renamed(resnet, weight="gamma", bias="beta"))
    assert said.split("\n")[1:] == [
        "  17 keys are called gamma, which is weight here: rename them.",
        "  17 keys are called beta, which is bias here: rename them.",
    ]


@pytest.mark.parametrize("kind", ["weight_norm", "parametrizations", "prune", "spectral"])
def test_reparametrized_weights_are_told_with_what_folds_them(kind, torch):
    from torch.nn.utils import parametrizations, prune, spectral_norm

    layers = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Linear(3, 4))
    for layer in layers:
        if kind == "weight_norm":
            with pytest.warns(FutureWarning):
                torch.nn.utils.weight_norm(layer)
        elif kind == "parametrizations":
            parametrizations.weight_norm(layer)
        elif kind == "prune":
            prune.random_unstructured(layer, "weight", amount=0.5)
        else:
            spectral_norm(layer)
    names = {"0": "conv", "1": "fc"}
    state = {names[k[0]] + k[1:]: v.numpy() for k, v in layers.state_dict().items()}
    said = refused(nn.Sequential(conv=nn.Conv2d(1, 2, 3), fc=nn.Linear(3, 4)), state)
    what, mend = {
        "weight_norm": ("weight norm", "remove_weight_norm"),
        "parametrizations": ("weight norm", "remove_parametrizations"),
        "prune": ("pruned layers", "prune.remove"),
        "spectral": ("spectral norm", "remove_spectral_norm"),
    }[kind]
    assert "2 keys are of" in said
    assert what in said
    assert mend in said


@pytest.mark.parametrize(
    ("order", "what", "mend"),
    [
        ((2, 3, 1, 0), "as TensorFlow keeps them", ".transpose(3, 2, 0, 1)"),
        ((0, 2, 3, 1), "channels last", ".transpose(0, 3, 1, 2)"),
    ],
)
def test_axes_in_another_order_are_told_with_what_turns_them(order, what, mend):
    model = nn.Sequential(a=nn.Conv2d(3, 8, 5), b=nn.Conv2d(8, 16, 3), f=nn.Linear(7, 4))
    state = model.state_dict()
    turned = {k: v.transpose(order) if v.ndim == 4 else v.T for k, v in state.items()}
    said = refused(model, turned)
    assert "mis-shaped: a.weight, b.weight are in the axis order (" in said
    assert what in said
    assert f"load v{mend} in place of v" in said
    assert "f.weight is transposed, (in, out) as Keras and the book keep them" in said
    axes = eval(mend.removeprefix(".transpose"))
    assert np.array_equal(turned["a.weight"].transpose(axes), state["a.weight"])


def test_another_number_of_classes_alone_says_how_to_load_the_rest(resnet):
    model = _resnet(3)
    said = refused(model, resnet)
    assert said == (
        "2 keys do not fit this model, and nothing was loaded:\n"
        "  mis-shaped: fc.bias must be (3,), received (10,)\n"
        "  mis-shaped: fc.weight must be (3, 512), received (10, 512)\n"
        "Only the last layer 'fc' differs, with 10 outputs there and 3 in this model. Load the "
        "others: {k: v for k, v in state.items() if not k.startswith('fc.')} with strict=False."
    )
    model.load_state_dict(follow(said, resnet), strict=False)
    assert np.array_equal(model.state_dict()["conv1.weight"], resnet["conv1.weight"])


def test_another_network_is_told_in_a_few_lines(resnet):
    model = models.by_name("googlenet", (3, 64, 64), 10)
    said = refused(model, resnet)
    assert len(said.split("\n")) <= 10
    assert re.match(r"\d+ keys do not fit this model, and nothing was loaded:\n", said)
    assert said.endswith("Build the model as it was when the weights were saved.")


NETWORKS = (
    *("simple", "alexnet-torchvision", "vgg11", "googlenet", "resnet18", "resnet20"),
    *("squeezenet", "mobilenet-v2", "mobilenet-v3-small", "efficientnet-b0"),
)


@pytest.mark.parametrize("two", [*itertools.permutations(NETWORKS, 2)], ids="-".join)
def test_weights_of_one_network_for_another_are_told_in_at_most_eight_lines(two):
    own, state = map(_shapes_of, two)
    said = told(own, state)
    assert len(said.split("\n")) <= 8
    assert max(map(len, said.split("\n"))) <= 160
    normed = [any(key.endswith("running_mean") for key in keys) for keys in (own, state)]
    assert ("batch norms, which" in said) == (normed[0] != normed[1])


@functools.cache
def _shapes_of(name):
    with without_values():
        network = models.by_name(name, *models.published_for(name))
    return {key: value.shape for key, value in network.state_dict().items()}


def test_biases_alone_are_grouped_by_their_ending():
    with_bias = nn.Sequential(**{f"c{k}": nn.Conv2d(1, 1, 3) for k in range(12)})
    without = nn.Sequential(**{f"c{k}": nn.Conv2d(1, 1, 3, bias=False) for k in range(12)})
    assert "unexpected: c0.bias (1,) and 11 more that end with .bias" in refused(
        without, with_bias.state_dict()
    )
    assert "missing: c0.bias (1,) and 11 more that end with .bias" in refused(
        with_bias, without.state_dict()
    )


def test_the_same_shapes_under_other_names_are_told():
    model = nn.Sequential(a=nn.Linear(2, 3), b=nn.Linear(3, 4))
    state = {
        key.replace("a.", "0.").replace("b.", "2."): v for key, v in model.state_dict().items()
    }
    assert "only the names differ: rename the keys of the file" in refused(model, state)


def test_batch_norms_and_axes_of_one_under_other_names_are_told_too():
    model = nn.Sequential(a=nn.Conv2d(1, 2, 1), b=nn.BatchNorm2d(2), c=nn.LayerScale(2))
    state = {
        key.replace("b.", "norm.").replace("c.", "gamma."): np.squeeze(v)
        for key, v in model.state_dict().items()
        if not key.startswith("a.")
    } | {"a.weight": model["a"].weight.data, "a.bias": model["a"].bias.data}
    assert "only the names differ: rename the keys of the file" in refused(model, state)


def test_hostile_keys_bring_no_control_characters_into_a_message():
    said = refused(nn.Linear(2, 3), {"\x1b[31m" + "x" * 10**6: np.ones(2), "weight": np.ones(1)})
    assert "\x1b" not in said
    assert len(said) < 1000


# Numbers.


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "a.weight",
            np.full((3, 2), 1e300),
            "out of range: a.weight has numbers too large for float32",
        ),
        ("n.num_batches_tracked", np.array(0.5), "out of range: n.num_batches_tracked has numbers"),
        ("n.num_batches_tracked", np.array(np.nan), "out of range: n.num_batches_tracked"),
        ("n.num_batches_tracked", np.array(2**63, np.uint64), "out of range: n.num_batches_trac"),
        ("a.weight", np.full((3, 2), "x"), "not real numbers: a.weight is <U1"),
    ],
)
def test_numbers_that_the_model_cannot_hold_are_refused(key, value, said):
    model = nn.Sequential(a=nn.Linear(2, 3), n=nn.BatchNorm2d(3))
    assert said in refused(model, model.state_dict() | {key: value})


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4", ">f2"])
def test_other_floats_are_converted(dtype):
    model = nn.Linear(2, 3)
    state = {key: value.astype(dtype) for key, value in model.state_dict().items()}
    state["bias"][0] = np.inf
    model.load_state_dict(state)
    assert model.weight.data.dtype == np.float32
    assert np.array_equal(model.weight.data, state["weight"].astype(np.float32))


# Weights for a network of ours.


def _googlenet_with_aux(state):
    aux = {f"aux{k}.fc.weight": np.zeros((10, 4), np.float32) for k in (1, 2)}
    return state | aux


def test_auxiliary_classifiers_are_left_out_and_a_prefix_taken_away():
    model = nn.Sequential(conv=nn.Conv2d(1, 2, 3), fc=nn.Linear(2, 3))
    state = {f"module.{k}": v for k, v in _googlenet_with_aux(model.state_dict()).items()}
    fitted = adapted(model, state)
    assert fitted.notes == [
        "taken without 'module.' before every key",
        "without aux1 and aux2 (2 arrays), which serve training only",
    ]
    assert not fitted.new_head
    model.load_state_dict(fitted.state)


def test_a_file_without_a_last_layer_or_with_another_one_keeps_the_models_own(resnet):
    model = _resnet(3)
    for state in (resnet, {k: v for k, v in resnet.items() if not k.startswith("fc.")}):
        fitted = adapted(model, state)
        assert fitted.new_head
        model.load_state_dict(fitted.state)
        assert model.state_dict()["fc.bias"].shape == (3,)


def test_weights_that_are_not_finite_are_refused(resnet):
    bad = resnet["conv1.weight"].copy()
    bad[0, 0, 0, :2] = np.nan, np.inf
    with pytest.raises(
        StateDictError, match=r"^2 of the .* numbers of conv1\.weight are NaN or in"
    ):
        adapted(_resnet(), resnet | {"conv1.weight": bad})


def test_extra_biases_are_no_reason_to_leave_anything_out(resnet):
    state = adapted(_resnet(), resnet | {"conv1.bias": np.ones(64, np.float32)}).state
    assert "unexpected: conv1.bias (64,)" in refused(_resnet(), state)


def test_a_network_of_torch_in_a_wrapper_goes_into_ours(torch, tmp_path):
    import importlib

    from pellucid.formats import read_tensors

    save_file = importlib.import_module("safetensors.torch").save_file
    theirs = torch.nn.Sequential()
    theirs.add_module("conv", torch.nn.Conv2d(1, 2, 3))
    theirs.add_module("norm", torch.nn.BatchNorm2d(2))
    theirs.add_module("fc", torch.nn.Linear(2, 5))
    wrapped = torch.nn.DataParallel(theirs.bfloat16())
    save_file(wrapped.state_dict(), tmp_path / "w.safetensors")
    model = nn.Sequential(conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2), fc=nn.Linear(2, 3))
    fitted = adapted(model, read_tensors(tmp_path / "w.safetensors")[0])
    assert fitted.notes == ["taken without 'module.' before every key"]
    assert fitted.new_head
    model.load_state_dict(fitted.state)
    assert np.array_equal(
        model.state_dict()["conv.weight"], theirs.conv.weight.detach().float().numpy()
    )


@given(seed=st.integers(0, 2**32 - 1))
def test_whatever_differs_is_told_in_at_most_ten_lines(seed):
    rng = np.random.default_rng(seed)
    parts = ("a", "b", "module", "weight", "bias", "weight_g", "weight_v", "gamma", "net", "")
    sizes = ((), (2,), (3, 2), (2, 3), (4, 3, 2, 2), (2, 2, 3, 4))

    def drawn(most):
        return {
            ".".join(rng.choice(parts, rng.integers(1, 4))): sizes[rng.integers(len(sizes))]
            for _ in range(rng.integers(0, most))
        }

    own, state = drawn(30), drawn(60)
    if rng.random() < 0.5:
        state |= {f"module.{key}": shape for key, shape in own.items()}
    for strict in (True, False):
        said = told(own, state, strict=strict)
        assert len(said.split("\n")) <= 12
        fits = all(own[key] == state[key] for key in own.keys() & state.keys())
        if strict:
            assert bool(said) == (own != state)
        elif not fits:
            assert said


def test_a_key_of_a_million_dots_takes_no_time():
    assert told({"a": (2,)}, {"." * 10**6: (2,), "a." * 10**5: (2,)})
