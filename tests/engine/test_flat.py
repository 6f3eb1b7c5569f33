"""All weights in one array, their gradients in another, and one launch for the update."""

import copy
import pickle

import numpy as np
import pytest

from pellucid import engine, nn, optim
from pellucid.engine.cpu import updates
from pellucid.engine.cpu.updates import update
from pellucid.engine.flat import flat_weights, weights_of
from pellucid.errors import ArgumentError

SHAPE = (2, 9, 9)
RULES = ["sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw"]


class Gain(nn.Layer):
    """A layer without a step, whose gradient is an array of its own, of another dtype."""

    def __init__(self) -> None:
        self.gain = nn.Parameter(np.full(1, 1.5, dtype=np.float32))

    def forward(self, x):
        self.remember(x)
        return x * self.gain.data

    def backward(self, dy):
        (x,) = self.recall()
        self.gain.grad = np.vdot(dy, x).reshape(1).astype(np.float64)
        return dy * self.gain.data


def network() -> nn.Sequential:
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Conv2d(2, 5, 3, rng=rng), nn.BatchNorm2d(5), nn.ReLU(), Gain(),
        nn.Conv2d(5, 3, 3, bias=False, rng=rng), nn.Flatten(),
        nn.Linear(75, 7, rng=rng), nn.ReLU(), nn.Linear(7, 4, bias=False, rng=rng),
    )  # fmt: skip


def batch(seed=1, n=6):
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=(n, *SHAPE)), rng.normal(size=(n, 4))
    return x.astype(np.float32), dy.astype(np.float32)


def learned(model, seed=1):
    """Return a plan of the model after a forward and a backward."""
    plan = engine.compile(model.train(), SHAPE, 6)
    back(plan, seed)
    return plan


def back(plan, seed=1):
    x, dy = batch(seed)
    plan(x)
    plan.backward(dy)


def separated(parameters):
    """Return copies whose arrays lie apart: what the update does one by one."""
    found = {}
    for name, p in parameters.items():
        found[name] = nn.Parameter(p.data.copy())
        found[name].grad, found[name].rate = p.grad.copy(), p.rate
        found[name].decay = p.decay
    return found


@pytest.fixture
def launches(monkeypatch):
    counted = []
    launch = updates._launch

    def count(optimizer, lr, t, weight_decay, arrays):
        counted.append((lr, t, arrays[0].size))
        launch(optimizer, lr, t, weight_decay, arrays)

    monkeypatch.setattr(updates, "_launch", count)
    return counted


def test_every_parameter_and_its_gradient_is_an_aligned_view():
    model = network()
    before = model.state_dict()
    plan = learned(model)
    for key, p in model.parameters().items():
        np.testing.assert_array_equal(p.data, before[key])
        for a, whole in ((p.data, plan.weights), (p.grad, plan.gradients)):
            assert np.shares_memory(a, whole), key
            assert (a.ctypes.data % 64, a.flags.c_contiguous, a.dtype) == (0, True, np.float32)
    assert plan.weights.shape == plan.gradients.shape
    assert plan.weights.ctypes.data % 64 == plan.gradients.ctypes.data % 64 == 0


def test_the_gradients_are_those_of_the_layers():
    model, plain = network(), network().train()
    learned(model)
    x, dy = batch()
    plain(x)
    plain.backward(dy)
    for key, p in plain.parameters().items():
        np.testing.assert_allclose(model.parameters()[key].grad, p.grad, rtol=1e-3, atol=1e-4)


def test_inference_moves_nothing():
    model = network()
    before = {key: p.data for key, p in model.parameters().items()}
    engine.compile(model.eval(), SHAPE, 6)(batch()[0])
    assert all(p.data is before[key] for key, p in model.parameters().items())


@pytest.mark.parametrize("rule", RULES)
def test_one_launch_gives_the_bits_of_one_for_each(rule, launches):
    model, flat, apart = network(), optim.by_name(rule), optim.by_name(rule)
    nn.set_decay(model, {"*": 1})
    plan = learned(model)
    others = separated(model.parameters())
    for seed in (1, 2, 3):
        back(plan, seed)
        for name, p in model.parameters().items():
            others[name].grad = p.grad.copy()
        launches.clear()
        update(flat, model.parameters())
        assert len(launches) == 1
        update(apart, others)
        assert len(launches) == 1 + len(others)
    for name, p in model.parameters().items():
        np.testing.assert_array_equal(p.data, others[name].data)
    kept, expected = flat.state_dict(), apart.state_dict()
    assert kept.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(kept[key], value)


