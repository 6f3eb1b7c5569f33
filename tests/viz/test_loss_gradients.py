"""The gradient of the loss for every value and weight, against differences and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import nn
from pellucid.errors import ArgumentError, ShapeError
from pellucid.nn import walk
from pellucid.viz.analysis.loss_gradients import loss_gradients
from pellucid.viz.analysis.studied import copied
from viz.gradient_nets import branching, seeded, trained_norms, values_of


def loss_from(nodes, values, made, target):
    """Return the loss if the values up to ``made`` are given and the later ones follow."""
    known = [value[None] for value in values[: made + 1]]
    for node in nodes[made:]:
        known.append(node.layer(*(known[k] for k in node.reads)))
    scores = known[-1].reshape(-1)
    return float(np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[target])


def test_every_gradient_is_the_numerical_one():
    model = branching().astype(np.float64).eval()
    image = np.random.default_rng(0).normal(size=(2, 6, 6))
    values, nodes = values_of(model, image), walk.flattened(model)
    found = loss_gradients(model, values, 2)
    rng, eps = np.random.default_rng(1), 1e-6
    for value, array in enumerate(values):
        for _ in range(4):
            unit = tuple(int(rng.integers(n)) for n in array.shape)
            both = []
            for step in (eps, -eps):
                moved = [v.copy() for v in values]
                moved[value][unit] += step
                both.append(loss_from(nodes, moved, value, 2))
            slope = (both[0] - both[1]) / (2 * eps)
            assert found.gradients[value][unit] == pytest.approx(slope, abs=1e-7)


def test_every_weight_has_the_gradient_of_its_own_backward():
    model = branching().astype(np.float64).eval()
    image = np.random.default_rng(0).normal(size=(2, 6, 6))
    found = loss_gradients(model, values_of(model, image), 1)
    loss = nn.SoftmaxCrossEntropy()
    loss(model(image[None]), np.array([1]))
    dx = model.backward(loss.backward())
    np.testing.assert_allclose(found.gradients[0], dx[0], atol=1e-12)
    assert found.owners.keys() == model.parameters().keys()
    for key, parameter in model.parameters().items():
        np.testing.assert_allclose(found.weight(key), parameter.grad, atol=1e-12)


def test_a_network_has_the_gradients_of_pytorch(torch):
    rng = np.random.default_rng(2)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1, rng=rng), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16, 5, rng=rng),
    )  # fmt: skip
    t = torch.nn
    twin = t.Sequential(
        t.Conv2d(3, 4, 3, 2, 1), t.ReLU(), t.MaxPool2d(2), t.Flatten(), t.Linear(16, 5)
    )
    twin.load_state_dict({k: torch.from_numpy(v) for k, v in model.state_dict().items()})
    image = rng.normal(size=(3, 8, 8)).astype(np.float32)
    found = loss_gradients(model, values_of(model, image), 3)
    x = torch.from_numpy(image[None]).requires_grad_()
    kept = [x]
    for layer in twin:
        kept.append(layer(kept[-1]))
        kept[-1].retain_grad()
    loss = t.functional.cross_entropy(kept[-1], torch.tensor([3]))
    loss.backward()
    assert found.loss == pytest.approx(loss.item(), rel=1e-6)
    for ours, theirs in zip(found.gradients, kept, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs.grad[0], atol=1e-6)
    for key, theirs in twin.named_parameters():
        np.testing.assert_allclose(found.weight(key), theirs.grad, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "shape"), [("resnet20", (3, 32, 32)), ("lenet-1998", (1, 32, 32))]
)
def test_the_model_is_left_as_it_was(name, shape):
    model = trained_norms(seeded(name, shape)).train()
    image = np.random.default_rng(0).random(shape, np.float32)
    values = values_of(model, image)
    state = model.state_dict()
    marked = {key: object() for key in model.parameters()}
    for key, parameter in model.parameters().items():
        parameter.grad = marked[key]
    caches = {path: layer._memory for path, layer in model.layers()}
    found = loss_gradients(model, values, 0)
    assert all(np.isfinite(g).all() for g in found.gradients)
    assert {key: p.grad for key, p in model.parameters().items()} == marked
    assert all(layer._memory is caches[path] for path, layer in model.layers())
    assert all(layer.training for _, layer in model.layers())
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[key])


def test_a_softmax_at_the_end_is_part_of_the_loss():
    rng = np.random.default_rng(5)
    plain = nn.Sequential(fc=nn.Linear(3, 4, rng=rng))
    model = nn.Sequential(fc=dict(plain.children())["fc"], softmax=nn.Softmax(1))
    image = np.array([300, -200, 50], np.float32)  # a probability underflows to zero
    scores = values_of(plain, image)[-1]
    target = int(scores.argmin())
    without = loss_gradients(plain, values_of(plain, image), target)
    found = loss_gradients(model, values_of(model, image), target)
    assert found.probabilities[target] == 0
    assert found.loss == pytest.approx(without.loss)
    np.testing.assert_allclose(found.gradients[1], without.gradients[1])
    np.testing.assert_allclose(found.gradients[0], without.gradients[0])
    assert (found.output, found.scores_value) == (2, 1)


def test_of_several_outputs_one_is_compared_with_the_class():
    rng = np.random.default_rng(6)
    model = nn.Graph(
        {
            "a": (nn.Linear(3, 4, rng=rng), "x"),
            "b": (nn.Linear(4, 2, rng=rng), "a"),
            "c": (nn.Linear(3, 2, rng=rng), "x"),
        },
        output=("b", "c"),
    )
    image = rng.normal(size=3).astype(np.float32)
    values = values_of(model, image)
    first = loss_gradients(model, values, 1)
    assert first.output == walk.output_values(model)[0]
    other = walk.output_values(model)[1]
    assert not first.gradients[other].any()
    assert not first.weight("c.weight").any()
    second = loss_gradients(model, values, 1, output=other)
    assert second.weight("c.weight").any()
    assert not second.weight("a.weight").any()
    with pytest.raises(ArgumentError, match="must be the number of an output"):
        loss_gradients(model, values, 1, output=0)


def test_what_has_no_scores_is_refused():
    model = nn.Sequential(nn.Conv2d(1, 2, 3))
    with pytest.raises(ShapeError, match="must end in one score a class"):
        loss_gradients(model, [np.zeros((1, 5, 5)), np.zeros((2, 3, 3))], 0)
    model = nn.Sequential(nn.Linear(2, 3))
    with pytest.raises(ArgumentError, match="must be a class from 0 to 2, received 3"):
        loss_gradients(model, [np.zeros(2), np.zeros(3)], 3)
    with pytest.raises(ShapeError, match="expects 2 values"):
        loss_gradients(model, [np.zeros(2)], 0)


def test_the_join_of_a_block_is_copied_without_the_block():
    class Single(nn.ReLU):
        def __deepcopy__(self, memo):
            raise AssertionError("the block was copied")

    block = nn.Residual(Single())
    join = block.wiring()[-1].layer
    twin = copied(join)
    a = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(twin(a, a), 2 * a)
    assert twin.backward(a)[0].tolist() == a.tolist()
    assert block._memory is None
