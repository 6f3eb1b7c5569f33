"""The way back of single units and weights: what is written adds up to the gradient."""

from __future__ import annotations

import numpy as np
import pytest

from nn.cases import CASES, Case
from pellucid import nn
from pellucid.errors import ArgumentError
from pellucid.nn import walk
from pellucid.viz.analysis.loss_gradients import LossGradients, loss_gradients
from pellucid.viz.analysis.way_back import way_back
from viz.gradient_nets import branching, seeded, trained_norms, values_of


def gradients_of(case: Case) -> tuple[nn.Layer, LossGradients]:
    """Return a case's layer, and the gradients for a random gradient of its output."""
    model = case.build().astype(np.float32).eval()
    x, _ = case.arrays(np.float32)
    values = values_of(model, np.array(x[0]))
    rng = np.random.default_rng(9)
    nodes = walk.flattened(model)
    gradients = [np.zeros(v.shape, np.float32) for v in values]
    gradients[-1] = rng.normal(size=values[-1].shape).astype(np.float32)
    twin = case.build().astype(np.float32).eval()  # of its own, as a witness
    for made, node in reversed(list(enumerate(walk.flattened(twin), 1))):
        node.layer.forward(*(values[k][None] for k in node.reads))
        dx = node.layer.backward(gradients[made][None])
        for k, part in zip(node.reads, dx if isinstance(dx, tuple) else (dx,), strict=True):
            gradients[k] = gradients[k] + part[0]
    nothing = np.zeros(1, np.float32)
    back = LossGradients(nodes, values, -1, -1, 0, 0.0, nothing, nothing, gradients, {})
    return model, back


def units_of(shape, count=3, seed=8):
    rng = np.random.default_rng(seed)
    corners = [(0,) * len(shape), tuple(n - 1 for n in shape)]
    return corners + [tuple(int(rng.integers(n)) for n in shape) for _ in range(count - 2)]


def added_up(told):
    """Return the sum of what the parts of a way back write down, and the largest of its terms."""
    total, largest = 0.0, 0.0
    for part in told["parts"]:
        if part["form"] == "formula":
            terms = np.array([part["result"]])
        else:
            assert part["listed"], part
            terms = part["numbers"].astype(np.float64) * part["factors"]
            assert np.abs(terms - part["products"]).max(initial=0) <= 1e-6 * max(
                1e-30, np.abs(terms).max(initial=0)
            )
            assert part["result"] == pytest.approx(terms.sum(), rel=1e-5, abs=1e-7)
        total += terms.sum()
        largest = max(largest, np.abs(terms).max(initial=0))
    return total, largest


