"""The gradient of one weight as a sum, and its next value, against PyTorch's optimizers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nn.cases import CASES
from pellucid import nn, optim
from pellucid.errors import ArgumentError
from pellucid.nn import Parameter, walk
from pellucid.optim import RULES, Optimizer, by_name
from pellucid.viz.analysis.loss_gradients import loss_gradients
from pellucid.viz.analysis.way_back import next_weight, weight_step, writes_rule
from viz.gradient_nets import branching, seeded, trained_norms, values_of

LEARNING = [case for case in CASES if case.build().parameters()]


def indices_of(array, seed=2):
    rng = np.random.default_rng(seed)
    corners = {(0,) * array.ndim, tuple(n - 1 for n in array.shape)}
    return [*corners, tuple(int(rng.integers(n)) for n in array.shape)]


@pytest.mark.parametrize("case", LEARNING, ids=lambda case: case.id)
def test_the_terms_of_a_weight_add_up_to_its_gradient(case):
    """The layer's own backward has the gradient, in a network that ends in scores."""
    shape = case.build().output_shape(case.shape)
    model = nn.Sequential(
        case=case.build().astype(np.float32),
        flat=nn.Reshape(-1),
        fc=nn.Linear(int(np.prod(shape)), 3, rng=np.random.default_rng(0)),
    ).eval()
    x, _ = case.arrays(np.float32)
    back = loss_gradients(model, values_of(model, np.array(x[0])), 1)
    loss = nn.SoftmaxCrossEntropy()
    loss(model(x[:1]), np.array([1]))
    model.backward(loss.backward())
    for key, parameter in model.parameters().items():
        for index in indices_of(parameter.data):
            told = weight_step(model, back, key, index, optim.SGD()).as_dict()
            windows, listed = told["windows"], told["windows"]["listed"]
            dy = back.gradients[windows["value"]]
            terms = listed["dy"].astype(np.float64) * listed["x"]
            scale = max(np.abs(terms).max(initial=0), np.abs(parameter.grad).max(), 1e-20)
            within = 1e-5 * float(scale)
            assert terms.sum() == pytest.approx(told["gradient"], abs=within)
            assert told["gradient"] == pytest.approx(parameter.grad[index], abs=within)
            np.testing.assert_allclose(listed["products"], terms, atol=within)
            np.testing.assert_array_equal(listed["dy"], [dy[tuple(at)] for at in listed["at"]])
            assert (windows["total"], windows["rest"]) == (len(terms), 0)


def test_the_windows_of_a_convolution_show_the_image_and_its_padding():
    conv = nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, rng=np.random.default_rng(0))
    model = nn.Sequential(conv, nn.Flatten(), nn.Linear(36, 3, rng=np.random.default_rng(1)))
    image = np.random.default_rng(2).normal(size=(2, 5, 6)).astype(np.float32)
    back = loss_gradients(model, values_of(model, image), 2)
    found = weight_step(model, back, "0.weight", (3, 0, 0, 2), optim.SGD())
    padded = np.pad(image[1], 1)
    assert found.at.tolist() == [[3, i, j] for i in range(3) for j in range(3)]
    for (_, i, j), x, outside in zip(found.at, found.x, found.padded, strict=True):
        assert x == padded[2 * i + 0, 2 * j + 2]
        assert outside == (i == 0 or 2 * j + 2 > 6)
    assert found.equation.startswith("dw[o,c,u,v] = Σ dy[o,i,j] · x[")


def test_more_terms_than_are_listed_are_added_up():
    conv = nn.Conv2d(1, 2, 1, rng=np.random.default_rng(0))
    model = nn.Sequential(
        conv, nn.Flatten(), nn.Linear(2 * 70 * 70, 2, rng=np.random.default_rng(1))
    )
    image = np.random.default_rng(2).normal(size=(1, 70, 70)).astype(np.float32)
    back = loss_gradients(model, values_of(model, image), 0)
    for key, index in (("0.weight", (1, 0, 0, 0)), ("0.bias", (1,))):
        found = weight_step(model, back, key, index, optim.SGD())
        assert (found.total, len(found.at)) == (4900, 4096)
        assert found.rest != 0
        assert found.products.sum(dtype=np.float64) + found.rest == pytest.approx(
            found.gradient, rel=1e-4, abs=1e-6
        )


