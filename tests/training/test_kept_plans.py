"""`predict` keeps its plans, and never answers with what a model was before."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

from pellucid import data, engine, models, nn
from pellucid.engine.cpu.steps.base import STEPS
from pellucid.training import Trainer, predict
from pellucid.training.kept_plans import MOST, PLACE

RNG = np.random.default_rng(0)
X = RNG.random((3, 1, 12, 12), dtype=np.float32)


def network() -> nn.Sequential:
    rng = np.random.default_rng(1)
    model = nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, rng=rng),
        norm=nn.BatchNorm2d(4),
        relu=nn.ReLU(),
        drop=nn.Dropout(0.5),
        pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc=nn.Linear(100, 3, rng=rng),
    )
    model["norm"].running_mean.data[:] = 0.2
    return model


def plans(model) -> list:
    return [plan for _, plan in vars(model)[PLACE]._plans]


def require_fresh(model, x=X):
    """Require of `predict` the very bits that a model without a kept plan gives."""
    expected = predict(copy.deepcopy(model), x)
    np.testing.assert_array_equal(predict(model, x), expected)


@pytest.fixture
def model() -> nn.Sequential:
    model = network()
    predict(model, X)
    assert len(plans(model)) == 1
    return model


def test_the_second_prediction_uses_the_plan_of_the_first(model):
    (plan,) = plans(model)
    first, second = predict(model, X), predict(model, X)
    assert plans(model) == [plan]
    np.testing.assert_array_equal(first, second)


def set_running_mean(model):
    model["norm"].running_mean.data[:] = 3


CHANGES = {
    "weights in place": lambda m: m["conv"].weight.data.__imul__(-2),
    "one weight in place": lambda m: m["fc"].bias.data.__setitem__(0, 9),
    "statistics in place": set_running_mean,
    "weights replaced": lambda m: setattr(m["conv"].weight, "data", -m["conv"].weight.data),
    "parameter replaced": lambda m: setattr(
        m["conv"], "weight", nn.Parameter(-m["conv"].weight.data)
    ),
    "state loaded": lambda m: m.load_state_dict(
        {key: a + 1 for key, a in network().state_dict().items()}
    ),
    "float64": lambda m: m.astype(np.float64),
    "layer replaced": lambda m: m._children.__setitem__("relu", nn.Tanh()),
    "layer added": lambda m: m._children.__setitem__("more", nn.Linear(3, 5)),
    "layer removed": lambda m: m._children.pop("norm"),
    "another class": lambda m: setattr(m["relu"], "__class__", nn.Tanh),
    "constant changed": lambda m: setattr(m["norm"], "eps", 7.0),
    "frozen": lambda m: nn.freeze(m, "norm"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_model_changes_the_next_prediction(model, change):
    before = predict(model, X)
    CHANGES[change](model)
    require_fresh(model)
    if change != "frozen":
        after = predict(model, X)
        alike = after.shape == before.shape and after.dtype == before.dtype
        assert not alike or abs(after - before).max() > 1e-5


def test_layers_in_another_order_are_another_network():
    model = nn.Sequential(a=nn.ReLU(), b=nn.Tanh(), c=nn.Flatten(), d=nn.Linear(144, 3))
    predict(model, X - 0.5)
    model._children.update({name: model._children.pop(name) for name in "bacd"})
    require_fresh(model, X - 0.5)


def test_a_training_between_two_predictions_is_seen(model):
    images = (RNG.random((40, 1, 12, 12)) * 255).astype(np.uint8)
    dataset = data.Dataset.from_arrays(images, np.arange(40) % 3)
    before = predict(model, X)
    trainer = Trainer(model, dataset, epochs=1, batch_size=10, lr=0.1)
    for _ in range(2):
        trainer.epochs = trainer.epoch + 1
        trainer.fit()
        require_fresh(model)
    assert abs(predict(model, X) - before).max() > 1e-4


def test_predictions_of_other_shapes_and_sizes_have_plans_of_their_own(model):
    for n in (1, 2, 3, 5, 2, 1):
        require_fresh(model, RNG.random((n, 1, 12, 12), dtype=np.float32))
    wide = nn.Sequential(conv=nn.Conv2d(1, 4, 3), pool=nn.GlobalAvgPool2d())
    for side in (6, 9, 6):
        require_fresh(wide, RNG.random((2, 1, side, side), dtype=np.float32))
    assert len(plans(model)) <= MOST


def test_copies_and_pickles_have_no_plans_and_answer_for_themselves(model):
    for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        shared = again["conv"] is model["conv"]
        again["fc"].bias.data[:] += 1
        assert shared or not len(vars(again)[PLACE])
        require_fresh(again)
        require_fresh(model)


def test_a_model_that_nobody_holds_goes_with_its_plans():
    model = network()
    predict(model, X)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_threads_predict_with_one_model_at_once(model):
    batches = [RNG.random((4, 1, 12, 12), dtype=np.float32) for _ in range(4)]
    expected = [predict(copy.deepcopy(model), x) for x in batches]
    wrong = []

    def work(k):
        for _ in range(20):
            if (predict(model, batches[k]) != expected[k]).any():
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(plans(model)) <= MOST


def test_a_plan_that_failed_is_not_kept():
    class Failing(nn.Layer):
        def forward(self, x):
            if x.max() > 1:
                raise ValueError("too large")
            return x

    model = nn.Sequential(Failing(), nn.Flatten(), nn.Linear(144, 2))
    predict(model, X)
    (plan,) = plans(model)
    with pytest.raises(ValueError, match="too large"):
        predict(model, X + 1)
    assert plan not in plans(model)
    require_fresh(model)


def test_a_layer_whose_attributes_cannot_be_compared_keeps_no_plan():
    class Factor:
        def __init__(self):
            self.value = 1.0

    class Scale(nn.Layer):
        def __init__(self):
            self.factor = Factor()

        def forward(self, x):
            return x * self.factor.value

    model = nn.Sequential(Scale(), nn.Flatten(), nn.Linear(144, 2))
    predict(model, X)
    assert PLACE not in vars(model)


def test_a_step_that_is_registered_later_serves_the_next_prediction(monkeypatch):
    monkeypatch.setattr(STEPS, "by_layer", dict(STEPS.by_layer))

    class Double(nn.Layer):
        per_number = True

        def forward(self, x):
            return 2 * x

    model = nn.Sequential(Double(), nn.Flatten(), nn.Linear(144, 2))
    predict(model, X)

    @engine.serves(Double)
    class Wrong(engine.Step):
        kernel = "three times"

        def __init__(self, name, layer, input_shape, batch_size):
            super().__init__(name, input_shape)

        def forward(self, x):
            return np.ascontiguousarray(3 * x)

    np.testing.assert_array_equal(predict(model, X), predict(copy.deepcopy(model), X))
    assert any("three" in step.kernel for plan in plans(model) for step in plan.steps)


def test_saved_models_say_nothing_of_plans(model, tmp_path):
    import pellucid

    plain = models.SimpleConvNet((1, 12, 12))
    pellucid.save(plain, tmp_path / "a.safetensors")
    predict(plain, X)
    pellucid.save(plain, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert repr(model) == repr(network())