def grid(part):
    """Return the index of each unit of a part's box, in the order of its arrays."""
    if part["indices"] is not None:
        spans = part["indices"]
    elif part["channels"] is not None:
        first, end = part["channels"]
        spans = [[first, 1, end - first], part["rows"], part["columns"]]
    else:
        return [tuple(unit) for unit in part["units"]]
    axes = [range(first, first + step * count, step) for first, step, count in spans]
    return [tuple(unit) for unit in np.stack(
        np.meshgrid(*axes, indexing="ij"), axis=-1
    ).reshape(-1, len(axes)).tolist()]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_returns_to_a_number_adds_up_to_its_gradient(case):
    model, back = gradients_of(case)
    for value in range(len(back.values) - 1):
        for unit in units_of(back.values[value].shape):
            told = way_back(model, back, value, unit).as_dict()
            total, largest = added_up(told)
            scale = max(largest, np.abs(back.gradients[value]).max(), 1e-20)
            assert total == pytest.approx(back.gradients[value][unit], abs=1e-5 * float(scale))
            assert told["arrives"] == back.gradients[value][unit]
            for part in told["parts"]:
                dy = back.gradients[part["reader"]]
                np.testing.assert_array_equal(
                    part["numbers"].ravel(), [dy[at] for at in grid(part)]
                )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_all_units_hand_to_their_windows_adds_up_to_the_gradient(case):
    """Some networks have thousands of units: then the last value's alone."""
    model, back = gradients_of(case)
    made = len(back.values) - 1
    node = back.nodes[-1]
    shape = back.values[made].shape
    cases = units_of(shape, 4) if np.prod(shape) > 120 else list(np.ndindex(shape))
    sums = {k: np.zeros(back.values[k].shape) for k in node.reads}
    for unit in cases:
        for hand in way_back(model, back, made, unit).as_dict()["hands"]:
            target = sums[hand["input"]]
            for at, factor, product, number in zip(
                grid({**hand, "units": None}), hand["factors"].ravel(), hand["products"].ravel(),
                hand["numbers"].ravel(), strict=True,
            ):  # fmt: skip
                if all(0 <= k < n for k, n in zip(at, target.shape, strict=True)):
                    target[at] += product
                    assert number == back.values[hand["input"]][at]
                else:
                    assert factor == product == number == 0
    dy = back.gradients[made]
    if len(cases) < dy.size:
        masked = np.zeros_like(dy)
        for unit in set(cases):
            masked[unit] = dy[unit] * cases.count(unit)
        dy = masked
    node.layer.eval().forward(*(back.values[k][None] for k in node.reads))
    dx = node.layer.backward(dy[None])
    wanted = {k: np.zeros(back.values[k].shape) for k in node.reads}
    for k, part in zip(node.reads, dx if isinstance(dx, tuple) else (dx,), strict=True):
        wanted[k] += part[0]
    for k, total in sums.items():
        scale = max(np.abs(wanted[k]).max(), np.abs(dy).max(), 1e-20)
        np.testing.assert_allclose(total, wanted[k], atol=2e-5 * scale)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.id.startswith(("Conv2d", "ConvTranspose2d", "Linear"))],
    ids=lambda case: case.id,
)
def test_the_factors_of_a_weighted_sum_are_its_weights(case):
    """The layer's own backward, one output at a time, is the witness."""
    model, back = gradients_of(case)
    layer = back.nodes[0].layer
    for unit in units_of(case.shape):
        (part,) = way_back(model, back, 0, unit).as_dict()["parts"]
        assert part["weight"] == "weight"
        layer.forward(back.values[0][None])
        for at, factor in zip(grid(part), part["factors"].ravel(), strict=True):
            one = np.zeros_like(back.values[1])
            one[at] = 1
            assert layer.backward(one[None])[0][unit] == factor
    hands = [
        hand
        for unit in units_of(back.values[1].shape, 5)
        for hand in way_back(model, back, 1, unit).as_dict()["hands"]
    ]
    assert hands
    for hand in hands:
        assert hand["weight"] == "weight"
        inside = hand["factors"] != 0
        np.testing.assert_array_equal(hand["weights"][inside], hand["factors"][inside])


