"""Between backward and update: a hook, and clipping."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import data, nn, optim
from pellucid.engine.cpu import clipping
from pellucid.errors import ArgumentError, NumericsError, StateDictError
from pellucid.training import Callback, CompiledEngine, NumpyEngine, Trainer
from training.setup import At, measured, network, same_weights, trainer

ENGINES = ["compiled", "numpy"]


def gradients(one: Trainer) -> np.ndarray:
    return np.concatenate([p.grad.ravel() for p in one.model.parameters().values()])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_hook_comes_after_backward_and_before_the_update(engine):
    told = []

    class Watched(CompiledEngine if engine == "compiled" else NumpyEngine):
        def update(self, *args):
            told.append("update")
            super().update(*args)

        def clip(self, *args):
            told.append("clip")
            return super().clip(*args)

    class Hears(Callback):
        def on_gradients(self, trainer):
            assert np.isfinite(gradients(trainer)).all()
            told.append("on_gradients")

        def on_batch_end(self, trainer, loss, images):
            told.append("on_batch_end")

    one = trainer(epochs=1, engine=Watched(), callbacks=[Hears()], clip_norm=1.0)
    one.fit()
    assert told == 5 * ["on_gradients", "clip", "update", "on_batch_end"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("in_place", [True, False])
def test_what_the_hook_does_to_a_gradient_is_what_is_learned(engine, in_place):
    class Halves(Callback):
        def on_gradients(self, trainer):
            for p in trainer.model.parameters().values():
                if in_place:
                    p.grad *= 0.5
                else:
                    p.grad = p.grad * np.float32(0.5)

    halved = trainer("sgd", lr=0.1, epochs=1, engine=engine, callbacks=[Halves()])
    slower = trainer("sgd", lr=0.05, epochs=1, engine=engine)
    halved.fit(), slower.fit()
    for key, p in slower.model.parameters().items():
        np.testing.assert_allclose(halved.model.parameters()[key].data, p.data, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_noise_changes_what_is_learned(engine):
    class Noise(Callback):
        def on_gradients(self, trainer):
            rng = np.random.default_rng(trainer.optimizer.t)
            for p in trainer.model.parameters().values():
                p.grad += rng.normal(scale=0.1, size=p.grad.shape).astype(np.float32)

    one, two = (trainer(epochs=1, engine=engine, callbacks=[Noise()]) for _ in range(2))
    calm = trainer(epochs=1, engine=engine)
    for each in (one, two, calm):
        each.fit()
    assert same_weights(one.model, two.model)
    assert not same_weights(one.model, calm.model)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_in_the_hook_undoes_the_batch(engine):
    def fail(trainer):
        raise ValueError("enough")

    one, calm = trainer(engine=engine), trainer(engine=engine)
    one.callbacks = [At("on_gradients", 3, fail)]
    with pytest.raises(ValueError, match="enough"):
        one.fit()
    assert len(one.history.losses) == 2
    one.callbacks = []
    assert measured(one.fit()) == measured(calm.fit())
    assert same_weights(one.model, calm.model)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_norm_is_read_before_it_is_clipped(engine):
    norms, clipped = [], []

    class Reads(Callback):
        def on_gradients(self, trainer):
            norms.append(np.linalg.norm(gradients(trainer).astype(np.float64)))

        def on_batch_end(self, trainer, loss, images):
            clipped.append(np.linalg.norm(gradients(trainer)))
            assert trainer.gradient_norm == pytest.approx(norms[-1], rel=1e-6)

    trainer("sgd", epochs=2, engine=engine, callbacks=[Reads()], clip_norm=0.5).fit()
    assert min(norms) > 0.5
    np.testing.assert_allclose(clipped, 0.5, rtol=1e-5)


def test_both_engines_clip_alike():
    one, two = (trainer(epochs=2, engine=engine, clip_norm=0.3) for engine in ENGINES)
    np.testing.assert_allclose(one.fit().losses, two.fit().losses, rtol=1e-3)
    assert one.gradient_norm == pytest.approx(two.gradient_norm, rel=1e-2)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_norm_below_the_limit_changes_no_bit(engine):
    one, two = trainer(epochs=1, engine=engine, clip_norm=1e6), trainer(epochs=1, engine=engine)
    one.fit(), two.fit()
    assert same_weights(one.model, two.model)


def _parameters(seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    shapes = {"w": (30, 40, 5, 5), "b": (3,), "v": (9000,)}
    found = {}
    for name, shape in shapes.items():
        found[name] = nn.Parameter(np.zeros(shape, dtype))
        found[name].grad = rng.normal(size=shape).astype(dtype)
    return found


@pytest.mark.parametrize("clip", [optim.clip_grad_norm, clipping.clip_grad_norm])
@pytest.mark.parametrize("max_norm", [0.1, 5.0, 1e4])
def test_clipping_is_that_of_pytorch(clip, max_norm):
    torch = pytest.importorskip("torch")
    ours, theirs = _parameters(), []
    for p in ours.values():
        theirs.append(torch.nn.Parameter(torch.zeros(p.data.shape)))
        theirs[-1].grad = torch.from_numpy(p.grad.copy())
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    assert clip(ours, max_norm) == pytest.approx(float(expected), rel=1e-6)
    for p, q in zip(ours.values(), theirs, strict=True):
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("clip", [optim.clip_grad_norm, clipping.clip_grad_norm])
def test_frozen_parameters_do_not_count(clip):
    parameters = _parameters()
    parameters["v"].rate = 0
    kept = parameters["v"].grad.copy()
    w, b = (parameters[k].grad.astype(np.float64) for k in "wb")
    assert clip(parameters, 0.1) == pytest.approx(np.sqrt((w**2).sum() + (b**2).sum()), rel=1e-7)
    np.testing.assert_array_equal(parameters["v"].grad, kept)
    assert clip({"v": parameters["v"]}, 1.0) == 0


@pytest.mark.parametrize("clip", [optim.clip_grad_norm, clipping.clip_grad_norm])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_norm_that_is_not_finite_is_refused(clip, value):
    parameters = _parameters()
    parameters["b"].grad[1] = value
    kept = parameters["w"].grad.copy()
    with pytest.raises(NumericsError, match=rf"the norm of the gradients is {value}"):
        clip(parameters, 1.0)
    np.testing.assert_array_equal(parameters["w"].grad, kept)


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_gradients_of_other_types_are_clipped_too(dtype):
    one, two = _parameters(dtype=dtype), _parameters(dtype=dtype)
    norms = optim.clip_grad_norm(one, 0.5), clipping.clip_grad_norm(two, 0.5)
    assert norms[0] == pytest.approx(norms[1], rel=1e-6)
    for name, p in one.items():
        assert two[name].grad.dtype == dtype
        np.testing.assert_allclose(two[name].grad, p.grad, rtol=1e-6)


def test_after_a_plan_it_is_one_pass(monkeypatch):
    one = trainer(epochs=1, clip_norm=0.1)
    passes = []
    squares = clipping.squares
    monkeypatch.setattr(
        clipping, "squares", lambda g, bounds: passes.append(g.size) or squares(g, bounds)
    )
    one.fit()
    assert len(passes) == 5
    passes.clear()
    one.model["fc1"].weight.rate = 0
    one.epochs = 2
    one.fit()
    assert len(passes) == 10  # before and after the frozen one


@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, "a"])
def test_a_limit_that_is_not_a_positive_number_is_refused(value):
    with pytest.raises(ArgumentError, match="clip_norm: must be a finite number above 0"):
        trainer(clip_norm=value)
    one = trainer()
    with pytest.raises(ArgumentError, match="clip_norm"):
        one.clip_norm = value


def test_a_state_knows_that_it_was_clipped(tmp_path):
    one = trainer(clip_norm=0.2, epochs=1)
    one.fit()
    one.state().save(tmp_path / "state")
    state = type(one.state()).load(tmp_path / "state")
    assert state.clip_norm == 0.2
    with pytest.raises(StateDictError, match=r"with clip_norm 0.2, and this Trainer has None"):
        trainer(epochs=1).load_state(state)
    trainer(epochs=1, clip_norm=0.2).load_state(state)


class Lacks:
    name = "mine"

    def prepare(self):
        pass


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("fast", "Did you mean 'compiled'"),
        ("reference", "Did you mean 'numpy'"),
        ("compild", "Did you mean 'compiled'"),
        (NumpyEngine, r"Give an object: `NumpyEngine\(\)`"),
        (Lacks(), "It lacks loss, gather, update, clip, watched"),
        (None, "received None"),
        (3, "received 3"),
    ],
)
def test_what_is_not_an_engine_is_refused(engine, message):
    with pytest.raises(ArgumentError, match=rf"engine: must be 'compiled', 'numpy'.*{message}"):
        trainer(engine=engine)


def test_an_engine_of_ones_own_evaluates_and_predicts():
    from pellucid import evaluate, predict

    asked = []

    class Counts(NumpyEngine):
        def prepare(self, model, image_shape, batch_size, *, frozen=False):
            asked.append((batch_size, frozen))
            return super().prepare(model, image_shape, batch_size, frozen=frozen)

    test = data.digits()[1].take(20)
    evaluate(network(), test, batch_size=8, engine=Counts())
    predict(network(), test, engine=Counts())
    trainer(engine=Counts(), epochs=1)
    assert asked == [(8, True), (20, True), (32, False)]
