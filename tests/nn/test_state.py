"""State dicts: what is refused, what is loaded, and that they are PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from nn.cases import CASES
from ops.witness import assert_agrees, tensor
from pellucid import nn
from pellucid.errors import StateDictError
from pellucid.models import SimpleConvNet


def _model(seed: int = 0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        conv=nn.Conv2d(1, 3, 3, rng=rng), norm=nn.BatchNorm2d(3), flat=nn.Flatten(),
        fc=nn.Linear(12, 2, rng=rng),
    )  # fmt: skip


def test_a_state_dict_is_a_copy_and_loads_again():
    first, second = _model(0), _model(1)
    state = first.state_dict()
    state["conv.weight"][...] = 5
    assert not (first["conv"].weight.data == 5).any()
    second.load_state_dict(first.state_dict())
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 4)).astype(np.float32)
    assert np.array_equal(first(x), second(x))


def test_every_difference_is_named_and_nothing_is_loaded():
    model, state = _model(0), _model(1).state_dict()
    before = model.state_dict()
    del state["fc.bias"], state["norm.running_var"]
    state["fc.extra"] = np.zeros((2, 3))
    state["conv.weight"] = state["conv.weight"][:2]
    with pytest.raises(StateDictError) as caught:
        model.load_state_dict(state)
    assert str(caught.value) == (
        "load_state_dict: 4 keys do not fit this model, and nothing was loaded:\n"
        "  mis-shaped: conv.weight must be (3, 1, 3, 3), received (2, 1, 3, 3)\n"
        "  missing: fc.bias (2,)\n"
        "  missing: norm.running_var (3,)\n"
        "  unexpected: fc.extra (2, 3)\n"
        "Build the model as it was when the weights were saved."
    )
    after = model.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_without_strict_only_a_wrong_shape_is_refused():
    model, other = _model(0), _model(1).state_dict()
    partial = {"fc.weight": other["fc.weight"], "elsewhere": np.zeros(3)}
    before = model.state_dict()
    model.load_state_dict(partial, strict=False)
    assert np.array_equal(model["fc"].weight.data, other["fc.weight"])
    assert np.array_equal(model["conv"].weight.data, before["conv.weight"])
    with pytest.raises(
        StateDictError, match=r"mis-shaped: fc\.bias must be \(2,\), received \(3,\)"
    ):
        model.load_state_dict({"fc.bias": np.zeros(3)}, strict=False)


@pytest.mark.parametrize("dtype", ["<U1", np.complex64])
def test_what_is_no_real_number_is_refused_before_anything_is_loaded(dtype):
    model = _model(0)
    before, state = model.state_dict(), _model(1).state_dict()
    state["fc.bias"] = np.zeros(2).astype(dtype)
    with pytest.raises(StateDictError, match=r"not real numbers: fc\.bias is (<U1|complex64)"):
        model.load_state_dict(state)
    after = model.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_one_number_is_not_spread_over_a_whole_array():
    model = _model()
    with pytest.raises(StateDictError, match=r"fc\.bias must be \(2,\), received \(\)"):
        model.load_state_dict(model.state_dict() | {"fc.bias": np.float32(1)})


def test_the_arrays_stay_the_same_objects_with_their_dtype():
    model = _model().astype(np.float64)
    arrays = {key: buffer.data for key, buffer in model.buffers().items()}
    model.load_state_dict(_model(1).state_dict())
    assert all(buffer.data is arrays[key] for key, buffer in model.buffers().items())
    assert model["conv"].weight.data.dtype == np.float64
    assert model["norm"].num_batches_tracked.data.dtype == np.int64


def test_astype_turns_all_floats_and_nothing_else():
    model = _model()
    assert model.astype(np.float64) is model
    dtypes = {key: buffer.data.dtype for key, buffer in model.buffers().items()}
    assert dtypes.pop("norm.num_batches_tracked") == np.int64
    assert set(dtypes.values()) == {np.dtype(np.float64)}


def _torch_simple(torch):
    return torch.nn.Sequential(
        *(
            torch.nn.Conv2d(1, 30, 5),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(30 * 6 * 6, 50),
            torch.nn.ReLU(),
            torch.nn.Linear(50, 10),
        )
    )


def test_a_whole_network_loads_torchs_weights_and_has_its_outputs_and_gradients(torch):
    torch.manual_seed(0)
    theirs = _torch_simple(torch)
    names = ["conv1", "relu1", "pool1", "flatten", "affine1", "relu2", "affine2"]
    ours = SimpleConvNet((1, 16, 16), hidden_size=50)
    ours.load_state_dict(
        {
            f"{names[int(place)]}.{rest}": value.numpy()
            for key, value in theirs.state_dict().items()
            for place, _, rest in [key.partition(".")]
        }
    )
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(20, 1, 16, 16)).astype(np.float32), rng.integers(0, 10, 20)
    tx = tensor(torch, x)
    scores = theirs(tx)
    torch_loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(labels))
    torch_loss.backward()
    loss = nn.SoftmaxCrossEntropy()
    y = ours(x)
    value = loss(y, labels)
    dx = ours.backward(loss.backward())
    assert_agrees(y, scores.detach().numpy(), what="SimpleConvNet scores")
    assert_agrees(np.float32(value), np.float32(torch_loss.item()), what="SimpleConvNet loss")
    assert_agrees(dx, tx.grad.numpy(), what="SimpleConvNet dx")
    for p, (key, q) in zip(ours.parameters().values(), theirs.named_parameters(), strict=True):
        assert_agrees(p.grad, q.grad.numpy(), what=f"SimpleConvNet {key}")


def test_keys_and_shapes_are_those_of_torch_in_a_nested_network(torch):
    def build(lib, sequential):
        return sequential(
            lib.Conv2d(1, 4, 3, bias=False),
            sequential(lib.BatchNorm2d(4), lib.ReLU()),
            lib.Conv2d(4, 6, (2, 3), groups=2),
            lib.Flatten(),
            lib.Linear(6, 3),
        )

    ours = build(nn, nn.Sequential).state_dict()
    theirs = build(torch.nn, torch.nn.Sequential).state_dict()
    assert [(k, v.shape) for k, v in ours.items()] == [
        (k, tuple(v.shape)) for k, v in theirs.items()
    ]


def test_buffers_are_no_parameters():
    model = _model()
    assert set(model.buffers()) - set(model.parameters()) == {
        "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
    }  # fmt: skip
    assert repr(model["norm"].weight) == "Parameter(shape=(3,), dtype=float32)"
    assert repr(model["norm"].running_mean) == "Buffer(shape=(3,), dtype=float32)"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_parameter_count_is_the_sum_of_the_sizes(case):
    layer = case.build()
    assert layer.parameter_count() == sum(p.data.size for p in layer.parameters().values())