NETWORKS = {
    "simple": (lambda: seeded("simple", (1, 28, 28)), (1, 28, 28)),
    "resnet20": (lambda: trained_norms(seeded("resnet20", (3, 32, 32))), (3, 32, 32)),
    "lenet-1998": (lambda: seeded("lenet-1998", (1, 32, 32)), (1, 32, 32)),
    "branches": (branching, (2, 6, 6)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_in_a_network_every_way_back_adds_up(name):
    build, shape = NETWORKS[name]
    model = build()
    image = np.random.default_rng(0).random(shape, np.float32)
    back = loss_gradients(model, values_of(model, image), 3)
    rng = np.random.default_rng(1)
    values = range(len(back.values))
    for value in values if len(values) < 20 else [*values[:6], *values[6::9], *values[-4:]]:
        array = back.gradients[value]
        unit = tuple(int(rng.integers(n)) for n in array.shape)
        told = way_back(model, back, value, unit).as_dict()
        total, largest = added_up(told)
        scale = max(largest, np.abs(array).max(), 1e-20)
        assert total == pytest.approx(told["arrives"], abs=1e-5 * float(scale)), (name, value)
        np.testing.assert_array_equal(told["map"], array)
        scores = told["scores"] - told["scores"].max()
        assert told["loss"] == pytest.approx(np.log(np.exp(scores).sum()) - scores[3], rel=1e-5)


def test_where_a_maximum_did_not_win_nothing_returns():
    model = nn.Sequential(nn.MaxPool2d(2), nn.Flatten())
    image = np.array([[[1, 5], [3, 2]]], np.float32)
    back = loss_gradients(model, values_of(model, image), 0)
    back.gradients[1][...], back.gradients[2][...] = 4, 4
    lost, won = (way_back(model, back, 0, unit).parts[0] for unit in ((0, 0, 0), (0, 0, 1)))
    assert (lost.factors.tolist(), lost.result) == ([[[0.0]]], 0.0)
    assert (won.factors.tolist(), won.result) == ([[[1.0]]], 4.0)


def test_a_norm_returns_the_gradient_times_its_own_factor():
    model = branching().eval()
    image = np.random.default_rng(0).normal(size=(2, 6, 6)).astype(np.float32)
    back = loss_gradients(model, values_of(model, image), 0)
    (part,) = way_back(model, back, 1, (2, 3, 3)).as_dict()["parts"]
    numbers = {number["symbol"]: number["value"] for number in part["symbols"]}
    assert part["factors"].item() == pytest.approx(
        numbers["γ"] / np.sqrt(numbers["σ²"] + numbers["ε"]), rel=1e-6
    )
    assert [n.get("key") for n in part["symbols"]][:1] == ["norm.weight"]


def test_a_value_that_two_nodes_read_gets_from_both():
    model = branching().eval()
    image = np.random.default_rng(0).normal(size=(2, 6, 6)).astype(np.float32)
    back = loss_gradients(model, values_of(model, image), 0)
    shared = next(
        k for k in range(len(back.values)) if sum(k in node.reads for node in back.nodes) == 2
    )
    told = way_back(model, back, shared, (0, 2, 2)).as_dict()
    assert len(told["parts"]) == 2
    assert told["equation"] == "dx = dx(1) + dx(2)"
    assert sum(part["result"] for part in told["parts"]) == pytest.approx(
        told["arrives"], rel=1e-4, abs=1e-7
    )


def test_a_score_gets_its_probability_minus_whether_it_is_the_class():
    model = nn.Sequential(nn.Linear(2, 3, rng=np.random.default_rng(0)))
    back = loss_gradients(model, values_of(model, np.float32([1, 2])), 1)
    told = way_back(model, back, 1, (1,)).as_dict()
    (part,) = told["parts"]
    p, t = (number["value"] for number in part["numbers"])
    assert (part["form"], t) == ("formula", 1.0)
    assert part["result"] == pytest.approx(p - 1) == pytest.approx(told["arrives"])
    assert told["class"] == 1
    assert "class_" not in told
    trace = told["trace"]
    np.testing.assert_allclose(trace["gradient"], trace["probabilities"] - trace["target"])
    np.testing.assert_allclose(trace["gradient"], back.gradients[1])


def test_a_softmax_at_the_end_returns_together_with_the_loss():
    model = nn.Sequential(nn.Linear(2, 3, rng=np.random.default_rng(0)), nn.Softmax(1))
    back = loss_gradients(model, values_of(model, np.float32([1, 2])), 1)
    scores = way_back(model, back, 1, (2,)).as_dict()
    assert [part["form"] for part in scores["parts"]] == ["formula"]
    assert scores["parts"][0]["result"] == pytest.approx(scores["arrives"])
    probability = way_back(model, back, 2, (1,)).as_dict()
    assert probability["parts"][0]["result"] == pytest.approx(probability["arrives"])
    assert probability["arrives"] == pytest.approx(-1 / back.probabilities[1])
    assert sum(probability["hands"][0]["products"]) == pytest.approx(0, abs=1e-6)


def test_a_layer_of_ones_own_is_followed_by_its_own_backward():
    class Mix(nn.Layer):
        def forward(self, x):
            self.remember(x)
            return x * x.sum(axis=1, keepdims=True)

        def backward(self, dy):
            (x,) = self.recall()
            return dy * x.sum(axis=1, keepdims=True) + (dy * x).sum(axis=1, keepdims=True)

    model = nn.Sequential(Mix(), nn.Flatten())
    image = np.random.default_rng(0).normal(size=(3, 2, 2)).astype(np.float32)
    back = loss_gradients(model, values_of(model, image), 5)
    told = way_back(model, back, 0, (1, 1, 0)).as_dict()
    total, _ = added_up(told)
    assert total == pytest.approx(told["arrives"], rel=1e-4)
    assert told["equation"] == "dx = Σ dy · ∂y/∂x"


def test_sums_too_long_to_list_say_so():
    model = nn.Sequential(nn.GroupNorm(1, 8), nn.GlobalAvgPool2d(), nn.Flatten())
    image = np.random.default_rng(0).normal(size=(8, 64, 64)).astype(np.float32)
    back = loss_gradients(model, values_of(model, image), 5)
    (part,) = way_back(model, back, 0, (1, 10, 3)).as_dict()["parts"]
    assert (part["listed"], part["numbers"]) == (False, None)
    assert part["result"] == pytest.approx(back.gradients[0][1, 10, 3], rel=1e-5)


@pytest.mark.parametrize(("value", "unit"), [(3, (0,)), (-1, (0,)), (1, (3,)), (1, (0, 0))])
def test_a_unit_that_does_not_exist_is_refused(value, unit):
    model = nn.Sequential(nn.Linear(2, 3))
    back = loss_gradients(model, [np.zeros(2, np.float32), np.zeros(3, np.float32)], 1)
    with pytest.raises(ArgumentError, match="received"):
        way_back(model, back, value, unit)