@pytest.mark.parametrize(
    ("name", "shape"), [("resnet20", (3, 32, 32)), ("lenet-1998", (1, 32, 32))]
)
def test_weights_of_known_networks_add_up(name, shape):
    model = trained_norms(seeded(name, shape))
    image = np.random.default_rng(0).random(shape, np.float32)
    back = loss_gradients(model, values_of(model, image), 7)
    for key in list(model.parameters())[::5]:
        index = indices_of(model.parameters()[key].data)[-1]
        found = weight_step(model, back, key, index, by_name("adam"))
        largest = max(float(np.abs(found.products).max(initial=0)), 1e-20)
        total = found.products.sum(dtype=np.float64) + found.rest
        assert total == pytest.approx(found.gradient, abs=2e-5 * largest), key


# The next value ---------------------------------------------------------------------------------

THEIRS = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {"eps": 1e-7}),
    "rmsprop": ("RMSprop", {"eps": 1e-7}),
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {}),
}


WHOLE = ("lars", "lamb")  # of norms of whole parameters, which PyTorch has not


def test_every_rule_of_the_library_is_compared():
    assert THEIRS.keys() | set(WHOLE) == RULES.keys()


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_the_next_weight_is_that_of_pytorch_and_of_the_optimizer(torch, name, decay):
    rng = np.random.default_rng(1)
    start = rng.normal(size=(2, 3))
    kind, options = THEIRS[name]
    p, q = Parameter(start.copy()), torch.nn.Parameter(torch.from_numpy(start.copy()))
    ours = by_name(name, 0.1)
    ours.weight_decay = decay
    theirs = getattr(torch.optim, kind)([q], lr=0.1, weight_decay=decay, **options)
    for _ in range(3):
        g = rng.normal(size=(2, 3))
        p.grad, q.grad = g, torch.from_numpy(g)
        state = {k: v.copy() for k, v in ours.state_dict().items()}
        found = next_weight(ours, "w", p, (1, 2), float(g[1, 2]))
        assert {k: v.tolist() for k, v in ours.state_dict().items()} == {
            k: v.tolist() for k, v in state.items()
        }
        theirs.step()
        ours.step({"w": p})
        assert found.next == pytest.approx(q[1, 2].item(), abs=1e-9)
        assert found.next == pytest.approx(p.data[1, 2], abs=1e-12)
        assert computed(found) == pytest.approx(found.next, abs=1e-9)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0], ids=["whole", "half", "spared"])
def test_the_next_weight_of_a_rule_with_norms_is_the_optimizers(name, decay, factor):
    rng = np.random.default_rng(1)
    p = Parameter(rng.normal(size=(2, 3)), decay=factor)
    ours = by_name(name, 0.1)
    ours.weight_decay = decay
    for step in range(3):
        p.grad = rng.normal(size=(2, 3))
        state = {k: v.copy() for k, v in ours.state_dict().items()}
        found = next_weight(ours, "w", p, (1, 2), p.grad)
        assert all((ours.state_dict()[k] == v).all() for k, v in state.items())
        ours.step({"w": p})
        assert found.next == pytest.approx(p.data[1, 2], abs=1e-12)
        assert computed(found) == pytest.approx(found.next, abs=1e-9)
        written = {n.symbol: n.value for n in found.numbers}
        assert ("q" in written) == (factor != 0)
        assert ("λ" in written) == (decay * factor != 0)
        if step == 0 and factor:
            p.data[...] = 0  # without a norm there is no ratio
            p.grad = np.ones((2, 3))
            zero = next_weight(ours, "w", p, (0, 0), p.grad)
            assert "q = 1" in zero.lines
            assert computed(zero) == pytest.approx(zero.next, abs=1e-9)
            p.data[...] = rng.normal(size=(2, 3))


@pytest.mark.parametrize("name", WHOLE)
def test_the_gradient_of_one_weight_is_refused_where_a_rule_needs_all(name):
    p = Parameter(np.ones((2, 3), np.float32))
    with pytest.raises(
        ArgumentError, match=r"^gradient: must be that of the whole .* \(2, 3\): LA"
    ):
        next_weight(by_name(name), "w", p, (0, 0), 1.0)