def test_neighbours_of_one_weight_decay_go_together(launches):
    model, flat, apart = network(), optim.AdamW(0.1), optim.AdamW(0.1)
    plan = learned(model)
    others = separated(model.parameters())
    for seed in (1, 2):
        back(plan, seed)
        for name, p in model.parameters().items():
            others[name].grad = p.grad.copy()
        launches.clear()
        update(flat, model.parameters())
        # weight | bias, norm | gain, weight, weight | bias | weight
        assert len(launches) == 5
        update(apart, others)
    for name, p in model.parameters().items():
        np.testing.assert_array_equal(p.data, others[name].data)


def test_parameters_of_one_rate_and_count_go_together(launches):
    model = network()
    parameters = model.parameters()
    names = list(parameters)
    parameters[names[0]].rate = 0.5
    parameters[names[3]].rate = 0
    plan, rule = learned(model), optim.Adam(0.01)
    others = separated({k: p for k, p in parameters.items() if p.rate})
    others[names[3]] = nn.Parameter(parameters[names[3]].data.copy())
    others[names[3]].rate = 0
    others, apart = {name: others[name] for name in names}, optim.Adam(0.01)

    def step():
        back(plan)
        for name, p in parameters.items():
            others[name].grad, others[name].rate = None if not p.rate else p.grad.copy(), p.rate
        launches.clear()
        update(rule, parameters)
        seen = list(launches)
        update(apart, others)
        return [(lr, t) for lr, t, _ in seen]

    assert step() == [(0.005, 1), (0.01, 1), (0.01, 1)]  # half, before and after the frozen one
    parameters[names[3]].rate = 1.0
    assert step() == [(0.005, 2), (0.01, 2), (0.01, 1), (0.01, 2)]
    for name, p in parameters.items():
        np.testing.assert_array_equal(p.data, others[name].data)
    assert f"m.{names[3]}" in rule.state_dict()


def test_what_is_frozen_has_no_memory_in_a_saved_state(launches):
    model = network()
    name = next(iter(model.parameters()))
    model.parameters()[name].rate = 0
    learned(model)
    rule = optim.Adam()
    update(rule, model.parameters())
    assert not any(key.endswith(name) for key in rule.state_dict() if key[0] in "mv")


def test_a_state_continues_to_the_bit_in_another_optimizer():
    model = network()
    plan, rule = learned(model), optim.Adam()
    update(rule, model.parameters())
    twin, other = copy.deepcopy(model), optim.Adam()
    other.load_state_dict(rule.state_dict())
    twin_plan = learned(twin)
    for seed in (4, 5):
        back(plan, seed), back(twin_plan, seed)
        update(rule, model.parameters())
        update(other, twin.parameters())
    for p, q in zip(model.parameters().values(), twin.parameters().values(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_loading_a_state_amid_a_training_counts(launches):
    model = network()
    plan, rule = learned(model), optim.Adam()
    update(rule, model.parameters())
    state, weights = rule.state_dict(), model.state_dict()
    kept = {name: memory["m"] for name, memory in rule.memory.items()}
    values = {name: m.copy() for name, m in kept.items()}
    back(plan, 2)
    update(rule, model.parameters())
    first = model.state_dict()
    rule.load_state_dict(state)
    model.load_state_dict(weights)
    back(plan, 2)
    launches.clear()
    held = {name: m.copy() for name, m in kept.items()}
    update(rule, model.parameters())
    assert len(launches) == 1
    for key, value in model.parameters().items():
        np.testing.assert_array_equal(value.data, first[key])
    assert any((held[name] != values[name]).any() for name in kept)
    back(plan, 3)
    update(rule, model.parameters())
    for name, m in kept.items():  # arrays that were replaced are nobody's buffer afterwards
        np.testing.assert_array_equal(m, held[name])


def test_weights_assigned_between_two_steps_count_and_what_was_there_stays():
    model, plain = network().train(), network().train()
    plan = learned(model)
    kept, w = model[0].weight.data, np.full_like(model[0].weight.data, 0.25)
    before = kept.copy()
    model[0].weight.data = w
    plain[0].weight.data = w.copy()
    rules = optim.Adam(), optim.Adam()
    x, dy = batch(2)
    back(plan, 2)
    plain.load_state_dict(model.state_dict())
    plain(x)
    plain.backward(dy)
    for key, p in plain.parameters().items():
        np.testing.assert_allclose(model.parameters()[key].grad, p.grad, rtol=1e-3, atol=1e-4)
    update(rules[0], model.parameters())
    np.testing.assert_array_equal(kept, before)
    assert np.shares_memory(model[0].weight.data, plan.weights)
    assert (model[0].weight.data != 0.25).all()


def test_two_weights_exchanged_are_exchanged():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    plan = engine.compile(model, (8,), 3)
    a, b = model[0].weight, model[1].weight
    plan.weights[...] = np.arange(plan.weights.size)
    one, two = a.data.copy(), b.data.copy()
    a.data, b.data = b.data, a.data
    plan(np.ones((3, 8), np.float32))
    plan.backward(np.ones((3, 8), np.float32))
    np.testing.assert_array_equal(a.data, two)
    np.testing.assert_array_equal(b.data, one)


def test_weights_assigned_between_backward_and_update_are_updated(launches):
    model = network()
    learned(model)
    w = model[0].weight
    w.data = np.zeros_like(w.data)
    update(optim.SGD(1.0), model.parameters())
    np.testing.assert_array_equal(w.data, -w.grad)
    assert len(launches) == 3 - 1  # that one alone, and all after it


def test_a_gradient_replaced_before_the_update_counts():
    model = network()
    learned(model)
    parameters = list(model.parameters().values())
    before = [p.data.copy() for p in parameters]
    a, b = parameters[1], parameters[2]
    a.grad, b.grad = b.grad, a.grad  # both have a number a channel
    update(optim.SGD(1.0), model.parameters())
    for p, w in zip(parameters, before, strict=True):
        np.testing.assert_allclose(p.data, w - p.grad, rtol=1e-6, atol=1e-6)


def test_two_plans_share_the_weights_and_have_gradients_of_their_own():
    model = network()
    one = learned(model)
    whole = one.weights
    first = {key: p.grad for key, p in model.parameters().items()}
    kept = {key: g.copy() for key, g in first.items()}
    two = learned(model, 5)
    assert two.weights is whole is one.weights
    assert not np.shares_memory(one.gradients, two.gradients)
    for key, g in first.items():
        np.testing.assert_array_equal(g, kept[key])
        assert np.shares_memory(model.parameters()[key].grad, two.gradients)
    before = model.state_dict()
    update(optim.SGD(1.0), model.parameters())
    for key, p in model.parameters().items():
        np.testing.assert_array_equal(p.data, before[key] - p.grad)


def test_a_copy_and_a_pickle_of_a_model_are_its_own():
    model = network()
    plan = learned(model)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other = learned(twin)
        assert not np.shares_memory(other.weights, plan.weights)
        np.testing.assert_array_equal(other.weights, plan.weights)


def test_part_of_a_model_may_learn_by_a_plan_of_its_own():
    model, plain = network(), network()
    plan = learned(model)
    head = nn.Sequential(model[6], model[7], model[8])
    part = engine.compile(head, (75,), 6)
    x, dy = np.random.default_rng(3).normal(size=(6, 75)).astype(np.float32), batch()[1]
    rule = optim.SGD(0.5)
    for _ in range(2):
        part(x)
        part.backward(dy)
        expected = {key: p.data - 0.5 * p.grad for key, p in head.parameters().items()}
        update(rule, head.parameters())
        for key, p in head.parameters().items():
            np.testing.assert_allclose(p.data, expected[key], rtol=1e-6)
        back(plan)
        assert plan._weights._flat.hold(list(model.parameters().values()))
    plain.load_state_dict(model.state_dict())
    np.testing.assert_allclose(plan(batch()[0]), plain.train()(batch()[0]), rtol=1e-3, atol=1e-4)


def test_a_float64_model_has_no_flat_arrays_and_learns_all_the_same():
    model = network()
    for p in model.parameters().values():
        p.data = p.data.astype(np.float64)
    plan = learned(model)
    with pytest.raises(ArgumentError, match=r"Plan: keeps weights and gradients in one array only"):
        plan.weights  # noqa: B018
    before = model.state_dict()
    update(optim.SGD(1.0), model.parameters())
    for key, p in model.parameters().items():
        np.testing.assert_allclose(p.data, before[key] - p.grad)


def test_arrays_that_share_memory_stay_together():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].weight.data = model[0].weight.data
    plan = engine.compile(model, (8,), 3)
    plan(np.ones((3, 8), np.float32))
    plan.backward(np.ones((3, 8), np.float32))
    assert model[1].weight.data is model[0].weight.data
    with pytest.raises(ArgumentError, match="share no memory"):
        plan.gradients  # noqa: B018
    assert flat_weights([]) is None


def test_nothing_keeps_a_model_alive():
    import gc
    import weakref

    model = network()
    learned(model)
    update(optim.Adam(), model.parameters())
    p = model[0].weight
    assert weights_of(p) is not None
    gone = weakref.ref(p)
    del model, p
    gc.collect()
    assert gone() is None


def test_a_parameter_that_replaced_another_learns():
    model = network()
    plan, rule = learned(model), optim.SGD(1.0)
    model[0].weight = nn.Parameter(model[0].weight.data.copy())
    for seed in (1, 2):
        before = model[0].weight.data.copy()
        back(plan, seed)
        update(rule, model.parameters())
        np.testing.assert_array_equal(model[0].weight.data, before - model[0].weight.grad)