def computed(found):
    """Return the next weight by the written lines alone: each is computed as it stands."""
    names = {"η": "lr", "λ": "decay", "μ": "mu", "α": "alpha", "β₁": "b1", "β₂": "b2", "ε": "eps"}
    names |= {f"‖{letter}‖": f"norm_{letter}" for letter in "wgru"}
    known = {}

    def python(text):
        for ours, theirs in (
            ("√v̂", "sqrt(v_hat)"), ("√h′", "sqrt(h_new)"), ("m̂", "m_hat"), ("v̂", "v_hat"),
            ("ᵗ", "**t"), ("²", "**2"), ("′", "_new"), ("·", "*"), ("−", "-"), *names.items(),
        ):  # fmt: skip
            text = text.replace(ours, theirs)
        return text

    # What a line defines is computed; of the given numbers only what stands before is taken.
    for number in found.numbers:
        if "′" not in number.symbol and number.symbol not in ("m̂", "v̂", "√v̂", "q", "r", "u"):
            known[python(number.symbol)] = number.value
    given = {python(n.symbol): n.value for n in found.numbers if n.symbol not in ("√v̂", "w′")}
    for line in found.lines:
        name, _, formula = line.replace("←", "=").partition(" = ")
        value = eval(python(formula), {"sqrt": math.sqrt}, known)
        if name == "w":
            return value
        known[python(name)] = value
        assert given[python(name)] == pytest.approx(value, abs=1e-9)
    raise AssertionError(found.lines)


def test_the_memory_of_a_training_is_gone_on_with():
    model = branching()
    image = np.random.default_rng(0).normal(size=(2, 6, 6)).astype(np.float32)
    adam = by_name("adam", 0.01)
    for _ in range(3):
        back = loss_gradients(model, values_of(model, image), 0)
        for key, parameter in model.parameters().items():
            parameter.grad = back.weight(key)
        found = weight_step(model, back, "both.two.0.weight", (1, 2, 0, 1), adam)
        adam.step(model.parameters())
        parameter = model.parameters()["both.two.0.weight"]
        assert found.update.next == pytest.approx(parameter.data[1, 2, 0, 1], abs=1e-7)
    assert [n.value for n in found.update.numbers if n.symbol == "t"] == [3.0]


def test_the_rate_and_the_decay_of_the_parameter_count():
    p = Parameter(np.array([2.0], np.float32), decay=0.0)
    p.rate = 0.5
    found = next_weight(optim.SGD(0.1, weight_decay=0.3), "w", p, (0,), 4.0, lr=1.0)
    assert (found.lr, found.next, found.text) == (0.5, 0.0, "w ← w − η · g")
    p.rate = 0.0
    frozen = next_weight(optim.SGD(0.1), "w", p, (0,), 4.0)
    assert (frozen.lr, frozen.next, frozen.text) == (0.0, 2.0, "w ← w")


def test_a_rule_of_ones_own_is_taken_and_may_be_written():
    class Sign(Optimizer):
        def update(self, w, g, lr, t):
            w -= lr * np.sign(g)

    p = Parameter(np.array([2.0]))
    plain = next_weight(Sign(0.5), "w", p, (0,), -3.0)
    assert (plain.next, plain.text) == (2.5, "w ← Sign(w, g, η)")

    @writes_rule(Sign)
    def _sign(optimizer, step):
        return ["w ← w − η · sign(g)"], {}

    assert next_weight(Sign(0.5), "w", p, (0,), -3.0).text == "w ← w − η · sign(g)"


@pytest.mark.parametrize(
    ("key", "index", "match"),
    [
        ("fc.wieght", (0, 0), "Did you mean 'fc.weight'"),
        ("fc.weight", (0,), "must be 2 integers from 0, below 3x2, the shape of 'fc.weight'"),
        ("fc.weight", (3, 0), "received"),
        ("fc.weight", (-1, 0), "received"),
        ("fc.weight", (True, 0), "received"),
    ],
)
def test_a_weight_that_does_not_exist_is_refused(key, index, match):
    model = nn.Sequential(fc=nn.Linear(2, 3))
    back = loss_gradients(model, values_of(model, np.ones(2, np.float32)), 0)
    with pytest.raises(ArgumentError, match=match):
        weight_step(model, back, key, index, optim.SGD())


def test_every_parameter_of_a_model_belongs_to_a_node():
    model = branching()
    owned = {id(p) for node in walk.flattened(model) for p in node.layer.parameters().values()}
    assert owned == {id(p) for p in model.parameters().values()}
